"""One bar for each goal: how much of what it allows was used, on a scale of powers of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LOWEST, HIGHEST = 0.01, 10.0  # what lies beyond is drawn at the edge
WIDTH, LABELS, FIGURES, LINE, TOP = 960, 430, 150, 22, 62
PLOT = WIDTH - LABELS - FIGURES
# Blue and vermilion of Okabe and Ito are told apart by everybody, on white and on black.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .small { fill: #59636e }
.figure, .label { text-anchor: end } .tick { text-anchor: middle }
.met { fill: #0072b2 } .missed { fill: #d55e00 }
.grid { stroke: #d1d9e0 } .goal { stroke: #1f2328; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .small { fill: #9198a1 }
  .met { fill: #56b4e9 } .missed { fill: #e69f00 } .grid { stroke: #3d444d } .goal { stroke: #f0f6fc }
}
""".strip()


@dataclass(frozen=True)
class Bar:
    """share: of what the goal allows; 1 is just met."""

    label: str
    share: float
    figure: str
    met: bool


def drawn(bars: Sequence[Bar], title: str) -> str:
    height = TOP + LINE * len(bars) + 12
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(in_words(bars))}</desc>',
        f"<style>{STYLE}</style>",
        f'<text x="8" y="20" class="title">{escape(title)}</text>',
        '<text x="8" y="38" class="small">shorter is better; left of the line the goal is met</text>',
        *scale(height),
        *(part for place, bar in enumerate(bars) for part in one(bar, TOP + LINE * place)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def in_words(bars: Sequence[Bar]) -> str:
    return "; ".join(f"{bar.label}: {bar.figure}, {'met' if bar.met else 'missed'}" for bar in bars)


def place(share: float) -> float:
    held = min(max(share, LOWEST), HIGHEST)
    return LABELS + PLOT * math.log(held / LOWEST) / math.log(HIGHEST / LOWEST)


def scale(height: int) -> list[str]:
    lines = []
    for share in (0.01, 0.1, 1, 10):
        x, kind = f"{place(share):.1f}", "goal" if share == 1 else "grid"
        words = "goal" if share == 1 else f"{share:g} ×"
        lines.append(f'<line x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{height - 8}" class="{kind}"/>')
        lines.append(f'<text x="{x}" y="{TOP - 10}" class="tick small">{words}</text>')
    return lines


def one(bar: Bar, y: int) -> list[str]:
    width, kind = max(place(bar.share) - LABELS, 2), "met" if bar.met else "missed"
    text = y + LINE - 8
    return [
        f'<text x="{LABELS - 8}" y="{text}" class="label">{escape(shortened(bar.label))}</text>',
        f'<rect x="{LABELS}" y="{y + 3}" width="{width:.1f}" height="{LINE - 7}" rx="2" class="{kind}"/>',
        f'<text x="{WIDTH - 8}" y="{text}" class="figure">{escape(bar.figure)}</text>',
    ]


def shortened(text: str, most: int = 62) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
