"""What `imgai train` makes of the official models, on pictures that it has not seen.

    python benchmarks/finetuning.py denoise POLYU OUT --minutes 10
    python benchmarks/finetuning.py nuclei NUCLEI OUT --minutes 10
    python benchmarks/finetuning.py detect BLOOD_CELLS OUT --minutes 20

POLYU has noisy/ and clean/, NUCLEI train/ and val/ with images/ and labels/, the last one images/, train.json and
val.json. `denoise` learns from about half of the scenes and measures with the others; `nuclei` learns from 40 pictures,
once from the shipped model and once from unet. OUT gets links to the pictures, the models and their logs; one line of
JSON for each model is printed: its measures, and the seconds of computing that its training took.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any


def imgai(*words: object) -> str:
    """What a command prints. What it tells people passes through."""
    command = [sys.executable, "-m", "imgai", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def link(files: list[tuple[Path, Path]]) -> None:
    """Links from places to files."""
    for place, file in files:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():
            place.symlink_to(file.resolve())


def taught(task: str, data: Path, out: Path, *options: object) -> float:
    """Train; returns the seconds of computing, of all cores."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    imgai("train", task, data, "--out", out, *options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def tell(task: str, test: Path, model: str | Path, **about: Any) -> None:
    """Measure a model and print what was found."""
    found = json.loads(imgai("evaluate", task, test, "--model", model, "--json").strip().splitlines()[-1])
    print(json.dumps({"task": task, "model": Path(model).name, **about, **found}), flush=True)


def file_of(out: Path) -> Path:
    """The weights that a training wrote."""
    return next(path for path in sorted(out.glob("*.safetensors")) if not path.name.startswith("."))


def denoise(data: Path, out: Path, *options: object) -> None:
    """20 pairs to learn from; no scene is on both sides."""
    scenes: dict[str, list[Path]] = {}
    for path in sorted((data / "noisy").iterdir()):
        scenes.setdefault(re.sub(r"_\d+$", "", path.stem), []).append(path)
    sides: dict[str, list[Path]] = {"learn": [], "test": []}
    for scene in sorted(scenes, key=lambda scene: (-len(scenes[scene]), scene)):
        min(sides.values(), key=len).extend(scenes[scene])
    for side, files in sides.items():
        link([(out / side / "input" / file.name, file) for file in files])
        link([(out / side / "target" / file.name, data / "clean" / file.name) for file in files])
    seconds = taught("denoise", out / "learn", out / "camera", "--from", "photo", *options)
    tell("denoise", out / "test", "photo", pairs=len(sides["learn"]))
    tell("denoise", out / "test", file_of(out / "camera"), pairs=len(sides["learn"]), seconds=round(seconds))


def nuclei(data: Path, out: Path, *options: object) -> None:
    """The same 40 pictures for both; all of val to measure with."""
    files = sorted((data / "train" / "images").iterdir())
    files = files[:: len(files) // 40][:40]
    for side, chosen, folder in (("learn", files, "train"), ("test", sorted((data / "val/images").iterdir()), "val")):
        link([(out / side / "images" / file.name, file) for file in chosen])
        labels = [data / folder / "labels" / f"{file.stem}.png" for file in chosen]
        link([(out / side / "masks" / file.name, file) for file in labels])
    tell("segment", out / "test", "nuclei")
    for base in ("nuclei", "unet"):
        seconds = taught("segment", out / "learn", out / f"from-{base}", "--from", base, *options)
        tell("segment", out / "test", file_of(out / f"from-{base}"), base=base, seconds=round(seconds))


def detect(data: Path, out: Path, *options: object) -> None:
    """The data set's own parts: val chooses the best step, and measures."""
    seconds = taught("detect", data, out / "cells", "--from", "nanodet", *options)
    rows = [json.loads(line) for line in (out / "cells" / "log.jsonl").read_text().splitlines()]
    measures = [row for row in rows if "measure" in row or "map50" in str(row)]
    print(
        json.dumps({"task": "detect", "data": data.name, "seconds": round(seconds), "log": measures[-1:]}), flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("denoise", "nuclei", "detect"))
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    asked, more = parser.parse_known_args()
    options = ("--minutes", asked.minutes, *more)
    {"denoise": denoise, "nuclei": nuclei, "detect": detect}[asked.what](asked.data, asked.out, *options)


if __name__ == "__main__":
    main()
