"""Lines over time as inline SVG: no script, no style of their own. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from parrot_faust.web.markup import rate, span, text

SPARK_STEP = 4  # of 15 points in 60 units
WIDTH, HEIGHT = 720, 100  # of the drawing, which the page's style stretches; what is written stands beside it


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
    path, dots, pen_up = "", "", True
    for place, value in enumerate(values):
        if value is None:
            pen_up = True
            continue
        x, y = WIDTH * place / max(1, len(values) - 1), HEIGHT * (1 - value / top)
        path += f"{'M' if pen_up else 'L'}{x:.0f} {y:.0f}"
        if pen_up and (place + 1 == len(values) or values[place + 1] is None):
            dots += f"M{x:.0f} {y:.0f}h0"  # a measurement between gaps: a line of no length with round ends
        pen_up = False
    scale = "".join(f"<i>{text(shown(top * part))}</i>" for part in (1, 0.5, 0))
    whole = len(values) * step
    times = f"<i>{span(whole)} ago</i><i>{span(whole / 2)} ago</i><i>now</i>"
    told = f"{title}: newest {shown(known[-1])}, most {shown(max(known))}"
    return (
        f"<figure><figcaption>{text(title)} <b>{text(shown(known[-1]))}</b> most {text(shown(max(known)))}</figcaption>"
        f'<div class="c" role="img" aria-label="{text(told)}"><p class="y">{scale}</p>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f'<path class="g" d="M0 0H{WIDTH}M0 {HEIGHT // 2}H{WIDTH}M0 {HEIGHT}H{WIDTH}"/>'
        f'<path class="l" d="{path}"/><path class="l o" d="{dots}"/></svg>'
        f'<p class="x">{times}</p></div></figure>'
    )


def _ceiling(value: float) -> float:
    """A round number not below `value`."""
    if value <= 0:
        return 1.0
    base = 1e-9
    while base * 10 <= value:
        base *= 10
    return next(base * step for step in (1, 2, 5, 10) if base * step >= value)
