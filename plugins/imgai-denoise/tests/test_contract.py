"""The plugin keeps the contract."""

import imgai_denoise

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_denoise
