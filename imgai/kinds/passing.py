"""A kind between two steps: the file it would write becomes the image of the next step (`Kind.passes`)."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Iterator

import torch

from imgai.errors import ImgaiError, PluginError
from imgai.images import read
from imgai.images.formats import formats
from imgai.images.rights import kept
from imgai.kinds.files import files, page_of
from imgai.predict.spec import KindSpec
from imgai.sample import Failure, Sample


class Passing:
    """Renders a kind as ``Sample -> Sample``; size, colours and alpha of the image may change."""

    def __init__(self, kind: KindSpec, step: str, *, keep: bool = False) -> None:
        """step: the name of the step whose output is rendered. keep: also store the file in the sample."""
        self._kind = kind
        self._step = step
        self._keep = keep
        self.device = torch.device("cpu")
        self.batch = 1

    def __call__(self, sample: Sample) -> Sample:
        """Return the sample with the rendered picture. Raises whatever rendering raises."""
        declared = self._kind.kind
        made = list(files(declared, page_of(declared, sample, self._step, self._kind.params)))
        if len(made) != 1:
            raise PluginError(f"the kind {declared.name} passes one picture on, not {len(made)}")
        content = made[0].content
        if callable(content):
            target = io.BytesIO()
            content(target)
            content = target.getvalue()
        # No pixel limit: the file was written a moment ago by the kind itself.
        picture = next(iter(read(content, sample.source, max_pixels=1 << 40)))
        before, after = sample.metadata, picture.metadata
        format_ = before.format
        if picture.alpha is not None and not (format_ in formats() and formats()[format_].alpha):
            format_ = after.format  # a format with alpha, so that the cut-out is not composited over white
        metadata = dataclasses.replace(
            before,
            format=format_,
            depth=after.depth,
            gray=after.gray,
            icc=after.icc,
            exif=after.exif,
            xmp=after.xmp,
            texts=after.texts,
            iptc=kept(before, getattr(self._kind.params, "metadata", "all")).iptc,
            full=(picture.height, picture.width),
        )
        passed = {**sample.passed, self._step: dataclasses.replace(made[0], content=content)} if self._keep else {}
        return dataclasses.replace(
            sample, image=picture.image, alpha=picture.alpha, metadata=metadata, edited=True, passed=passed
        )

    def stream(self, samples: Iterable[Sample | Failure | None]) -> Iterator[Sample | Failure | None]:
        """Process samples in order, as they arrive; see `Step.stream`."""
        for sample in samples:
            if not isinstance(sample, Sample):
                yield sample
                continue
            try:
                result: Sample | Failure = self(sample)
            except PluginError:
                raise
            except ImgaiError as error:
                result = Failure(sample.source, error)
            yield result
