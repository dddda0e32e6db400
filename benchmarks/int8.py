"""What 8 bits cost: speed, what changes, and how much worse the model is against what is right.

    python benchmarks/int8.py segment/subject PICTURES MASKS
    python benchmarks/int8.py classify/imagenet PICTURES

PICTURES of the first have masks of the same stem. Those of the second are called as ImageNet's are, WordNet's id first;
each is looked at six times: as it is and mirrored, whole and cut closer twice. Every second picture calibrates those of
the first model, every picture of --calibrate those of the second. Both graphs take every picture in turn, by OpenVINO
and by ONNX Runtime on one thread, and the processor time of each is compared: what else the machine does counts little.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from imgai.images.formats import DEFAULT_MAX_PIXELS
from imgai.plugin import NoParams
from imgai.predict.backends.int8 import quantize, seen
from imgai.predict.backends.whole import CPU, apart, write
from imgai.predict.foreign.graph import session
from imgai.predict.spec import StepSpec
from imgai.registry import load_registry

Run = Callable[[np.ndarray], np.ndarray]


def by_openvino(path: Path) -> Run:
    core = openvino.Core()
    hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": "1"}
    request = core.compile_model(core.read_model(str(path)), "CPU", hints).create_infer_request()
    return lambda values: np.array(request.infer({0: values})[0])


def by_onnx(path: Path) -> Run:
    opened = session(path, CPU)
    name = opened.get_inputs()[0].name
    return lambda values: opened.run(None, {name: values})[0]


def views(picture: Tensor) -> list[Tensor]:
    """Whole and cut closer, as they are and mirrored. Shape: six of ``(1, 3, h, w)``"""
    height, width = picture.shape[-2:]
    found = []
    for part in (0, height // 19, height // 9):
        inner = picture[..., part : height - part, part : width - part]
        inner = F.interpolate(inner, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
        found += [inner, inner.flip(-1)]
    return found


def right_labels(path: Path, labels: tuple[str, ...]) -> int:
    return labels.index(path.name.split("_")[0])


def right_mask(path: Path, masks: Path, size: tuple[int, int]) -> Tensor:
    values = Image.open(masks / f"{path.stem}.png").convert("L").resize(size[::-1], Image.Resampling.BILINEAR)
    array = np.asarray(values)
    return torch.from_numpy(array > array.max() / 2)[None, None]


def goodness(answer: Tensor, right: Any) -> float:
    """1 where all is right: of labels 0 or 1, of masks the intersection over the union."""
    if isinstance(right, int):
        return float(answer.argmax(1)[0] == right)
    return 1 - apart(answer, right.float(), "mask")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("masks", type=Path, nargs="?")
    parser.add_argument("--calibrate", type=Path)
    parser.add_argument("--most", type=int, default=100, help="pictures that are measured")
    given = parser.parse_args()
    torch.set_num_threads(1)
    registry = load_registry()
    name = given.model.split("/")
    task, model = registry.task(name[0]), registry.model(*name)
    kind = task.output.value
    paths = sorted(path for path in given.pictures.rglob("*") if path.is_file())
    random.Random(0).shuffle(paths)
    own = paths[1::2] if given.calibrate is None else [path for path in given.calibrate.rglob("*") if path.is_file()]
    asked = (paths[::2] if given.calibrate is None else paths)[: given.most]
    with tempfile.TemporaryDirectory() as scratch:
        plain, small = Path(scratch) / "fp32.onnx", Path(scratch) / "int8.onnx"
        spec = StepSpec(task, model, task.params(), (model.params or NoParams)())
        whole = write(spec, plain)
        small.write_bytes(plain.read_bytes())
        calibrating = list(seen(sorted(own), model, DEFAULT_MAX_PIXELS))
        quantize(small, whole, model, kind, calibrating)
        runs = {
            (how, what): make(path)
            for how, make in (("openvino", by_openvino), ("onnx", by_onnx))
            for what, path in (("fp32", plain), ("int8", small))
        }
        times: dict[tuple[str, str], list[float]] = {each: [] for each in runs}
        scores: dict[str, list[float]] = {"fp32": [], "int8": []}
        changed = []
        for path in asked:
            (picture,) = seen([path], model, DEFAULT_MAX_PIXELS)
            right = (
                right_labels(path, model.label_ids or ())
                if kind == "scores"
                else right_mask(path, given.masks, model.input_size or (0, 0))
            )
            for view in views(picture) if kind == "scores" else [picture]:
                answers = {}
                for each, run in runs.items():
                    if each[0] == "onnx" and len(times[each]) > 20:
                        continue
                    begun = time.process_time()
                    answers[each] = torch.from_numpy(run(view.numpy()))
                    times[each].append(time.process_time() - begun)
                one, other = answers["openvino", "fp32"], answers["openvino", "int8"]
                changed.append(apart(one, other, kind))
                scores["fp32"].append(goodness(one, right))
                scores["int8"].append(goodness(other, right))
    means = {what: statistics.mean(values) for what, values in scores.items()}
    ratios = {
        how: statistics.median(times[how, "fp32"]) / statistics.median(times[how, "int8"])
        for how in ("openvino", "onnx")
    }
    measure = "top-1" if kind == "scores" else "intersection over union"
    print(f"{given.model}: calibrated on {len(calibrating) // 2}, {len(changed)} views of {len(asked)} pictures")
    print(f"{measure}: {means['fp32']:.4f} in float, {means['int8']:.4f} in 8 bits")
    print(f"lost {100 * (1 - means['int8'] / means['fp32']):+.2f} %; changed {100 * statistics.mean(changed):.2f} %")
    print(f"faster: OpenVINO {ratios['openvino']:.2f}, ONNX Runtime {ratios['onnx']:.2f}")


if __name__ == "__main__":
    main()
