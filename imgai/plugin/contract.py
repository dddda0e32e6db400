"""What a plugin says of itself to the checks of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What the hook `imgai_contract` returns: where a plugin's models do otherwise than the checks expect, and why.

    bfloat16_levels: the mean difference that bfloat16 may make, in levels of 255; None: 0.25 for images, else 2.
    seam_levels: the difference at a pixel that tiling may make, in levels of 255, on a picture of coloured blocks.
    unseen: params that may have no effect on small synthetic pictures; their values must still be accepted.
    exempt: checks to skip, each with the reason: ``{"colors": "it swaps red and blue"}``.
    """

    bfloat16_levels: float | None = None
    seam_levels: float = 8.0
    unseen: Sequence[str] = ()
    exempt: Mapping[str, str] = field(default_factory=dict)
