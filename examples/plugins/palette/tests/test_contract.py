import imgai_palette

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_palette
