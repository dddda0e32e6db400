"""Output of labels: a table in a file, and a table or a summary on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imgai.console import printable
from imgai.predict.spec import StepSpec
from imgai.runs.commit import Written, commit
from imgai.runs.names import Plan, key_of
from imgai.runs.options import RunOptions
from imgai.runs.records import Records

if TYPE_CHECKING:
    from imgai.console import Console
    from imgai.kinds.table import Row

FEW = 20
"""Up to how many inputs each is told on the terminal."""
_COMMONEST = 20


def tell_labels(
    plans: Sequence[Plan],
    spec: StepSpec,
    options: RunOptions,
    records: Records,
    console: Console,
    collect: Callable[[Row], None] | None = None,
) -> Written | None:
    """Write the table that was asked for, of every input done now or before, and show what is in it.

    Returns what was written of the table; None without one. Raises InputError if the table cannot be written.
    """
    from imgai.kinds.table import write_table

    outputs, model = options.outputs, spec.model
    ids = dict(zip(model.labels or (), model.label_ids or (), strict=False))
    written = None
    if (table := outputs.table) is not None:
        written = commit(
            table,
            lambda file: write_table(
                _rows(plans, options, records),
                file,
                table.suffix.lower(),
                top=outputs.top,
                ids=ids,
                mark=outputs.excel,
            ),
        )
    if collect is not None:
        for row in _rows(plans, options, records):
            collect(row)
    elif not options.json and not options.quiet:
        _show(list(_rows(plans, options, records)), options, console)
    return written


def _rows(plans: Sequence[Plan], options: RunOptions, records: Records) -> Iterable[Row]:
    rows, by = _rows_as_named(plans, options, records), options.outputs.sort_by
    return rows if by is None else sorted(rows, key=_ORDERS[by])


_ORDERS: dict[str, Callable[[Row], tuple[Any, ...]]] = {
    "path": lambda row: (row.path,),
    "label": lambda row: (not row.scores, row.scores[0][0] if row.scores else "", -_score(row), row.path),
    "score": lambda row: (-_score(row), row.path),
    "margin": lambda row: (row.margin is None, row.margin or 0.0, row.path),
}
"""The keys of the orders in which the rows of a table can be; what has no label comes last."""


def _score(row: Row) -> float:
    return row.scores[0][1] if row.scores else -1.0


def _margin(scores: Mapping[str, float]) -> float | None:
    """Return the difference of the two best scores; the best score if there is only one."""
    values = sorted(scores.values(), reverse=True)
    return round(values[0] - sum(values[1:2]), 6) if values else None


def _rows_as_named(plans: Sequence[Plan], options: RunOptions, records: Records) -> Iterator[Row]:
    from imgai.kinds.table import Row

    for each in plans:
        cells = records.row(key_of(each))
        if cells is None:
            continue  # the run was interrupted before it
        kept = [
            (label, score) for label, score in cells.get("scores", {}).items() if score >= options.outputs.threshold
        ]
        size, margin = (cells.get("width"), cells.get("height")), _margin(cells.get("scores", {}))
        yield Row(each.input.shown, *size, tuple(kept), cells.get("error", ""), margin)


def _show(rows: list[Row], options: RunOptions, console: Console) -> None:
    """On standard output: it is what was asked for."""
    done = [row for row in rows if not row.error]
    if not done:
        return
    if len(done) > FEW:
        counts = Counter(row.scores[0][0] if row.scores else "(none)" for row in done).most_common()
        told = [(count, label) for label, count in counts[:_COMMONEST]]
        if rest := counts[_COMMONEST:]:
            told.append((sum(count for _, count in rest), f"of {len(rest):,} other labels"))
        width = len(f"{max(count for count, _ in told):,}")
        for count, words in told:
            console.out_line(f"{count:{width},}  {count / len(done):4.0%}  {words}")
        return
    width = min(60, max(len(printable(row.path)) for row in done))
    for row in done:
        scores = "  ".join(f"{label} {score:.2f}" for label, score in row.scores[: options.outputs.top])
        console.out_line(f"{printable(row.path):{width}}  {scores or '(none)'}")
