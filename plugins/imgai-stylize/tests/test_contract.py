from pathlib import Path
from typing import ClassVar

import imgai_stylize

from imgai.testing import PluginContract

COFFEE = Path(__file__).parents[3] / "examples" / "scans" / "coffee.jpg"


class TestContract(PluginContract):
    plugin = imgai_stylize
    model_params: ClassVar = {"any": {"style_image": str(COFFEE)}}
