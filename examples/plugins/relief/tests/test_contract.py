import imgai_relief

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_relief
