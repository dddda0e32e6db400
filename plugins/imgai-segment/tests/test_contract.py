"""The plugin keeps the contract."""

import imgai_segment

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_segment
    seam_levels = 24.0  # of maps that are cut at one half; blocks of colour are nothing that the networks know
