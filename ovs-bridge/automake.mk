# SPDX-License-Identifier: GPL-2.0-only
# ovs-bridge/: the daemon gantry-bridge and what installs with it.

# The parts that need neither OVS nor XenStore; the tests link them too.
bridge_pure_sources = \
	ovs-bridge/vif.c ovs-bridge/vif.h \
	ovs-bridge/reconcile.c ovs-bridge/reconcile.h \
	ovs-bridge/verdict.c ovs-bridge/verdict.h

if BUILD_BRIDGE
sbin_PROGRAMS += ovs-bridge/gantry-bridge
ovs_bridge_gantry_bridge_SOURCES = \
	$(bridge_pure_sources) \
	ovs-bridge/gantry-bridge.c \
	ovs-bridge/ports.c ovs-bridge/ports.h \
	ovs-bridge/store.c ovs-bridge/store.h \
	ovs-bridge/sync.c ovs-bridge/sync.h \
	ovs-bridge/watch.c ovs-bridge/watch.h
# OVS's headers want OVS's own config.h, and are not ours to warn about.
ovs_bridge_gantry_bridge_CPPFLAGS = \
	-include $(OVS_SRC)/config.h -DGANTRY_VERSION='"$(VERSION)"' \
	-isystem $(OVS_SRC)/include -isystem $(OVS_SRC)/lib -isystem $(OVS_SRC)
ovs_bridge_gantry_bridge_CFLAGS = $(WARN_CFLAGS) $(SAN_CFLAGS) -pthread
ovs_bridge_gantry_bridge_LDFLAGS = $(SAN_CFLAGS) -pthread
ovs_bridge_gantry_bridge_LDADD = \
	$(OVS_SRC)/lib/.libs/libopenvswitch.a \
	$(OVS_SRC)/lib/.libs/libopenvswitchavx512.a \
	-lxenstore -latomic -lm
endif

dist_man_MANS += ovs-bridge/gantry-bridge.8
