import imgai_exposure

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_exposure
