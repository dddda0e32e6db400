"""A plugin for another version of imgai works, or says which one it needs."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imgai

OLD = Path(__file__).parent / "data" / "imgai_negative-0.1.0-py3-none-any.whl"
MODEL = "Model(name='m', task='greet', summary='s', license='MIT', load='a:b'{more})"
DECLARED = (
    "from imgai.plugin import *\n@hookimpl\ndef imgai_register_models():\n    return [" + MODEL + "]\n"
)  # fmt: skip


def broken(site: Any, source: str, requires: str = "") -> str:
    site.add("imgai-late", source, requires=requires)
    answer = site.imgai("plugins", "--json")
    found = [json.loads(line) for line in answer.stdout.splitlines()]
    return str(next(plugin["broken"] for plugin in found if plugin["distribution"] == "imgai-late"))


def test_a_plugin_built_against_0_1_runs_unchanged(site: Any, tmp_path: Path) -> None:
    with zipfile.ZipFile(OLD) as wheel:
        wheel.extractall(site.folder)
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    answer = site.imgai("negative", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--strength", "1")
    assert answer.returncode == 0, answer.stderr
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "a.png")), 255 - pixels)


UNKNOWN = {
    "a field": (DECLARED.format(more=", color_of_the_box='red'"), "'color_of_the_box' of Model"),
    "an output": (
        "from imgai.plugin import *\n@hookimpl\ndef imgai_register_tasks():\n"
        "    return [Task(name='t', summary='s', default_model='m', output=Output.VIDEO)]",
        "'VIDEO' of Output",
    ),
    "a name": ("from imgai.plugin import Camera", "'Camera' of imgai.plugin"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_what_a_later_imgai_knows_says_which_one_is_needed(site: Any, case: str) -> None:
    source, words = UNKNOWN[case]
    told = broken(site, source, "imgai (>=9.5,<10)")
    assert told.startswith(f"it needs imgai >= 9.5: this imgai {imgai.__version__} does not know {words}")


def test_a_field_that_no_imgai_knows_may_be_misspelled(site: Any) -> None:
    told = broken(site, DECLARED.format(more=", lable='x'"), "imgai>=0.1,<0.3")
    words = "does not know 'lable' of Model: it needs a newer one, or the name is misspelled"
    assert told == f"this imgai {imgai.__version__} {words}"


def test_another_type_error_stays_what_it_is(site: Any) -> None:
    assert "needs" not in broken(site, "def f():\n    pass\nf(1)", "imgai>=9.5")
