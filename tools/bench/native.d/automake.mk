# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks that need no hypervisor: what tools/bench/native runs.
bench_local_front = netback/access.h netback/ring.h netback/local.h \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h

noinst_PROGRAMS += tools/bench/native.d/vif_bench
tools_bench_native_d_vif_bench_SOURCES = tools/bench/native.d/vif_bench.c \
	tools/bench/native.d/local_load.h tools/bench/native.d/traffic.h \
	$(bench_local_front) netback/local.c netback/local_link.c \
	netback/from_guest.c netback/from_guest.h \
	netback/to_guest.c netback/to_guest.h \
	netback/journal.c netback/journal.h netback/kill_point.h \
	netback/window.c netback/window.h netback/prefetch.h netback/grant_pin.h
tools_bench_native_d_vif_bench_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tools_bench_native_d_vif_bench_CFLAGS = $(WARN_CFLAGS) -O2

noinst_PROGRAMS += tools/bench/native.d/vif_load
tools_bench_native_d_vif_load_SOURCES = tools/bench/native.d/vif_load.c \
	tools/bench/native.d/load_commands.h \
	tools/bench/native.d/local_load.h tools/bench/native.d/traffic.h \
	$(bench_local_front)
tools_bench_native_d_vif_load_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tools_bench_native_d_vif_load_CFLAGS = $(WARN_CFLAGS) -O2

if BUILD_NETBACK
noinst_PROGRAMS += tools/bench/native.d/dpdk_load
tools_bench_native_d_dpdk_load_SOURCES = tools/bench/native.d/dpdk_load.c \
	tools/bench/native.d/load_commands.h tools/bench/native.d/traffic.h
tools_bench_native_d_dpdk_load_CPPFLAGS = -D_GNU_SOURCE $(DPDK_CFLAGS)
tools_bench_native_d_dpdk_load_CFLAGS = $(WARN_CFLAGS) -std=gnu11 -O2
tools_bench_native_d_dpdk_load_LDADD = -lrte_ethdev -lrte_mbuf \
	-lrte_mempool -lrte_eal

noinst_PROGRAMS += tools/bench/native.d/dpdk_count
tools_bench_native_d_dpdk_count_SOURCES = \
	tools/bench/native.d/dpdk_count.c tools/bench/native.d/traffic.h
tools_bench_native_d_dpdk_count_CPPFLAGS = -D_GNU_SOURCE $(DPDK_CFLAGS)
tools_bench_native_d_dpdk_count_CFLAGS = $(WARN_CFLAGS) -std=gnu11 -O2
tools_bench_native_d_dpdk_count_LDADD = -lrte_ethdev -lrte_mbuf \
	-lrte_mempool -lrte_eal
endif

EXTRA_DIST += tools/bench/native tools/bench/native.svg \
	tools/bench/native.d/cases.py tools/bench/native.d/chart.py \
	tools/bench/native.d/report.py tools/bench/native.d/run.py
