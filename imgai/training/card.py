"""A model card (Mitchell et al., "Model Cards for Model Reporting", FAT* 2019), as far as the training knows it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from imgai.params import key_of

_OWNER = "*to be said by its owner*"


def card(
    declaration: Mapping[str, Any],
    *,
    labels: tuple[str, ...],
    folder: str,
    report: tuple[str, ...],
    options: Mapping[str, Any],
    seconds: float,
    device: str,
    test: Mapping[str, Any] | None = None,
) -> str:
    """The card in Markdown. test: the measures of pictures that were kept out of everything."""
    name, task = declaration["name"], declaration["task"]
    base, counts = declaration["base"], declaration["pictures"]
    told = "".join(f"- {line}\n" for line in report)
    given = {key_of(name): value for name, value in options.items() if value not in (None, False)}
    said = ", ".join(f"{name} {value}" for name, value in given.items())
    tested = f"; tested on {counts['test']}" if "test" in counts else ""
    return f"""# {name}

A model of `imgai {task}`, trained on {time.strftime("%Y-%m-%d")} with imgai {declaration["imgai"]}.

    imgai {task} FOLDER --model {name} --out OUT

| | |
| --- | --- |
| began with | {base["model"]} of {base["plugin"]} {base["version"]} |
| labels | {", ".join(labels) or "none"} |
| licence | {declaration["model"].get("license", _OWNER)} |
| trained on | {counts["train"]} pictures of `{folder}`; validated on {counts["val"]}{tested} |
| data, with that of what it began with | {declaration.get("data") or "none"} |
| fingerprint of the data | `{declaration["fingerprint"][:16]}` |
| best at step | {declaration["step"]}, of {seconds / 60:.1f} minutes on {device} |

## Measures

On the validation pictures, which chose this model among those of the training and so flatter it a little:

{_table(declaration["measures"])}
{_tested(test)}
## What it is for

- Intended use: {_OWNER}
- Not intended for: {_OWNER}
- Where the pictures come from, and with what permission: {_OWNER}
- Groups, cameras or conditions that the pictures lack: {_OWNER}
- Known failures (look at the sheet of validation pictures): {_OWNER}

## How it was trained

{said}

{told}"""


def _table(measures: Mapping[str, Any]) -> str:
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in measures.items() if value is not None]
    return "\n".join(("| measure | value |", "| --- | --- |", *rows)) + "\n"


def _tested(test: Mapping[str, Any] | None) -> str:
    if test is None:
        return "\nThere were no test pictures; `imgai evaluate` measures it on others.\n"
    return f"\nOn the test pictures, which nothing was chosen by:\n\n{_table(test)}"
