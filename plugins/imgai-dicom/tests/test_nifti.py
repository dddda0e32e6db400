"""NIfTI volumes are read slice by slice, and written as they lay in space; every file here is made by nibabel."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from imgai_dicom.nifti import probe, read, render, write
from imgai_dicom.volumes import check

from imgai.plugin import MaskParams, Page, UnsupportedError
from imgai.testing import Mask, Metadata, Sample, Source

AFFINE = np.array([[-0.5, 0, 0, 90], [0, 0.8, 0.1, -126], [0, 0, 3.0, -72], [0, 0, 0, 1]])


def volume(path: Path, values: np.ndarray, *, window: tuple[float, float] | None = None, kind: Any = None) -> Path:
    image = (kind or nibabel.Nifti1Image)(values, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    if window is not None:
        image.header["cal_min"], image.header["cal_max"] = window
    nibabel.save(image, path)
    return path


def values(*shape: int) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.int16).reshape(shape) - 100


def written(pages: list[Any]) -> Any:
    file = io.BytesIO()
    write(iter(pages), file, None)
    return nibabel.Nifti1Image.from_bytes(file.getvalue())


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_is_a_page_a_slice_in_one_scale(tmp_path: Path, suffix: str) -> None:
    path = volume(tmp_path / f"a{suffix}", values(7, 5, 3))
    assert check(path)
    assert check(path.read_bytes())
    header = probe(path)
    assert (header.width, header.height, header.pages) == (7, 5, 3)
    for source in (path, path.read_bytes()):
        pages = list(read(source, None))
        assert [page.pixels.shape for page in pages] == [(5, 7)] * 3
        ends = min(page.pixels.min() for page in pages), max(page.pixels.max() for page in pages)
        assert ends == (0, 65535)
        assert pages[1].pixels[4, 6] == round((values(7, 5, 3)[6, 4, 1] + 100) / 104 * 65535)
        assert pages[0].metadata.pixel_size == pytest.approx((500, 800))


def test_the_window_of_the_header_counts(tmp_path: Path) -> None:
    pages = list(read(volume(tmp_path / "a.nii", values(7, 5, 3), window=(-50, -20)), None))
    stored = np.stack([page.pixels for page in pages])
    expected = np.clip((values(7, 5, 3).T + 50) / 30, 0, 1) * 65535
    assert np.abs(stored - expected).max() <= 1


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3), (7, 5, 3, 4)])
def test_what_is_written_lies_where_it_was_read(tmp_path: Path, shape: tuple[int, ...], kind: Any) -> None:
    path = volume(tmp_path / "a.nii", values(*shape), kind=kind)
    file = io.BytesIO()
    write(read(path, None), file, None)
    image = kind.from_bytes(file.getvalue())
    assert image.shape[: len(shape)] == shape
    assert np.allclose(image.affine, AFFINE)
    assert np.allclose(image.get_fdata().reshape(shape), values(*shape), atol=0.01)
    assert image.header.get_zooms()[:2] == pytest.approx((0.5, np.hypot(0.8, 0)), rel=1e-3)


def test_colour_stays_colour(tmp_path: Path) -> None:
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    stored = np.zeros((7, 5, 2), kind)
    stored["R"], stored["B"] = 200, np.arange(7, dtype=np.uint8)[:, None, None]
    pages = list(read(volume(tmp_path / "a.nii", stored), None))
    assert pages[0].pixels[2, 6].tolist() == [200, 0, 6]
    assert np.array_equal(np.asarray(written(pages).dataobj)["B"], stored["B"])


def test_what_is_no_number_is_black_and_plain_volumes_are_read(tmp_path: Path) -> None:
    odd = values(4, 3, 2).astype(np.float32)
    odd[1, 1, 1], odd[0, 0, 0] = np.nan, np.inf
    pages = list(read(volume(tmp_path / "odd.nii", odd), None))
    assert (pages[1].pixels[1, 1], pages[0].pixels[0, 0]) == (0, 65535)
    assert {int(page.pixels.max()) for page in read(volume(tmp_path / "b.nii", np.full((3, 3, 1), 7.0)), None)} == {0}
    with pytest.raises(UnsupportedError):
        probe(volume(tmp_path / "c.nii", np.ones((3, 3, 1), np.complex64)))


def test_other_files_are_none(tmp_path: Path) -> None:
    assert not check(gzip.compress(b"text"))
    assert not check(b"\x1f\x8bbroken")
    assert not check(b"")
    path = volume(tmp_path / "a.nii", values(7, 5, 3))
    path.write_bytes(path.read_bytes()[:380])
    with pytest.raises(Exception):  # noqa: B017, PT011 the host calls the file damaged
        list(read(path, None))


def test_masks_have_the_spacing_and_the_orientation_of_the_picture(tmp_path: Path) -> None:
    pages = list(read(volume(tmp_path / "a.nii", values(7, 5, 3)), None))
    masks = torch.zeros(3, 2, 5, 7, dtype=torch.uint8)
    masks[1, 0, 4, 6], masks[2, 1, 0, 0], masks[2, 0, 0, 0] = 255, 255, 200
    given = [
        Page(
            Sample(torch.zeros(1, 3, 5, 7), Source(None, "a"), page.metadata),
            Mask(each, ("one", "two")),
            MaskParams(),
        )
        for page, each in zip(pages, masks, strict=True)
    ]
    (file,) = render(given)
    image = nibabel.Nifti1Image.from_bytes(file.content)
    assert np.allclose(image.affine, AFFINE)
    numbers = np.asarray(image.dataobj)
    assert (numbers.shape, numbers[6, 4, 1], numbers[0, 0, 2], int((numbers > 0).sum())) == ((7, 5, 3), 1, 2, 2)
    plain = Sample(torch.zeros(1, 3, 5, 7), Source(None, "a"), Metadata("PNG"))
    (other,) = render([Page(plain, Mask(masks[0], ("one", "two")), MaskParams())])
    assert other.notes == ("without spacing and orientation",)
