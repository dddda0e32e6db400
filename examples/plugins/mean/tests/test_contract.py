"""The plugin keeps the contract."""

import imgai_mean

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_mean
