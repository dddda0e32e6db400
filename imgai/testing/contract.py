"""The contract between the host and a plugin, as a test class to inherit from::

class TestContract(PluginContract):
    plugin = imgai_denoise

``imgai plugins check`` runs the same checks without pytest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from imgai.plugin import Contract
from imgai.testing.checks import faults
from imgai.testing.subject import Subject, contract_of


class PluginContract:
    """The tests that every plugin must pass. Set `plugin` to the module of its entry point."""

    plugin: ClassVar[ModuleType]
    model_params: ClassVar[dict[str, dict[str, Any]]] = {}
    """Values for required params of models, by model name."""
    examples: ClassVar[Path | str | None] = None
    """A folder of pictures with ground truth, laid out as for ``imgai evaluate``: models are measured on it."""
    bfloat16_levels: ClassVar[float | None] = None
    """As in `imgai.plugin.Contract`, in place of what the plugin's hook `imgai_contract` says."""
    seam_levels: ClassVar[float | None] = None
    """The same."""
    unseen: ClassVar[Sequence[str]] = ()
    """As there, besides what the hook says."""
    exempt: ClassVar[Mapping[str, str]] = {}
    """The same."""

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Subject:
        """The plugin together with the installed plugins. Every runnable model is loaded once, on the CPU."""
        declared = {
            name: tuple(getattr(cls.plugin, f"imgai_register_{name}", tuple)())
            for name in ("tasks", "models", "kinds", "formats")
        }
        return Subject(
            cls.plugin.__name__,
            **declared,
            model_params=cls.model_params,
            contract=cls._contract(),
            examples=cls.examples,
        )

    @classmethod
    def _contract(cls) -> Contract:
        said = contract_of(cls.plugin)
        return Contract(
            bfloat16_levels=said.bfloat16_levels if cls.bfloat16_levels is None else cls.bfloat16_levels,
            seam_levels=said.seam_levels if cls.seam_levels is None else cls.seam_levels,
            unseen=(*said.unseen, *cls.unseen),
            exempt={**said.exempt, **cls.exempt},
        )

    def _hold(self, name: str, subject: Subject) -> None:
        if name in subject.contract.exempt:
            pytest.skip(subject.contract.exempt[name])
        failures = faults(name, subject)
        assert not failures, "\n".join(["", *map(str, failures)])

    def test_it_registers_without_complaint(self, subject: Subject) -> None:
        self._hold("registers", subject)

    def test_declaring_imports_nothing_heavy(self, subject: Subject) -> None:
        self._hold("imports", subject)

    def test_summaries_labels_and_licences_can_be_shown(self, subject: Subject) -> None:
        self._hold("summaries", subject)

    def test_functions_are_where_they_are_said_to_be(self, subject: Subject) -> None:
        self._hold("functions", subject)

    def test_weights_are_what_is_declared(self, subject: Subject) -> None:
        self._hold("weights", subject)

    def test_models_can_be_loaded(self, subject: Subject) -> None:
        self._hold("loads", subject)
        if "loads" not in subject.contract.exempt:
            assert not subject.left_out, f"give what they need in model_params: {subject.left_out}"

    def test_images_of_any_size_give_what_is_promised(self, subject: Subject) -> None:
        self._hold("sizes", subject)

    def test_answers_are_in_range_before_they_are_bounded(self, subject: Subject) -> None:
        self._hold("values", subject)

    def test_pictures_come_back_as_rgb(self, subject: Subject) -> None:
        self._hold("colors", subject)

    def test_examples_are_understood_best_as_they_are(self, subject: Subject) -> None:
        self._hold("examples", subject)

    def test_a_batch_gives_what_single_images_give(self, subject: Subject) -> None:
        self._hold("batch", subject)

    def test_the_same_picture_gives_the_same_answer(self, subject: Subject) -> None:
        self._hold("repeats", subject)

    def test_tiles_leave_no_seam(self, subject: Subject) -> None:
        self._hold("tiles", subject)

    def test_params_are_used_and_take_what_they_allow(self, subject: Subject) -> None:
        self._hold("params", subject)

    def test_what_tells_objects_apart_numbers_them(self, subject: Subject) -> None:
        self._hold("instances", subject)

    def test_it_leaves_the_process_as_it_was(self, subject: Subject) -> None:
        self._hold("state", subject)

    def test_many_pictures_take_no_more_memory(self, subject: Subject) -> None:
        self._hold("memory", subject)

    def test_bfloat16_changes_next_to_nothing_where_it_is_declared(self, subject: Subject) -> None:
        self._hold("bfloat16", subject)

    def test_what_can_be_trained_learns_and_is_read_back(self, subject: Subject) -> None:
        self._hold("training", subject)

    @pytest.mark.gpu
    def test_it_runs_on_the_device_that_it_is_loaded_to(self, subject: Subject) -> None:
        self._hold("device", subject)
