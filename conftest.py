"""What holds for every test of the host and of the plugins: the same random numbers, whatever was tested before."""

from __future__ import annotations

import random
import sys

import pytest


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    random.seed(0)
    # Importing them takes seconds, and not every test needs them.
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
