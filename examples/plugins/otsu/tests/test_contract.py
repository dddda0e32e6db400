import imgai_otsu

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_otsu
