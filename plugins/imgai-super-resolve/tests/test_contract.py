"""imgai super-resolve keeps what the host expects of every plugin."""

import imgai_super_resolve

from imgai.testing import PluginContract


class TestContract(PluginContract):
    plugin = imgai_super_resolve
