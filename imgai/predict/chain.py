"""A chain: steps in order, itself a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch

from imgai.sample import Failure, Sample


class Link(Protocol):
    """An element of a chain: a step, steps that resize to a target size, or a link between two steps.

    batch: the largest number of work items in one forward pass.
    """

    device: torch.device
    batch: int

    def __call__(self, sample: Sample) -> Sample:
        """Process one sample. Raises the error if it fails."""

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Process samples in order, as they arrive; see `Step.stream`."""


class Chain:
    """Steps in order. Images stay on the device between steps; the sample carries the output of each step."""

    def __init__(self, steps: Sequence[Link]) -> None:
        if not steps:
            raise ValueError("a chain has at least one step")
        self.steps = tuple(steps)

    def __call__(self, sample: Sample) -> Sample:
        """Process one sample by every step. Raises the error if one fails."""
        for step in self.steps:
            sample = step(sample)
        return sample

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Process samples by every step, in order, as they arrive; see `Step.stream`."""
        stream: Iterable[Sample | Failure | None] = samples
        for step in self.steps:
            stream = step.stream(stream)
        return iter(stream)
