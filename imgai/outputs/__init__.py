"""How what was found in a sample becomes files."""

from imgai.outputs.coco import annotations, assemble
from imgai.outputs.mask import MASK_KINDS, Rendered, areas, render

__all__ = ["MASK_KINDS", "Rendered", "annotations", "areas", "assemble", "render"]
