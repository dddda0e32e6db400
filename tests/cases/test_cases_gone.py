"""The folder in which a command is given was removed, as the scratch folder of a finished job is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    "words",
    [
        'segment "$OLDPWD/in" --model nuclei --out "$OLDPWD/out"',
        'classify "$OLDPWD/in" --json',
        "segment a.png --out y",
    ],
)
def test_a_folder_that_is_gone_is_one_line(
    shell: Callable[[str], subprocess.CompletedProcess[str]], words: str
) -> None:
    """Once it was a traceback, or a library of torch ended the process with words of its own."""
    answer = shell(f'mkdir gone; cd gone; rmdir "$PWD"; $imgai {words}')
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == "error: the folder you are in is gone; go to another\n"
