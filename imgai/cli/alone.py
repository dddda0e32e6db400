"""The message of ``imgai`` without arguments: four examples and the list of commands."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

from imgai import __version__

BEGIN = (
    ("imgai try", "every task, on pictures that come along"),
    ("imgai segment photos/ --as cutout --out cutouts/", "cut out the subjects of a whole folder"),
    ("imgai super-resolve old.jpg --scale 2 --out large.jpg", "enlarge one picture"),
    ('imgai chain scans/ --out clean/ "denoise" "enhance"', "several steps at once"),
)
_LEAST, _MOST = 40, 100  # columns


def first_words(group: Any) -> str:
    """Return the message. group: the group of all commands."""
    width = min(_MOST, max(_LEAST, shutil.get_terminal_size().columns))
    lines = [f"imgai {__version__}, the command-line image toolkit. To begin with:", ""]
    column = max(len(command) for command, _ in BEGIN) + 2
    beside = all(2 + column + len(meaning) <= width for _, meaning in BEGIN)
    for command, meaning in BEGIN:
        lines += [f"  {command:{column}}{meaning}"] if beside else [f"  {command}", f"      {meaning}"]
    panels: dict[str, list[tuple[str, str]]] = {}
    for name, command in group.commands.items():
        if not command.hidden:
            panel = command.rich_help_panel or "Commands"
            panels.setdefault(panel, []).append((name, (command.short_help or command.help or "").replace("\\[", "[")))
    column = max(len(name) for commands in panels.values() for name, _ in commands) + 2
    for panel, commands in panels.items():
        lines += ["", f"{panel}:"]
        for name, summary in commands:
            begin = f"  {name:{column}}"
            lines.append(textwrap.fill(summary, width, initial_indent=begin, subsequent_indent=" " * len(begin)))
    end = "imgai COMMAND --help tells what a command takes, imgai --help all else."
    return "\n".join([*lines, "", textwrap.fill(end, width)])
