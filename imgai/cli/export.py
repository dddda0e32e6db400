"""``imgai models export``: export a model to ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from imgai.cli.show import find_models
from imgai.console import Console
from imgai.errors import UsageError
from imgai.images.formats import DEFAULT_MAX_PIXELS, picture_suffixes
from imgai.plugin import NoParams
from imgai.registry import Registry
from imgai.words.steps import uses_of


def add_export(models: typer.Typer, registry: Registry) -> None:
    """Add the sub-command."""

    @models.command("export")
    def export(
        name: Annotated[str, typer.Argument(help="A model, as subject or segment/subject.")],
        out: Annotated[Path, typer.Argument(help="The file to write; ends in .onnx.")],
        int8: Annotated[bool, typer.Option("--int8", help="Compute in 8 bits; needs --calibrate.")] = False,
        calibrate: Annotated[
            Path | None, typer.Option(metavar="FOLDER", help="Your pictures, which --int8 finds its ranges on.")
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file.")] = False,
    ) -> None:
        """Export a model to an ONNX graph with dynamic batch and size, verified against the model to 1e-4."""
        raise typer.Exit(_export(registry, name, out, calibrate, int8=int8, overwrite=overwrite))


def _export(registry: Registry, name: str, out: Path, calibrate: Path | None, *, int8: bool, overwrite: bool) -> int:
    if out.suffix.lower() != ".onnx":
        raise UsageError(f"{out} does not end in .onnx", "name the file so")
    if not overwrite and (there := next((path for path in (out, out.with_suffix(".toml")) if path.exists()), None)):
        raise UsageError(f"{there} is there already", "add --overwrite, or choose another name")
    if int8 != (calibrate is not None):
        raise UsageError("--int8 and --calibrate go together", "add --calibrate FOLDER with pictures like yours")
    members = find_models(registry, name)
    if len(members) > 1:
        names = ", ".join(model.name for model in members)
        raise UsageError(f"{name} is a family", f"name one of its models: {names}")
    console = Console()
    from imgai.predict.spec import StepSpec

    (model,) = members
    task = registry.task(model.task)
    spec = StepSpec(task, model, task.params(), (model.params or NoParams)(), uses=uses_of(model, registry))
    out.parent.mkdir(parents=True, exist_ok=True)
    from imgai.predict.backends.whole import notes, write

    whole = write(spec, out)
    if calibrate is None:
        console.say(f"{out}: {out.stat().st_size / 1e6:.1f} MB, the same answers within 1e-4; notes are beside it")
        return 0
    from imgai.predict.backends.int8 import ENOUGH, quantize, seen

    suffixes = picture_suffixes()
    paths = sorted(path for path in calibrate.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    pictures = list(seen(paths, model, DEFAULT_MAX_PIXELS))
    kind = task.output.value
    if 4 <= len(pictures) < ENOUGH:
        console.warn(f"{calibrate} holds {len(pictures)} pictures; {ENOUGH} or more give better ranges")
    try:
        lost, count = quantize(out, whole, model, kind, pictures)
    except BaseException:
        for path in (out, out.with_suffix(".toml")):
            path.unlink(missing_ok=True)
        raise
    unit = {"scores": "% of best labels changed", "mask": "% of the mask changed"}.get(kind, "levels of 255 apart")
    about = f"8 bits; on {count} other pictures {lost * (100 if '%' in unit else 1):.2f} {unit}"
    out.with_suffix(".toml").write_text(notes(spec, about), encoding="utf-8")
    console.say(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {about}")
    return 0
