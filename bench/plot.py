#!/usr/bin/python3
"""Draws an SVG from what tunnel_bench.py --json wrote: throughput and processor time of one
download, also as ratios to ssh -L."""

import json
import sys
from xml.sax.saxutils import escape

from tunnel_bench import BASE, median_of, ratio_of

PANELS = [("Throughput of one download, MB/s", "down, 1", "MB/s"),
          ("Processor time, CPU-s per GiB", "down, 1", "CPU-s/GiB")]
MARGIN, LABEL, BAR, GAP, ROW, TOP = 16, 230, 360, 160, 26, 34
COLOURS = {BASE: "#8a8f98"}
OURS, OTHERS = "#2f6fde", "#b9bec7"


def bars(rounds, heading, name, figure, top):
    ways = [way for way in rounds[0] if median_of(rounds, way, name, figure)]
    if not ways:
        sys.exit(f"these results have no \"{name}\": measure it, too (--rows)")
    most = max(median_of(rounds, way, name, figure) for way in ways)
    lines = [f'<text x="0" y="{top}" class="h">{escape(heading)}</text>']
    for number, way in enumerate(ways):
        value = median_of(rounds, way, name, figure)
        y = top + 12 + number * ROW
        colour = COLOURS.get(way, OURS if way.startswith("Culvert") else OTHERS)
        width = BAR * value / most
        text = f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
        if way != BASE and (ratio := ratio_of(rounds, way, name, figure)):
            text += f" ({ratio:.2f} × {BASE})"
        label = escape(way.replace("`", ""))
        lines += [f'<text x="{LABEL - 8}" y="{y + 14}" class="l">{label}</text>',
                  f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
                  f'<text x="{LABEL + width + 6:.1f}" y="{y + 14}">{escape(text)}</text>']
    return lines, top + 12 + len(ways) * ROW


def draw(results):
    rounds, bottom, lines = results["rounds"], 0, []
    for heading, name, figure in PANELS:
        panel, bottom = bars(rounds, heading, name, figure, bottom + TOP)
        lines += panel
    where = escape(results["machine"])
    lines.append(f'<text x="0" y="{bottom + 24}" class="s">{where}; medians of {len(rounds)} rounds'
                 "</text>")
    style = ("text{font:13px sans-serif;fill:#1f2328}.h{font-weight:bold}.l{text-anchor:end}"
             ".s{font-size:11px;fill:#57606a}")
    width, height = LABEL + BAR + GAP + 2 * MARGIN, bottom + 34 + MARGIN
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'viewBox="0 0 {width} {height}" role="img">',
                      "<title>" + escape("; ".join(heading for heading, _, _ in PANELS))
                      + "</title>", f"<style>{style}</style>",
                      '<rect width="100%" height="100%" fill="#ffffff"/>',
                      f'<g transform="translate({MARGIN} 0)">', *lines, "</g>", "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} RESULTS.json OUT.svg")
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(results))


if __name__ == "__main__":
    main()
