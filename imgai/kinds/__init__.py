"""The host's kinds: how what a step returned is written. Declared here; each is made in its own file.

Nothing heavy is imported here: the command line reads these declarations at every start.
"""

from __future__ import annotations

from imgai.plugin import Kind, MaskParams, Output, hookimpl

MASK = (
    Kind(
        name="mask",
        of=Output.MASK,
        summary="The mask in 256 levels, a PNG for each class.",
        render="imgai.kinds.mask:render",
        params=MaskParams,
    ),
    Kind(
        name="binary",
        of=Output.MASK,
        summary="Black and white, a PNG for each class.",
        render="imgai.kinds.binary:render",
        params=MaskParams,
    ),
    Kind(
        name="cutout",
        of=Output.MASK,
        summary="The picture with the mask as its alpha, edge colours cleaned of the background.",
        render="imgai.kinds.cutout:render",
        params=MaskParams,
        passes=True,
    ),
    Kind(
        name="overlay",
        of=Output.MASK,
        summary="The picture with each class tinted and outlined.",
        render="imgai.kinds.overlay:render",
        suffixes=(".jpg", ".png"),
        params=MaskParams,
    ),
    Kind(
        name="labels",
        of=Output.MASK,
        summary="Objects numbered from 1 in a 16-bit PNG.",
        render="imgai.kinds.labels:render",
        suffixes=(".png", ".tif"),
        params=MaskParams,
    ),
    Kind(
        name="coco",
        of=Output.MASK,
        summary="One coco.json of all inputs, with outlines and run lengths of every object.",
        render="imgai.kinds.coco:render",
        suffixes=(".json",),
        once="run",
        merge="imgai.kinds.coco:merge",
        params=MaskParams,
    ),
)


@hookimpl
def imgai_register_kinds() -> tuple[Kind, ...]:
    """The kinds of every output, the usual one first."""
    return MASK
