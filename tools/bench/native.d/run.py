# SPDX-License-Identifier: GPL-2.0-only
"""Processes of the benchmark: loads, testpmd, the switch.

Each has its CPU: the guests GUESTS, what is measured MEASURED. Both run with
a high priority, for a thread that waits for its CPU is measured as slow.
"""
import os
import re
import select
import subprocess
import time

GUESTS, MEASURED = 0, 1
SWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
PATIENCE = 60       # seconds until something is given up


class Trouble(Exception):
    """One line for a person."""


def on_cpu(cpu, command):
    return ["taskset", "-c", str(cpu), "nice", "-n", "-15"] + command


def eal(cpu, name, megabytes):
    return ["-l", str(cpu), "--no-pci", "--no-shconf", "--no-huge",
            "--legacy-mem", "-m", str(megabytes), "--no-telemetry",
            "--log-level=error", "--file-prefix=" + name]


class Process:
    """A child that is spoken to by its stdin and stdout."""

    def __init__(self, command, log, env=None):
        self.name = os.path.basename(log)
        self.log = log
        self.text = ""
        with open(log, "wb") as err:
            self.child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=err, env=env)

    def say(self, line):
        try:
            self.child.stdin.write((line + "\n").encode())
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self.trouble("has ended") from None

    def trouble(self, what):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = (log.read() + self.text).strip().splitlines()
        return Trouble("%s %s; its last words: %s" % (
            self.name, what, " | ".join(lines[-3:]) or "none"))

    def wait_for(self, pattern, seconds=PATIENCE):
        """The match in what it says; what comes before is forgotten."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            left = end - time.monotonic()
            if left <= 0:
                raise self.trouble("does not say %r" % pattern)
            if select.select([self.child.stdout], [], [], left)[0]:
                got = os.read(self.child.stdout.fileno(), 65536)
                if not got:
                    raise self.trouble("has ended")
                self.text += got.decode(errors="replace")

    def end(self):
        self.child.stdin.close()
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


class Load(Process):
    """Guests: vif_load or dpdk_load."""

    def __init__(self, command, log):
        super().__init__(on_cpu(GUESTS, command), log)

    def send(self, size, flows=1):
        """From now on; returns packets sent and received until now."""
        self.say("%d %d" % (size, flows))
        found = self.wait_for(r"(\d+) (\d+)\n")
        return int(found.group(1)), int(found.group(2))

    def wait_for_traffic(self):
        end = time.monotonic() + PATIENCE
        while True:
            counts = self.send(64)
            if counts[1] > 10000:
                self.send(64, 0)
                return
            if time.monotonic() > end:
                raise self.trouble("gets no packets (%d sent, %d received)"
                                   % counts)
            time.sleep(0.02)


class Testpmd(Process):
    """testpmd with one port, on the measured CPU."""

    def __init__(self, driver, vdev, log):
        super().__init__(on_cpu(MEASURED, [
            "stdbuf", "-oL", "dpdk-testpmd", "-l",
            "%d,%d" % (MEASURED, GUESTS), "--main-lcore", str(GUESTS)] +
            eal(MEASURED, "pmd", 128)[2:] +
            ["-d", driver, "--vdev", vdev, "--", "-i",
             "--total-num-mbufs=8192", "--no-flush-rx"]), log)
        self.wait_for("testpmd> ")
        self.say("set record-core-cycles on")

    def wait_for_packets(self):
        """Until the port carries some."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            result = self.forward("rxonly", 0.1)
            if result:
                return
        raise self.trouble("gets no packets")

    def forward(self, mode, seconds, size=None):
        """Cycles per packet and Mpps; None if no packet went."""
        if size is not None:
            self.say("set txpkts %d" % size)
        self.say("set fwd " + mode)
        self.text = ""
        self.say("start")
        begin = time.monotonic()
        time.sleep(seconds)
        self.say("stop")
        seconds = time.monotonic() - begin
        text = self.wait_for(r"(?s)Telling cores to.*?\nDone\.").group(0)
        way = "RX" if mode == "rxonly" else "TX"
        cycles = re.search(r"CPU cycles/packet=([0-9.]+)", text)
        packets = re.search(way + r"-packets: (\d+)", text)
        if not cycles or not packets or int(packets.group(1)) == 0:
            return None
        return {"cycles_per_packet": float(cycles.group(1)),
                "mpps": int(packets.group(1)) / seconds / 1e6}


class Switch:
    """The stock ovs-vswitchd with its database, both of its own."""

    def __init__(self, work, driver):
        self.work = work
        env = {**os.environ, "OVS_RUNDIR": work, "OVS_LOGDIR": work,
               "OVS_DBDIR": work}
        env["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        self.env = env
        self.children = []
        self.call("ovsdb-tool", "create", work + "/conf.db", SCHEMA)
        self.start(["ovsdb-server", work + "/conf.db",
                    "--remote=punix:" + work + "/db.sock",
                    "--unixctl=" + work + "/db.ctl", "-vconsole:off"],
                   work + "/db.sock")
        self.vsctl(
            "--no-wait", "init", "--", "set", "Open_vSwitch", ".",
            "other_config:dpdk-init=true",
            "other_config:per-port-memory=true",
            "other_config:dpdk-lcore-mask=%#x" % (1 << GUESTS),
            "other_config:pmd-cpu-mask=%#x" % (1 << MEASURED),
            "other_config:dpdk-extra=" + " ".join(
                eal(0, "switch", 1024)[2:] + ["-d", driver]),
            "--", "add-br", "br0", "--",
            "set", "bridge", "br0", "datapath_type=netdev")
        self.start(["nice", "-n", "-15", SWITCHD,
                    "unix:" + work + "/db.sock",
                    "--unixctl=" + work + "/switch.ctl", "-vconsole:off",
                    "--log-file=" + work + "/switch.log"],
                   work + "/br0.mgmt")

    def start(self, command, path):
        self.children.append(subprocess.Popen(
            command, env=self.env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        end = time.monotonic() + PATIENCE
        while not os.path.exists(path):
            if time.monotonic() > end or self.children[-1].poll() is not None:
                raise Trouble("%s does not start%s" % (
                    " ".join(command[-5:-3]), self.last_words()))
            time.sleep(0.02)

    def last_words(self):
        try:
            with open(self.work + "/switch.log", encoding="utf-8",
                      errors="replace") as log:
                lines = [x for x in log.read().splitlines()
                         if "|INFO|" not in x and "|DBG|" not in x]
        except OSError:
            return ""
        return "; its last words: " + " | ".join(lines[-3:])

    def call(self, *command):
        done = subprocess.run(
            command, env=self.env, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", check=False)
        if done.returncode:
            raise Trouble("%s: %s%s" % (
                " ".join(command[:4]), done.stderr.strip(),
                self.last_words()))
        return done.stdout

    def vsctl(self, *args):
        self.call("ovs-vsctl", "--timeout=%d" % PATIENCE,
                  "--db=unix:" + self.work + "/db.sock", *args)

    def appctl(self, *args):
        return self.call("ovs-appctl", "--timeout=%d" % PATIENCE,
                         "--target=" + self.work + "/switch.ctl", *args)

    def flows(self, lines):
        """These are the bridge's only flows."""
        path = self.work + "/flows"
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        self.call("ovs-ofctl", "--timeout=%d" % PATIENCE, "replace-flows",
                  "unix:" + self.work + "/br0.mgmt", path)

    def add_ports(self, ports):
        command = []
        for number, (name, settings) in enumerate(ports, 1):
            command += ["--", "add-port", "br0", name, "--", "set",
                        "Interface", name, "ofport_request=%d" % number]
            command += settings
        self.vsctl(*command[1:])

    def del_ports(self, ports):
        command = []
        for name, _settings in ports:
            command += ["--", "--if-exists", "del-port", "br0", name]
        self.vsctl(*command[1:])

    def measure(self, seconds):
        """Cycles per packet, and packets per second, of the PMD thread."""
        self.appctl("dpif-netdev/pmd-stats-clear")
        begin = time.monotonic()
        time.sleep(seconds)
        text = self.appctl("dpif-netdev/pmd-stats-show", "-pmd",
                           str(MEASURED))
        seconds = time.monotonic() - begin
        cycles = re.search(r"avg processing cycles per packet: ([0-9.]+)",
                           text)
        packets = re.search(r"packets received: (\d+)", text)
        batch = re.search(r"avg. packets per output batch: ([0-9.]+)", text)
        if not cycles or not packets:
            raise Trouble("no packet went through the switch" +
                          self.last_words())
        return {"cycles_per_packet": float(cycles.group(1)),
                "mpps": int(packets.group(1)) / seconds / 1e6,
                "batch": float(batch.group(1)) if batch else None}

    def end(self):
        for child in reversed(self.children):
            child.kill()
            child.wait()
