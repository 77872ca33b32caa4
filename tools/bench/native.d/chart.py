# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark's picture: cycles per packet as bars, drawn as SVG."""
from xml.sax.saxutils import escape

PANELS = (
    ("ovs-guest-guest", 64, "Guest to guest through Open vSwitch, 64 B"),
    ("ovs-guest-guest", 1500, "... 1500 B"),
    ("pmd-from-guest", 64, "Driver alone, from the guest, 64 B"),
    ("pmd-to-guest", 64, "Driver alone, to the guest, 64 B"),
    ("pmd-from-guest", 1500, "Driver alone, from the guest, 1500 B"),
    ("pmd-to-guest", 1500, "Driver alone, to the guest, 1500 B"),
)
COLOURS = {"xenvif-local": "#1b6ca8", "xenvif-static": "#5fa8d3",
           "vhost-user": "#e07b39", "memif": "#7a9e48",
           "af_packet": "#9a8fb0", "copy": "#b8b8b8"}
NAMES = {"xenvif-local": "net_xenvif", "copy": "copy alone"}
WIDTH, PANEL, BAR, GAP, LEFT = 820, 390, 18, 6, 92
CUT = 1.6           # af_packet's bar is cut at so many of the next


def text(x, y, what, size=12, anchor="start", weight="normal"):
    return ('<text x="%.0f" y="%.0f" font-size="%d" text-anchor="%s" '
            'font-weight="%s">%s</text>'
            % (x, y, size, anchor, weight, escape(what)))


def bars(rows, x, y):
    """One panel's bars from y on; returns the drawing and its end."""
    longest = max(r["cycles_per_packet"] for r in rows
                  if r["path"] != "af_packet")
    if any(r["path"] == "af_packet" for r in rows):
        longest *= CUT
    room = PANEL - LEFT - 60
    out = []
    for row in rows:
        value = row["cycles_per_packet"]
        width = room * min(value, longest) / longest
        cut = value > longest
        out.append(text(x + LEFT - 8, y + 13, NAMES.get(row["path"],
                                                        row["path"]),
                        anchor="end"))
        out.append('<rect x="%.0f" y="%.0f" width="%.1f" height="%d" '
                   'fill="%s"/>' % (x + LEFT, y, width, BAR,
                                    COLOURS.get(row["path"], "#888888")))
        if cut:
            edge = x + LEFT + width - 14
            out.append('<path d="M%.0f %.0f l6 -22 M%.0f %.0f l6 -22" '
                       'stroke="#ffffff" stroke-width="2"/>'
                       % (edge, y + BAR + 2, edge + 5, y + BAR + 2))
        out.append(text(x + LEFT + width + 5, y + 13, "%.0f" % value))
        y += BAR + GAP
    return out, y


def draw(result):
    out, top, bottom = [], 62, 62
    for number, (case, size, title) in enumerate(PANELS):
        rows = [r for r in result["rows"]
                if r["case"] == case and r["size"] == size]
        if number % 2 == 0:
            top = bottom + 14
        if not rows:
            continue
        x = 12 + (number % 2) * (PANEL + 16)
        out.append(text(x, top, title, 13, weight="bold"))
        drawn, end = bars(rows, x, top + 10)
        out += drawn
        bottom = max(bottom, end + 16)
    head = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
        'font-family="sans-serif" fill="#222222">' % (WIDTH, bottom),
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        text(12, 26, "CPU cycles per packet (less is better)", 17,
             weight="bold"),
        text(12, 46, "%s; medians of %d runs; tools/bench/native"
             % (result["machine"], result["runs"])),
    ]
    return "\n".join(head + out + ["</svg>"]) + "\n"
