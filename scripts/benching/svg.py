"""A line chart as plain SVG: no library, the same bytes for the same numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 48, 56
COLOURS = ("#2563eb", "#dc2626", "#059669", "#7c3aed")
GRID, INK, BOUND = "#e5e7eb", "#374151", "#9ca3af"
TICKS = 6
Points = Sequence[tuple[float, float]]


def chart(title: str, x_name: str, y_name: str, lines: Mapping[str, Points], bound: float | None = None) -> str:
    """A document. ``bound`` is drawn as a dashed line. Axes begin at 0."""
    top_x = nice(max((x for line in lines.values() for x, _ in line), default=1.0))
    top_y = nice(max([y for line in lines.values() for _, y in line] + [bound or 0.0], default=1.0) or 1.0)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + x / top_x * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / top_y * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(WIDTH / 2, 24, title, size=15),
        _text(WIDTH / 2, HEIGHT - 14, x_name),
        f'<g transform="translate(16 {HEIGHT / 2}) rotate(-90)">{_text(0, 0, y_name)}</g>',
    ]
    for step in range(TICKS + 1):
        x, y = top_x * step / TICKS, top_y * step / TICKS
        parts += [_line(at(x, 0), at(x, top_y), GRID), _line(at(0, y), at(top_x, y), GRID)]
        parts += [_text(at(x, 0)[0], HEIGHT - BOTTOM + 18, f"{x:g}"), _text(LEFT - 8, at(0, y)[1] + 4, f"{y:g}", "end")]
    if bound is not None:
        parts.append(_line(at(0, bound), at(top_x, bound), BOUND, dashed=True))
    for index, (name, points) in enumerate(lines.items()):
        parts += _series(name, [at(x, y) for x, y in sorted(points)], COLOURS[index % len(COLOURS)], index)
    return "\n".join([*parts, "</svg>"]) + "\n"


def nice(highest: float) -> float:
    """The next end of an axis that gives round ticks."""
    step = highest / TICKS
    unit = 10.0 ** math.floor(math.log10(step))
    return round(next(factor * unit for factor in (1, 2, 2.5, 4, 5, 10) if factor * unit >= step - 1e-12) * TICKS, 10)


def _series(name: str, points: Sequence[tuple[float, float]], colour: str, index: int) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    row = TOP + 14 + 18 * index
    key = [f'<rect x="{LEFT + 12}" y="{row - 6}" width="14" height="4" fill="{colour}"/>']
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    return [line, *dots, *key, _text(LEFT + 32, row, name, "start")]


def _line(start: tuple[float, float], end: tuple[float, float], colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    return (
        f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" stroke="{colour}"{dash}/>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
