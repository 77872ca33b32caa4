# SPDX-License-Identifier: GPL-2.0-only

# librte_net_xenvif: DPDK loads what is named .so.23.0 in its plug-in
# directory.  A plain shared object, so automake's PROGRAMS serve; undefined
# symbols are an error here, not in the switch.
if BUILD_NETBACK
pmddir = $(DPDK_PMD_DIR)
pmd_PROGRAMS = netback/librte_net_xenvif.so.23.0
netback_librte_net_xenvif_so_23_0_SOURCES = \
	netback/access.h netback/ring.h \
	netback/burst.c netback/burst.h \
	netback/burst_mbuf.h \
	netback/burst_offload.c netback/burst_offload.h \
	netback/clock.h netback/control.c netback/control.h \
	netback/ctrl_ring.c netback/ctrl_ring.h \
	netback/from_guest.c netback/from_guest.h \
	netback/direct.c netback/direct.h netback/direct_map.c \
	netback/gcopy.c netback/gcopy.h hv/public/window.h \
	netback/grant_pin.h netback/kill_point.h \
	netback/gref.c netback/gref.h \
	netback/hash.c netback/hash.h \
	netback/journal.c netback/journal.h \
	netback/journal_file.c netback/journal_file.h netback/vif_journal.c \
	netback/local.c netback/local.h netback/local_link.c \
	netback/offload.c netback/offload.h \
	netback/pmd.c netback/pmd.h \
	netback/pmd_args.c netback/pmd_counters.c netback/pmd_counters.h \
	netback/pmd_intr.c netback/pmd_intr.h \
	netback/pmd_link.c netback/pmd_link.h netback/pmd_memory.c \
	netback/pmd_port.c netback/pmd_port.h netback/pmd_stats.c \
	netback/steer.c netback/steer.h \
	netback/to_guest.c netback/to_guest.h \
	netback/vif.c netback/vif.h netback/vif_log.h \
	netback/vif_control.c netback/vif_ctrl.c netback/vif_ctrl.h \
	netback/vif_ctrl_xen.c netback/vif_local.c netback/vif_queue.c \
	netback/window.c netback/window.h netback/prefetch.h \
	netback/vif_wake.c netback/wake.c netback/wake.h
netback_librte_net_xenvif_so_23_0_CPPFLAGS = -I$(top_srcdir) -D_GNU_SOURCE \
	-DALLOW_INTERNAL_API -DALLOW_EXPERIMENTAL_API \
	$(DPDK_CFLAGS) \
	-idirafter $(DPDK_DRIVER_DIR)
netback_librte_net_xenvif_so_23_0_CFLAGS = $(WARN_CFLAGS) -std=gnu11 \
	-fPIC -fvisibility=hidden $(SAN_CFLAGS)
netback_librte_net_xenvif_so_23_0_LDFLAGS = -shared $(NO_UNDEFINED) \
	-Wl,-soname,librte_net_xenvif.so.23
netback_librte_net_xenvif_so_23_0_LDADD = tools/libdom0/libdom0.a \
	-lrte_bus_vdev -lrte_ethdev -lrte_net -lrte_mbuf -lrte_mempool \
	-lrte_ring -lrte_kvargs -lrte_eal \
	-lxenstore -lxenevtchn -lxengnttab -lxencall -lxenforeignmemory

# librte_net_xenfront: the other end of the same rings.
pmd_PROGRAMS += netback/librte_net_xenfront.so.23.0
netback_librte_net_xenfront_so_23_0_SOURCES = \
	netback/access.h netback/burst.h netback/local.h netback/ring.h \
	netback/burst_offload.c netback/burst_offload.h \
	netback/clock.h netback/control.c netback/control.h \
	netback/ctrl_ask.c netback/ctrl_ask.h \
	netback/from_backend.c netback/from_backend.h \
	netback/front.c netback/front.h netback/front_log.h \
	netback/front_args.c netback/front_burst.c netback/front_burst.h \
	netback/front_bus.c netback/front_control.c \
	netback/front_link.h netback/front_local.c \
	netback/front_pmd.c netback/front_pmd.h netback/front_stats.c \
	netback/front_static.c netback/front_static.h \
	netback/front_xen.c netback/front_xen.h \
	netback/offload.c netback/offload.h \
	netback/pmd_counters.c netback/pmd_counters.h \
	netback/pmd_intr.c netback/pmd_intr.h \
	netback/pmd_link.c netback/pmd_link.h \
	netback/pmd_port.c netback/pmd_port.h \
	netback/to_backend.c netback/to_backend.h \
	netback/wake.c netback/wake.h
netback_librte_net_xenfront_so_23_0_CPPFLAGS = \
	$(netback_librte_net_xenvif_so_23_0_CPPFLAGS)
netback_librte_net_xenfront_so_23_0_CFLAGS = \
	$(netback_librte_net_xenvif_so_23_0_CFLAGS)
netback_librte_net_xenfront_so_23_0_LDFLAGS = -shared $(NO_UNDEFINED) \
	-Wl,-soname,librte_net_xenfront.so.23
netback_librte_net_xenfront_so_23_0_LDADD = tools/libdom0/libdom0.a \
	-lrte_bus_vdev -lrte_ethdev -lrte_net -lrte_mbuf -lrte_mempool \
	-lrte_ring -lrte_kvargs -lrte_eal \
	-lxenstore -lxenevtchn -lxengnttab
endif

dist_man_MANS += netback/net_xenvif.7 netback/net_xenfront.7
