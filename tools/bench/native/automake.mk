# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks that need no hypervisor.
noinst_PROGRAMS += tools/bench/native/vif_bench
tools_bench_native_vif_bench_SOURCES = tools/bench/native/vif_bench.c \
	netback/access.h netback/ring.h \
	netback/local.c netback/local.h netback/local_link.c \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h \
	netback/from_guest.c netback/from_guest.h \
	netback/to_guest.c netback/to_guest.h \
	netback/journal.c netback/journal.h netback/kill_point.h \
	netback/window.c netback/window.h netback/grant_pin.h
tools_bench_native_vif_bench_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tools_bench_native_vif_bench_CFLAGS = $(WARN_CFLAGS) -O2

noinst_PROGRAMS += tools/bench/native/vif_load
tools_bench_native_vif_load_SOURCES = tools/bench/native/vif_load.c \
	netback/access.h netback/ring.h netback/local.h \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h
tools_bench_native_vif_load_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tools_bench_native_vif_load_CFLAGS = $(WARN_CFLAGS) -O2
EXTRA_DIST += tools/bench/native/testpmd
