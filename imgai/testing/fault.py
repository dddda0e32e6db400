"""What a check has against a plugin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that a plugin gets wrong.

    where: the model, task or module that it is about. what: what was seen. advice: what to change.
    """

    where: str
    what: str
    advice: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text}; {self.advice}" if self.advice else text
