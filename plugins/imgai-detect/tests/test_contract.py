"""The plugin keeps the contract."""

import imgai_detect

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_detect
