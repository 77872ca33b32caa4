# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of tools/libdom0 and the commands in tools/.
FAKE_XENSTORE = tests/fake/xenstore.c tests/fake/xenstore.h
FAKE_LOG = tests/fake/log.c tests/fake/log.h
FAKE_CONTROL = tests/fake/control.c tests/fake/control.h netback/control.h
FAKE_XEN = tests/fake/xen.c tests/fake/xen.h \
	tests/fake/gcopy.c tests/fake/gcopy.h netback/gcopy.h
FAKE_VIF_CONTROL = tests/fake/vif_control.c tests/fake/vif_control.h
FAKE_VIF_CTRL = tests/fake/vif_ctrl.c tests/fake/vif_ctrl.h
FAKE_VIF_JOURNAL = tests/fake/vif_journal.c tests/fake/vif_journal.h

unit_tests += tests/unit/check_xenbus
tests_unit_check_xenbus_SOURCES = tests/unit/check_xenbus.c \
	tests/unit/unit.h $(FAKE_XENSTORE) \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tests_unit_check_xenbus_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_xenbus_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_xenbus_LDADD = $(UNIT_LDADD)

# The driver's parts around Xen, on fakes of Xen's libraries.
unit_tests += tests/unit/check_gcopy
tests_unit_check_gcopy_SOURCES = tests/unit/check_gcopy.c \
	tests/unit/unit.h netback/gcopy.c netback/gcopy.h
tests_unit_check_gcopy_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_gcopy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_gcopy_LDADD = $(UNIT_LDADD)

if BUILD_NETBACK
unit_tests += tests/unit/check_vif_life
tests_unit_check_vif_life_SOURCES = tests/unit/check_vif_life.c \
	tests/unit/unit.h $(FAKE_XENSTORE) $(FAKE_LOG) $(FAKE_CONTROL) \
	netback/vif.c netback/vif.h netback/vif_log.h \
	netback/wake.c netback/wake.h \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tests_unit_check_vif_life_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_vif_life_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vif_life_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_vif_control
tests_unit_check_vif_control_SOURCES = tests/unit/check_vif_control.c \
	tests/unit/unit.h netback/vif_control.c netback/vif_ctrl.h \
	netback/vif.h netback/vif_log.h netback/clock.h \
	netback/control.c netback/control.h
tests_unit_check_vif_control_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_vif_control_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_vif_control_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_vif_local
tests_unit_check_vif_local_SOURCES = tests/unit/check_vif_local.c \
	tests/unit/unit.h $(FAKE_LOG) $(FAKE_VIF_CONTROL) $(FAKE_VIF_CTRL) \
	$(FAKE_VIF_JOURNAL) tests/fake/vif_wake.c \
	netback/vif_local.c netback/vif.h \
	netback/vif_ctrl.h netback/vif_log.h netback/clock.h \
	netback/local.c netback/local.h netback/local_link.c \
	netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h \
	netback/from_guest.c netback/from_guest.h netback/ring.h \
	netback/to_guest.c netback/to_guest.h $(JOURNAL) $(WINDOW)
tests_unit_check_vif_local_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_vif_local_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_vif_local_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_vif_ctrl
tests_unit_check_vif_ctrl_SOURCES = tests/unit/check_vif_ctrl.c \
	tests/unit/unit.h tests/fake/guest.c tests/fake/guest.h \
	netback/vif_ctrl.c netback/vif_ctrl.h netback/vif.h \
	netback/ctrl_ring.c netback/ctrl_ring.h \
	netback/gref.c netback/gref.h netback/hash.c netback/hash.h
tests_unit_check_vif_ctrl_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_vif_ctrl_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_vif_ctrl_LDADD = $(UNIT_LDADD)

fuzz_tests += tests/fuzz/fuzz_xenbus
tests_fuzz_fuzz_xenbus_SOURCES = tests/fuzz/fuzz_xenbus.c $(FUZZ_RUNNER) \
	$(FAKE_XENSTORE) $(FAKE_LOG) $(FAKE_CONTROL) $(FAKE_XEN) \
	$(FAKE_VIF_CONTROL) $(FAKE_VIF_JOURNAL) tests/fake/vif_wake.c \
	netback/vif.c netback/vif.h netback/vif_queue.c \
	netback/vif_ctrl.c netback/vif_ctrl.h netback/vif_ctrl_xen.c \
	netback/ctrl_ring.c netback/ctrl_ring.h netback/gref.c netback/gref.h \
	netback/hash.c netback/hash.h netback/wake.c netback/wake.h \
	netback/from_guest.c netback/from_guest.h netback/ring.h \
	netback/to_guest.c netback/to_guest.h $(JOURNAL) \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tests_fuzz_fuzz_xenbus_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_fuzz_fuzz_xenbus_CFLAGS = $(UNIT_CFLAGS) -pthread

unit_tests += tests/unit/check_vif_ctrl_xen
tests_unit_check_vif_ctrl_xen_SOURCES = tests/unit/check_vif_ctrl_xen.c \
	tests/unit/unit.h $(FAKE_XENSTORE) $(FAKE_LOG) $(FAKE_XEN) \
	$(FAKE_VIF_CTRL) netback/vif_ctrl_xen.c netback/vif_ctrl.h \
	netback/vif.h netback/vif_log.h \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tests_unit_check_vif_ctrl_xen_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_vif_ctrl_xen_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vif_ctrl_xen_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_burst
tests_unit_check_burst_SOURCES = tests/unit/check_burst.c \
	tests/unit/unit.h tests/fake/guest.c tests/fake/guest.h \
	netback/burst.c netback/burst.h netback/burst_mbuf.h \
	netback/burst_offload.c netback/burst_offload.h \
	netback/offload.c netback/offload.h \
	netback/from_guest.c netback/from_guest.h \
	netback/to_guest.c netback/to_guest.h \
	netback/journal.c netback/journal.h
tests_unit_check_burst_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-D_GNU_SOURCE -DALLOW_EXPERIMENTAL_API
tests_unit_check_burst_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_burst_LDADD = $(UNIT_LDADD) -lrte_mbuf -lrte_mempool \
	-lrte_eal

unit_tests += tests/unit/check_front_burst
tests_unit_check_front_burst_SOURCES = tests/unit/check_front_burst.c \
	tests/unit/unit.h tests/fake/guest.c tests/fake/guest.h \
	netback/front_burst.c netback/front_burst.h netback/front_link.h \
	netback/burst_offload.c netback/burst_offload.h \
	netback/offload.c netback/offload.h \
	netback/from_backend.c netback/from_backend.h \
	netback/to_backend.c netback/to_backend.h \
	netback/to_guest.c netback/to_guest.h netback/from_guest.h \
	netback/journal.c netback/journal.h
tests_unit_check_front_burst_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-D_GNU_SOURCE -DALLOW_EXPERIMENTAL_API
tests_unit_check_front_burst_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_front_burst_LDADD = $(UNIT_LDADD) -lrte_mbuf \
	-lrte_mempool -lrte_eal

unit_tests += tests/unit/check_burst_offload
tests_unit_check_burst_offload_SOURCES = tests/unit/check_burst_offload.c \
	tests/unit/unit.h tests/fake/guest.c tests/fake/guest.h \
	netback/burst_offload.c netback/burst_offload.h \
	netback/offload.c netback/offload.h \
	netback/from_guest.c netback/from_guest.h \
	netback/journal.c netback/journal.h
tests_unit_check_burst_offload_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_burst_offload_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_burst_offload_LDADD = $(UNIT_LDADD) -lrte_mempool -lrte_eal

unit_tests += tests/unit/check_vif_journal
tests_unit_check_vif_journal_SOURCES = tests/unit/check_vif_journal.c \
	tests/unit/unit.h $(FAKE_XENSTORE) $(FAKE_LOG) \
	netback/vif_journal.c netback/vif.h netback/vif_log.h \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h \
	netback/journal_file.c netback/journal_file.h \
	netback/journal.c netback/journal.h \
	netback/from_guest.c netback/to_guest.c
tests_unit_check_vif_journal_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE \
	-DJOURNAL_DIR='"check_vif_journal.dir"'
tests_unit_check_vif_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vif_journal_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_pmd_args
tests_unit_check_pmd_args_SOURCES = tests/unit/check_pmd_args.c \
	tests/unit/unit.h $(FAKE_LOG) netback/pmd_args.c netback/pmd.h
tests_unit_check_pmd_args_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_pmd_args_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pmd_args_LDADD = $(UNIT_LDADD) -lrte_kvargs

unit_tests += tests/unit/check_pmd_counters
tests_unit_check_pmd_counters_SOURCES = tests/unit/check_pmd_counters.c \
	tests/unit/unit.h netback/pmd_counters.c netback/pmd_counters.h
tests_unit_check_pmd_counters_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_INTERNAL_API -DALLOW_EXPERIMENTAL_API \
	-idirafter $(DPDK_DRIVER_DIR)
tests_unit_check_pmd_counters_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pmd_counters_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_pmd_link
tests_unit_check_pmd_link_SOURCES = tests/unit/check_pmd_link.c \
	tests/unit/unit.h netback/pmd_link.c netback/pmd_link.h \
	netback/clock.h
tests_unit_check_pmd_link_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_INTERNAL_API -DALLOW_EXPERIMENTAL_API \
	-idirafter $(DPDK_DRIVER_DIR)
tests_unit_check_pmd_link_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_pmd_link_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_control
tests_unit_check_control_SOURCES = tests/unit/check_control.c \
	tests/unit/unit.h netback/control.c netback/control.h
tests_unit_check_control_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_control_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_control_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_front_control
tests_unit_check_front_control_SOURCES = tests/unit/check_front_control.c \
	tests/unit/unit.h netback/front_control.c netback/front.h \
	netback/front_log.h netback/control.h netback/clock.h
tests_unit_check_front_control_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_front_control_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_front_control_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_front_bus tests/unit/check_front_args
tests_unit_check_front_bus_SOURCES = tests/unit/check_front_bus.c \
	tests/unit/unit.h $(FAKE_XENSTORE) $(FAKE_LOG) $(FAKE_CONTROL) \
	netback/front.c netback/front.h netback/front_bus.c \
	netback/front_link.h netback/front_log.h netback/front_xen.h \
	netback/front_static.c netback/front_static.h netback/clock.h \
	netback/ctrl_ask.c netback/ctrl_ask.h \
	netback/from_backend.c netback/from_backend.h \
	netback/to_backend.c netback/to_backend.h \
	netback/wake.c netback/wake.h \
	tools/libdom0/xenbus.c tools/libdom0/xenbus.h
tests_unit_check_front_bus_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_front_bus_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_front_bus_LDADD = $(UNIT_LDADD)

tests_unit_check_front_args_SOURCES = tests/unit/check_front_args.c \
	tests/unit/unit.h $(FAKE_LOG) netback/front_args.c netback/front_pmd.h
tests_unit_check_front_args_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_front_args_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_front_args_LDADD = $(UNIT_LDADD) -lrte_kvargs -lrte_net

unit_tests += tests/unit/check_front_xen
tests_unit_check_front_xen_SOURCES = tests/unit/check_front_xen.c \
	tests/unit/unit.h netback/front_xen.c netback/front_xen.h \
	netback/front_link.h
tests_unit_check_front_xen_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_front_xen_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_front_xen_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_front_static
tests_unit_check_front_static_SOURCES = tests/unit/check_front_static.c \
	tests/unit/unit.h $(FAKE_LOG) $(CTRL_RING) netback/clock.h \
	netback/front_static.c netback/front_static.h netback/front.h \
	netback/ctrl_ask.c netback/ctrl_ask.h
tests_unit_check_front_static_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API
tests_unit_check_front_static_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_front_static_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_front_local
tests_unit_check_front_local_SOURCES = tests/unit/check_front_local.c \
	tests/unit/unit.h $(FAKE_LOG) \
	netback/front_link.h netback/front_local.c netback/front.h \
	netback/front_static.c netback/front_static.h netback/clock.h \
	netback/ctrl_ask.c netback/ctrl_ask.h $(CTRL_RING) \
	netback/gref.c netback/gref.h $(JOURNAL) $(WINDOW) \
	netback/local.c netback/local.h netback/local_link.c
tests_unit_check_front_local_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_front_local_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_front_local_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_front_life
tests_unit_check_front_life_SOURCES = tests/unit/check_front_life.c \
	tests/unit/unit.h $(FAKE_XENSTORE) $(FAKE_LOG) $(FAKE_CONTROL) \
	netback/front.c netback/front.h netback/front_link.h \
	netback/front_local.c netback/front_log.h \
	netback/front_static.c netback/front_static.h netback/clock.h \
	netback/ctrl_ask.c netback/ctrl_ask.h \
	netback/from_backend.c netback/from_backend.h \
	netback/to_backend.c netback/to_backend.h netback/ring.h \
	netback/local.c netback/local.h netback/local_link.c \
	netback/wake.c netback/wake.h $(JOURNAL) $(WINDOW)
tests_unit_check_front_life_CPPFLAGS = $(UNIT_CPPFLAGS) $(DPDK_CFLAGS) \
	-DALLOW_EXPERIMENTAL_API -D_GNU_SOURCE
tests_unit_check_front_life_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_front_life_LDADD = $(UNIT_LDADD)

# A sleeping and a sending thread, over both drivers.
noinst_PROGRAMS += tests/native/rx_sleep
tests_native_rx_sleep_SOURCES = tests/native/rx_sleep.c
tests_native_rx_sleep_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE \
	$(DPDK_CFLAGS)
tests_native_rx_sleep_CFLAGS = $(WARN_CFLAGS) -pthread
tests_native_rx_sleep_LDADD = -lrte_ethdev -lrte_mbuf -lrte_mempool \
	-lrte_eal
endif
