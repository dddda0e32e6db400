"""The plugin keeps the contract."""

import imgai_inpaint

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_inpaint
