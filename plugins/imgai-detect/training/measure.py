"""Average precision of the port and of the published graph on the same pictures, decoded by the same code.

    pip install pycocotools
    python training/measure.py PACKAGE FILE.json ...

PACKAGE is the unpacked npm package of convert.py. The annotations are in COCO's format, their pictures in `images`
beside them. Classes are matched by name; the model's others are left out. Each picture is stretched to 416 x 416, and
once more shrunk and padded to it (letterbox); the graph takes no other size.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from convert import SIDE, Graph
from imgai_detect.boxes import boxes_of
from imgai_detect.labels import LABELS
from imgai_detect.nanodet import preprocess
from imgai_detect.network import STRIDES, NanoDet
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from safetensors.torch import load_file
from torch import Tensor

WEIGHTS = Path(__file__).parents[1] / "src" / "imgai_detect" / "weights" / "nanodet.safetensors"
NAMES = ["Identity", *(f"Identity_{number}" for number in range(1, 6))]
Look = Callable[[Tensor], Sequence[Tensor]]


def look_of_graph(package: Path) -> Look:
    """The graph as a function of a normalised image that answers as the port does."""
    graph = Graph(package / "models" / "nanodet.json")

    def look(image: Tensor) -> list[Tensor]:
        answers, grids = graph.run(NAMES, image), []
        for scores, distances, stride in zip(answers[:3], answers[3:], STRIDES, strict=True):
            logits = torch.logit(scores.double(), eps=1e-12).float()
            cells = torch.cat((logits, distances), dim=2).transpose(1, 2)
            grids.append(cells.unflatten(2, (SIDE // stride, SIDE // stride)))
        return grids

    return look


def look_of_port() -> Look:
    """The port with the shipped weights."""
    network = NanoDet().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return network


def seen(picture: Image.Image, letterbox: bool) -> tuple[Tensor, tuple[int, int, int, int]]:
    """What the network is shown, and where the picture lies in it: left, top, width and height in pixels."""
    side = (SIDE, SIDE)
    if letterbox:
        factor = SIDE / max(picture.size)
        side = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    left, top = ((SIDE - length) // 2 for length in side)
    ground = Image.new("RGB", (SIDE, SIDE), (114, 114, 114))
    ground.paste(picture.resize(side, Image.Resampling.BILINEAR), (left, top))
    image = torch.from_numpy(np.array(ground)).permute(2, 0, 1)[None] / 255
    return preprocess()(image), (left, top, *side)


def predictions(look: Look, file: Path, letterbox: bool) -> list[dict[str, Any]]:
    """Boxes of every picture of an annotation file, as COCO writes results."""
    known = json.loads(file.read_text(encoding="utf-8"))
    ids = {category["name"]: category["id"] for category in known["categories"]}
    results = []
    for entry in known["images"]:
        with Image.open(file.parent / "images" / entry["file_name"]) as picture:
            image, (left, top, across, down) = seen(picture.convert("RGB"), letterbox)
        with torch.inference_mode():
            found = boxes_of(look(image))[0]
        corners = (found[:, :4] * SIDE - torch.tensor((left, top, left, top))).clamp(min=0)
        sides = torch.tensor((entry["width"] / across, entry["height"] / down)).repeat(2)
        for (x0, y0, x1, y1), score, label in zip(
            (corners * sides).tolist(), found[:, 4].tolist(), found[:, 5].int().tolist(), strict=True
        ):
            if score > 0 and LABELS[label] in ids:
                box = [x0, y0, min(x1, entry["width"]) - x0, min(y1, entry["height"]) - y0]
                if min(box[2:]) <= 0:
                    continue
                results.append(
                    {"image_id": entry["id"], "category_id": ids[LABELS[label]], "bbox": box, "score": score}
                )
    return results


def precision(file: Path, results: list[dict[str, Any]]) -> tuple[float, float]:
    """AP and AP50 as pycocotools measures them."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(file))
        measure = COCOeval(truth, truth.loadRes(results), "bbox")
        measure.evaluate()
        measure.accumulate()
        measure.summarize()
    return float(measure.stats[0]), float(measure.stats[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    parser.add_argument("annotations", type=Path, nargs="+", metavar="FILE.json")
    options = parser.parse_args()
    for file in options.annotations:
        for letterbox in (False, True):
            for name, look in (("graph", look_of_graph(options.package)), ("port", look_of_port())):
                ap, ap50 = precision(file, predictions(look, file, letterbox))
                fit = "letterbox" if letterbox else "stretched"
                print(f"{file.parent.name}/{file.name}, {fit}, {name}: AP {ap:.4f}, AP50 {ap50:.4f}", flush=True)


if __name__ == "__main__":
    main()
