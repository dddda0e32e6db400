"""A chain: steps in order, itself a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch

from imgai.sample import Failure, Sample


class Link(Protocol):
    """What a chain is made of: a step, steps that bring pictures to a size, or what stands between two steps.

    batch: how many work items are predicted at once, at most.
    """

    device: torch.device
    batch: int

    def __call__(self, sample: Sample) -> Sample:
        """Take one sample. Raises what went wrong."""

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Take samples, in order and as they come; see `Step.stream`."""


class Chain:
    """Steps in order. Images stay on the device between them; what each found goes with the sample."""

    def __init__(self, steps: Sequence[Link]) -> None:
        if not steps:
            raise ValueError("a chain has at least one step")
        self.steps = tuple(steps)

    def __call__(self, sample: Sample) -> Sample:
        """Take one sample through every step. Raises what went wrong."""
        for step in self.steps:
            sample = step(sample)
        return sample

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Take samples through every step, in order and as they come; see `Step.stream`."""
        stream: Iterable[Sample | Failure | None] = samples
        for step in self.steps:
            stream = step.stream(stream)
        return iter(stream)
