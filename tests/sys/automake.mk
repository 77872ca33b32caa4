# SPDX-License-Identifier: GPL-2.0-only
# Programs that scripts in tests/sys run in dom0 or in guests. They are not
# installed: tools/quickstart puts them into dom0's /usr/lib/gantry-tests.
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

noinst_PROGRAMS += tests/sys/soft_reset
tests_sys_soft_reset_SOURCES = tests/sys/soft_reset.c
tests_sys_soft_reset_CPPFLAGS = -D_GNU_SOURCE
tests_sys_soft_reset_CFLAGS = $(WARN_CFLAGS)
tests_sys_soft_reset_LDADD = -lxenctrl -lxenforeignmemory -lxenstore

# It runs in a guest, which has no libraries.
noinst_PROGRAMS += tests/sys/guest_kexec
tests_sys_guest_kexec_SOURCES = tests/sys/guest_kexec.c
tests_sys_guest_kexec_CPPFLAGS = -D_GNU_SOURCE
tests_sys_guest_kexec_CFLAGS = $(WARN_CFLAGS)
tests_sys_guest_kexec_LDFLAGS = -static

noinst_PROGRAMS += tests/sys/guest_vectors
tests_sys_guest_vectors_SOURCES = tests/sys/guest_vectors.c
tests_sys_guest_vectors_CPPFLAGS = -D_GNU_SOURCE
tests_sys_guest_vectors_CFLAGS = $(WARN_CFLAGS)
tests_sys_guest_vectors_LDFLAGS = -static
