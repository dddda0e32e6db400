"""How good the boxes are, and how fast a folder goes through `detect`, against the same network in a plain loop.

The loop is what a person writes: Pillow for reading and for the letterbox, one picture at a time, eager torch in fp32
as it comes, and the model's own decoding. It writes nothing; the command writes a JSON file a picture.
"""

from __future__ import annotations

import contextlib
import io
import statistics
from pathlib import Path

from benchmarks.pictures import make_photographs
from benchmarks.rate import RUN, rate

LOOP = """
import os, sys, time
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads would take many times as long on a busy machine
from pathlib import Path
import numpy as np, torch
from PIL import Image
from imgai.plugin import LoadContext
from imgai.registry import load_registry
from imgai.predict.weights import find
from imgai_detect.nanodet import load
registry = load_registry()
model, params = registry.model("detect", "nanodet"), registry.task("detect").params()
predictor = load(LoadContext(model=model, device=torch.device("cpu"), weights=find(model.weights), params=params))
paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
with torch.inference_mode():
    predictor.postprocess(predictor.network(predictor.preprocess(torch.zeros(1, 3, 416, 416))))
    begun = time.perf_counter()
    for path in paths:
        image = Image.open(path).convert("RGB")
        factor = 416 / max(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)
        seen = Image.new("RGB", (416, 416), (114, 114, 114))
        seen.paste(image, ((416 - image.width) // 2, (416 - image.height) // 2))
        pixels = torch.from_numpy(np.array(seen)).permute(2, 0, 1)[None].float() / 255
        predictor.postprocess(predictor.network(predictor.preprocess(pixels)))
print(len(paths) / (time.perf_counter() - begun))
"""

COMMAND = (
    RUN
    + """
task = registry.task("detect")
spec = StepSpec(task, registry.model("detect", "nanodet"), params=task.params())
options = RunOptions(
    inputs=[sys.argv[1]], out=Path(sys.argv[2]), outputs=OutputOptions(named_kinds("json", of=task.output)), force=True,
    machine=Machine(device="cpu"),
)
done = run([spec], options, Console(quiet=True)).done
print(done / (time.perf_counter() - begun[0]))
"""
)


def measure(scratch: Path, rounds: int = 3) -> dict[str, float]:
    """Pictures a second, both ways, and their ratio; medians of `rounds` in turn. Photographs of 0.2 to 2 MP."""
    pictures = scratch / "pictures"
    make_photographs(pictures, 100, (0.2, 2.0))
    pairs = []
    for _ in range(rounds):
        loop = rate(LOOP, pictures, scratch)
        pairs.append((rate(COMMAND, pictures, scratch / "boxes"), loop))
    return {
        "ratio": statistics.median(ours / loop for ours, loop in pairs),
        "pictures/s": statistics.median(ours for ours, _ in pairs),
        "loop pictures/s": statistics.median(loop for _, loop in pairs),
    }


def accuracy(data: Path) -> dict[str, float]:
    """AP and AP50 over COCO's pictures, as the host makes the boxes.

    data: with `detect/coco256`, COCO's JSON `train.json` and `val.json` beside `images`. The model may have seen some
    of them: the figures tell that nothing is lost on the way, not how good it is on others.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = {}
    for part in ("train", "val"):
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(data / "detect" / "coco256" / f"{part}.json"))
            results = _results(truth, data / "detect" / "coco256" / "images")
            measure = COCOeval(truth, truth.loadRes(results), "bbox")
            measure.evaluate()
            measure.accumulate()
            measure.summarize()
        found |= {f"{part} AP": float(measure.stats[0]), f"{part} AP50": float(measure.stats[1])}
    return found


def _results(truth: object, images: Path) -> list[dict[str, object]]:
    """Every box of every picture, as COCO writes results; classes that the annotations lack are left out."""
    import torch

    from imgai.images import read
    from imgai.predict.device import choose_precision
    from imgai.registry import load_registry
    from imgai.sample import Sample, Source
    from imgai.testing import load_step

    registry = load_registry()
    model = registry.model("detect", "nanodet")
    precision = choose_precision("auto", torch.device("cpu"), bfloat16=model.bfloat16)
    step = load_step(registry.task("detect"), model, precision=precision)
    ids = {category["name"]: category["id"] for category in truth.dataset["categories"]}  # type: ignore[attr-defined]
    entries = truth.dataset["images"]  # type: ignore[attr-defined]
    paths = [images / entry["file_name"] for entry in entries]
    samples = (sample for path in paths for sample in read(path, Source(path, path.name)))
    results: list[dict[str, object]] = []
    for entry, sample in zip(entries, step.stream(samples), strict=True):
        assert isinstance(sample, Sample), sample
        boxes = sample.boxes["detect"]
        for x0, y0, x1, y1, score, label in boxes.values.tolist():
            if (name := boxes.labels[int(label)]) in ids:
                box = [x0, y0, x1 - x0, y1 - y0]
                results.append({"image_id": entry["id"], "category_id": ids[name], "bbox": box, "score": score})
    return results
