"""A chain: steps in order, itself a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from imgai.predict.scaling import Scaling
from imgai.predict.step import Step
from imgai.predict.uncertain import Uncertain
from imgai.sample import Failure, Sample


class Chain:
    """Steps in order. Images stay on the device between them; what each found goes with the sample."""

    def __init__(self, steps: Sequence[Step | Scaling | Uncertain]) -> None:
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
