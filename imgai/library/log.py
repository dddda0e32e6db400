"""Send the messages of a run to `logging`, for programs that use imgai as a library."""

from __future__ import annotations

import logging

from imgai.console import Console

LOG = logging.getLogger("imgai")


class Log(Console):
    """Sends messages that a command would print on stderr to the logger ``imgai`` instead."""

    def __init__(self) -> None:
        super().__init__(quiet=True)

    def say(self, text: str) -> None:
        LOG.info(text)

    def detail(self, text: str) -> None:
        LOG.debug(text)

    def warn(self, text: str) -> None:
        LOG.warning(text)

    def fail(self, text: str) -> None:
        LOG.warning(text)  # not an error: the record has it too, and the run continues
