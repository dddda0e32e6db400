"""The progress of a download."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imgai.console import Console


class Bar:
    """A progress bar on a terminal; otherwise one line per quarter."""

    def __init__(self, name: str, console: Console) -> None:
        self._name, self._console = name, console
        self._shown = 0
        self._live = sys.stderr is not None and sys.stderr.isatty() and not console.quiet

    def tell(self, came: int, size: int) -> None:
        """Report progress. came: bytes received so far. size: bytes in all."""
        share = 100 * came // max(1, size)
        if self._live and share > self._shown:
            sys.stderr.write(f"\r{'#' * (share // 4):25} {share:3}%  {came / 1e6:.1f} of {size / 1e6:.1f} MB")
            sys.stderr.flush()
            self._shown = share
        elif not self._live and share // 25 > self._shown // 25:
            self._shown = share
            self._console.say(f"{self._name}: {share} %")

    def end(self) -> None:
        """Finish the bar; the download is complete."""
        if self._live and self._shown:
            sys.stderr.write("\n")
