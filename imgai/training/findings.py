"""Problems with the pictures of a data set, with counts."""

from __future__ import annotations

from imgai.plural import counted

_NAMED = 3


class Findings:
    """Strays by reason, and what else a person should know; told together, before the first step."""

    def __init__(self) -> None:
        self._out: dict[str, list[str]] = {}
        self._notes: list[str] = []

    def leave_out(self, why: str, name: str) -> None:
        """A picture is not trained on. why: one phrase for all pictures that it is true of."""
        self._out.setdefault(why, []).append(name)

    def note(self, text: str) -> None:
        """Add a note that is not about a single picture."""
        if text not in self._notes:
            self._notes.append(text)

    @property
    def count(self) -> int:
        """The number of pictures that are left out."""
        return sum(map(len, self._out.values()))

    def lines(self) -> tuple[str, ...]:
        """One line for each reason, with how many pictures and the first of their names; then the notes."""
        out = [f"{counted(len(names), 'file')} left out: {why} ({listed(names)})" for why, names in self._out.items()]
        return (*out, *self._notes)


def listed(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
