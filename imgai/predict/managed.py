"""A sample in the colours that networks see, and the way back into those of its file."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from imgai.images.depth import quantize
from imgai.images.space import space_of
from imgai.sample import Sample


class Managed:
    """Converts a sample to sRGB, with 16 bits, and what a step made of it back; does nothing where it is sRGB.

    sample: what the step is given.
    """

    def __init__(self, sample: Sample) -> None:
        metadata = sample.metadata
        self._space = space_of(metadata.icc, 1 if metadata.gray else 3)
        self._original = self.sample = sample
        if self._space is not None:
            seen = self._space.to_srgb(self._planes(sample.image)).expand(-1, 3, -1, -1)
            self.sample = dataclasses.replace(sample, image=seen, metadata=dataclasses.replace(metadata, depth=16))

    def back(self, result: Sample, *, quantized: bool) -> Sample:
        """The result in the space of the file. quantized: an image is given at the depth of the file, not in float."""
        if self._space is None:
            return result
        original, image, alpha = self._original, self._original.image, result.alpha
        depth = original.metadata.depth
        if result.image is not self.sample.image:
            device = result.image.device
            own, seen = (self._planes(each).to(device) for each in (image, self.sample.image))
            made = self._space.changed(own, seen, self._planes(result.image), depth if quantized else None)
            image = made.expand(-1, 3, -1, -1)
        if alpha is not None and quantized:
            alpha = quantize(alpha, depth)
        return dataclasses.replace(result, image=image, alpha=alpha, metadata=original.metadata)

    def _planes(self, image: Tensor) -> Tensor:
        return image[:, :1] if self._original.metadata.gray else image
