"""Programs that are forked from a server behave as those that an interpreter starts; see forked.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TELLS = """
import os, sys
print(sys.argv, os.getcwd(), os.environ.get("TOLD"), oct(os.umask(0)), file=sys.stderr)
print(sys.stdin.read())
"""


@pytest.fixture(params=["forked", "fresh"])
def program(request: pytest.FixtureRequest, python: str) -> str:
    return python if request.param == "forked" else sys.executable


def test_arguments_streams_folder_and_environment_are_those_of_the_caller(program: str, tmp_path: Path) -> None:
    answer = subprocess.run(
        [program, "-c", TELLS, "a", "b c"],
        cwd=tmp_path,
        env={**os.environ, "TOLD": "so"},
        umask=0o27,
        input=b"in",
        capture_output=True,
    )
    assert answer.stderr.decode() == f"['-c', 'a', 'b c'] {tmp_path} so 0o27\n"
    assert (answer.returncode, answer.stdout) == (0, b"in\n")


@pytest.mark.parametrize(
    ("code", "ends", "words"),
    [
        ("raise SystemExit", 0, b""),
        ("raise SystemExit(7)", 7, b""),
        ("raise SystemExit('why')", 1, b"why\n"),
        ("1 / 0", 1, b"ZeroDivisionError"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM, b""),
        ("import os; os.abort()", -signal.SIGABRT, b""),
        ("import atexit; atexit.register(print, 'last', file=__import__('sys').stderr)", 0, b"last\n"),
        ("import os, threading; threading.Timer(0.01, os.write, (2, b'late')).start()", 0, b"late"),
    ],
)  # fmt: skip
def test_it_ends_as_the_program_ends(program: str, code: str, ends: int, words: bytes) -> None:
    answer = subprocess.run([program, "-c", code], capture_output=True)
    assert answer.returncode == ends
    assert words in answer.stderr


def test_streams_that_are_closed_are_closed(program: str) -> None:
    tells = "import os, sys; os.write(2, ascii([sys.stdin, sys.stdout]).encode())"
    answer = subprocess.run(["bash", "-c", f'"{program}" -c "{tells}" <&- >&-'], capture_output=True)
    assert answer.stderr == b"[None, None]"


@pytest.mark.parametrize(("trap", "ends"), [("", -signal.SIGINT), ("trap '' INT;", -signal.SIGTERM)])
def test_signals_reach_the_program_but_for_those_that_a_shell_ignores(program: str, trap: str, ends: int) -> None:
    waits = "import signal; print('ready', flush=True); signal.pause(); signal.pause()"
    # Where the tests run in the background of a shell, they are to ignore SIGINT themselves.
    line = ["env", "--default-signal=INT", "bash", "-c", f'{trap} exec "{program}" -c "{waits}"']
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        if trap:
            process.send_signal(signal.SIGTERM)
    assert process.returncode == ends


def test_a_client_that_is_killed_takes_its_program_with_it(python: str) -> None:
    tells = "import signal; print('ready', flush=True); signal.pause()"
    with subprocess.Popen([python, "-c", tells], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        assert process.stdout.read() == b""  # nobody holds the other end


def test_a_program_a_module_and_a_file_are_found(program: str, tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("name = 'beside'\n")
    (tmp_path / "main.py").write_text("import beside, sys\nprint(__name__, beside.name, *sys.argv[1:])\n")
    lines = [[str(tmp_path / "main.py"), "a"], ["-m", "main", "a"]]
    for line in lines:
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        answer = subprocess.run([program, *line], env=environment, capture_output=True, text=True)
        assert answer.stdout == "__main__ beside a\n", answer.stderr


@pytest.mark.parametrize(("options", "more"), [(["-I"], {}), ([], {"PYTHONWARNINGS": "error"}), ([], {"LC_ALL": "C"})])
def test_what_only_a_fresh_interpreter_heeds_starts_one(python: str, options: list[str], more: dict[str, str]) -> None:
    def imported(*options: str, **more: str) -> bytes:
        line = [python, *options, "-c", "import sys; print('torch' in sys.modules)"]
        return subprocess.run(line, env={**os.environ, **more}, capture_output=True, check=True).stdout

    assert (imported(), imported(*options, **more)) == (b"True\n", b"False\n")
