"""How long results of 12 megapixels take to make (rendered and encoded), against the network's own time.

python benchmarks/making.py [segment document nuclei detect enhance ...] [--times 5] [--profile KIND]

The network's time is that of the step: from the decoded picture to the result at the picture's size. Seconds are of
the processor, medians of runs in turn, on one thread. Words are models or tasks; all of them by default. Pictures are
scikit-image's photographs, enlarged, with noise; nuclei and pages are drawn.
"""

from __future__ import annotations

import argparse
import cProfile
import dataclasses
import io
import json
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from benchmarks.pictures import make_photographs
from imgai.images import probe, read
from imgai.kinds.files import files, fragment, page_of
from imgai.params import as_values
from imgai.plugin import Kind, Output
from imgai.predict.device import tune_allocator
from imgai.registry import load_registry
from imgai.sample import Sample, Source
from imgai.testing import load_step

_STEPS = (
    ("segment", "subject"),
    ("segment", "document"),
    ("segment", "nuclei"),
    ("detect", None),
    ("classify", None),
    ("enhance", None),
    ("enhance", "low-light"),
    ("stylize", None),
    ("denoise", None),
)
_VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "cutout": (
        {},
        {"alpha": "soft"},
        {"alpha": "hard"},
        {"background": "white", "format": "jpeg"},
        {"background": "blur", "format": "jpeg"},
        {"background": "white", "format": "jpeg", "shadow": True, "crop": True},
    ),
    "ink": ({}, {"deskew": True, "dewarp": True, "crop_page": True}),
}


def sample_of(path: Path) -> Sample:
    header = probe(path, path.name, max_pixels=10**9)
    return next(iter(read(path, Source(path, path.name), max_pixels=10**9, header=header)))


def fresh(sample: Sample) -> Sample:
    """The sample with results that remember nothing: objects are numbered once a result."""
    masks = {name: type(mask)(mask.values, mask.labels, mask.instances) for name, mask in sample.masks.items()}
    return dataclasses.replace(sample, masks=masks)


def make(kind: Kind, sample: Sample, step: str, params: Any) -> None:
    page = page_of(kind, sample, step, params)
    if kind.once == "run":
        json.dumps(fragment(kind, page))
        return
    for rendered in files(kind, page if kind.once == "page" else iter((page,))):
        if callable(rendered.content):
            rendered.content(io.BytesIO())


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def measure(task: str, model: str | None, paths: list[Path], times: int, only: str | None, profile: bool) -> None:
    registry = load_registry()
    declared = registry.task(task)
    chosen = registry.model(task, model) if model else registry.models(task)[0]
    step = load_step(declared, chosen, device="cpu", quantized=declared.output is Output.IMAGE)
    kinds = [
        (kind, variant, as_values(kind.params, variant))
        for kind in registry.kinds(declared.output)
        if only in (None, kind.name) and kind.name != "heat"
        for variant in _VARIANTS.get(kind.name, ({},))
    ]
    for path in paths:
        sample, network = sample_of(path), []
        made: dict[str, list[float]] = {}
        for turn in range(times + 1):
            spent, result = seconds(lambda sample=sample: step(sample))  # type: ignore[misc]
            if turn:  # the first run loads and imports
                network.append(spent)
            for kind, variant, params in kinds:
                title = " ".join((kind.name, *(f"{name}={value}" for name, value in variant.items())))
                given = fresh(result)
                if turn and profile:
                    profiler = cProfile.Profile()
                    profiler.runcall(make, kind, given, task, params)
                    pstats.Stats(profiler).sort_stats("tottime").print_stats(18)
                spent, _ = seconds(lambda k=kind, g=given, p=params: make(k, g, task, p))  # type: ignore[misc]
                if turn:
                    made.setdefault(title, []).append(spent)
        base = statistics.median(network)
        print(f"{task} --model {chosen.name}, {path.stem}: network {base:.2f} s")
        for title, all_ in made.items():
            print(f"    {title:50} {statistics.median(all_):6.2f} s  {statistics.median(all_) / base:5.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--kind", help="this kind alone")
    parser.add_argument("--profile", action="store_true", help="also print where the time goes")
    parser.add_argument("--pictures", type=Path, nargs="*", help="other pictures")
    asked = parser.parse_args()
    tune_allocator()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        # Seeds that give the three photographs with little, some and much edge.
        paths = asked.pictures or make_photographs(Path(scratch), 6, (12, 12), seed=3)
        for task, model in _STEPS:
            if not asked.words or {task, model} & set(asked.words):
                measure(task, model, paths, asked.times, asked.kind, asked.profile)


if __name__ == "__main__":
    main()
