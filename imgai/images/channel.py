"""Select one channel of a picture: a page of a microscopy TIFF, or red, green or blue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from imgai.errors import InputError
from imgai.images.exif import without_description
from imgai.images.imagej import without_info
from imgai.images.resolution import is_layout
from imgai.sample import Metadata, Sample

_COLORS = ("red", "green", "blue")


def only(pages: Iterator[Sample], channel: str) -> Iterator[Sample]:
    """Yield the pages of one channel; from a colour page, that channel as a grey picture.

    channel: its number from 1, its name in the file, or red, green or blue; case-insensitive.
    Raises InputError if the file has no such channel, or if its pages have different channels.
    """
    count, names, of = 0, dict[int, str](), -1
    for sample in pages:
        place = sample.metadata.channel
        number = 0 if place is None else place.of
        if of not in (-1, number) or (number and sample.source.pages % number):
            words = f"{sample.source.name}: its pages do not all have the same channels"
            raise InputError(words, "leave out --channel, or split the file")
        of = number
        if place is None:
            yield _of_colors(sample, channel)
            continue
        names[place.number] = place.name
        if channel.casefold() in (str(place.number), place.name.casefold()):
            source = dataclasses.replace(sample.source, page=count, pages=max(1, sample.source.pages // place.of))
            count += 1
            yield dataclasses.replace(sample, source=source, metadata=_of_one(sample.metadata), edited=True)
    if names and not count:
        raise _missing(sample, channel, [f"{number} {name}".strip() for number, name in sorted(names.items())])


def _of_colors(sample: Sample, channel: str) -> Sample:
    """Extract a channel of a colour page: the unchanged values, without the RGB profile."""
    names = _COLORS if not sample.metadata.gray else ("grey",)
    known = {text: index for index, name in enumerate(names) for text in (str(index + 1), name)}
    if channel.casefold() not in known:
        raise _missing(sample, channel, [f"{index + 1} {name}" for index, name in enumerate(names)])
    if sample.metadata.gray:
        return sample
    index = known[channel.casefold()]
    image = sample.image[:, index : index + 1].contiguous().expand(-1, 3, -1, -1)
    metadata = dataclasses.replace(_of_one(sample.metadata), gray=True, icc=None, cicp=None)
    return dataclasses.replace(sample, image=image, metadata=metadata, edited=True)


def _of_one(metadata: Metadata) -> Metadata:
    """The metadata without a description that tells of all channels, as ImageJ and OME write it."""
    exif = None if metadata.exif is None else without_description(metadata.exif, is_layout)
    return dataclasses.replace(without_info(metadata), exif=exif)


def _missing(sample: Sample, channel: str, known: list[str]) -> InputError:
    return InputError(f"{sample.source.name} has no channel {channel!r}", f"it has {', '.join(known)}")
