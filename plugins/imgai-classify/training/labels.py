"""Writes imgai_classify/labels.py: the 1000 classes of ImageNet-1k, their WordNet ids and readable names.

    pip install timm==1.0.31 --no-deps
    python training/labels.py

Which synsets the classes are, and in which order, is ILSVRC 2012's; a name is the first lemma that WordNet 3.0 has for
the synset. timm lists both in its files. Where two classes would share a name, another lemma or a word in brackets
tells them apart.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

TARGET = Path(__file__).parents[1] / "src" / "imgai_classify" / "labels.py"
APART = {
    "n02012849": "crane (bird)",
    "n03126707": "crane (machine)",
    "n03710721": "tank suit",
    "n02113186": "Cardigan Welsh corgi",
    "n02113023": "Pembroke Welsh corgi",
}
HEAD = '''"""The 1000 classes of ImageNet-1k (ILSVRC 2012) in the networks' order; written by training/labels.py.

WordNet's id of each class and the first of its lemmas (Princeton University, WordNet 3.0; its licence allows any use
with this notice). Two cranes, two maillots and two Cardigans are told apart.
"""

_LINES = """'''
TAIL = '''"""

IDS, LABELS = zip(*(line.split(" ", 1) for line in _LINES.split("\\n")), strict=True)
"""WordNet's ids, as ``n01440764``, and the names, as ``tench``."""
'''


def main() -> None:
    spec = importlib.util.find_spec("timm")
    assert spec is not None
    assert spec.submodule_search_locations
    info = Path(spec.submodule_search_locations[0]) / "data" / "_info"
    ids = (info / "imagenet_synsets.txt").read_text().split()
    lines = (info / "imagenet_synset_to_lemma.txt").read_text().splitlines()
    lemmas = dict(line.split("\t") for line in lines)
    names = [APART.get(each, lemmas[each].split(", ")[0]) for each in ids]
    assert len({name.casefold() for name in names}) == len(ids) == 1000
    TARGET.write_text(HEAD + "\n".join(f"{each} {name}" for each, name in zip(ids, names, strict=True)) + TAIL)


if __name__ == "__main__":
    main()
