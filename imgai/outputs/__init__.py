"""How what was found in a sample becomes files."""

from imgai.outputs.coco import annotate, assemble
from imgai.outputs.mask import MASK_KINDS, Rendered, areas, render

__all__ = ["MASK_KINDS", "Rendered", "annotate", "areas", "assemble", "render"]
