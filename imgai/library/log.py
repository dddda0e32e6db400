"""A run's messages as log records, for a program that runs imgai."""

from __future__ import annotations

import logging

from imgai.console import Console

LOG = logging.getLogger("imgai")


class Log(Console):
    """What a command would print on stderr goes to the logger ``imgai``; nothing is printed."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def say(self, text: str) -> None:
        LOG.info(text)

    def detail(self, text: str) -> None:
        LOG.debug(text)

    def warn(self, text: str) -> None:
        LOG.warning(text)

    def fail(self, text: str) -> None:
        LOG.warning(text)  # the record says it too: an input that fails does not end the run
