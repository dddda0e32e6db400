"""Tiles cover every pixel, are all of one size, and their weights sum to one."""

from __future__ import annotations

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgai.predict.tiling import Blender, Grid


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    tile=st.integers(16, 128),
    overlap=st.integers(0, 7),
    multiple_of=st.sampled_from([1, 2, 8, 16]),
    minimum=st.sampled_from([1, 16]),
    scale=st.integers(1, 3),
)
def test_cut_and_blended_a_picture_is_what_it_was(
    height: int, width: int, tile: int, overlap: int, multiple_of: int, minimum: int, scale: int
) -> None:
    grid = Grid(height, width, tile=tile, overlap=overlap, multiple_of=multiple_of, minimum=minimum)
    image = torch.rand(2, height, width)
    result = torch.full((2, height * scale, width * scale), -1.0)

    def finish(first: int, rows: torch.Tensor) -> None:
        assert (result[:, first : first + rows.shape[1]] == -1).all(), "each row is finished once"
        result[:, first : first + rows.shape[1]] = rows

    blender = Blender(grid, finish, scale)
    for window in grid.windows():
        part = grid.cut(image, window)
        assert part.shape[-2:] == grid.tile
        assert not blender.done
        blender.add(window, part.repeat_interleave(scale, 1).repeat_interleave(scale, 2))
    assert blender.done
    assert grid.tile[0] % multiple_of == grid.tile[1] % multiple_of == 0
    assert min(grid.tile) >= minimum
    expected = image.repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    assert torch.allclose(result, expected, atol=1e-5)


def test_padding_mirrors_without_repeating_the_edge() -> None:
    grid = Grid(3, 1, tile=8, overlap=0, multiple_of=8)
    (window,) = grid.windows()
    column = grid.cut(torch.arange(3.0)[None, :, None], window)[0, :, 0]
    assert column.tolist() == [0, 1, 2, 1, 0, 1, 2, 1]


def test_rows_are_given_out_as_soon_as_they_are_final() -> None:
    grid = Grid(1000, 64, tile=64, overlap=16)
    given_out = []
    blender = Blender(grid, lambda first, rows: given_out.append((first, rows.shape[1])))
    for number, window in enumerate(grid.windows()):
        blender.add(window, torch.zeros(1, 64, 64))
        assert sum(rows for _, rows in given_out) >= (number - 1) * 48 - 64
    assert sum(rows for _, rows in given_out) == 1000
