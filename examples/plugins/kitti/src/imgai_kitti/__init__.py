"""A kind for imgai: boxes as KITTI's text, for every task that finds boxes."""

from dataclasses import dataclass

from imgai.plugin import BoxesParams, Kind, Output, hookimpl, param


@dataclass(frozen=True)
class Params(BoxesParams):
    """The threshold that kinds of boxes share, and an option of this kind: its name begins with the kind's."""

    kitti_digits: int = param(2, "Digits after the point.", minimum=0, maximum=6)


@hookimpl
def imgai_register_kinds() -> tuple[Kind, ...]:
    """One kind, another value of ``--as``."""
    return (
        Kind(
            name="kitti",
            of=Output.BOXES,
            summary="A text for each picture, as the KITTI benchmark has it.",
            render="imgai_kitti.text:render",
            suffixes=(".txt",),
            params=Params,
        ),
    )
