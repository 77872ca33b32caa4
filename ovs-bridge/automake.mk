# SPDX-License-Identifier: GPL-2.0-only
# ovs-bridge/: the daemon gantry-bridge and what installs with it.

# The parts that need neither OVS nor XenStore; the tests link them too.
bridge_pure_sources = \
	ovs-bridge/vif.c ovs-bridge/vif.h \
	ovs-bridge/reconcile.c ovs-bridge/reconcile.h \
	ovs-bridge/suspects.c ovs-bridge/suspects.h \
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
# VLOG_INFO() and the like compare an int with an enum, for clang to see here.
ovs_bridge_gantry_bridge_CFLAGS = $(WARN_CFLAGS) -Wno-sign-compare \
	$(SAN_CFLAGS) -pthread
ovs_bridge_gantry_bridge_LDFLAGS = $(SAN_CFLAGS) -pthread
ovs_bridge_gantry_bridge_LDADD = \
	$(OVS_SRC)/lib/.libs/libopenvswitch.a \
	$(OVS_SRC)/lib/.libs/libopenvswitchavx512.a \
	-lxenstore -latomic -lm
endif

dist_man_MANS += ovs-bridge/gantry-bridge.8

# What installs beside the daemon.  libxl looks for scripts only here, whatever
# the prefix is.
xenscriptdir = /etc/xen/scripts
dist_xenscript_SCRIPTS = ovs-bridge/vif-gantry
dist_pkgdata_DATA = ovs-bridge/modprobe.conf
systemdunitdir = $(prefix)/lib/systemd/system
nodist_systemdunit_DATA = ovs-bridge/gantry-bridge.service
sbin_SCRIPTS = tools/host/gantry-setup
dist_man_MANS += tools/host/gantry-setup.8

bridge_subst = sed -e 's|@sbindir[@]|$(sbindir)|g' \
	-e 's|@pkgdatadir[@]|$(pkgdatadir)|g'

ovs-bridge/gantry-bridge.service: ovs-bridge/gantry-bridge.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) ovs-bridge && \
	$(bridge_subst) $(srcdir)/ovs-bridge/gantry-bridge.service.in >$@

tools/host/gantry-setup: tools/host/gantry-setup.in Makefile
	$(AM_V_GEN)$(MKDIR_P) tools/host && \
	$(bridge_subst) $(srcdir)/tools/host/gantry-setup.in >$@ && chmod +x $@

EXTRA_DIST += ovs-bridge/gantry-bridge.service.in \
	tools/host/gantry-setup.in tools/deps/ovs tests/fake/xenstored \
	tests/sys/bridge tests/sys/bridge-native.sh
CLEANFILES += ovs-bridge/gantry-bridge.service tools/host/gantry-setup
