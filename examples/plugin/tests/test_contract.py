import imgai_negative

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_negative
