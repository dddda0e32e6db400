"""Output of measurements: on a terminal, as JSON, and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from imgai import __version__
from imgai.evaluation.paired import Difference, difference
from imgai.evaluation.verdict import Verdict
from imgai.measure.figures import DIGITS
from imgai.report.page import Run as About
from imgai.report.page import Table

_CLASSES, _NAMES = 30, 40  # up to which a terminal lists them, and a page shows their confusion
_SHOWN, _WORST = 4, 20
_NOTHING = "-"


def lines(verdicts: Sequence[Verdict]) -> list[str]:
    """The figures as text: a line each, a column for each model; then the classes of the first, if they are few."""
    summaries = [each.figures.summary() for each in verdicts]
    names = list(dict.fromkeys(name for summary in summaries for name in summary))
    rows = [[name.replace("_", " "), *(_cell(summary.get(name)) for summary in summaries)] for name in names]
    told = _aligned([["", *(each.model for each in verdicts)], *rows] if len(verdicts) > 1 else rows)
    for each in differences(verdicts):
        told.append(f"{each[0]}: {each[1]} {each[2]}")
    classes = verdicts[0].figures.classes
    if len(verdicts) == 1 and 1 < len(classes) <= _CLASSES:
        heads = list(next(iter(classes.values())))
        body = [[name, *(_cell(row[head]) for head in heads)] for name, row in classes.items()]
        told += ["", *_aligned([["class", *(head.replace("_", " ") for head in heads)], *body])]
    return told


def as_json(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """The figures as JSON has them: of the one model, or of each by its name with the differences to the first."""
    if len(verdicts) == 1:
        return verdicts[0].figures.summary()
    first = verdicts[0]
    report: dict[str, Any] = {"models": {each.model: each.figures.summary() for each in verdicts}, "differences": []}
    for other in verdicts[1:]:
        if (gap := difference(first.rows, other.rows, first.alone)) is not None:
            report["differences"].append(
                {
                    "model": other.model, "than": first.model, "figure": first.alone, "mean": round(gap.mean, DIGITS),
                    "low": round(gap.low, DIGITS), "high": round(gap.high, DIGITS), "pictures": gap.pictures,
                }
            )  # fmt: skip
    return report


def differences(verdicts: Sequence[Verdict]) -> list[tuple[str, Difference, str]]:
    """Who, by how much, and what that means, of every model but the first."""
    first, *others = verdicts
    found = []
    for other in others:
        if (gap := difference(first.rows, other.rows, first.alone)) is None:
            continue
        says = "better" if gap.low > 0 else "worse" if gap.high < 0 else "not told apart"
        words = f"on {gap.pictures} pictures, 95 % interval: {says}"
        found.append((f"{other.model} - {first.model}, {first.alone.replace('_', ' ')} a picture", gap, words))
    return found


def about(task: str, verdicts: Sequence[Verdict], folder: str, part: str | None) -> About:
    """Return the texts and tables at the top of the report."""
    first = verdicts[0]
    names = [name for name, value in first.figures.values.items() if value is not None]
    tiles = [(f"{first.figures.pictures:,}", "pictures", False)]
    if len(verdicts) == 1:
        order = [first.figures.main, *(name for name in names if name != first.figures.main)]
        tiles += [
            (_cell(first.figures.values.get(name)), name.replace("_", " "), name == first.figures.main)
            for name in order[:6]
        ]
    if first.errors:
        tiles.append((f"{len(first.errors):,}", "failed", False))
    title = f"imgai evaluate {task}: {', '.join(each.model for each in verdicts)}"
    facts = [f"imgai {__version__}", datetime.now().strftime("%Y-%m-%d %H:%M"), ", ".join(first.devices)]
    facts += [f"pictures in {folder}" + (f", {part}/" if part else "")]
    shown = [name for name in (first.alone, *next(iter(first.rows.values()), {})) if not name.startswith("boundary")]
    return About(
        title,
        [each for each in facts if each],
        tiles,
        tables=_tables(verdicts),
        figures=list(dict.fromkeys(shown))[:2],
        worst=_WORST,
        shown=2,
    )


def _tables(verdicts: Sequence[Verdict]) -> list[Table]:
    tables = []
    if len(verdicts) > 1:
        names = list(dict.fromkeys(name for each in verdicts for name in each.figures.values))
        best = [_best([each.figures.values.get(name) for each in verdicts]) for name in names]
        rows = [
            [each.model, *(_cell(each.figures.values.get(name)) for name in names), f"{each.seconds:.1f}"]
            for each in verdicts
        ]
        heads = ["model", *(name.replace("_", " ") for name in names), "seconds"]
        told = "; ".join(f"{who}: {gap} {words}" for who, gap, words in differences(verdicts))
        tables.append(Table("Models side by side", heads, rows, best=[None, *best, None], note=told))
    for each in verdicts:
        ending = f", {each.model}" if len(verdicts) > 1 else ""
        classes = each.figures.classes
        if len(classes) > 1:
            heads = list(next(iter(classes.values())))
            body = [[name, *(_cell(row[head]) for head in heads)] for name, row in classes.items()]
            tables.append(Table(f"By class{ending}", ["class", *(head.replace("_", " ") for head in heads)], body))
        if each.figures.confusion is not None and 1 < len(each.figures.names) <= _NAMES:
            counts = [
                [name, *row] for name, row in zip(each.figures.names, each.figures.confusion.tolist(), strict=True)
            ]
            title = f"What is (rows) and what it was taken for (columns){ending}"
            tables.append(Table(title, ["", *each.figures.names], counts, heat=True))
    return tables


def _best(values: Sequence[float | None]) -> str | None:
    known = [value for value in values if value is not None]
    return _cell(max(known)) if len(set(known)) > 1 else None


def _cell(value: float | str | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.4f}" if isinstance(value, float) else f"{value}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns under each other, numbers to the right; nothing is cut."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if len(widths) == 2:
        return [f"{name:{max(18, widths[0])}} {cell}" for name, cell in rows]
    return [
        f"{row[0]:{max(18, widths[0])}} "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
