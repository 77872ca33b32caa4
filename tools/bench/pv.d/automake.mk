# SPDX-License-Identifier: GPL-2.0-only
# What tools/bench/pv runs in its guest: static, for the guest has no libc.
EXTRA_PROGRAMS += tools/bench/pv.d/pv_load
tools_bench_pv_d_pv_load_SOURCES = tools/bench/pv.d/pv_load.c
tools_bench_pv_d_pv_load_CPPFLAGS = -D_GNU_SOURCE
tools_bench_pv_d_pv_load_CFLAGS = $(WARN_CFLAGS) -std=gnu11 -O2
tools_bench_pv_d_pv_load_LDFLAGS = -static
EXTRA_DIST += tools/bench/pv tools/bench/pv.d/in-dom0
