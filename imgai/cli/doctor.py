"""``imgai doctor``: versions, devices, codecs, and which extras are missing."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from imgai import __version__
from imgai.cli.listing import show
from imgai.cli.settings import Settings
from imgai.registry import Registry

_CORE = ("torch", "kornia", "pillow", "numpy", "typer", "rich", "pluggy", "safetensors")
_CODECS = {
    "simplejpeg": ("simplejpeg", "JPEG"),
    "tifffile": ("tifffile", "TIFF"),
    "imagecodecs": ("imagecodecs", "16-bit PNG, compressed TIFF"),
    "isal": ("isal.isal_zlib", "writing PNG"),
}
_EXTRAS = {
    "heic": ("pillow_heif", "HEIC pictures of phones"),
    "raw": ("rawpy", "camera RAW"),
    "dicom": ("imgai_dicom", "DICOM"),
    "nifti": ("nibabel", "NIfTI volumes"),
    "parquet": ("pyarrow", "tables for data frames"),
    "evaluate": ("sklearn", "imgai evaluate"),
    "watch": ("watchfiles", "--watch"),
    "train": ("sklearn", "imgai train"),
    "tensorboard": ("tensorboardX", "events of a training"),
    "community": ("spandrel", "--model FILE of other people's networks"),
    "onnx": ("onnxruntime", "--model FILE.onnx, --backend onnx"),
    "openvino": ("openvino", "--backend openvino"),
    "explain": ("captum", "--explain integrated-gradients"),
    "monai": ("monai", "losses of imgai train"),
    "testing": ("pytest", "tests of plugins of your own"),
    "stores": ("obstore", "object stores: s3://, gs://, az://, https://"),
    "ray": ("ray", "--on ray"),
}


def add(app: typer.Typer, registry: Registry, settings: Settings) -> None:
    """Add the command."""

    @app.command("doctor")
    def doctor(json_: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False) -> None:
        """Check this installation: versions, devices with memory, codecs, and how to install missing extras."""
        facts = examine(registry)
        if json_:
            typer.echo(json.dumps(facts))
        else:
            _print(facts)
        if facts["problems"]:
            raise typer.Exit(1)


def examine(registry: Registry) -> dict[str, Any]:
    """Return what `doctor` prints. ``problems`` has everything that keeps imgai from working correctly.

    Codecs are imported, since a shared library may be missing; extras are looked for alone, since importing all of
    them takes half a minute.
    """
    versions = {name: _version(name) for name in _CORE}
    codecs = {name: {"for": what, "works": _imports(module)} for name, (module, what) in _CODECS.items()}
    extras = {
        name: {"for": what, "installed": find_spec(module) is not None, "install": f'pip install "imgai[{name}]"'}
        for name, (module, what) in _EXTRAS.items()
    }
    problems = [f"plugin {plugin.distribution}: {plugin.broken}" for plugin in registry.broken]
    problems += [
        f"{name} does not import, so {codec['for']} will fail; pip install --force-reinstall {name}"
        for name, codec in codecs.items()
        if not codec["works"]
    ]
    devices: list[dict[str, Any]] = []
    try:
        from imgai.predict.device import devices as list_devices

        devices = [
            {"name": device.name, "what": device.what, "memory_total": device.total, "memory_free": device.free}
            for device in list_devices()
        ]
    except ImportError as error:
        problems.append(f"torch does not import: {error}; pip install --force-reinstall torch")
    return {
        "imgai": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "executable": sys.executable,
        "versions": versions,
        "devices": devices,
        "codecs": codecs,
        "extras": extras,
        "plugins": {
            plugin.distribution: plugin.version for plugin in registry.plugins if not (plugin.broken or plugin.host)
        },
        "problems": problems,
    }


def _print(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    table.add_row("imgai", facts["imgai"])
    table.add_row("python", f"{facts['python']} ({facts['executable']})")
    table.add_row("platform", facts["platform"])
    for name, installed in facts["versions"].items():
        table.add_row(name, installed or "missing")
    for device in facts["devices"]:
        table.add_row(f"device {device['name']}", f"{device['what']}, {_memory(device)}")
    for name, codec in facts["codecs"].items():
        table.add_row(f"codec {name}", f"{'works' if codec['works'] else 'MISSING'} ({codec['for']})")
    for name, extra in facts["extras"].items():
        state = "installed" if extra["installed"] else f"not installed; {extra['install']}"
        table.add_row(f"extra {name}", f"{state} ({extra['for']})")
    for name, version_ in facts["plugins"].items():
        table.add_row(f"plugin {name}", version_)
    show(table)
    console = Console(highlight=False, soft_wrap=True)
    for problem in facts["problems"]:
        console.print(f"problem: {problem}", style="red", markup=False)
    if not facts["problems"]:
        console.print("all is well", style="green")


def _memory(device: dict[str, Any]) -> str:
    total, free = device["memory_total"], device["memory_free"]
    if total is None:
        return "memory unknown"
    return f"{total / 2**30:.1f} GiB" + ("" if free is None else f", {free / 2**30:.1f} GiB free")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _imports(module: str) -> bool:
    try:
        importlib.import_module(module)
    except Exception:  # a codec whose shared library is broken raises more than ImportError
        return False
    return True
