"""Write the tables of options into the pages: between ``<!-- options NAME -->`` and ``<!-- end -->``.

python docs/tables.py; a test compares what the pages hold with what this makes.
"""

from __future__ import annotations

import re
from pathlib import Path

from imgai.params import Option, row_of
from imgai.registry import load_registry
from imgai.training.settings import train_options
from imgai.words.command import machine_options, run_options
from imgai.words.steps import step_options

DOCS = Path(__file__).parent
PLACE = re.compile(r"(<!-- options (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(options: list[Option]) -> str:
    """A table of what can be typed: a row for each option."""
    lines = [
        "| option | takes | default | what it does | in imgai.toml | variable |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in options:
        if each.traits.argument or each.traits.hidden:
            continue
        _, takes, default, text = row_of(each)
        flags = f"`{each.flag}`" + (f", `{each.traits.short}`" if each.traits.short else "")
        takes = "" if each.type is bool else takes
        where = "" if not each.variable else "your own" if each.traits.trusted else "yes"
        variable = f"`{each.variable}`" if each.variable else ""
        default = "" if each.type is bool else default
        lines.append(f"| {flags} | {takes} | {default} | {text} | {where} | {variable} |")
    return "\n".join(lines) + "\n"


def tables() -> dict[str, str]:
    """Every table by its name: ``every-task`` has the options that all share, that of a task those of its own."""
    registry = load_registry()
    own = {name: table(step_options(task, registry)) for name, task in registry.tasks.items()}
    return {"every-task": table([*run_options(), *machine_options()]), **own, "train": short(train_options()[1:])}


def short(options: list[Option]) -> str:
    """A table of options that no variable sets."""
    lines = ["| option | takes | default | what it does |", "| --- | --- | --- | --- |"]
    for each in options:
        _, takes, default, text = row_of(each)
        negated = f", `--no-{each.key}`" if each.type is bool and each.traits.negatable else ""
        flags = f"`{each.flag}`{negated}" + (f", `{each.traits.short}`" if each.traits.short else "")
        lines.append(f"| {flags} | {'' if each.type is bool else takes} | {default} | {text} |")
    return "\n".join(lines) + "\n"


def filled(page: str) -> str:
    """The text of a page with its tables as they are now."""
    made = tables()
    return PLACE.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n{found[3]}", page)


if __name__ == "__main__":
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        path.write_text(filled(text), encoding="utf-8")
