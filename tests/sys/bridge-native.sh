#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# gantry-bridge, vif-gantry and gantry-setup against stock ovsdb-server and
# ovs-vswitchd (dummy devices) and a fake xenstored, as root or not, without Xen.
#
# usage: tests/sys/bridge-native.sh [BUILD_DIR]
#
# Prints "GANTRY-RESULT pass|fail NAME" lines and exits with 0 if all passed.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "${1:-$top/_build}" && pwd)
work=$(mktemp -d)
failed=0 pids=() bridge_pid='' vswitchd_pid=''
export XENSTORED_PATH=$work/xs OVS_RUNDIR=$work OVS_LOGDIR=$work
export PATH=$PATH:/usr/sbin:/sbin
B=/local/domain/0/backend/vif
E=/local/domain/0/error/backend/vif
VM=11111111-2222-3333-4444-555555555555

finish() {
    [ -z "${KEEP:-}" ] || cp -r "$work" "$KEEP"
    local pid
    for pid in "${pids[@]}" $bridge_pid $vswitchd_pid $(
        cat "$work"/*.pid 2>/dev/null); do
        kill "$pid" 2>/dev/null
    done
    wait
    if [ "$failed" -ne 0 ]; then
        echo "--- gantry-bridge's log"; tail -n 40 "$work/bridge.log"
        echo "--- ovs-vswitchd's log"; tail -n 20 "$work/vswitchd.log"
    fi
    rm -rf "$work"
}
trap finish EXIT

for tool in ovsdb-server ovs-vsctl xenstore-write; do
    command -v $tool >/dev/null || {
        echo "GANTRY-RESULT skip bridge-native - no $tool"; exit 77; }
done
vswitchd=/usr/lib/openvswitch-switch/ovs-vswitchd
[ -x $vswitchd ] || vswitchd=$(command -v ovs-vswitchd)

vsctl() { ovs-vsctl --timeout=10 --db="unix:$work/db.sock" "$@"; }
key() { xenstore-read "$B/$1" 2>/dev/null; }
iface() { vsctl --if-exists get Interface "$1" "$2" 2>/dev/null; }
check() {
    local name=$1; shift
    if "$@"; then
        echo "GANTRY-RESULT pass $name"
    else
        echo "GANTRY-RESULT fail $name - $*"; failed=1
    fi
}
# within SECONDS COMMAND...: waits for a condition.
within() {
    local end=$((SECONDS + $1)); shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        read -r -t 0.05 <> <(:)
    done
    return 0
}
is() { [ "$(eval "$1")" = "$2" ]; }
has() { case $(eval "$1") in *"$2"*) ;; *) return 1 ;; esac; }
no_port() { ! vsctl list-ports br0 | grep -qx "$1"; }
port() { vsctl list-ports "$2" | grep -qx "$1"; }

start_ovsdb() {
    ovsdb-server --remote="punix:$work/db.sock" --unixctl="$work/ovsdb.ctl" \
        --pidfile="$work/ovsdb.pid" --detach --log-file="$work/ovsdb.log" \
        -vconsole:off "$work/conf.db"
}
start_vswitchd() {
    $vswitchd "unix:$work/db.sock" --enable-dummy=override \
        --disable-system --unixctl="$work/vswitchd.ctl" -vconsole:off \
        --log-file="$work/vswitchd.log" &
    vswitchd_pid=$!
}
stop_vswitchd() { kill "$vswitchd_pid"; wait "$vswitchd_pid"; vswitchd_pid=; }
start_bridge() {
    "$build/ovs-bridge/gantry-bridge" --test-interface=dummy "$@" \
        --unixctl="$work/gb.ctl" -vconsole:off --log-file="$work/bridge.log" \
        "unix:$work/db.sock" &
    bridge_pid=$!
}
stop_bridge() { kill "$bridge_pid"; wait "$bridge_pid" 2>/dev/null; bridge_pid=; }

# vif D H BRIDGE [KEY VALUE]...: as libxl makes it.
vif() {
    local d=$1 dir=$B/$1/$2 bridge=$3; shift 3
    xenstore-write "/vm/$VM/uuid" "$VM" "/local/domain/$d/vm" "/vm/$VM" \
        "/local/domain/$d/name" "guest $d" \
        "$dir/bridge" "$bridge" "$dir/mac" "00:16:3e:00:00:0$d" \
        "$dir/online" 1 "$dir/handle" 0 "$@" \
        "$dir/frontend-id" "$d" "$dir/state" 1
}
remove_vif() { xenstore-rm "$B/$1"; }
script() {
    XENBUS_PATH=backend/vif/$1 VIF_GANTRY_LIMIT=${3:-15} \
        "$top/ovs-bridge/vif-gantry" "$2" type_if=vif 2>/dev/null
}
script_fails() { ! script "$@"; }

"$top/tests/fake/xenstored" "$work/xs" >"$work/xs.out" & pids+=($!)
within 5 grep -q ready "$work/xs.out"
# Stock but for one more reason to refuse a port: an MTU above 9000.
sed '/"mtu_request"/,/minInteger/s/"minInteger": 1/&, "maxInteger": 9000/' \
    /usr/share/openvswitch/vswitch.ovsschema >"$work/schema"
ovsdb-tool create "$work/conf.db" "$work/schema"
start_ovsdb
vsctl --no-wait init
start_vswitchd
vsctl add-br br0 -- set Bridge br0 datapath_type=netdev \
    -- add-br k0 -- set Bridge k0 datapath_type=dummy \
    -- add-port br0 other -- set Interface other type=dummy
start_bridge

# A vif comes, by itself and with VLANs.
vif 1 0 br0.5:7:6 $B/1/0/mtu 1400 $B/1/0/rate 50000,50000
check online script 1/0 online
check hotplug-status is 'key 1/0/hotplug-status' connected
check port port vif1.0 br0
check no-state-change is 'key 1/0/state' 1
check tag is 'vsctl get Port vif1.0 tag' 5
check trunks is 'vsctl get Port vif1.0 trunks' '[6, 7]'
check mtu is 'iface vif1.0 mtu_request' 1400
check rate is 'iface vif1.0 ingress_policing_rate' 8000
check attached-mac is 'iface vif1.0 external_ids:attached-mac' \
    '"00:16:3e:00:00:01"'
check iface-id is 'iface vif1.0 external_ids:iface-id' "\"$VM-0\""
check vm-id is 'iface vif1.0 external_ids:vm-id' "\"$VM\""
check iface-status is 'iface vif1.0 external_ids:iface-status' active
check vm-name is 'iface vif1.0 external_ids:xen-vm-name' '"guest 1"'
check owner is 'vsctl get Port vif1.0 external_ids:gantry-owner' gantry-bridge
check show has 'ovs-appctl -t "$work/gb.ctl" show' 'vif1.0: bridge "br0"'

# A controller's keys stay, ours are put right.
vsctl set Interface vif1.0 external_ids:ovn-installed=true \
    external_ids:attached-mac=bad
check repaired within 5 is 'iface vif1.0 external_ids:attached-mac' \
    '"00:16:3e:00:00:01"'
check foreign-key is 'iface vif1.0 external_ids:ovn-installed' '"true"'
xenstore-write $B/1/0/gantry-access 'copy: no window'
check access within 5 is 'iface vif1.0 external_ids:gantry-access' \
    '"copy: no window"'
vsctl del-port vif1.0
check port-again within 5 port vif1.0 br0

# It goes: by the driver, which writes 6 ...
xenstore-write $B/1/0/online 0 $B/1/0/state 5
check closing-keeps-port port vif1.0 br0
xenstore-write $B/1/0/state 6
check closed-removes-port within 5 no_port vif1.0
remove_vif 1
# ... or at once, directory and all, ...
vif 2 0 br0
check second within 5 port vif2.0 br0
remove_vif 2
check gone-removes-port within 5 no_port vif2.0
# ... or with a driver that does not answer.
vif 3 0 br0
check third script 3/0 online
xenstore-write $B/3/0/online 0 $B/3/0/state 5
check late-driver within 9 is 'key 3/0/state' 6
check late-port within 5 no_port vif3.0
remove_vif 3
check other-port-stays port other br0

# What goes wrong is told at once.
vif 1 0 nowhere
check no-bridge-script script_fails 1/0 online
check no-bridge-error has 'key 1/0/hotplug-error' 'no bridge "nowhere"'
check no-bridge-node has "xenstore-read $E/1/0/error" 'no bridge "nowhere"'
check init-wait is 'key 1/0/state' 2
vsctl add-br nowhere -- set Bridge nowhere datapath_type=netdev
check repaired-bridge within 5 is 'key 1/0/gantry-status' attached
check error-removed is "xenstore-read $E/1/0/error 2>/dev/null" ''
vsctl del-br nowhere
check bridge-removed within 5 is 'key 1/0/gantry-status' error
xenstore-write $B/1/0/online 0 $B/1/0/state 5
check closed-for-us within 5 is 'key 1/0/state' 6
remove_vif 1
check error-node-gone within 5 is "xenstore-list $E 2>/dev/null" ''

vif 1 0 k0
check kernel-bridge script_fails 1/0 online
check kernel-bridge-error has 'key 1/0/hotplug-error' datapath_type=netdev
remove_vif 1
vif 1 0 'br0.4096'
check bad-key script_fails 1/0 online
check bad-key-error has 'key 1/0/hotplug-error' 'key bridge'
remove_vif 1
vif 1 0 br0 $B/1/0/mtu 12
check bad-mtu script_fails 1/0 online
check bad-mtu-error has 'key 1/0/hotplug-error' 'key mtu'
remove_vif 1
vsctl add-port br0 vif1.0 -- set Interface vif1.0 type=dummy
vif 1 0 br0
check not-ours script_fails 1/0 online
check not-ours-error has 'key 1/0/hotplug-error' "not gantry-bridge's"
remove_vif 1
check not-ours-stays port vif1.0 br0
vsctl del-port vif1.0

# A vif that the database cannot have keeps no other from its port: one whose
# name somebody's interface has, ...
vsctl --id=@i create Interface name=vif7.0 type=dummy \
    -- --id=@p create Port name=odd interfaces=@i \
    -- add Bridge br0 ports @p >/dev/null
vif 7 0 br0
vif 8 0 br0
check name-taken script_fails 7/0 online
check name-taken-error has 'key 7/0/hotplug-error' \
    'interface vif7.0 exists on port odd of bridge br0'
check name-taken-other script 8/0 online
check name-taken-stays port odd br0
vsctl del-port odd
check name-free within 5 is 'key 7/0/gantry-status' attached
remove_vif 7
remove_vif 8
check name-gone within 5 no_port vif7.0
check name-gone-other within 5 no_port vif8.0
# ... and one that is refused for any other reason.
stop_bridge
vif 1 0 br0
vif 7 0 br0 $B/7/0/mtu 9001
vif 8 0 br0
start_bridge
check refused script_fails 7/0 online
check refused-error has 'key 7/0/hotplug-error' 'refuses port vif7.0'
check refused-other script 1/0 online
check refused-another script 8/0 online
xenstore-write $B/7/0/mtu 9000
check taken-then within 9 is 'key 7/0/gantry-status' attached
for d in 1 7 8; do remove_vif $d; done
for d in 1 7 8; do check refused-gone-$d within 5 no_port vif$d.0; done

# Restarts: of the daemon ...
vif 1 0 br0
vif 2 0 br0
check before-restart script 2/0 online
check before-restart-1 script 1/0 online
stop_bridge
check ports-survive-daemon port vif1.0 br0
remove_vif 1
vif 4 0 br0
start_bridge
check restart-adds within 5 port vif4.0 br0
check restart-removes within 5 no_port vif1.0
check restart-keeps port vif2.0 br0
# ... of both of OVS's ...
stop_vswitchd
kill "$(cat "$work/ovsdb.pid")"
vif 5 0 br0
start=$SECONDS
check ovs-away script_fails 5/0 online
check ovs-away-error has 'key 5/0/hotplug-error' ovsdb-server
check ovs-away-time [ $((SECONDS - start)) -lt 8 ]
xenstore-write $B/5/0/online 0 $B/5/0/state 5
check ovs-away-closed within 9 is 'key 5/0/state' 6
remove_vif 5
remove_vif 4
start_ovsdb
check ovsdb-back within 15 no_port vif4.0 2>/dev/null
vif 6 0 br0
start=$SECONDS
check vswitchd-away script_fails 6/0 online
check vswitchd-away-error has 'key 6/0/hotplug-error' 'ovs-vswitchd did not'
check vswitchd-away-time [ $((SECONDS - start)) -lt 10 ]
start_vswitchd
check vswitchd-back within 15 is 'key 6/0/gantry-status' attached
check ports-survive-ovs port vif2.0 br0
# ... and of XenStore, which takes no port away while it is not there.
kill "${pids[0]}"; wait "${pids[0]}" 2>/dev/null
xenstore_away() { has 'ovs-appctl -t "$work/gb.ctl" show' 'xenstore: away'; }
check xenstore-away within 10 xenstore_away
check ports-survive-xenstore port vif2.0 br0
"$top/tests/fake/xenstored" "$work/xs" >"$work/xs.out" & pids=($!)
within 5 grep -q ready "$work/xs.out"
check new-xenstore within 10 no_port vif2.0

# Without the daemon the script does not wait for ever.
ovs-appctl -t "$work/gb.ctl" exit
wait "$bridge_pid"; check exit-status [ $? -eq 0 ]; bridge_pid=
vif 1 0 br0
check no-daemon script_fails 1/0 online 2
check no-daemon-error has 'key 1/0/hotplug-error' 'is it running'

# The default bridge; many vifs at once.
remove_vif 1
start_bridge -b br0
vif 1 0 ''
check default-bridge script 1/0 online
for d in $(seq 10 59); do
    xenstore-write $B/$d/0/online 1 $B/$d/0/bridge br0 \
        $B/$d/0/frontend-id $d $B/$d/0/state 1
done
fifty() { [ "$(vsctl list-ports br0 | grep -c '^vif[1-5][0-9]\.0$')" = "$1" ]; }
check many-come within 20 fifty 50
for d in $(seq 10 59); do remove_vif $d; done
check many-go within 20 fifty 0

# What drivers are told.
stop_bridge
bridge_says() { "$build/ovs-bridge/gantry-bridge" "$@" 2>&1; }
check bad-driver-args has 'bridge_says --driver-args="queues 4"' \
    '"queues 4" cannot be arguments of net_xenvif'
vif 1 0 br0
start_bridge --test-interface=dummy:net_xenvif --driver-args=queues=4
check driver-args within 5 is 'iface vif1.0 options:dpdk-devargs' \
    '"net_xenvif1_0,queues=4"'

# gantry-setup on an image.
root=$work/root
mkdir -p $root/etc/xen
printf '#c\nvif.default.script="vif-route"\nautoballoon="off"\n' \
    >$root/etc/xen/xl.conf
cp $root/etc/xen/xl.conf $work/xl.conf
fragment=$(sed -n 's/^FRAGMENT=//p' "$build/tools/host/gantry-setup")
mkdir -p "$root${fragment%/*}"
cp "$top/ovs-bridge/modprobe.conf" "$root$fragment"
setup() { PATH=$work/bin:$PATH "$build/tools/host/gantry-setup" \
    --root=$root "$@" >/dev/null 2>&1; }
mkdir $work/bin
printf '#!/bin/sh\nd=%s/etc/systemd/system/multi-user.target.wants\n%s\n' $root \
    'mkdir -p $d; case "$*" in *enable*) touch $d/gantry-bridge.service;;
    *) rm -f $d/gantry-bridge.service;; esac' >$work/bin/systemctl
chmod +x $work/bin/systemctl
not() { ! "$@"; }
check setup-status-off not setup status
check setup-enable setup enable
cp $root/etc/xen/xl.conf $work/once
check setup-enable-again setup enable
check setup-idempotent cmp -s $work/once $root/etc/xen/xl.conf
check setup-conf is "grep -c '^vif.default.script=\"vif-gantry\"' $work/once" 1
check setup-conf-old is "grep -c '^vif.default.script' $work/once" 1
check setup-status setup status
check setup-disable setup disable
check setup-restored cmp -s $work/xl.conf $root/etc/xen/xl.conf
check setup-modprobe not [ -e $root/etc/modprobe.d/gantry.conf ]
exit $failed
