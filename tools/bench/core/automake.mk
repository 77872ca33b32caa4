# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks of the hypervisor's core on the fake machine, without its debug
# checks; made when asked for.
core_bench_cppflags = -I$(top_srcdir) -I$(top_srcdir)/hv \
	-I$(top_srcdir)/hv/arch/x86 -I$(top_srcdir)/tests \
	-I$(top_srcdir)/tests/unit

# A library, as tests/fake/sched.c stands in for core/sched.c.
EXTRA_LIBRARIES += tools/bench/core/libhvcore_bench.a
tools_bench_core_libhvcore_bench_a_SOURCES = $(hv_lib_sources) \
	$(hv_core_sources) tests/fake/machine.c
tools_bench_core_libhvcore_bench_a_CPPFLAGS = $(core_bench_cppflags)
tools_bench_core_libhvcore_bench_a_CFLAGS = $(WARN_CFLAGS) -O2 -g

EXTRA_PROGRAMS += tools/bench/core/grant_copy_bench
tools_bench_core_grant_copy_bench_SOURCES = \
	tools/bench/core/grant_copy_bench.c tests/unit/core_env.c \
	tests/fake/sched.c
tools_bench_core_grant_copy_bench_CPPFLAGS = $(core_bench_cppflags)
tools_bench_core_grant_copy_bench_CFLAGS = $(WARN_CFLAGS) -O2 -g
tools_bench_core_grant_copy_bench_LDADD = tools/bench/core/libhvcore_bench.a
EXTRA_DIST += tools/bench/grant-copy
