"""The contract holds for the plugin that comes with the host; what it finds in others is in tests/contract."""

from __future__ import annotations

import dataclasses
from types import ModuleType
from typing import Any, ClassVar

import pytest

from imgai.errors import PluginError
from imgai.plugin import Contract
from imgai.testing import PluginContract, fake
from imgai.testing.checks import check_all
from imgai.testing.subject import Subject, contract_of


class TestFake(PluginContract):
    plugin = fake
    unseen = ("slow",)


class Exempt(PluginContract):
    exempt: ClassVar = {"params": "said here"}


SAID = Contract(bfloat16_levels=1.0, seam_levels=12.0, unseen=("dim",), exempt={"colors": "it swaps them"})


def saying(said: Any) -> ModuleType:
    """A plugin whose hook says that."""
    module = ModuleType("saying")
    module.imgai_contract = lambda: said() if callable(said) else said  # type: ignore[attr-defined]
    return module


class Saying(PluginContract):
    plugin = saying(SAID)


class SayingMore(Saying):
    seam_levels = 3.0
    unseen = ("slow",)
    exempt: ClassVar = {"params": "said here"}


class TestWhatAPluginSays:
    def test_the_tests_know_it_and_may_say_otherwise(self) -> None:
        assert Saying._contract() == Contract(
            bfloat16_levels=1.0, seam_levels=12.0, unseen=("dim",), exempt={"colors": "it swaps them"}
        )
        assert SayingMore._contract() == Contract(
            bfloat16_levels=1.0,
            seam_levels=3.0,
            unseen=("dim", "slow"),
            exempt={"colors": "it swaps them", "params": "said here"},
        )

    def test_models_of_one_name_in_two_tasks_are_both_checked(self) -> None:
        twin = dataclasses.replace(fake.MEAN, name=fake.LIGHTNESS.name)
        subject = Subject(tasks=(fake.FIND_LIGHT, fake.WEIGH), models=(fake.LIGHTNESS, twin))
        assert [step.task.name for step in subject.steps] == ["find-light", "weigh"]

    def test_the_checks_leave_out_what_it_exempts(self) -> None:
        subject = Subject(tasks=(fake.FIND_LIGHT,), models=(fake.LIGHTNESS,), contract=SAID)
        made = [name for name, _ in check_all(subject)]
        assert "colors" not in made
        assert {"values", "tiles"} <= set(made)

    @pytest.mark.parametrize("said", [{"seam_levels": 9}, lambda: 1 / 0], ids=["a dict", "an error"])
    def test_a_hook_that_says_something_else_is_the_plugins_fault(self, said: Any) -> None:
        with pytest.raises(PluginError, match=r"the hook imgai_contract of saying (returns a dict|fails: ZeroDiv)"):
            contract_of(saying(said))


class TestExempt:
    def test_a_check_may_be_left_out_with_a_reason(self) -> None:
        with pytest.raises(pytest.skip.Exception, match="said here"):
            Exempt()._hold("params", Subject(contract=Contract(exempt=Exempt.exempt)))

    def test_a_fault_is_told_with_what_to_change(self) -> None:
        subject = Subject(tasks=(fake.FIND_LIGHT,), models=(fake.LIGHTNESS,))
        with pytest.raises(AssertionError, match=r"--slow changes nothing; read context\.params\.slow"):
            PluginContract()._hold("params", subject)
