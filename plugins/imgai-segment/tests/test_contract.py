"""The plugin keeps the contract."""

import imgai_segment

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_segment
