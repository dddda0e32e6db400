"""Plot the curves of a training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any


def draw(rows: Sequence[dict[str, Any]], main: str) -> bytes:
    """The loss and the measure over the steps, as a PNG. rows: of the log. Raises ImportError without matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    losses = [(row["step"], row["loss"]) for row in rows if row.get("loss") is not None]
    scores = [(row["step"], row["score"]) for row in rows if row.get("score") is not None]
    if losses:
        steps, values = zip(*losses, strict=True)
        above.plot(steps, values, color="0.75", linewidth=0.8)
        above.plot(steps, smooth(values), color="C0")
        if min(values) > 0:
            above.set_yscale("log")
    above.set_ylabel("loss")
    if scores:
        steps, values = zip(*scores, strict=True)
        below.plot(steps, values, marker="o", markersize=3, color="C1")
        best = max(range(len(values)), key=values.__getitem__)
        below.annotate(f"{values[best]:.4f}", (steps[best], values[best]), textcoords="offset points", xytext=(0, 6))
    below.set_ylabel(f"{main} (validation)")
    below.set_xlabel("step")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file)  # type: ignore[no-untyped-call]
    return file.getvalue()


def smooth(values: Sequence[float], keep: float = 0.8) -> list[float]:
    """The running mean, without the pull of its beginning."""
    mean, weight, smoothed = 0.0, 0.0, []
    for value in values:
        mean, weight = keep * mean + (1 - keep) * value, keep * weight + 1 - keep
        smoothed.append(mean / weight)
    return smoothed
