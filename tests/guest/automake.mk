# SPDX-License-Identifier: GPL-2.0-only
# Test kernels: each is one C file, tests/guest/NAME.c, on tests/guest/lib.
# tests/sys/guest-tests boots them as dom0 of the hypervisor.

guest_lib_sources = \
	hv/lib/printf.c \
	hv/lib/string.c \
	tests/guest/lib/entry.S \
	tests/guest/lib/guest.h \
	tests/guest/lib/machine.c \
	tests/guest/lib/start.c \
	tests/guest/lib/trap.c

guest_cppflags = -nostdinc -isystem `$(CC) -print-file-name=include` \
	-idirafter hv/abi -I$(top_srcdir)/hv -I$(top_srcdir)/tests/guest \
	-I$(top_srcdir)/tests/guest/lib
guest_cflags = $(WARN_CFLAGS) -std=gnu11 -O2 -g -ffreestanding -fno-pic \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fno-strict-aliasing -fno-common -fno-asynchronous-unwind-tables \
	-fno-omit-frame-pointer -fcf-protection=none

noinst_LIBRARIES += libguest.a
libguest_a_SOURCES = $(guest_lib_sources)
libguest_a_CPPFLAGS = $(guest_cppflags)
libguest_a_CFLAGS = $(guest_cflags)
libguest_a_CCASFLAGS = -g -fno-pic

guest_kernels = \
	tests/guest/boot

noinst_PROGRAMS += $(guest_kernels)

# One rule for all: AM_ variables would reach the other programs.
GUEST_LDFLAGS = -nostdlib -static -Wl,-T,$(top_srcdir)/tests/guest/lib/guest.lds \
	-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments
GUEST_LDADD = libguest.a
guest_depends = $(top_srcdir)/tests/guest/lib/guest.lds

tests_guest_boot_SOURCES = tests/guest/boot.c
tests_guest_boot_CPPFLAGS = $(guest_cppflags)
tests_guest_boot_CFLAGS = $(guest_cflags)
tests_guest_boot_LDFLAGS = $(GUEST_LDFLAGS)
tests_guest_boot_LDADD = $(GUEST_LDADD)
EXTRA_tests_guest_boot_DEPENDENCIES = $(guest_depends)

EXTRA_DIST += tests/guest/lib/guest.lds
