"""One channel of pictures that have several: as pages (microscopes' TIFFs) or as red, green and blue."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from imgai.errors import InputError
from imgai.sample import Sample

_COLORS = ("red", "green", "blue")


def only(pages: Iterator[Sample], channel: str) -> Iterator[Sample]:
    """Of the pages of a file those of a channel; of a page in colour that channel, in grey.

    channel: its number from 1, its name in the file, or red, green or blue; capitals do not matter.
    Raises InputError for a file that has no such channel, or whose pages have not all the same ones.
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
            yield dataclasses.replace(sample, source=source, edited=True)
    if names and not count:
        raise _missing(sample, channel, [f"{number} {name}".strip() for number, name in sorted(names.items())])


def _of_colors(sample: Sample, channel: str) -> Sample:
    """A channel of a page that is not one itself: its values as they are, without the profile of all three."""
    names = _COLORS if not sample.metadata.gray else ("grey",)
    known = {text: index for index, name in enumerate(names) for text in (str(index + 1), name)}
    if channel.casefold() not in known:
        raise _missing(sample, channel, [f"{index + 1} {name}" for index, name in enumerate(names)])
    if sample.metadata.gray:
        return sample
    index = known[channel.casefold()]
    image = sample.image[:, index : index + 1].contiguous().expand(-1, 3, -1, -1)
    metadata = dataclasses.replace(sample.metadata, gray=True, icc=None, cicp=None)
    return dataclasses.replace(sample, image=image, metadata=metadata, edited=True)


def _missing(sample: Sample, channel: str, known: list[str]) -> InputError:
    return InputError(f"{sample.source.name} has no channel {channel!r}", f"it has {', '.join(known)}")
