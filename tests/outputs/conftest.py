"""What the tests of outputs share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from imgai.predict.step import Step
from imgai.testing.subject import Subject


@pytest.fixture
def subject() -> Callable[..., Subject]:
    """Steps that were made in memory, as the contract takes a plugin."""

    def of(*steps: Step) -> Subject:
        made = Subject(tasks=[steps[0].task], models=[step.model for step in steps])
        made.steps = list(steps)
        return made

    return of
