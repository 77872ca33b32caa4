# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of hv/.
HV_UNIT_CPPFLAGS = $(UNIT_CPPFLAGS) -I$(top_srcdir)/hv \
	-I$(top_srcdir)/hv/arch/x86 -DHV_DEBUG

unit_tests += tests/unit/check_printf tests/unit/check_bitmap \
	tests/unit/check_options

tests_unit_check_printf_SOURCES = tests/unit/check_printf.c \
	tests/unit/unit.h hv/lib/printf.c hv/lib/printf.h
tests_unit_check_printf_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_printf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_printf_LDADD = $(UNIT_LDADD)

tests_unit_check_bitmap_SOURCES = tests/unit/check_bitmap.c \
	tests/unit/unit.h hv/lib/bitmap.c hv/lib/bitmap.h hv/lib/nospec.h
tests_unit_check_bitmap_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_bitmap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_bitmap_LDADD = $(UNIT_LDADD)

tests_unit_check_options_SOURCES = tests/unit/check_options.c \
	tests/unit/unit.h hv/arch/x86/boot/options.c hv/arch/x86/boot/boot.h
tests_unit_check_options_CPPFLAGS = $(HV_UNIT_CPPFLAGS)
tests_unit_check_options_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_options_LDADD = $(UNIT_LDADD)

# Core for the host, on the fake machine.  A test that decides itself who runs
# also names tests/fake/sched.c, which then stands in for core/sched.c.
check_LIBRARIES += libhvcore_host.a
libhvcore_host_a_SOURCES = $(hv_lib_sources) $(hv_core_sources) \
	tests/fake/machine.c tests/fake/machine.h tests/fake/pv.c
libhvcore_host_a_CPPFLAGS = $(HV_UNIT_CPPFLAGS) -I$(top_srcdir)/tests
libhvcore_host_a_CFLAGS = $(UNIT_CFLAGS)

HV_CORE_CPPFLAGS = $(HV_UNIT_CPPFLAGS) -I$(top_srcdir)/tests
HV_CORE_ENV = tests/unit/unit.h tests/unit/core_env.c \
	tests/unit/core_env.h tests/fake/sched.c
HV_CORE_LDADD = libhvcore_host.a

unit_tests += tests/unit/check_evtchn
tests_unit_check_evtchn_SOURCES = tests/unit/check_evtchn.c \
	tests/unit/step.h \
	$(HV_CORE_ENV)
tests_unit_check_evtchn_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_evtchn_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_evtchn_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_evtchn_fifo
tests_unit_check_evtchn_fifo_SOURCES = tests/unit/check_evtchn_fifo.c \
	$(HV_CORE_ENV)
tests_unit_check_evtchn_fifo_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_evtchn_fifo_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_evtchn_fifo_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD) \
	-lpthread

unit_tests += tests/unit/check_grant
tests_unit_check_grant_SOURCES = tests/unit/check_grant.c \
	$(HV_CORE_ENV)
tests_unit_check_grant_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_grant_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_grant_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_hypercall
tests_unit_check_hypercall_SOURCES = tests/unit/check_hypercall.c \
	$(HV_CORE_ENV)
tests_unit_check_hypercall_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_hypercall_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_hypercall_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_guest_ops
tests_unit_check_guest_ops_SOURCES = tests/unit/check_guest_ops.c \
	$(HV_CORE_ENV)
tests_unit_check_guest_ops_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_guest_ops_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_guest_ops_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_core_threads
tests_unit_check_core_threads_SOURCES = tests/unit/check_core_threads.c \
	$(HV_CORE_ENV)
tests_unit_check_core_threads_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_core_threads_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_core_threads_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD) -lpthread

CORE_CHECK = tests/unit/core_check.c tests/unit/core_check.h

unit_tests += tests/unit/check_core_check
tests_unit_check_core_check_SOURCES = tests/unit/check_core_check.c \
	$(CORE_CHECK) $(HV_CORE_ENV)
tests_unit_check_core_check_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_core_check_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_core_check_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

fuzz_tests += tests/fuzz/fuzz_hypercall
tests_fuzz_fuzz_hypercall_SOURCES = tests/fuzz/fuzz_hypercall.c \
	tests/fuzz/runner.c tests/fuzz/fuzz.h $(CORE_CHECK) $(HV_CORE_ENV)
tests_fuzz_fuzz_hypercall_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_fuzz_fuzz_hypercall_CFLAGS = $(UNIT_CFLAGS)
tests_fuzz_fuzz_hypercall_LDADD = $(HV_CORE_LDADD)

unit_tests += tests/unit/check_pv_op
tests_unit_check_pv_op_SOURCES = tests/unit/check_pv_op.c \
	$(HV_CORE_ENV)
tests_unit_check_pv_op_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_pv_op_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pv_op_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_soft_reset
tests_unit_check_soft_reset_SOURCES = tests/unit/check_soft_reset.c \
	tests/unit/reset_env.h \
	$(HV_CORE_ENV)
tests_unit_check_soft_reset_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_soft_reset_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_soft_reset_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD)

unit_tests += tests/unit/check_soft_reset_peers
tests_unit_check_soft_reset_peers_SOURCES = \
	tests/unit/check_soft_reset_peers.c \
	tests/unit/reset_env.h tests/unit/step.h \
	$(HV_CORE_ENV)
tests_unit_check_soft_reset_peers_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_soft_reset_peers_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_soft_reset_peers_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD) \
	-lpthread

unit_tests += tests/unit/check_domctl_policy
tests_unit_check_domctl_policy_SOURCES = tests/unit/check_domctl_policy.c \
	tests/unit/step.h \
	$(HV_CORE_ENV)
tests_unit_check_domctl_policy_CPPFLAGS = $(HV_CORE_CPPFLAGS)
tests_unit_check_domctl_policy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_domctl_policy_LDADD = $(HV_CORE_LDADD) $(UNIT_LDADD) -lpthread
