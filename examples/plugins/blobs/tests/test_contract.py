import imgai_blobs

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_blobs
