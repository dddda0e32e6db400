"""How what was found in a sample becomes files."""

from imgai.kinds.coco import annotate, assemble
from imgai.kinds.mask import MASK_KINDS, Rendered, areas, render
from imgai.kinds.xmp import is_foreign, sidecar

__all__ = ["MASK_KINDS", "Rendered", "annotate", "areas", "assemble", "is_foreign", "render", "sidecar"]
