"""Checkpoints: the complete state of a training in one file, written atomically."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

import torch

from imgai.apart import words_of
from imgai.errors import UsageError
from imgai.runs.commit import commit

SCHEMA = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write the state with that of torch's random numbers. Raises InputError where it cannot be written."""
    whole = {"schema": SCHEMA, "random": _random(), **state}

    def write(file: BinaryIO) -> None:
        buffer = io.BytesIO()  # torch's writer asks for more of a file than a checked one gives
        torch.save(whole, buffer)
        file.write(buffer.getbuffer())

    commit(path, write)


def load(path: Path, device: torch.device) -> dict[str, Any]:
    """The state; torch's random numbers go on from where they were.

    Raises UsageError for a file that is none, or of another version.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise UsageError(f"there is no training to go on with in {path.parent}", "leave out --resume") from None
    except Exception as error:
        why = words_of(error)[:120] or type(error).__name__
        raise UsageError(f"{path} cannot be read: {why}", "leave out --resume to begin anew") from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise UsageError(f"{path} is of another version of imgai", "leave out --resume to begin anew")
    random = state.pop("random")
    torch.set_rng_state(random["cpu"].cpu())
    if random["cuda"] and torch.cuda.is_available() and len(random["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([each.cpu() for each in random["cuda"]])
    return state


def _random() -> dict[str, Any]:
    return {
        "cpu": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
