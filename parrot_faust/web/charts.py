"""Lines over time as inline SVG: no script, no style of their own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from parrot_faust.web.markup import rate, span, text

SPARK_STEP = 4  # of 15 points in 60 units
WIDTH, HEIGHT = 720, 150
LEFT, TOP, BOTTOM = 52, 8, 22


def spark(values: Sequence[float]) -> str:
    """A line of a word's size; empty when there is nothing to see."""
    top = max(values, default=0)
    if not top:
        return ""
    heights = [round(15 - 14 * value / top) for value in values]
    path, before, run = f"M0 {heights[0]}", heights[0], 0
    for height in heights[1:]:
        if height == before:
            run += SPARK_STEP
            continue
        if run:
            path, run = f"{path}h{run}", 0
        path += f"l{SPARK_STEP} {height - before}" if height > before else f"l{SPARK_STEP}{height - before}"
        before = height
    # Without a box: the page's style gives it the size of its path, and there is one in every line.
    return f'<svg class=k><path d="{path}{f"h{run}" if run else ""}"/></svg>'


def chart(title: str, values: Sequence[float | None], step: int, *, seconds: bool = False) -> str:
    """A line with its scale. `values` are `step` seconds apart, the last is now; None leaves a gap."""
    known = [value for value in values if value is not None]
    if not known or (not seconds and not any(known)):
        return f'<figure><figcaption>{text(title)}</figcaption><p class="empty">nothing in this time</p></figure>'
    shown = span if seconds else rate
    top = _ceiling(max(known))
    wide, high = WIDTH - LEFT, HEIGHT - TOP - BOTTOM
    path, pen_up = "", True
    for place, value in enumerate(values):
        if value is None:
            pen_up = True
            continue
        x, y = LEFT + wide * place / max(1, len(values) - 1), TOP + high * (1 - value / top)
        # A measurement between gaps is a dot: a line of no length with round ends.
        path += f"M{x:.0f} {y:.0f}h0" if pen_up else f"L{x:.0f} {y:.0f}"
        pen_up = False
    lines = "".join(
        f'<path class="g" d="M{LEFT} {TOP + high * (1 - part):.0f}H{WIDTH}"/>'
        f'<text x="{LEFT - 6}" y="{TOP + high * (1 - part) + 4:.0f}" class="e">{text(shown(top * part))}</text>'
        for part in (0, 0.5, 1)
    )
    whole = len(values) * step
    times = "".join(
        f'<text x="{LEFT + wide * part:.0f}" y="{HEIGHT - 4}" class="{kind}">{label}</text>'
        for part, kind, label in ((0, "s", f"{span(whole)} ago"), (0.5, "m", f"{span(whole / 2)} ago"), (1, "e", "now"))
    )
    told = f"{title}: newest {shown(known[-1])}, most {shown(max(known))}"
    return (
        f"<figure><figcaption>{text(title)} <b>{text(shown(known[-1]))}</b> most {text(shown(max(known)))}</figcaption>"
        f'<svg class="c" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(told)}">{lines}{times}'
        f'<path class="l" d="{path}"/></svg></figure>'
    )


def _ceiling(value: float) -> float:
    """A round number not below `value`."""
    if value <= 0:
        return 1.0
    base = 1e-9
    while base * 10 <= value:
        base *= 10
    return next(base * step for step in (1, 2, 5, 10) if base * step >= value)
