#!/usr/bin/python3
"""Draws docs/benchmarks.svg from what tunnel_bench.py --json wrote: throughput and processor time of
one download, as ratios to ssh -L."""

import json
import sys
from xml.sax.saxutils import escape

from tunnel_bench import BASE, median_of, ratio_of

PANELS = [("Throughput of one download, MB/s", "down, 1", "MB/s"),
          ("Processor time, CPU-s per GiB", "down, 1", "CPU-s/GiB")]
LABEL, BAR, GAP, ROW, TOP = 190, 360, 150, 26, 34
COLOURS = {BASE: "#8a8f98"}
OURS, OTHERS = "#2f6fde", "#b9bec7"


def bars(rounds, heading, name, figure, top):
    ways = [way for way in rounds[0] if median_of(rounds, way, name, figure)]
    most = max(median_of(rounds, way, name, figure) for way in ways)
    lines = [f'<text x="0" y="{top}" class="h">{escape(heading)}</text>']
    for number, way in enumerate(ways):
        value = median_of(rounds, way, name, figure)
        y = top + 12 + number * ROW
        colour = COLOURS.get(way, OURS if way.startswith("Culvert") else OTHERS)
        width = BAR * value / most
        text = f"{value:,.0f}" if value >= 10 else f"{value:.2f}"
        if ratio := ratio_of(rounds, way, name, figure):
            text += f" ({ratio:.2f} × ssh)"
        lines += [f'<text x="{LABEL - 8}" y="{y + 14}" class="l">{escape(way.replace("`", ""))}</text>',
                  f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
                  f'<text x="{LABEL + width + 6:.1f}" y="{y + 14}">{escape(text)}</text>']
    return lines, top + 12 + len(ways) * ROW


def draw(results):
    rounds, bottom, lines = results["rounds"], 0, []
    for heading, name, figure in PANELS:
        panel, bottom = bars(rounds, heading, name, figure, bottom + TOP)
        lines += panel
    lines.append(f'<text x="0" y="{bottom + 24}" class="s">{escape(results["machine"])}; medians of '
                 f"{len(rounds)} rounds</text>")
    style = ("text{font:13px sans-serif;fill:#1f2328}.h{font-weight:bold}.l{text-anchor:end}"
             ".s{font-size:11px;fill:#57606a}")
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + BAR + GAP}" '
                      f'height="{bottom + 34}">', f"<style>{style}</style>",
                      '<rect width="100%" height="100%" fill="#ffffff"/>', *lines, "</svg>", ""])


def main():
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} RESULTS.json OUT.svg")
    with open(sys.argv[1], encoding="utf-8") as file:
        results = json.load(file)
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(draw(results))


if __name__ == "__main__":
    main()
