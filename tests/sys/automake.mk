# SPDX-License-Identifier: GPL-2.0-only
# Programs that scripts in tests/sys run in dom0, where tools/quickstart puts
# them into /usr/lib/gantry-tests; not installed.
noinst_PROGRAMS += tests/sys/window_peek
tests_sys_window_peek_SOURCES = tests/sys/window_peek.c hv/public/window.h
tests_sys_window_peek_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tests_sys_window_peek_CFLAGS = $(WARN_CFLAGS)
tests_sys_window_peek_LDADD = -lxenforeignmemory

noinst_PROGRAMS += tests/sys/ctrl_front
tests_sys_ctrl_front_SOURCES = tests/sys/ctrl_front.c netback/ring.h
tests_sys_ctrl_front_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE
tests_sys_ctrl_front_CFLAGS = $(WARN_CFLAGS)
tests_sys_ctrl_front_LDADD = -lxenstore -lxenevtchn -lxengnttab
