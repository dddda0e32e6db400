import imgai_duotone

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_duotone
