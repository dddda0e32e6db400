"""Write the best model, checkpoints and the log of a training, on the first process only."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from imgai.errors import InputError, UsageError
from imgai.options import Machine
from imgai.predict.machine import place
from imgai.registry import Registry
from imgai.trained import SUFFIX
from imgai.training import checkpoint
from imgai.training.log import Log
from imgai.training.loop import Learner, State
from imgai.training.out import About, finite, model_of, tensors_of, write
from imgai.training.tell import Teller
from imgai.training.validation import Measured, measure
from imgai.training.world import World

CHECKPOINT = "checkpoint.pt"
CANDIDATE = ".candidate" + SUFFIX
"""The file of the weights that are being measured."""
SHOWN = 8
"""Pictures of a measurement that are kept to be shown."""


class Recorder:
    """Hears the loop of one training.

    folder: where all is written. best: what the best measurement of this run found.
    """

    def __init__(
        self,
        folder: Path,
        about: About,
        learner: Learner,
        registry: Registry,
        world: World,
        teller: Teller,
        log: Log,
        remembered: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.best: Measured | None = None
        self._about = about
        self._learner = learner
        self._registry = registry
        self._world = world
        self._teller = teller
        self._log = log
        self._remembered = remembered

    @property
    def path(self) -> Path:
        """The file of the best model."""
        return self.folder / f"{self._about.begun.model.name}{SUFFIX}"

    def stepped(self, row: dict[str, Any], progress: float, left: float | None) -> None:
        """A step is done."""
        if row:
            self._log.add(row)
        self._teller.stepped(row, progress, left)

    def measure(self, state: State, epoch: float) -> float | None:
        """Write the averaged weights as a model, take the validation pictures through it, keep it if it is the best."""
        tensors = tensors_of(self._learner.average.network, self._about.begun)
        if not finite(tensors):
            self._teller.warn(f"the weights at step {state.step} are no numbers; not measured")
            return None
        candidate = self.folder / CANDIDATE
        if not self._written(candidate, tensors, self._about.declaration({}, state.step)):
            return None
        try:
            measured = self.measured(candidate)
        except InputError as error:  # the network's numbers run over, or a picture is gone: there may be better ones
            self._teller.warn(f"not measured at step {state.step}: {error}")
            return None
        finally:
            with contextlib.suppress(OSError):
                candidate.unlink()
        figures = measured.figures
        score = figures.score
        # Where the pictures tell nothing, the latest weights are the best there are.
        better = state.best is None if score is None else state.best is None or score > state.best
        if better:
            if not self._written(self.path, tensors, self._about.declaration(figures.summary(), state.step, score)):
                return None
            self.best = measured
        row = {
            "step": state.step,
            "epoch": epoch,
            "seconds": round(state.used, 1),
            "score": score,
            **{name: value for name, value in figures.summary().items() if name not in ("pictures", "classes")},
        }
        self._log.add(row)
        with contextlib.suppress(InputError):  # a disk that is full; the next measurement writes all of it
            self._log.write_results()
        self._teller.measured(row, figures.main, better=better)
        return score

    def _written(self, path: Path, tensors: Mapping[str, Tensor], declaration: Mapping[str, Any]) -> bool:
        """Write a model. A disk that is full ends no training; it is told."""
        try:
            write(path, tensors, declaration)
        except InputError as error:
            self._teller.warn(f"not measured: {error}")
            return False
        return True

    def measured(self, path: Path, part: str = "val") -> Measured:
        """Take the pictures of a part through the model of a file."""
        begun = self._about.begun
        model = model_of(path, self._registry, begun.task.name)
        placement = place(Machine(), self._world.device, [model])
        return measure(
            begun.task,
            model,
            self._about.dataset,
            placement,
            part=part,
            model_params=model.params() if model.params is not None else None,
            spoil=begun.trainable.spoil,
            show=SHOWN,
        )

    def keep(self, state: State) -> None:
        """Write a checkpoint. A disk that is full ends no training; it is told."""
        learner = self._learner
        try:
            checkpoint.save(
                self.folder / CHECKPOINT,
                {
                    "state": dataclasses.asdict(state),
                    "network": learner.network.state_dict(),
                    "optimizer": learner.optimizer.state_dict(),
                    "average": learner.average.state(),
                    "options": self._remembered,
                    "fingerprint": self._about.dataset.fingerprint,
                },
            )
        except InputError as error:
            self._teller.warn(f"no checkpoint: {error}")

    def warn(self, text: str) -> None:
        """Tell what goes on otherwise than was thought."""
        self._teller.warn(text)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold a folder for one training. Gives False where another process holds it; it is given up when that ends.

    Raises UsageError for a folder that cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / ".lock").open("ab")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written to: {error.strerror}", "choose another --out") from error
    with opened as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two trainings of one name are the user's own to avoid
            pass
        except OSError:
            yield False
            return
        yield True
