# SPDX-License-Identifier: GPL-2.0-only
# Test kernels: each is one C file, tests/guest/NAME.c, on tests/guest/lib.
# tests/sys/guest-tests boots them as dom0 of the hypervisor.

guest_lib_sources = \
	hv/lib/printf.c \
	hv/lib/string.c \
	tests/guest/lib/entry.S \
	tests/guest/lib/guest.h \
	tests/guest/lib/machine.c \
	tests/guest/lib/perfc.c \
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
	tests/guest/boot \
	tests/guest/bounds \
	tests/guest/evtchn \
	tests/guest/fuzz_host \
	tests/guest/hostile_calls \
	tests/guest/hostile_cpu \
	tests/guest/pkru \
	tests/guest/pv_control \
	tests/guest/pv_host \
	tests/guest/pvh_fuzz \
	tests/guest/pvh_reset \
	tests/guest/reset_host \
	tests/guest/smp \
	tests/guest/time \
	tests/guest/xstate

noinst_PROGRAMS += $(guest_kernels)

# One rule for all: AM_ variables would reach the other programs.
guest_ldflags = -nostdlib -static -Wl,-T,$(top_srcdir)/tests/guest/lib/guest.lds \
	-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments
guest_ldadd = libguest.a
guest_depends = $(top_srcdir)/tests/guest/lib/guest.lds

tests_guest_boot_SOURCES = tests/guest/boot.c
tests_guest_boot_CPPFLAGS = $(guest_cppflags)
tests_guest_boot_CFLAGS = $(guest_cflags)
tests_guest_boot_LDFLAGS = $(guest_ldflags)
tests_guest_boot_LDADD = $(guest_ldadd)
EXTRA_tests_guest_boot_DEPENDENCIES = $(guest_depends)

tests_guest_hostile_calls_SOURCES = tests/guest/hostile_calls.c
tests_guest_hostile_calls_CPPFLAGS = $(guest_cppflags)
tests_guest_hostile_calls_CFLAGS = $(guest_cflags)
tests_guest_hostile_calls_LDFLAGS = $(guest_ldflags)
tests_guest_hostile_calls_LDADD = $(guest_ldadd)
EXTRA_tests_guest_hostile_calls_DEPENDENCIES = $(guest_depends)

tests_guest_hostile_cpu_SOURCES = tests/guest/hostile_cpu.c
tests_guest_hostile_cpu_CPPFLAGS = $(guest_cppflags)
tests_guest_hostile_cpu_CFLAGS = $(guest_cflags)
tests_guest_hostile_cpu_LDFLAGS = $(guest_ldflags)
tests_guest_hostile_cpu_LDADD = $(guest_ldadd)
EXTRA_tests_guest_hostile_cpu_DEPENDENCIES = $(guest_depends)

tests_guest_evtchn_SOURCES = tests/guest/evtchn.c
tests_guest_evtchn_CPPFLAGS = $(guest_cppflags)
tests_guest_evtchn_CFLAGS = $(guest_cflags)
tests_guest_evtchn_LDFLAGS = $(guest_ldflags)
tests_guest_evtchn_LDADD = $(guest_ldadd)
EXTRA_tests_guest_evtchn_DEPENDENCIES = $(guest_depends)

tests_guest_pkru_SOURCES = tests/guest/pkru.c
tests_guest_pkru_CPPFLAGS = $(guest_cppflags)
tests_guest_pkru_CFLAGS = $(guest_cflags)
tests_guest_pkru_LDFLAGS = $(guest_ldflags)
tests_guest_pkru_LDADD = $(guest_ldadd)
EXTRA_tests_guest_pkru_DEPENDENCIES = $(guest_depends)

tests_guest_smp_SOURCES = tests/guest/smp.c
tests_guest_smp_CPPFLAGS = $(guest_cppflags)
tests_guest_smp_CFLAGS = $(guest_cflags)
tests_guest_smp_LDFLAGS = $(guest_ldflags)
tests_guest_smp_LDADD = $(guest_ldadd)
EXTRA_tests_guest_smp_DEPENDENCIES = $(guest_depends)

tests_guest_time_SOURCES = tests/guest/time.c
tests_guest_time_CPPFLAGS = $(guest_cppflags)
tests_guest_time_CFLAGS = $(guest_cflags)
tests_guest_time_LDFLAGS = $(guest_ldflags)
tests_guest_time_LDADD = $(guest_ldadd)
EXTRA_tests_guest_time_DEPENDENCIES = $(guest_depends)

EXTRA_DIST += tests/guest/lib/guest.lds

# The kernels that build and run another (tests/guest/host).
child_sources = \
	tests/guest/host/child.c \
	tests/guest/host/child.h \
	tests/guest/host/child_pv.c \
	tests/guest/host/child_pvh.c \
	tests/guest/host/child_store.c
fuzz_sources = tests/guest/fuzz/fuzz.c tests/guest/fuzz/fuzz.h

tests_guest_fuzz_host_SOURCES = tests/guest/fuzz_host.c $(child_sources) \
	$(fuzz_sources)
tests_guest_fuzz_host_CPPFLAGS = $(guest_cppflags)
tests_guest_fuzz_host_CFLAGS = $(guest_cflags)
tests_guest_fuzz_host_LDFLAGS = $(guest_ldflags)
tests_guest_fuzz_host_LDADD = $(guest_ldadd)
EXTRA_tests_guest_fuzz_host_DEPENDENCIES = $(guest_depends)

tests_guest_bounds_SOURCES = tests/guest/bounds.c $(child_sources)
tests_guest_bounds_CPPFLAGS = $(guest_cppflags)
tests_guest_bounds_CFLAGS = $(guest_cflags)
tests_guest_bounds_LDFLAGS = $(guest_ldflags)
tests_guest_bounds_LDADD = $(guest_ldadd)
EXTRA_tests_guest_bounds_DEPENDENCIES = $(guest_depends)

tests_guest_pvh_fuzz_SOURCES = tests/guest/pvh_fuzz.c $(fuzz_sources)
tests_guest_pvh_fuzz_CPPFLAGS = $(guest_cppflags)
tests_guest_pvh_fuzz_CFLAGS = $(guest_cflags)
tests_guest_pvh_fuzz_LDFLAGS = $(guest_ldflags)
tests_guest_pvh_fuzz_LDADD = $(guest_ldadd)
EXTRA_tests_guest_pvh_fuzz_DEPENDENCIES = $(guest_depends)

tests_guest_pvh_reset_SOURCES = tests/guest/pvh_reset.c
tests_guest_pvh_reset_CPPFLAGS = $(guest_cppflags)
tests_guest_pvh_reset_CFLAGS = $(guest_cflags)
tests_guest_pvh_reset_LDFLAGS = $(guest_ldflags)
tests_guest_pvh_reset_LDADD = $(guest_ldadd)
EXTRA_tests_guest_pvh_reset_DEPENDENCIES = $(guest_depends)

tests_guest_reset_host_SOURCES = tests/guest/reset_host.c $(child_sources)
tests_guest_reset_host_CPPFLAGS = $(guest_cppflags)
tests_guest_reset_host_CFLAGS = $(guest_cflags)
tests_guest_reset_host_LDFLAGS = $(guest_ldflags)
tests_guest_reset_host_LDADD = $(guest_ldadd)
EXTRA_tests_guest_reset_host_DEPENDENCIES = $(guest_depends)

tests_guest_pv_host_SOURCES = tests/guest/pv_host.c \
	tests/guest/host/child_restore.c $(child_sources)
tests_guest_pv_host_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_host_CFLAGS = $(guest_cflags)
tests_guest_pv_host_LDFLAGS = $(guest_ldflags)
tests_guest_pv_host_LDADD = $(guest_ldadd)
EXTRA_tests_guest_pv_host_DEPENDENCIES = $(guest_depends)

tests_guest_pv_control_SOURCES = tests/guest/pv_control.c \
	tests/guest/pv/mail.h $(child_sources)
tests_guest_pv_control_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_control_CFLAGS = $(guest_cflags)
tests_guest_pv_control_LDFLAGS = $(guest_ldflags)
tests_guest_pv_control_LDADD = $(guest_ldadd)
EXTRA_tests_guest_pv_control_DEPENDENCIES = $(guest_depends)

# PV test kernels: tests/guest/pv_NAME.c on tests/guest/pv, run as a domU by
# pv_host.
pv_lib_sources = \
	hv/lib/printf.c \
	hv/lib/string.c \
	tests/guest/pv/entry.S \
	tests/guest/pv/lib.c \
	tests/guest/pv/pv.h
pv_cflags = $(guest_cflags) -mcmodel=kernel

noinst_LIBRARIES += libpv.a
libpv_a_SOURCES = $(pv_lib_sources)
libpv_a_CPPFLAGS = $(guest_cppflags)
libpv_a_CFLAGS = $(pv_cflags)
libpv_a_CCASFLAGS = -g -fno-pic

pv_kernels = \
	tests/guest/pv_abi \
	tests/guest/pv_code \
	tests/guest/pv_cost \
	tests/guest/pv_cpu \
	tests/guest/pv_die \
	tests/guest/pv_entry \
	tests/guest/pv_fuzz \
	tests/guest/pv_loaded \
	tests/guest/pv_many \
	tests/guest/pv_port \
	tests/guest/pv_restore \
	tests/guest/pv_same \
	tests/guest/pv_still \
	tests/guest/pv_told \
	tests/guest/pv_xstate
noinst_PROGRAMS += $(pv_kernels)
pv_ldflags = -nostdlib -static -Wl,-T,$(top_srcdir)/tests/guest/pv/pv.lds \
	-Wl,-z,noexecstack -Wl,-z,max-page-size=4096 -Wl,--build-id=none \
	-Wl,--no-warn-rwx-segments
pv_depends = $(top_srcdir)/tests/guest/pv/pv.lds
EXTRA_DIST += tests/guest/pv/pv.lds

tests_guest_pv_abi_SOURCES = tests/guest/pv_abi.c
tests_guest_pv_abi_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_abi_CFLAGS = $(pv_cflags)
tests_guest_pv_abi_LDFLAGS = $(pv_ldflags)
tests_guest_pv_abi_LDADD = libpv.a
EXTRA_tests_guest_pv_abi_DEPENDENCIES = $(pv_depends)

tests_guest_pv_cost_SOURCES = tests/guest/pv_cost.c
tests_guest_pv_cost_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_cost_CFLAGS = $(pv_cflags)
tests_guest_pv_cost_LDFLAGS = $(pv_ldflags)
tests_guest_pv_cost_LDADD = libpv.a
EXTRA_tests_guest_pv_cost_DEPENDENCIES = $(pv_depends)

tests_guest_pv_die_SOURCES = tests/guest/pv_die.c
tests_guest_pv_die_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_die_CFLAGS = $(pv_cflags)
tests_guest_pv_die_LDFLAGS = $(pv_ldflags)
tests_guest_pv_die_LDADD = libpv.a
EXTRA_tests_guest_pv_die_DEPENDENCIES = $(pv_depends)

tests_guest_pv_fuzz_SOURCES = tests/guest/pv_fuzz.c $(fuzz_sources)
tests_guest_pv_fuzz_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_fuzz_CFLAGS = $(pv_cflags)
tests_guest_pv_fuzz_LDFLAGS = $(pv_ldflags)
tests_guest_pv_fuzz_LDADD = libpv.a
EXTRA_tests_guest_pv_fuzz_DEPENDENCIES = $(pv_depends)

tests_guest_pv_entry_SOURCES = tests/guest/pv_entry.c
tests_guest_pv_entry_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_entry_CFLAGS = $(pv_cflags)
tests_guest_pv_entry_LDFLAGS = $(pv_ldflags)
tests_guest_pv_entry_LDADD = libpv.a
EXTRA_tests_guest_pv_entry_DEPENDENCIES = $(pv_depends)

tests_guest_pv_loaded_SOURCES = tests/guest/pv_loaded.c
tests_guest_pv_loaded_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_loaded_CFLAGS = $(pv_cflags)
tests_guest_pv_loaded_LDFLAGS = $(pv_ldflags)
tests_guest_pv_loaded_LDADD = libpv.a
EXTRA_tests_guest_pv_loaded_DEPENDENCIES = $(pv_depends)

tests_guest_pv_many_SOURCES = tests/guest/pv_many.c
tests_guest_pv_many_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_many_CFLAGS = $(pv_cflags)
tests_guest_pv_many_LDFLAGS = $(pv_ldflags)
tests_guest_pv_many_LDADD = libpv.a
EXTRA_tests_guest_pv_many_DEPENDENCIES = $(pv_depends)

tests_guest_pv_restore_SOURCES = tests/guest/pv_restore.c \
	tests/guest/lib/vector.h
tests_guest_pv_restore_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_restore_CFLAGS = $(pv_cflags)
tests_guest_pv_restore_LDFLAGS = $(pv_ldflags)
tests_guest_pv_restore_LDADD = libpv.a
EXTRA_tests_guest_pv_restore_DEPENDENCIES = $(pv_depends)

tests_guest_pv_code_SOURCES = tests/guest/pv_code.c
tests_guest_pv_code_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_code_CFLAGS = $(pv_cflags)
tests_guest_pv_code_LDFLAGS = $(pv_ldflags)
tests_guest_pv_code_LDADD = libpv.a
EXTRA_tests_guest_pv_code_DEPENDENCIES = $(pv_depends)

tests_guest_pv_port_SOURCES = tests/guest/pv_port.c
tests_guest_pv_port_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_port_CFLAGS = $(pv_cflags)
tests_guest_pv_port_LDFLAGS = $(pv_ldflags)
tests_guest_pv_port_LDADD = libpv.a
EXTRA_tests_guest_pv_port_DEPENDENCIES = $(pv_depends)

tests_guest_pv_cpu_SOURCES = tests/guest/pv_cpu.c
tests_guest_pv_cpu_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_cpu_CFLAGS = $(pv_cflags)
tests_guest_pv_cpu_LDFLAGS = $(pv_ldflags)
tests_guest_pv_cpu_LDADD = libpv.a
EXTRA_tests_guest_pv_cpu_DEPENDENCIES = $(pv_depends)

tests_guest_pv_same_SOURCES = tests/guest/pv_same.c
tests_guest_pv_same_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_same_CFLAGS = $(pv_cflags)
tests_guest_pv_same_LDFLAGS = $(pv_ldflags)
tests_guest_pv_same_LDADD = libpv.a
EXTRA_tests_guest_pv_same_DEPENDENCIES = $(pv_depends)

tests_guest_pv_still_SOURCES = tests/guest/pv_still.c
tests_guest_pv_still_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_still_CFLAGS = $(pv_cflags)
tests_guest_pv_still_LDFLAGS = $(pv_ldflags)
tests_guest_pv_still_LDADD = libpv.a
EXTRA_tests_guest_pv_still_DEPENDENCIES = $(pv_depends)

tests_guest_pv_told_SOURCES = tests/guest/pv_told.c tests/guest/pv/mail.h
tests_guest_pv_told_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_told_CFLAGS = $(pv_cflags)
tests_guest_pv_told_LDFLAGS = $(pv_ldflags)
tests_guest_pv_told_LDADD = libpv.a
EXTRA_tests_guest_pv_told_DEPENDENCIES = $(pv_depends)

tests_guest_pv_xstate_SOURCES = tests/guest/pv_xstate.c tests/guest/lib/vector.h
tests_guest_pv_xstate_CPPFLAGS = $(guest_cppflags)
tests_guest_pv_xstate_CFLAGS = $(pv_cflags)
tests_guest_pv_xstate_LDFLAGS = $(pv_ldflags)
tests_guest_pv_xstate_LDADD = libpv.a
EXTRA_tests_guest_pv_xstate_DEPENDENCIES = $(pv_depends)

tests_guest_xstate_SOURCES = tests/guest/xstate.c tests/guest/lib/vector.h
tests_guest_xstate_CPPFLAGS = $(guest_cppflags)
tests_guest_xstate_CFLAGS = $(guest_cflags)
tests_guest_xstate_LDFLAGS = $(guest_ldflags)
tests_guest_xstate_LDADD = $(guest_ldadd)
EXTRA_tests_guest_xstate_DEPENDENCIES = $(guest_depends)

# See hv/automake.mk: for who makes one kernel alone.
$(libguest_a_OBJECTS) $(libpv_a_OBJECTS) $(tests_guest_boot_OBJECTS) \
$(tests_guest_bounds_OBJECTS) $(tests_guest_evtchn_OBJECTS) \
$(tests_guest_fuzz_host_OBJECTS) $(tests_guest_hostile_calls_OBJECTS) \
$(tests_guest_hostile_cpu_OBJECTS) $(tests_guest_pkru_OBJECTS) \
$(tests_guest_pv_abi_OBJECTS) $(tests_guest_pv_control_OBJECTS) \
$(tests_guest_pv_cost_OBJECTS) $(tests_guest_pv_told_OBJECTS) \
$(tests_guest_pv_die_OBJECTS) $(tests_guest_pv_entry_OBJECTS) \
$(tests_guest_pv_fuzz_OBJECTS) $(tests_guest_pv_host_OBJECTS) \
$(tests_guest_pv_loaded_OBJECTS) $(tests_guest_pv_many_OBJECTS) \
$(tests_guest_pv_restore_OBJECTS) $(tests_guest_pv_same_OBJECTS) \
$(tests_guest_pv_still_OBJECTS) $(tests_guest_pv_code_OBJECTS) \
$(tests_guest_pv_cpu_OBJECTS) $(tests_guest_pv_port_OBJECTS) \
$(tests_guest_pvh_fuzz_OBJECTS) \
$(tests_guest_pvh_reset_OBJECTS) $(tests_guest_reset_host_OBJECTS) \
$(tests_guest_pv_xstate_OBJECTS) $(tests_guest_xstate_OBJECTS) \
$(tests_guest_smp_OBJECTS) $(tests_guest_time_OBJECTS): | hv/abi/xen
