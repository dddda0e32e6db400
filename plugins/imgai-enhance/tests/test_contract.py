import imgai_enhance

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_enhance
