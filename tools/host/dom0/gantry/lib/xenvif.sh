# SPDX-License-Identifier: GPL-2.0-only
# For scripts in dom0 (bash): vifs on net_xenvif ports that the script itself
# adds to stock OVS-DPDK. Source it after guest.sh.

vswitchd_log=/var/log/openvswitch/ovs-vswitchd.log

# A hotplug script that does nothing: the port is added beforehand.
printf '#!/bin/sh\nexit 0\n' > /etc/xen/scripts/vif-none
chmod 755 /etc/xen/scripts/vif-none

# xenvif_bridge [hugepages|none]: stock OVS-DPDK with br0, dom0 is 10.0.0.1.
xenvif_bridge() {
    dpdk_ovs "${1:-hugepages}" &&
        ovs-vsctl --timeout=30 add-br br0 -- \
            set bridge br0 datapath_type=netdev &&
        ip addr add 10.0.0.1/24 dev br0 && ip link set br0 up
}

# xenvif_port DOMID [ARGS [INTERFACE-SETTINGS...]]
xenvif_port() {
    local domid=$1 args=${2:-}
    shift; shift
    ovs-vsctl --timeout=30 add-port br0 "vif$domid.0" -- set Interface \
        "vif$domid.0" type=dpdk \
        "options:dpdk-devargs=net_xenvif${domid}_0${args:+,$args}" "$@"
    xenvif_port_is_well "$domid"
}
xenvif_port_is_well() { # domid
    [ "$(ovs-vsctl --timeout=10 get Interface "vif$1.0" error)" = "[]" ]
}
xenvif_del_port() { ovs-vsctl --timeout=30 del-port "vif$1.0"; }

# xenvif_said DOMID TEXT: the driver's line about this vif is in the log.
xenvif_said() { grep -aq "vif$1\.0: $2" "$vswitchd_log"; }

# xenvif_stat DOMID NAME: a counter as OVS shows it.
xenvif_stat() {
    ovs-vsctl --timeout=10 get Interface "vif$1.0" "statistics:$2"
}

# The lines that matter when something failed.
xenvif_report() {
    grep -a 'xenvif' "$vswitchd_log"
    grep -aE '\|(WARN|ERR|EMER)\|' "$vswitchd_log" |
        grep -avE 'timeval|ovs_rcu|hugepages reported|TELEMETRY' |
        tail -n 15
}
