# SPDX-License-Identifier: GPL-2.0-only
# For scripts in dom0 (bash): guests, results, facts. Source it.

logs=/var/log/xen/console

uptime_s() { cut -d' ' -f1 /proc/uptime; }
stage() { echo "GANTRY-STAGE $*"; }
fact() { echo "GANTRY-FACT $*"; }
pass() { echo "GANTRY-RESULT pass $1${2:+ - $2}"; }
fail() { echo "GANTRY-RESULT fail $1${2:+ - $2}"; }

# check NAME COMMAND...: a case that passes when the command does.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        pass "$name"
    else
        head -n 40 <<< "$output" | sed 's/^/    | /'
        fail "$name" "$(tail -n 3 <<< "$output" | tr '\r\n' '  ')"
        return 1
    fi
}

# until_true SECONDS COMMAND...: wait for a condition, looking 5 times a second.
until_true() {
    local end=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 0.2
    done
}

# kill_and_wait SIGNAL PIDFILE: and until the process is gone, as who restarts
# a daemon waits: what it has mapped is unmapped, what it has locked is free.
kill_and_wait() {
    local pid
    pid=$(cat "$2") && kill "-$1" "$pid" &&
        until_true 30 sh -c "! kill -0 $pid"
}

# A script's argument type=pv makes its guests PV instead of PVH.
GUEST_TYPE=pvh
words=()
for word; do
    case $word in type=*) GUEST_TYPE=${word#type=} ;; *) words+=("$word") ;; esac
done
set -- "${words[@]}"

# guest_config NAME VIF [KEY=VALUE...]: writes /root/NAME.cfg. Settings:
# type=(pvh|pv) ip= memory= vcpus= kernel=(amd64|cloud-amd64) mtu= iperf=1 extra= lines=
guest_config() {
    local name=$1 vif=$2 ip='' memory=192 vcpus=1 kernel=cloud-amd64
    local mtu='' iperf='' extra='' lines='' type=$GUEST_TYPE setting
    shift 2
    for setting; do
        local "${setting%%=*}"
        printf -v "${setting%%=*}" %s "${setting#*=}"
    done
    mkdir -p /root
    cat > "/root/$name.cfg" <<CFG
name = "$name"
type = "$type"
kernel = "/gantry/guest/vmlinux-$kernel"
ramdisk = "/gantry/guest/guest-$kernel.cpio"
extra = "console=hvc0 quiet mitigations=off nokaslr gantry.name=$name${ip:+ gantry.ip=$ip}${mtu:+ gantry.mtu=$mtu}${iperf:+ gantry.iperf=1}${extra:+ $extra}"
memory = $memory
vcpus = $vcpus
${vif:+vif = [ '$vif' ]}
$lines
CFG
    if [ -e /run/gantry/spare ]; then
        echo "cpus = \"all,^$(cat /run/gantry/spare)\"" >> "/root/$name.cfg"
    fi
}

# guest_create NAME: xl create with the time it took as a fact.
guest_create() {
    local begin end
    begin=$(uptime_s)
    rm -f "$logs/guest-$1.log"
    xl create "/root/$1.cfg" || return
    end=$(uptime_s)
    fact "create_$1_s" "$(awk "BEGIN { print $end - $begin }")"
}

# guest_wait NAME userland|network|ready [SECONDS]
guest_wait() {
    until_true "${3:-180}" grep -aq "GANTRY-GUEST $1 $2" "$logs/guest-$1.log"
}

# guest_run NAME SECONDS COMMAND: in the guest's shell, through its console;
# prints what it printed, returns its status. Its number must be new in a log
# that has all since the guest's creation: by the time, not by chance.
guest_run() {
    local name=$1 seconds=$2 id=$BASHPID.$EPOCHREALTIME tty rc
    local log=$logs/guest-$1.log
    shift 2
    tty=$(xenstore-read "/local/domain/$(xl domid "$name")/console/tty") ||
        return 125
    echo "gx $id '${*//\'/\'\\\'\'}'" > "$tty"
    if ! until_true "$seconds" grep -aq "GX-END $id rc=" "$log"; then
        echo "guest_run: $name did not answer in $seconds s: $*" >&2
        return 124
    fi
    tr -d '\r' < "$log" | sed -n "/^GX-BEGIN $id\$/,/^GX-END $id rc=/p" |
        sed '1d;$d'
    rc=$(tr -d '\r' < "$log" | sed -n "s/^.*GX-END $id rc=//p" | tail -n 1)
    return "${rc:-126}"
}

# The machine-to-physical table, whole, as the first save of a PV guest leaves
# it for good: who compares free memory calls this before.
make_m2p() {
    /usr/lib/xen-4.17/bin/xen-mfndump dump-m2p 2>/dev/null | head -n 1
}

ovsdb_start() {
    mkdir -p /etc/openvswitch /run/openvswitch /var/log/openvswitch
    [ -e /etc/openvswitch/conf.db ] || ovsdb-tool create \
        /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-server /etc/openvswitch/conf.db \
        --remote=punix:/run/openvswitch/db.sock --pidfile --detach \
        --log-file=/var/log/openvswitch/ovsdb-server.log -vconsole:off
    ovs-vsctl --no-wait init
}

# kernel_ovs: stock ovsdb-server and ovs-vswitchd with the kernel datapath. OVS
# 3.1 counts the CPUs, for its handlers of misses, when its last count is 10 s
# old, and takes the machine's start for the last: before that they are none, and
# each miss is lost.
kernel_ovs() {
    modprobe openvswitch
    until_true 60 awk '{ exit $1 < 10 }' /proc/uptime
    ovsdb_start
    /usr/lib/openvswitch-switch/ovs-vswitchd --pidfile --detach \
        --log-file=/var/log/openvswitch/ovs-vswitchd.log -vconsole:off ||
        ovs-vswitchd --pidfile --detach -vconsole:off \
            --log-file=/var/log/openvswitch/ovs-vswitchd.log
}

# The switch polls on the last CPU; with only one it shares it.
pmd_mask() { if [ "$(nproc)" -gt 1 ]; then echo 0x2; else echo 0x1; fi; }

# dpdk_ovs [MODE]: stock ovs-vswitchd-dpdk; MODE hugepages (default) or none.
# OVS_TSO=false: the switch takes no large packets. DPDK gets its hugepages at
# once: what it maps by need it unmaps again, as often as twice a large packet.
dpdk_ovs() {
    ovsdb_start
    ovs-vsctl --no-wait set Open_vSwitch . \
        other_config:userspace-tso-enable="${OVS_TSO:-true}"
    ovs-vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true \
        other_config:dpdk-lcore-mask=0x1 other_config:pmd-maxsleep=500 \
        other_config:pmd-cpu-mask="${PMD_MASK:-$(pmd_mask)}"
    if [ "${1:-hugepages}" = hugepages ]; then
        ovs-vsctl --no-wait set Open_vSwitch . \
            other_config:dpdk-extra="--no-pci --in-memory -m $(
                awk '/HugePages_Free/ { print $2 * 2 }' /proc/meminfo)"
    else
        ovs-vsctl --no-wait set Open_vSwitch . \
            other_config:dpdk-extra="--no-pci --no-huge --legacy-mem -m 256" \
            other_config:per-port-memory=true
    fi
    dpdk_vswitchd
}

# dpdk_vswitchd [OPTION...]
dpdk_vswitchd() {
    ovs-vswitchd-dpdk unix:/run/openvswitch/db.sock --detach "$@" \
        --pidfile=/run/openvswitch/ovs-vswitchd.pid \
        --unixctl=/run/openvswitch/vswitchd.ctl -vconsole:off \
        --log-file=/var/log/openvswitch/ovs-vswitchd.log
}
