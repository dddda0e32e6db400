"""The model file of a training: weights, and a header with the declaration."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as serialized
from torch import Tensor, nn

from imgai import __version__, trained
from imgai.params import to_dict
from imgai.plugin import Model
from imgai.registry import Registry
from imgai.runs.commit import commit
from imgai.training.begin import Begun
from imgai.training.dataset import Dataset


@dataclasses.dataclass(frozen=True, slots=True)
class About:
    """The metadata in a header.

    origin: the plugin's model whose code loads them. plugin, version: of its distribution.
    """

    begun: Begun
    origin: Model
    plugin: str
    version: str
    license: str
    dataset: Dataset

    def declaration(self, measures: Mapping[str, Any], step: int, score: float | None = None) -> dict[str, Any]:
        """The declaration, as `imgai.trained.declare` reads it."""
        begun = self.begun
        model = dataclasses.replace(begun.model, license=self.license)
        counts = {part: len(examples) for part, examples in self.dataset.parts.items()}
        origin = f"{self.dataset.folder.resolve().name}: {counts['train']} pictures"
        before = begun.base.weights.data if begun.base.weights is not None else ""
        return {
            "schema": trained.SCHEMA,
            "task": begun.task.name,
            "name": model.name,
            "base": {"model": self.origin.name, "plugin": self.plugin, "version": self.version},
            "model": trained.described(model, self.origin),
            "params": to_dict(begun.params),
            "data": "; ".join(filter(None, (before, origin))),
            "fingerprint": self.dataset.fingerprint,
            "pictures": counts,
            "learned": trained.learned_from(example.key for example in self.dataset.parts["train"]),
            "measures": dict(measures),
            "score": score,
            "step": step,
            "imgai": __version__,
        }


def tensors_of(network: nn.Module, begun: Begun) -> dict[str, Tensor]:
    """Return the tensors of a network to save, on the CPU."""
    save = begun.trainable.save
    tensors = network.state_dict() if save is None else save(network)
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def write(path: Path, tensors: Mapping[str, Tensor], declaration: Mapping[str, Any]) -> None:
    """Write the file whole or not at all. Raises InputError."""
    content = serialized(dict(tensors), {trained.KEY: json.dumps(declaration)})
    commit(path, lambda file: file.write(content))


def model_of(path: Path, registry: Registry, task: str) -> Model:
    """The model of a file, as anybody finds it."""
    return registry.model(task, str(path))


def finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether all values of the tensors are finite."""
    return all(bool(torch.isfinite(value).all()) for value in tensors.values() if value.is_floating_point())
