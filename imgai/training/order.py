"""The order of pictures, a function of the seed and the step, so that a resumed run sees the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from imgai.training.example import Example

BALANCES = ("auto", "none", "weights", "oversample", "undersample")
"""Methods for balancing classes; see `Order`."""
SKEWED = 3.0
"""The ratio of the largest to the smallest class from which on ``auto`` balances them."""


class Order:
    """The indices of the examples of each step.

    ``none``, ``weights``: every picture once an epoch, in an order of its own each time. ``oversample``: those of small
    classes as often as makes all classes as large as the largest. ``undersample``: of each class as many, new ones each
    epoch, as the smallest has. ``auto``: of each class as many, and of a class all before any comes again, where the
    largest class has SKEWED times as many pictures as the smallest; else as ``none``.

    A picture that shows several classes counts for the rarest of them; one that shows none is a class of its own.
    """

    def __init__(self, examples: Sequence[Example], batch: int, balance: str, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self._kinds = kinds_of(examples)
        counts = Counter(self._kinds)
        self.skew = skew_of(examples)
        self.balance = ("draw" if self.skew >= SKEWED and len(counts) > 1 else "none") if balance == "auto" else balance
        self._count = len(examples)
        self._epoch: tuple[int, np.ndarray] = (-1, np.zeros(0, int))
        self._members = [np.flatnonzero(np.array(self._kinds) == kind) for kind in sorted(counts)]
        self._rounds: dict[int, tuple[int, np.ndarray]] = {}
        if self.balance == "oversample":
            self._count = len(counts) * max(counts.values())
        elif self.balance == "undersample":
            self._count = len(counts) * min(counts.values())

    @property
    def steps(self) -> int:
        """The number of steps per epoch."""
        return max(1, -(-self._count // self.batch))

    def step(self, number: int) -> list[int]:
        """The examples of one step, `batch` of them. The last step of an epoch goes on with the next epoch's."""
        first = number * self.batch
        if self.balance == "draw":
            return [self._drawn(at) for at in range(first, first + self.batch)]
        return [int(self._of_epoch(at // self._count)[at % self._count]) for at in range(first, first + self.batch)]

    def _drawn(self, at: int) -> int:
        """The example at a place of an endless row in which the classes take turns, in another order each time."""
        turn, place = divmod(at, len(self._members))
        kind = int(np.random.default_rng((self.seed, 1, turn)).permutation(len(self._members))[place])
        around, at = divmod(turn, len(self._members[kind]))
        if self._rounds.get(kind, (-1,))[0] != around:
            rng = np.random.default_rng((self.seed, 6, kind, around))
            self._rounds[kind] = (around, rng.permutation(self._members[kind]))
        return int(self._rounds[kind][1][at])

    def _of_epoch(self, epoch: int) -> np.ndarray:
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._made(np.random.default_rng((self.seed, 2, epoch))))
        return self._epoch[1]

    def _made(self, rng: np.random.Generator) -> np.ndarray:
        if self.balance not in ("oversample", "undersample"):
            return rng.permutation(self._count)
        kinds = np.array(self._kinds)
        each = self._count // len(set(self._kinds))
        chosen = []
        for kind in sorted(set(self._kinds)):
            members = rng.permutation(np.flatnonzero(kinds == kind))
            chosen.append(np.resize(members, each))  # begins anew where there are too few
        return rng.permutation(np.concatenate(chosen))


def kinds_of(examples: Sequence[Example]) -> list[int]:
    """The class that each example counts for: the rarest that it shows; -1 where it shows none."""
    counts = Counter(index for example in examples for index in example.classes)
    return [min(example.classes, key=lambda index: (counts[index], index), default=-1) for example in examples]


def skew_of(examples: Sequence[Example]) -> float:
    """Return the ratio of the largest to the smallest class."""
    counts = Counter(kinds_of(examples))
    return max(counts.values()) / min(counts.values())


def log_shares(examples: Sequence[Example], count: int) -> tuple[float, ...]:
    """The logarithm of each class's share of the pictures."""
    counts = Counter(index for example in examples for index in example.classes)
    total = sum(counts.values())
    return tuple(math.log(max(1, counts[index]) / total) for index in range(count))


def class_weights(examples: Sequence[Example], count: int) -> tuple[float, ...]:
    """A weight for each class in the loss, which falls with the number of its pictures; their mean is 1."""
    counts = Counter(index for example in examples for index in example.classes)
    weights = np.array([1 / max(1, counts[index]) for index in range(count)])
    return tuple((weights / weights.mean()).tolist())
