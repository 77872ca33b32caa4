# SPDX-License-Identifier: GPL-2.0-only
# For scripts in dom0 (bash), after guest.sh: Gantry's network and the
# kernel's, and measurements that are the same on both.

# ports BRIDGE: its ports but the local one.
ports() { ovs-vsctl list-ports "$1" | LC_ALL=C sort; }

has_port() { ovs-vsctl list-ports "$1" | grep -qx "$2"; }

no_port() { ! has_port "$@"; }

# port_of NAME: what the bridge daemon calls the guest's first vif.
port_of() { echo "vif$(xl domid "$1").0"; }

bridge_address() { # bridge address
    ip addr add "$2" dev "$1"
    ip link set "$1" up
}

# gantry_switch [hugepages|none [OPTION...]]: stock OVS-DPDK with bridge br0 on
# 10.0.0.1/24, and Gantry's daemon (with these options) and script in charge of
# vifs.
gantry_switch() {
    gantry-setup enable || return
    dpdk_ovs "${1:-hugepages}" || return
    [ "$(ovs-vsctl get Open_vSwitch . dpdk_initialized)" = true ] || return
    ovs-vsctl add-br br0 -- set Bridge br0 datapath_type=netdev || return
    bridge_address br0 10.0.0.1/24
    start_bridge "${@:2}"
}

start_bridge() { # option...
    gantry-bridge "$@" --pidfile --detach --no-chdir -vconsole:off \
        --log-file=/var/log/openvswitch/gantry-bridge.log
}

stop_bridge() {
    local pid
    pid=$(cat /run/openvswitch/gantry-bridge.pid) && kill "$pid" &&
        until_true 10 test ! -d "/proc/$pid"
}

# kernel_switch: Xen's own way: kernel netback and kernel OVS, the same bridge.
kernel_switch() {
    modprobe xen-netback
    kernel_ovs || return
    ovs-vsctl add-br br0 || return
    bridge_address br0 10.0.0.1/24
    sed -i '/^vif.default.script/d' /etc/xen/xl.conf
    echo 'vif.default.script="vif-openvswitch"' >> /etc/xen/xl.conf
}

# Mbit/s received, from iperf3's JSON on standard input, or what went wrong.
iperf_mbit() {
    tr -d ' \t\r' | awk -F: '/"error"/ { print > "/dev/stderr" }
        /"sum_received"/ { inside = 1 }
        inside && /"bits_per_second"/ { sub(",", "", $2)
            printf "%.1f\n", $2 / 1e6; exit }'
}

# Thousand packets a second that arrived, from iperf3's JSON of a UDP run.
iperf_kpps() {
    tr -d ' \t\r' | awk -F: '/"error"/ { print > "/dev/stderr" }
        /^"sum"/ { inside = 1 }
        inside && /"seconds"/ { s = $2 + 0 }
        inside && /"packets"/ { p = $2 + 0 }
        inside && /"lost_packets"/ { l = $2 + 0 }
        END { if (s) printf "%.2f\n", (p - l) / s / 1000 }'
}

# The average of a ping's round trips in ms.
ping_average() { sed -n 's,.*min/avg/max[^=]*= [0-9.]*/\([0-9.]*\)/.*,\1,p'; }
