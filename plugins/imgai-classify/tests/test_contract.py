"""The plugin keeps the contract: both shipped models. The others need what is not in the wheel; see their tests."""

from types import SimpleNamespace
from typing import ClassVar

import imgai_classify

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin: ClassVar = SimpleNamespace(
        __name__="imgai_classify",
        imgai_register_tasks=imgai_classify.imgai_register_tasks,
        imgai_register_models=lambda: imgai_classify.MODELS,
    )
