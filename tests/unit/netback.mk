# SPDX-License-Identifier: GPL-2.0-only
# Unit tests and fuzzers of netback/'s pure code.
FAKE_GUEST = tests/fake/guest.c tests/fake/guest.h netback/access.h
FUZZ_RUNNER = tests/fuzz/runner.c tests/fuzz/fuzz.h
JOURNAL = netback/journal.c netback/journal.h netback/kill_point.h
WINDOW = netback/window.c netback/window.h netback/prefetch.h netback/grant_pin.h

unit_tests += tests/unit/check_from_guest tests/unit/check_to_guest \
	tests/unit/check_offload tests/unit/check_local \
	tests/unit/check_hash tests/unit/check_ctrl_ring tests/unit/check_gref
fuzz_tests += tests/fuzz/fuzz_from_guest tests/fuzz/fuzz_to_guest \
	tests/fuzz/fuzz_offload tests/fuzz/fuzz_local \
	tests/fuzz/fuzz_ctrl_ring

tests_unit_check_from_guest_SOURCES = tests/unit/check_from_guest.c \
	tests/unit/unit.h $(FAKE_GUEST) \
	netback/from_guest.c netback/from_guest.h netback/ring.h $(JOURNAL)
tests_unit_check_from_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_from_guest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_from_guest_LDADD = $(UNIT_LDADD)

tests_unit_check_to_guest_SOURCES = tests/unit/check_to_guest.c \
	tests/unit/unit.h $(FAKE_GUEST) \
	netback/to_guest.c netback/to_guest.h netback/ring.h $(JOURNAL)
tests_unit_check_to_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_to_guest_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_to_guest_LDADD = $(UNIT_LDADD)

# The same on the direct way: each rule of the rings, with its copies.
FAKE_GUEST_WINDOW = $(FAKE_GUEST) tests/fake/guest_window.c \
	netback/direct.c netback/direct.h $(WINDOW)
unit_tests += tests/unit/check_from_guest_direct \
	tests/unit/check_to_guest_direct
tests_unit_check_from_guest_direct_SOURCES = tests/unit/check_from_guest.c \
	tests/unit/unit.h $(FAKE_GUEST_WINDOW) \
	netback/from_guest.c netback/from_guest.h netback/ring.h $(JOURNAL)
tests_unit_check_from_guest_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_from_guest_direct_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_from_guest_direct_LDADD = $(UNIT_LDADD)

tests_unit_check_to_guest_direct_SOURCES = tests/unit/check_to_guest.c \
	tests/unit/unit.h $(FAKE_GUEST_WINDOW) \
	netback/to_guest.c netback/to_guest.h netback/ring.h $(JOURNAL)
tests_unit_check_to_guest_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_to_guest_direct_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_to_guest_direct_LDADD = $(UNIT_LDADD)

tests_unit_check_offload_SOURCES = tests/unit/check_offload.c \
	tests/unit/unit.h netback/offload.c netback/offload.h
tests_unit_check_offload_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_offload_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_offload_LDADD = $(UNIT_LDADD)

CTRL_RING = netback/ctrl_ring.c netback/ctrl_ring.h \
	netback/hash.c netback/hash.h netback/ring.h

tests_unit_check_hash_SOURCES = tests/unit/check_hash.c \
	tests/unit/unit.h netback/hash.c netback/hash.h
tests_unit_check_hash_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_hash_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_hash_LDADD = $(UNIT_LDADD)

tests_unit_check_ctrl_ring_SOURCES = tests/unit/check_ctrl_ring.c \
	tests/unit/unit.h $(FAKE_GUEST) $(CTRL_RING)
tests_unit_check_ctrl_ring_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_ctrl_ring_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_ctrl_ring_LDADD = $(UNIT_LDADD)

unit_tests += tests/unit/check_ctrl_ask
tests_unit_check_ctrl_ask_SOURCES = tests/unit/check_ctrl_ask.c \
	tests/unit/unit.h netback/access.h $(CTRL_RING) \
	netback/ctrl_ask.c netback/ctrl_ask.h
tests_unit_check_ctrl_ask_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_ctrl_ask_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_ctrl_ask_LDADD = $(UNIT_LDADD)

tests_unit_check_gref_SOURCES = tests/unit/check_gref.c \
	tests/unit/unit.h $(FAKE_GUEST) netback/gref.c netback/gref.h
tests_unit_check_gref_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_gref_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_gref_LDADD = $(UNIT_LDADD)

tests_fuzz_fuzz_ctrl_ring_SOURCES = tests/fuzz/fuzz_ctrl_ring.c \
	$(FUZZ_RUNNER) $(FAKE_GUEST) $(CTRL_RING) \
	netback/gref.c netback/gref.h
tests_fuzz_fuzz_ctrl_ring_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_ctrl_ring_CFLAGS = $(UNIT_CFLAGS)

tests_fuzz_fuzz_from_guest_SOURCES = tests/fuzz/fuzz_from_guest.c \
	$(FUZZ_RUNNER) $(FAKE_GUEST) \
	netback/from_guest.c netback/from_guest.h netback/ring.h $(JOURNAL)
tests_fuzz_fuzz_from_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_from_guest_CFLAGS = $(UNIT_CFLAGS)

tests_fuzz_fuzz_to_guest_SOURCES = tests/fuzz/fuzz_to_guest.c \
	$(FUZZ_RUNNER) $(FAKE_GUEST) \
	netback/to_guest.c netback/to_guest.h netback/ring.h $(JOURNAL)
tests_fuzz_fuzz_to_guest_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_to_guest_CFLAGS = $(UNIT_CFLAGS)

tests_fuzz_fuzz_offload_SOURCES = tests/fuzz/fuzz_offload.c \
	$(FUZZ_RUNNER) netback/offload.c netback/offload.h
tests_fuzz_fuzz_offload_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_offload_CFLAGS = $(UNIT_CFLAGS)

tests_unit_check_local_SOURCES = tests/unit/check_local.c \
	tests/unit/unit.h netback/access.h netback/ring.h \
	netback/local.c netback/local.h netback/local_link.c \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h \
	netback/from_guest.c netback/from_guest.h \
	netback/to_guest.c netback/to_guest.h $(JOURNAL) $(WINDOW)
tests_unit_check_local_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE
tests_unit_check_local_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_local_LDADD = $(UNIT_LDADD)

# The frontend's half of the rings, against the backend's.
unit_tests += tests/unit/check_to_backend tests/unit/check_from_backend
fuzz_tests += tests/fuzz/fuzz_to_backend tests/fuzz/fuzz_from_backend

tests_unit_check_to_backend_SOURCES = tests/unit/check_to_backend.c \
	tests/unit/unit.h $(FAKE_GUEST) netback/ring.h \
	netback/to_backend.c netback/to_backend.h \
	netback/from_guest.c netback/from_guest.h $(JOURNAL)
tests_unit_check_to_backend_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_to_backend_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_to_backend_LDADD = $(UNIT_LDADD)

tests_unit_check_from_backend_SOURCES = tests/unit/check_from_backend.c \
	tests/unit/unit.h $(FAKE_GUEST) netback/ring.h \
	netback/from_backend.c netback/from_backend.h netback/to_backend.h \
	netback/to_guest.c netback/to_guest.h $(JOURNAL)
tests_unit_check_from_backend_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_from_backend_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_from_backend_LDADD = $(UNIT_LDADD)

tests_fuzz_fuzz_to_backend_SOURCES = tests/fuzz/fuzz_to_backend.c \
	$(FUZZ_RUNNER) netback/access.h netback/ring.h \
	netback/to_backend.c netback/to_backend.h
tests_fuzz_fuzz_to_backend_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_to_backend_CFLAGS = $(UNIT_CFLAGS)

tests_fuzz_fuzz_from_backend_SOURCES = tests/fuzz/fuzz_from_backend.c \
	$(FUZZ_RUNNER) netback/access.h netback/ring.h \
	netback/from_backend.c netback/from_backend.h netback/to_backend.h
tests_fuzz_fuzz_from_backend_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_from_backend_CFLAGS = $(UNIT_CFLAGS)

unit_tests += tests/unit/check_wake
tests_unit_check_wake_SOURCES = tests/unit/check_wake.c tests/unit/unit.h \
	netback/wake.c netback/wake.h
tests_unit_check_wake_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_wake_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_wake_LDADD = $(UNIT_LDADD)

# Two guests in a process, for the real switches that stand between them.
noinst_PROGRAMS += tests/native/vif_peer
tests_native_vif_peer_SOURCES = tests/native/vif_peer.c netback/ring.h \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local.h netback/local_private.h netback/access.h
noinst_PROGRAMS += tests/native/vif_steer
tests_native_vif_steer_SOURCES = tests/native/vif_steer.c netback/ring.h \
	netback/local_ctrl.c netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local.h netback/local_private.h \
	netback/access.h
tests_native_vif_steer_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE
tests_native_vif_steer_CFLAGS = $(WARN_CFLAGS)
tests_native_vif_peer_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE
tests_native_vif_peer_CFLAGS = $(WARN_CFLAGS)

tests_fuzz_fuzz_local_SOURCES = tests/fuzz/fuzz_local.c \
	$(FUZZ_RUNNER) netback/local.c netback/local.h netback/local_link.c \
	netback/access.h $(JOURNAL) $(WINDOW)
tests_fuzz_fuzz_local_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE
tests_fuzz_fuzz_local_CFLAGS = $(UNIT_CFLAGS)

EXTRA_DIST += tests/fuzz/run-libfuzzer tests/native/check_testpmd \
	tests/native/check_ovs tests/native/check_sleep \
	tests/native/check_xenfront

# The direct way, on windows made by hand and on a fake of the library.
unit_tests += tests/unit/check_direct tests/unit/check_direct_map
tests_unit_check_direct_SOURCES = tests/unit/check_direct.c \
	tests/unit/unit.h netback/direct.c netback/direct.h netback/access.h \
	$(WINDOW)
tests_unit_check_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_direct_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_direct_LDADD = $(UNIT_LDADD)

tests_unit_check_direct_map_SOURCES = tests/unit/check_direct_map.c \
	tests/unit/unit.h netback/direct_map.c netback/direct.h $(WINDOW)
tests_unit_check_direct_map_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE \
	-DDIRECT_RANGES_FILE='"check_direct_map.ranges"'
tests_unit_check_direct_map_CFLAGS = $(UNIT_CFLAGS) -pthread
tests_unit_check_direct_map_LDADD = $(UNIT_LDADD)

# Processes that are killed, and their successors.
unit_tests += tests/unit/check_journal tests/unit/check_restart
tests_unit_check_journal_SOURCES = tests/unit/check_journal.c \
	tests/unit/unit.h netback/journal_file.c netback/journal_file.h \
	$(JOURNAL)
tests_unit_check_journal_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE
tests_unit_check_journal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_journal_LDADD = $(UNIT_LDADD)

tests_unit_check_restart_SOURCES = tests/unit/check_restart.c \
	tests/unit/unit.h netback/access.h netback/ring.h \
	netback/local.c netback/local.h netback/local_link.c \
	netback/local_front.c netback/local_front.h \
	netback/local_listen.c netback/local_private.h \
	netback/from_guest.c netback/from_guest.h \
	netback/to_guest.c netback/to_guest.h \
	netback/journal_file.c netback/journal_file.h $(JOURNAL) $(WINDOW)
tests_unit_check_restart_CPPFLAGS = $(UNIT_CPPFLAGS) -D_GNU_SOURCE \
	-DNETBACK_KILL_POINTS
tests_unit_check_restart_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_restart_LDADD = $(UNIT_LDADD)

fuzz_tests += tests/fuzz/fuzz_direct
tests_fuzz_fuzz_direct_SOURCES = tests/fuzz/fuzz_direct.c $(FUZZ_RUNNER) \
	netback/direct.c netback/direct.h netback/access.h \
	netback/from_guest.c netback/from_guest.h netback/ring.h \
	netback/to_guest.c netback/to_guest.h $(JOURNAL) $(WINDOW)
tests_fuzz_fuzz_direct_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_direct_CFLAGS = $(UNIT_CFLAGS) -pthread
