# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's table."""
import os

TITLES = {
    "ovs-guest-guest": "guest to guest through Open vSwitch, both directions",
    "ovs-guest-guest-single-page": "... from a single page",
    "ovs-guest-guest-256-mib": "... from 256 MiB in turn",
    "ovs-guest-guest-static-grants": "... by static grants of 1 MiB",
    "ovs-guest-guest-2-queues": "... with 2 queues on one CPU",
    "ovs-guest-guest-4-queues": "... with 4 queues on one CPU",
    "flows-emc": "... 1000 flows, exact match cache",
    "flows-dpcls": "... 1000 flows, classifier (no cache)",
    "flows-normal": "... NORMAL",
    "pmd-from-guest": "driver alone in testpmd, from the guest",
    "pmd-to-guest": "driver alone in testpmd, to the guest",
    "parts": "parts of a packet from the guest",
    "instructions-from-guest": "instructions, ring and access, from the guest",
    "instructions-to-guest": "instructions, ring and access, to the guest",
    "instructions-pmd-from-guest": "instructions, whole driver, from the guest",
    "instructions-pmd-to-guest": "instructions, whole driver, to the guest",
}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = [x for x in info if x.startswith("model name")]
    name = model[0].split(":", 1)[1].strip() if model else "unknown CPU"
    return "%s, %d CPUs" % (name, os.cpu_count())


def label(row):
    return "imix" if "mix" in row else "%d B" % row["size"]


def cell(row):
    if row is None:
        return "-"
    if "instructions_per_packet" in row:
        return "%.0f" % row["instructions_per_packet"]
    lost = "" if row.get("delivered", 1) > 0.98 else "!"
    return "%.0f%s" % (row["cycles_per_packet"], lost)


def table(result):
    rows = result["rows"]
    cases = list(dict.fromkeys(r["case"] for r in rows))
    cases.sort(key=lambda c: list(TITLES).index(c))
    print("%s; medians of %d runs; cycles per packet, or what it says"
          % (result["machine"], result["runs"]))
    for case in cases:
        mine = [r for r in rows if r["case"] == case]
        columns = list(dict.fromkeys(
            r.get("part", r["path"]) for r in mine))
        sizes = list(dict.fromkeys(label(r) for r in mine))
        sizes.sort(key=lambda s: int(s.split()[0]) if s != "imix" else 2000)
        print("\n%-44s" % TITLES[case] +
              "".join("%14s" % c for c in columns))
        for size in sizes:
            cells = [next((r for r in mine if label(r) == size and
                           r.get("part", r["path"]) == c), None)
                     for c in columns]
            print("%44s" % size + "".join("%14s" % cell(r) for r in cells))
    if any(r.get("delivered", 1) <= 0.98 for r in rows):
        print("\n! more than 2 % of the packets were lost")
