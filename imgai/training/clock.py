"""The progress of a training, by steps or by time, and the learning rate schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

WARM, RISE = 50, 0.05
"""The rate rises in this many steps, or in this part of the training, whichever is shorter."""
FLOOR = 0.01
"""The final learning rate as a fraction of the highest."""


class Clock:
    """Counts the seconds that a training has used, over all of its runs.

    steps: how many it takes at most; minutes: how long it takes at most. Whichever comes first ends it; one of them is
    given.
    """

    def __init__(
        self,
        *,
        steps: int | None,
        minutes: float | None,
        used: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """used: seconds that earlier runs of this training took."""
        if steps is None and minutes is None:
            raise ValueError("a training ends after a number of steps or after some time")
        self.steps = steps
        self.minutes = minutes
        self._now = now
        self._begun = now() - used

    @property
    def used(self) -> float:
        """Seconds so far."""
        return self._now() - self._begun

    def progress(self, step: int) -> float:
        """Return the progress before this step, 0 to 1; at 1 the training ends."""
        by_steps = step / self.steps if self.steps else 0.0
        by_time = self.used / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def left(self, step: int) -> float | None:
        """Seconds until the end, as far as can be told."""
        done = self.progress(step)
        return self.used * (1 - done) / done if done > 0 else None


def factor(progress: float, step: int) -> float:
    """Return the factor of the learning rate: a warm-up, then half a cosine (SGDR, Loshchilov and Hutter 2017)."""
    rise = min(1.0, max((step + 1) / WARM, progress / RISE))
    return rise * (FLOOR + (1 - FLOOR) * (0.5 + 0.5 * math.cos(math.pi * progress)))
