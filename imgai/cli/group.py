"""The group of all commands, with answers to unknown commands."""

from __future__ import annotations

import shlex
from typing import Any

from typer.core import TyperGroup

from imgai.cli.panels import whole_names
from imgai.errors import UsageError
from imgai.words.mistakes import mistake, plainly

SYNONYMS = {
    "upscale": "super-resolve",
    "enlarge": "super-resolve",
    "superres": "super-resolve",
    "super-resolution": "super-resolve",
    "resize": "super-resolve --width 1600",
    "remove-background": "segment --as cutout",
    "remove-bg": "segment --as cutout",
    "rembg": "segment --as cutout",
    "cutout": "segment --as cutout",
    "mask": "segment",
    "count": "segment --model nuclei --as csv",
    "binarize": "segment --model document --as ink",
    "cartoon": "stylize",
    "paint": "stylize",
    "style": "stylize",
    "tag": "classify",
    "label": "classify",
    "recognize": "classify",
    "find": "detect",
    "sharpen": "enhance",
    "brighten": "enhance",
    "finetune": "train",
    "fine-tune": "train",
    "fit": "train",
    "export": "models export",
}
"""Terms that other programs use, and the corresponding commands."""


class Commands(TyperGroup):
    """All commands. broken: how many plugins cannot be used, each of which may have had the command."""

    broken = 0

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        with whole_names():
            super().format_help(ctx, formatter)

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the words before a command's. Raises UsageError."""
        with plainly():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Find, parse and run a command, also one of a group below. Raises UsageError."""
        with plainly():
            return super().invoke(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first word names.

        Raises:
            UsageError: there is no such command.
        """
        word = args[0] if args else ""
        known = SYNONYMS.get(word)
        if word not in self.commands and known is not None and known.split()[0] in self.commands:
            raise UsageError(f"there is no command {word}", f"try: imgai {known} {shlex.join(args[1:])}".rstrip())
        try:
            return super().resolve_command(ctx, args)
        except Exception as error:
            if not self.broken or not hasattr(error, "format_message"):
                raise
            plain = mistake(error)
            plugins = "1 plugin is" if self.broken == 1 else f"{self.broken} plugins are"
            plain.hint = f"{plain.hint}; {plugins} broken: imgai plugins says why"
            raise plain from None
