"""Tell the labels of a run: a table in a file, a table or a summary on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from imgai.console import printable
from imgai.predict.spec import StepSpec
from imgai.runs.commit import commit
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
    plans: list[Plan],
    spec: StepSpec,
    options: RunOptions,
    records: Records,
    console: Console,
    collect: Callable[[Row], None] | None = None,
) -> None:
    """Write the table that was asked for, of every input done now or before, and show what is in it.

    Raises InputError if the table cannot be written.
    """
    from imgai.kinds.table import write_table

    outputs, model = options.outputs, spec.model
    ids = dict(zip(model.labels or (), model.label_ids or (), strict=False))
    if (table := outputs.table) is not None:
        commit(
            table,
            lambda file: write_table(
                _rows(plans, options, records), file, table.suffix.lower(), top=outputs.top, ids=ids
            ),
        )
    if collect is not None:
        for row in _rows(plans, options, records):
            collect(row)
    elif not options.json and not options.quiet:
        _show(list(_rows(plans, options, records)), options, console)


def _rows(plans: list[Plan], options: RunOptions, records: Records) -> Iterator[Row]:
    from imgai.kinds.table import Row

    for each in plans:
        cells = records.row(key_of(each))
        if cells is None:
            continue  # the run was interrupted before it
        kept = [
            (label, score) for label, score in cells.get("scores", {}).items() if score >= options.outputs.threshold
        ]
        yield Row(each.input.shown, cells.get("width"), cells.get("height"), tuple(kept), cells.get("error", ""))


def _show(rows: list[Row], options: RunOptions, console: Console) -> None:
    """On standard output: it is what was asked for."""
    done = [row for row in rows if not row.error]
    if not done:
        return
    if len(done) > FEW:
        counts = Counter(row.scores[0][0] if row.scores else "(none)" for row in done).most_common()
        for label, count in counts[:_COMMONEST]:
            console.out_line(f"{count:7}  {label}")
        if rest := counts[_COMMONEST:]:
            console.out_line(f"{sum(count for _, count in rest):7}  of {len(rest)} other labels")
        return
    width = min(60, max(len(printable(row.path)) for row in done))
    for row in done:
        found = "  ".join(f"{label} {score:.2f}" for label, score in row.scores[: options.outputs.top])
        console.out_line(f"{printable(row.path):{width}}  {found or '(none)'}")
