"""Print what imgai promises in numbers, measured here and now."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import (
    chain,
    classify,
    detect,
    edges,
    enhance,
    enlarging,
    folder,
    inpaint,
    library,
    memory,
    network,
    restoration,
    segment,
    startup,
    stylize,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="what to measure; everything that can be, by default")
    parser.add_argument("--data", type=Path, help="a folder with people, video-objects, val; see benchmarks/README.md")
    parser.add_argument("--scratch", type=Path, help="a folder for pictures and masks; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        scratch = arguments.scratch or Path(temporary)
        measures: dict[str, Callable[[], object]] = {
            "startup": startup.measure,
            "network": network.measure,
            "folder": lambda: folder.measure(scratch / "folder"),
            "library": lambda: library.measure(scratch / "library"),
            "classify": lambda: classify.measure(scratch / "classify"),
            "detect": lambda: detect.measure(scratch / "detect"),
            "restoration": lambda: restoration.measure(scratch / "restoration"),
            "inpaint": lambda: inpaint.measure(scratch / "inpaint"),
            "chain": lambda: chain.measure(scratch / "chain"),
            "enhance": enhance.measure,
            "low-light": enhance.low_light,
            "stylize": stylize.measure,
            "many-files": lambda: memory.many_against_few(scratch / "many"),
            "100-megapixels": lambda: memory.hundred_megapixels(scratch / "large"),
        }
        if arguments.data is not None:
            data: Path = arguments.data
            measures |= {
                "subject": lambda: segment.subject(data),
                "subject-kinds": lambda: segment.kinds(data),
                "nuclei": lambda: segment.nuclei(data),
                "boxes": lambda: detect.accuracy(data),
                "edges": lambda: edges.measure(data),
                "enlarging": lambda: enlarging.measure(data),
            }
        for name in arguments.names or measures:
            if name not in measures:
                parser.error(f"there is no {name!r}; there is {', '.join(measures)}")
            found = measures[name]()
            assert isinstance(found, dict)
            print(f"\n{name}")
            for key, value in found.items():
                print(f"  {key:28} {value if isinstance(value, dict) else format(value, '.3f')}", flush=True)


if __name__ == "__main__":
    main()
