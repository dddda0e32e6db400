"""``--model PATH.onnx``, for every task."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from imgai.errors import PluginError, UsageError
from imgai.plugin import LoadContext, Model, Predictor, Task
from imgai.predict.foreign.around import Call, Finish, Picture, Prepare
from imgai.predict.foreign.calls import found, labels_of
from imgai.predict.foreign.graph import Graph, OnnxNetwork, graph_of, runtime_version
from imgai.predict.foreign.heads import boxes
from imgai.predict.foreign.kept import kept
from imgai.predict.foreign.notes import Notes, notes_of

_VERSION = "onnx 1"
_READ = ("image", "mask", "scores", "boxes", "map")
_TILE = 512
_WIDEST = 1536
"""The most pixels along the answer to a tile."""


def declare(path: Path, task: Task, ours: Model, base: Model) -> Model:
    """The model of a graph. Raises PluginError, in one line, for one that cannot be used, or not for this task."""
    kind = task.output.value
    if kind not in _READ:
        raise PluginError(f"{path} cannot be used by {task.name}", f"graphs are read for {', '.join(_READ)}")
    graph, notes = graph_of(path), notes_of(path)
    call = _called(path, kind, graph, notes, base)
    labels = labels_of(path, kind, graph, notes, ours, call)
    model = dataclasses.replace(
        base,
        summary=f"A graph of {graph.parameters / 1e6:.1f} M numbers, read from {path.name}.",
        parameters=graph.parameters,
        labels=labels,
        license=notes.license or base.license,
    )
    if kind == "image":
        if (ours.scale > 1) != (call.scale > 1):
            does = f"enlarges {call.scale} times" if call.scale > 1 else "keeps the size"
            raise PluginError(f"{path} {does}", f"{task.name} needs a model that {_other(call.scale)}")
        tile = max(call.minimum, -(-min(_TILE, _WIDEST // call.scale) // call.multiple_of) * call.multiple_of)
        if call.fixed:
            assert call.size is not None
            tile = min(call.size)
        return dataclasses.replace(
            model,
            scale=call.scale,
            tile=tile,
            minimum=tile if call.fixed else call.minimum,
            multiple_of=1 if call.fixed else call.multiple_of,
            overlap=min(call.overlap, 3 * tile // 8),
        )
    assert call.size is not None
    return dataclasses.replace(
        model,
        input_size=call.size,
        fit="letterbox" if call.letterbox else "stretch",
        crop=(notes.crop or 0.875) if kind == "scores" and not call.letterbox else None,
    )


def load(context: LoadContext) -> Predictor:
    """Load a graph: what is around it is torch's, the network itself ONNX Runtime's."""
    from imgai.predict.foreign.asked import with_params

    assert context.weights is not None
    path = context.weights
    assert context.model.weights is not None
    call = _CALLS[context.model.weights.sha256, context.model.task]
    network: nn.Module = OnnxNetwork(
        path,
        context.device,
        input_=call.input,
        output=call.output,
        type_=call.type,
        channels_last=call.channels_last,
        single=call.single,
    )
    prepare = Prepare(call).to(context.device)
    if call.scale and not call.classes:
        return Predictor(network=with_params(Picture(network, prepare, call), context))
    only: tuple[int, ...] = ()
    if call.head:
        only = _only(context)
        size, labels = context.model.input_size, context.model.labels
        assert size is not None
        assert labels is not None

        def told(raw: Tensor) -> Tensor:
            return boxes(
                raw,
                head=call.head,
                size=size,
                strides=call.strides,
                classes=len(labels),
                decoded=call.decoded,
                only=only,
            )

        return Predictor(network=network, preprocess=prepare, postprocess=told)
    with_params(network, context)  # no param of these tasks can be followed
    return Predictor(network=network, preprocess=prepare, postprocess=Finish(call.last, context.model))


def _called(path: Path, kind: str, graph: Graph, notes: Notes, base: Model) -> Call:
    """Return how to call the graph for the task, from the cache if it is known."""
    assert base.weights is not None
    digest, version = f"{base.weights.sha256}-{base.task}", f"{_VERSION} {runtime_version()}"
    held = kept(digest, version, lambda: dataclasses.asdict(found(path, kind, graph, notes)))
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in held.items()}
    call = Call(**values)
    _CALLS[base.weights.sha256, base.task] = call
    return call


_CALLS: dict[tuple[str, str], Call] = {}
"""By the digest of the file and the task, as they were declared in this process."""


def _only(context: LoadContext) -> tuple[int, ...]:
    """The numbers of the classes that are asked for. Raises UsageError."""
    labels = [label.casefold() for label in context.model.labels or ()]
    if getattr(context.params, "tiled", False):
        raise UsageError(f"--tiled is an option of imgai's own models, not of {context.model.name}", "leave it out")
    asked: Sequence[str] = getattr(context.params, "classes", ())
    for name in asked:
        if name.casefold() not in labels:
            raise UsageError(
                f"the model {context.model.name} has no class {name!r}", f"it has {', '.join(labels[:20])}"
            )
    return tuple(sorted({labels.index(name.casefold()) for name in asked}))


def _other(scale: int) -> str:
    return "keeps it" if scale > 1 else "enlarges"
