# SPDX-License-Identifier: GPL-2.0-only
"""What is measured: paths between a guest and its port, and cases of use.

A case is a function that yields rows; it is called once in each run, so that
the machine's moods meet all of them, and the medians are taken at the end.
A row's identity is all of it but the figures.
"""
import os
import re
import statistics
import subprocess
import sys
import time

from run import (GUESTS, MEASURED, PATIENCE, Load, Switch, Testpmd, Trouble,
                 eal, on_cpu)

FIGURES = ("cycles_per_packet", "mpps", "batch", "delivered",
           "instructions_per_packet", "branches_per_packet",
           "indirect_branches_per_packet")
IMIX, IMIX_BYTES = 0, 354
JUMBO = 9000
SIZES = (64, 256, 1500, IMIX, JUMBO)
FLOWS = 1000
PAGES = 4096        # of 4 KiB: what a guest sends from in turn
COUNTED_BURSTS = 300
SETTLE = 0.15       # seconds until a change has reached everybody


class Path:
    """How one kind of port and its guests are made."""
    guest_first = True          # who makes the socket is there first
    far_queues = 1

    def __init__(self, bench, size=1500, pages=PAGES, queues=1,
                 static=False):
        self.bench = bench
        self.work = bench.work
        self.largest = max(size, 1514)
        self.pages = pages
        self.queues = queues
        self.static = static
        self.sockets = ["%s/%s-%d" % (bench.work, self.name, n)
                        for n in range(2)]
        for path in self.sockets:
            if os.path.exists(path):
                os.unlink(path)

    def ports(self):
        """Names and settings of the switch's ports."""
        jumbo = ["mtu_request=%d" % JUMBO] if self.largest > 2000 else []
        return [("p%d" % n, self.settings(n) + jumbo) for n in range(2)]

    def settings(self, n):
        return ["type=dpdk", "options:dpdk-devargs=" + self.vdev(n)]

    def dpdk_load(self, count, what):
        vdevs = []
        for n in range(count):
            vdevs += ["--vdev", self.far(n)]
        megabytes = 64 + count * (self.pages + 1024) * (
            16 if self.largest > 4000 else 5) // 1024
        return Load([self.bench.program("dpdk_load")] +
                    eal(GUESTS, "load", megabytes) + vdevs +
                    ["--", "-p", str(self.pages), "-m", str(self.largest),
                     "-r", str(self.far_queues), what],
                    self.work + "/load.log")

    load = dpdk_load


class Xenvif(Path):
    name = "xenvif-local"

    def vdev(self, n):
        more = ",queues=%d" % self.queues if self.queues > 1 else ""
        return "net_xenvif0_%d,local=%s" % (n, self.sockets[n]) + more

    def settings(self, n):
        more = ["options:n_rxq=%d" % self.queues] if self.queues > 1 else []
        return super().settings(n) + more

    def load(self, count, what):
        return Load([self.bench.program("vif_load"), "-p", str(self.pages),
                     "-q", str(self.queues)] +
                    (["-s"] if self.static else []) +
                    [what] + self.sockets[:count],
                    self.work + "/load.log")


class Vhost(Path):
    name = "vhost-user"

    def vdev(self, n):
        return "net_vhost%d,iface=%s,client=1,queues=1" % (
            n, self.sockets[n])

    def settings(self, n):
        return ["type=dpdkvhostuserclient",
                "options:vhost-server-path=" + self.sockets[n]]

    def far(self, n):
        return "net_virtio_user%d,path=%s,server=1,queue_size=256" % (
            n, self.sockets[n])


class Memif(Path):
    name = "memif"
    guest_first = False
    far_queues = 2              # the switch has as many TX queues
    def vdev(self, n):
        # 256 slots, as the others have.
        return ("net_memif%d,role=server,id=%d,socket-abstract=no,"
                "rsize=8,bsize=2048,socket=%s" % (n, n, self.sockets[n]))

    def far(self, n):
        return self.vdev(n).replace("server", "client")


class AfPacket(Path):
    name = "af_packet"
    made = set()                # pairs of veth, for the namespace's life

    def __init__(self, bench, **more):
        super().__init__(bench, **more)
        for n in range(2):
            link = ["veth%d" % n, "far%d" % n]
            if n not in self.made:
                self.made.add(n)
                subprocess.run(["ip", "link", "add", link[0], "mtu",
                                str(JUMBO), "type", "veth", "peer", "name",
                                link[1], "mtu", str(JUMBO)], check=True)
                for end in link:
                    subprocess.run(["ip", "link", "set", end, "up"],
                                   check=True)

    def arguments(self):
        if self.largest > 2000:
            return ",blocksz=65536,framesz=16384,framecnt=512"
        return ",blocksz=4096,framesz=2048,framecnt=512"

    def vdev(self, n):
        return "net_af_packet%d,iface=veth%d" % (n, n) + self.arguments()

    def far(self, n):
        return "net_af_packet%d,iface=far%d" % (n, n) + self.arguments()


PATHS = {c.name: c for c in (Xenvif, Vhost, Memif, AfPacket)}


class Bench:
    def __init__(self, args, work):
        self.args = args
        self.work = work
        self.driver = os.path.join(args.build,
                                   "netback/librte_net_xenvif.so.23.0")
        self.running = None

    def program(self, name):
        return os.path.join(self.args.build, "tools/bench/native.d", name)

    def paths(self, *without):
        names = self.args.path or list(PATHS)
        return [PATHS[n] for n in names if n not in without]

    def sizes(self, *sizes):
        return [s for s in sizes
                if not self.args.size or s in self.args.size]

    @property
    def switch(self):
        if self.running is None:
            self.running = Switch(self.work, self.driver)
        return self.running

    def end_switch(self):
        """It polls its ports, also when it has none to measure."""
        if self.running is not None:
            self.running.end()
            self.running = None
            for name in ("db.sock", "br0.mgmt", "conf.db", "switch.log",
                         ".conf.db.~lock~"):
                path = os.path.join(self.work, name)
                if os.path.exists(path):
                    os.unlink(path)


def row(case, path, size, figures, **more):
    out = {"case": case, "path": path,
           "size": IMIX_BYTES if size == IMIX else size}
    if size == IMIX:
        out["mix"] = "imix"
    out.update(more)
    out.update(figures)
    return out


def across():
    return ["in_port=1,actions=output:2", "in_port=2,actions=output:1"]


def measure_switch(bench, load, size, flows=1):
    """One measurement, and what part of the packets arrived."""
    load.send(size, flows)
    time.sleep(SETTLE)
    before = load.send(size, flows)
    figures = bench.switch.measure(bench.args.seconds)
    after = load.send(size, 0)
    sent = after[0] - before[0]
    figures["delivered"] = (after[1] - before[1]) / sent if sent else 0
    return figures


class Session:
    """A pair of ports of one path, with their guests."""

    def __init__(self, path):
        self.path = path
        self.switch = path.bench.switch

    def __enter__(self):
        self.switch.flows(across())
        self.load = None
        try:
            if self.path.guest_first:
                self.load = self.path.load(2, "both")
            self.switch.add_ports(self.path.ports())
            if self.load is None:
                self.load = self.path.load(2, "both")
            self.load.wait_for("listening")
            self.load.wait_for_traffic()
        except BaseException:
            self.__exit__()
            raise
        return self.load

    def __exit__(self, *_reason):
        # The ports first: DPDK 22.11's vhost, when its port goes just as the
        # other side has gone, connects again with memory that it has freed,
        # and the switch dies of that.
        try:
            self.switch.del_ports(self.path.ports())
        finally:
            if self.load is not None:
                self.load.end()


def flow_mixes():
    """Name, flows of traffic, settings, rules."""
    thousand = ["priority=1,actions=drop"] + [
        "priority=2,in_port=%d,ip,nw_dst=10.1.%d.%d,actions=output:%d"
        % (n, f >> 8, f & 255, 3 - n) for n in (1, 2) for f in range(FLOWS)]
    return (("emc", FLOWS, "1", thousand),
            ("dpcls", FLOWS, "0", thousand),
            ("normal", 1, "100", ["actions=NORMAL"]))


def measure_mixes(bench, name, load):
    for mix, flows, insert, rules in flow_mixes():
        bench.switch.vsctl("set", "Open_vSwitch", ".",
                           "other_config:emc-insert-inv-prob=" + insert)
        bench.switch.flows(rules)
        load.send(64, flows)
        time.sleep(SETTLE)
        yield row("flows-" + mix, name, 64,
                  measure_switch(bench, load, 64, flows))


def switch_case(bench):
    for path in bench.paths():
        with Session(path(bench)) as load:
            for size in bench.sizes(64, 256, 1500, IMIX):
                yield row("ovs-guest-guest", path.name, size,
                          measure_switch(bench, load, size))
            if path is not AfPacket and bench.sizes(64):
                yield from measure_mixes(bench, path.name, load)


def jumbo_case(bench):
    if not bench.sizes(JUMBO):
        return
    # The other drivers' frames end at 1518 bytes.
    for path in bench.paths("memif", "af_packet"):
        with Session(path(bench, size=JUMBO)) as load:
            yield row("ovs-guest-guest", path.name, JUMBO,
                      measure_switch(bench, load, JUMBO))


def variant_case(bench):
    """Other ways to use a local vif: rows of their own."""
    if Xenvif not in bench.paths():
        return
    variants = (("single-page", {"pages": 1}, (64, 1500)),
                ("256-mib", {"pages": 65536}, (64, 1500)),
                ("static-grants", {"static": True}, (64, 1500)),
                ("2-queues", {"queues": 2}, (64,)),
                ("4-queues", {"queues": 4}, (64,)))
    for name, settings, sizes in variants:
        with Session(Xenvif(bench, **settings)) as load:
            for size in bench.sizes(*sizes):
                yield row("ovs-guest-guest-" + name, Xenvif.name, size,
                          measure_switch(bench, load, size))


def pmd_case(bench):
    bench.end_switch()
    for kind in bench.paths("af_packet"):
        path = kind(bench)
        path.far_queues = 1
        load = path.load(1, "both") if path.guest_first else None
        pmd = None
        try:
            pmd = Testpmd(bench.driver, path.vdev(0),
                          bench.work + "/testpmd.log")
            load = load or path.load(1, "both")
            load.wait_for("listening")
            load.send(64)
            pmd.wait_for_packets()
            for size in bench.sizes(64, 256, 1500):
                load.send(size)
                for mode, case in (("rxonly", "pmd-from-guest"),
                                   ("txonly", "pmd-to-guest")):
                    figures = pmd.forward(mode, bench.args.seconds, size)
                    if figures is None:
                        raise pmd.trouble("carries no packets")
                    yield row(case, kind.name, size, figures)
        finally:
            for process in (load, pmd):
                if process is not None:
                    process.end()


def vif_bench(bench, *args):
    done = subprocess.run(
        on_cpu("%d,%d" % (GUESTS, MEASURED),
               [bench.program("vif_bench"), "-b", str(MEASURED), "-f",
                str(GUESTS), "-p", str(PAGES), "-t",
                str(bench.args.seconds)] + list(args)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
        check=False)
    if done.returncode:
        raise Trouble(done.stderr.strip())
    for line in done.stdout.splitlines():
        name, cycles, mpps, _burst = line.split()
        yield name, {"cycles_per_packet": float(cycles),
                     "mpps": float(mpps)}


def copy_case(bench):
    bench.end_switch()
    for size in bench.sizes(*SIZES):
        total = 0
        for way, case in (("copy_from", "pmd-from-guest"),
                          ("copy_to", "pmd-to-guest")):
            for _name, figures in vif_bench(bench, way, str(size)):
                total += figures["cycles_per_packet"]
                yield row(case, "copy", size, figures)
        yield row("ovs-guest-guest", "copy", size,
                  {"cycles_per_packet": total})


def parts_case(bench):
    bench.end_switch()
    for size in bench.sizes(64, 1500):
        for name, figures in vif_bench(bench, "parts", str(size)):
            yield row("parts", Xenvif.name, size, figures, part=name)


def callgrind(bench, functions, command):
    """What a program prints, and what was counted inclusive of functions."""
    out = os.path.join(bench.work, "callgrind")
    try:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--branch-sim=yes",
             "--callgrind-out-file=" + out] +
            ["--toggle-collect=" + f for f in functions] + command,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", timeout=PATIENCE, check=False)
        text = subprocess.run(
            ["callgrind_annotate", "--inclusive=yes", "--threshold=100",
             "--show=Ir,Bc,Bi", out], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, encoding="utf-8", check=False).stdout
    except FileNotFoundError:
        raise Trouble("instructions are counted by valgrind, which is not "
                      "there: apt-get install valgrind") from None
    except subprocess.TimeoutExpired:
        raise Trouble("%s counts no packets" % command[0]) from None
    counts = []
    for function in functions:
        # A file's part of a function has a line of its own, with less.
        found = re.search(r"(?m)^ *" + 3 * r"([\d,]+) \([^)]*\) +" +
                          r"\S+:" + function + r"\b", text)
        if not found:
            raise Trouble("no count of instructions: " +
                          done.stdout.strip()[-200:])
        counts.append([int(x.replace(",", "")) for x in found.groups()])
    return done.stdout, counts


def count_rows(bench, kinds, names, command, functions):
    """Rows of both directions by a program that prints its packets."""
    text, counts = callgrind(bench, functions, command)
    found = re.search(r"(?m)^(?:alone|count) (\d+) (\d+)$", text)
    if not found:
        raise Trouble("no count of packets: " + text.strip()[-200:])
    path, size = names
    for kind, packets, (instructions, branches, indirect) in zip(
            kinds, map(int, found.groups()), counts):
        yield row(kind, path, size,
                  {"instructions_per_packet": instructions / packets,
                   "branches_per_packet": branches / packets,
                   "indirect_branches_per_packet": indirect / packets})


def count_ring(bench, size):
    """They repeat exactly: the guest is in the same thread."""
    return count_rows(
        bench, ("instructions-from-guest", "instructions-to-guest"),
        (Xenvif.name, size),
        [bench.program("vif_bench"), "-t", "0.1", "alone", str(size)],
        ("from_guest_once", "to_guest_once"))


def count_driver(bench, kind, size):
    """The guest runs by itself, at full speed."""
    path = kind(bench)
    command = [bench.program("dpdk_count")] + eal(
        MEASURED, "count", 128) + ["-d", bench.driver, "--vdev",
                                   path.vdev(0), "--", str(size),
                                   str(COUNTED_BURSTS)]
    load = path.load(1, "both")
    try:
        load.say("%d 1" % size)
        yield from count_rows(
            bench, ("instructions-pmd-from-guest",
                    "instructions-pmd-to-guest"),
            (kind.name, size), command,
            ("count_from_guest", "count_to_guest"))
    finally:
        load.end()


def instructions_case(bench):
    """Clocks and other load do not move them, so one run does."""
    if instructions_case.done:
        return
    instructions_case.done = True
    bench.end_switch()
    for size in bench.sizes(64, 1500):
        yield from count_ring(bench, size)
        # Of the others the guest is not there first, or is the kernel.
        for kind in bench.paths("memif", "af_packet"):
            yield from count_driver(bench, kind, size)


instructions_case.done = False

PARTS = {
    "switch": switch_case,
    "jumbo": jumbo_case,
    "variants": variant_case,
    "pmd": pmd_case,
    "copy": copy_case,
    "parts": parts_case,
    "instructions": instructions_case,
}


def identity(one):
    return tuple((k, v) for k, v in one.items() if k not in FIGURES)


def merge(samples):
    """Rows with the medians of their figures, in the order they came."""
    rows = []
    for key, group in samples.items():
        out = dict(key)
        for figure in FIGURES:
            values = [s[figure] for s in group if s.get(figure) is not None]
            if values:
                out[figure] = round(statistics.median(values), 3)
        cycles = [s["cycles_per_packet"] for s in group
                  if "cycles_per_packet" in s]
        if cycles:
            out["lowest"], out["highest"] = min(cycles), max(cycles)
        rows.append(out)
    return rows


def run(args, work):
    bench = Bench(args, work)
    samples = {}
    try:
        for number in range(args.runs):
            for name in args.only or PARTS:
                begin = time.monotonic()
                for one in PARTS[name](bench):
                    samples.setdefault(identity(one), []).append(one)
                print("run %d of %d: %-12s %5.1f s" % (
                    number + 1, args.runs, name, time.monotonic() - begin),
                      file=sys.stderr, flush=True)
    finally:
        bench.end_switch()
    return merge(samples)
