"""File formats are declared, by the host and by plugins, and looked up; a plugin's are used as the host's are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imgai.discovery import Plugin
from imgai.images import format_of_suffix, sniff
from imgai.images.formats import formats, writable, written_as
from imgai.plugin import Format
from imgai.registry import Registry

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugins" / "npy"


def format_(name: str = "NEW", suffixes: tuple[str, ...] = (".new",), **about: Any) -> Format:
    return Format(name=name, suffixes=suffixes, magic=(b"NEW",), **{"probe": "new:probe", "read": "new:read", **about})


def refused(*declared: Format) -> str:
    registry = Registry([Plugin("new", "new", "1", formats=declared)])
    return registry.plugins[-1].broken


def test_the_hosts_formats_are_declared_by_the_hook() -> None:
    assert set(writable()) == {"JPEG", "PNG", "TIFF", "WEBP", "AVIF", "GIF", "BMP", "PPM", "NIFTI"}
    assert (format_of_suffix("a.JPG"), format_of_suffix("tiff"), format_of_suffix("a.txt")) == ("JPEG", "TIFF", None)
    assert (written_as("JPEG"), written_as("RAW"), written_as("HEIC")) == ("JPEG", "TIFF", "JPEG")
    assert written_as("HEIC", alpha=True) == "PNG"
    assert all(declared.read for declared in formats().values())  # imgai-dicom is installed


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x20ftypavif" + bytes(20), "AVIF"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x20ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypcrx " + bytes(20), "RAW"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"\0\0\0\x18ftypisom" + bytes(20), None),
    ],
)
def test_the_longest_magic_tells_the_format(head: bytes, name: str | None) -> None:
    assert sniff(head) == name


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        (format_("PNG", (".new",)), "its format PNG clashes with that of imgai"),
        (format_("NEW", (".png",)), "its format NEW has the suffix .png of PNG"),
    ],
)
def test_a_format_that_clashes_takes_its_plugin_whole(declared: Format, why: str) -> None:
    assert refused(declared) == why


def test_a_format_is_declared_once() -> None:
    assert refused(format_(), format_()) == "its format NEW is declared twice"


def test_a_format_that_is_known_and_not_read_is_given_its_reader_by_a_plugin() -> None:
    registry = Registry([Plugin("dicom", "dicom", "1", formats=(format_("DICOM", (".dcm",)),))])
    assert not registry.plugins[-1].broken
    assert registry.formats["DICOM"].read == "new:read"


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"name": "png"}, "capital letters"),
        ({"suffixes": ("new",)}, "begin with a dot"),
        ({"probe": ""}, "probe and read are declared together"),
        ({"write": "write"}, "must read 'package.module:function'"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(about: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        format_(**about)


def test_the_example_is_short() -> None:
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")]
    assert sum(len(path.read_text().splitlines()) for path in files) < 120


def test_arrays_are_read_and_written_by_a_plugin(site: Any, examples: Path, tmp_path: Path) -> None:
    site.folder = examples
    y, x = np.mgrid[:40, :50]
    rgb = np.dstack([x * 5, y * 6, x + y]).astype(np.uint8)
    (tmp_path / "in").mkdir()
    np.save(tmp_path / "in" / "colour.npy", rgb)
    np.save(tmp_path / "in" / "grey.npy", rgb[..., 0].astype(np.uint16) * 257)
    (tmp_path / "in" / "renamed").write_bytes((tmp_path / "in" / "colour.npy").read_bytes())
    answer = site.imgai("denoise", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--strength", "0.01")
    assert answer.returncode == 0, answer.stderr
    for name in ("colour.npy", "grey.npy", "renamed.npy"):
        before = np.load(tmp_path / "in" / name.removesuffix(".npy" if name == "renamed.npy" else ""))
        after = np.load(tmp_path / "out" / name)
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert np.abs(after.astype(float) - before).mean() < 2 * (257 if after.dtype == np.uint16 else 1)
    answer = site.imgai("denoise", str(tmp_path / "in" / "colour.npy"), "--out", str(tmp_path / "a.png"))
    assert answer.returncode == 0, answer.stderr
    assert Image.open(tmp_path / "a.png").size == (50, 40)
    states = [json.loads(line) for line in site.imgai("plugins", "--json").stdout.splitlines()]
    assert next(state for state in states if state["distribution"] == "imgai-npy")["formats"] == ["NPY"]


def test_a_bomb_of_a_plugins_format_is_refused_from_its_header(
    site: Any, examples: Path, python: str, tmp_path: Path
) -> None:
    site.folder = examples
    with (tmp_path / "bomb.npy").open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1_000_000, 1_000_000)}
        np.lib.format.write_array_header_1_0(file, header)
    answer = site.imgai("denoise", str(tmp_path / "bomb.npy"), "--out", str(tmp_path / "out"))
    assert answer.returncode == 1
    assert "1000000 x 1000000 pixels are more than --max-pixels" in answer.stderr
    np.save(tmp_path / "text.npy", np.array(["no", "picture"]))
    answer = site.imgai("denoise", str(tmp_path / "text.npy"), "--out", str(tmp_path / "out"))
    assert answer.returncode == 1
    assert "text.npy: an array of" in answer.stderr
    assert "damaged" not in answer.stderr
