"""Write the man page from what the command line declares: python docs/man.py makes docs/imgai.1.

A test compares the page with what this makes; the wheel installs it as share/man/man1/imgai.1.
"""

from __future__ import annotations

from pathlib import Path

from imgai import __version__
from imgai.cli.alone import BEGIN
from imgai.cli.main import COMMANDS
from imgai.params import Option, row_of
from imgai.registry import load_registry
from imgai.words.command import machine_options, run_options

PAGE = Path(__file__).with_name("imgai.1")
_WHAT = "segment, detect, clean, enlarge and label pictures, whole folders at a time"
_ABOUT = (
    "One command a task. Inputs are files, folders with all below them, globs, - (a picture or a tar stream on "
    "standard input) or @list.txt (a file of names). Outputs mirror the tree of the inputs. The same command again "
    "does only what is missing or changed; inputs are never overwritten."
)
_CODES = (
    (0, "all done"),
    (1, "some inputs failed"),
    (2, "wrong usage or nothing to do"),
    (3, "a plugin or model could not be loaded"),
    (130, "interrupted"),
    (141, "the reader of a pipe left"),
)
_VARIABLES = (
    ("IMGAI_NAME", "The option --name-of-it of every task, as IMGAI_DEVICE; IMGAI_DENOISE_STRENGTH of one."),
    ("IMGAI_MODELS", "The folder of models that you have trained."),
    ("IMGAI_OFFLINE", "Fetch nothing."),
    ("IMGAI_STRICT", "Of a broken plugin, raise the error."),
)
_FILES = (
    ("imgai.toml", "Settings: in the current folder and in the folder of configuration; see imgai config."),
    ("FOLDER/.imgai/records.jsonl", "What was made in an output folder, a line for each input; imgai undo reads it."),
)


def page() -> str:
    """The man page, as roff has it."""
    tasks = [(task.name, task.summary) for task in load_registry().tasks.values() if task.name in OFFICIAL]
    lines = [
        f'.TH IMGAI 1 "" "imgai {__version__}" "imgai"',
        *_section("NAME", rf"imgai \- {_text(_WHAT)}"),
        *_section("SYNOPSIS", r".B imgai", r"\fITASK\fR \fIINPUTS\fR... \fB\-\-out\fR \fIFOLDER\fR [\fIOPTIONS\fR]"),
        ".br", ".B imgai", r"\fICOMMAND\fR [\fIOPTIONS\fR]",
        *_section(
            "DESCRIPTION",
            _text(_ABOUT),
        ),
        *_section("TASKS", *_items(tasks)),
        *_section("COMMANDS", *_items((name, summary) for name, summary, _ in COMMANDS)),
        *_section("OPTIONS OF A RUN", *_options(run_options())),
        *_section("OPTIONS OF THE MACHINE", *_options(machine_options())),
        _text("Every task has options of its own: imgai TASK --help."),
        *_section("EXAMPLES", *_items(BEGIN)),
        *_section("EXIT STATUS", *_items((str(code), words) for code, words in _CODES)),
        *_section("ENVIRONMENT", *_items(_VARIABLES)),
        *_section("FILES", *_items(_FILES)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


OFFICIAL = ("classify", "denoise", "detect", "enhance", "inpaint", "segment", "stylize", "super-resolve")


def _section(name: str, *lines: str) -> list[str]:
    return [f".SH {name}", *lines]


def _items(pairs: object) -> list[str]:
    return [line for name, words in pairs for line in (".TP", rf"\fB{_text(name)}\fR", _text(words))]  # type: ignore[attr-defined]


def _options(options: list[Option]) -> list[str]:
    lines = []
    for each in options:
        if each.traits.argument:
            continue
        flag, takes, default, words = row_of(each)
        value = "" if each.type is bool else rf" \fI{_text(each.about.metavar or takes)}\fR"
        short = rf"\fB{_text(each.traits.short)}\fR, " if each.traits.short else ""
        more = f" Default: {default}." if default and each.type is not bool else ""
        lines += [".TP", rf"{short}\fB{_text(flag)}\fR{value}", _text(words + more)]
    return lines


def _text(words: str) -> str:
    """Words that roff shows as they are."""
    text = words.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + text if text.startswith((".", "'")) else text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
