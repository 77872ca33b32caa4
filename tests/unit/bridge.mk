# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of ovs-bridge/.
bridge_tests = \
	tests/unit/check_vif \
	tests/unit/check_reconcile \
	tests/unit/check_suspects \
	tests/unit/check_verdict
unit_tests += $(bridge_tests)

tests_unit_check_vif_SOURCES = tests/unit/check_vif.c tests/unit/unit.h \
	ovs-bridge/vif.c ovs-bridge/vif.h
tests_unit_check_vif_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_vif_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_vif_LDADD = $(UNIT_LDADD)

tests_unit_check_reconcile_SOURCES = tests/unit/check_reconcile.c \
	tests/unit/unit.h $(bridge_pure_sources)
tests_unit_check_reconcile_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_reconcile_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_reconcile_LDADD = $(UNIT_LDADD)

tests_unit_check_suspects_SOURCES = tests/unit/check_suspects.c \
	tests/unit/unit.h $(bridge_pure_sources)
tests_unit_check_suspects_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_suspects_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_suspects_LDADD = $(UNIT_LDADD)

tests_unit_check_verdict_SOURCES = tests/unit/check_verdict.c \
	tests/unit/unit.h $(bridge_pure_sources)
tests_unit_check_verdict_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_check_verdict_CFLAGS = $(UNIT_CFLAGS)
tests_unit_check_verdict_LDADD = $(UNIT_LDADD)

if BUILD_BRIDGE
unit_tests += tests/unit/check_watch
tests_unit_check_watch_SOURCES = tests/unit/check_watch.c \
	tests/unit/unit.h ovs-bridge/store.h \
	ovs-bridge/watch.c ovs-bridge/watch.h ovs-bridge/vif.c ovs-bridge/vif.h
tests_unit_check_watch_CPPFLAGS = $(ovs_bridge_gantry_bridge_CPPFLAGS) \
	$(UNIT_CPPFLAGS)
tests_unit_check_watch_CFLAGS = $(UNIT_CFLAGS) -Wno-sign-compare -pthread
tests_unit_check_watch_LDADD = $(UNIT_LDADD) \
	$(ovs_bridge_gantry_bridge_LDADD)
endif

fuzz_tests += tests/fuzz/fuzz_vif
tests_fuzz_fuzz_vif_SOURCES = tests/fuzz/fuzz_vif.c \
	$(FUZZ_RUNNER) $(bridge_pure_sources)
tests_fuzz_fuzz_vif_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_fuzz_fuzz_vif_CFLAGS = $(UNIT_CFLAGS)
