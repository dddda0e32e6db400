"""The plugin keeps the contract."""

import imgai_denoise

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_denoise
    bfloat16_levels = 0.5  # of `gaussian`: FFDNet says the picture itself, not what is taken off; see its card
