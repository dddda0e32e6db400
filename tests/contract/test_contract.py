"""The contract holds for the plugin that comes with the host; what it finds in others is in tests/contract."""

from __future__ import annotations

from typing import ClassVar

import pytest

from imgai.testing import PluginContract, fake
from imgai.testing.subject import Subject


class TestFake(PluginContract):
    plugin = fake
    unseen = ("slow",)


class Exempt(PluginContract):
    exempt: ClassVar = {"params": "said here"}


class TestExempt:
    def test_a_check_may_be_left_out_with_a_reason(self) -> None:
        with pytest.raises(pytest.skip.Exception, match="said here"):
            Exempt()._hold("params", Subject())

    def test_a_fault_is_told_with_what_to_change(self) -> None:
        subject = Subject(tasks=(fake.FIND_LIGHT,), models=(fake.LIGHTNESS,))
        with pytest.raises(AssertionError, match=r"--slow changes nothing; read context\.params\.slow"):
            PluginContract()._hold("params", subject)
