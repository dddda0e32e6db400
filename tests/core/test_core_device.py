"""From words to devices, and weights from where they are."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import io
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from imgai.errors import DeviceError, PluginError
from imgai.options import Machine
from imgai.plugin import Weights
from imgai.predict.device import choose_devices, choose_precision, devices
from imgai.predict.weights import find, location
from imgai.testing import fake


def test_auto_takes_what_there_is() -> None:
    (first, *_) = choose_devices("auto")
    assert first.type == ("cuda" if torch.cuda.is_available() else devices()[0].name.split(":")[0])


@pytest.mark.parametrize("name", ["cuda:99", "cuda:0,cuda:99", "quantum", "xpu:7"])
def test_a_device_that_is_absent_is_an_error_that_says_what_there_is(name: str) -> None:
    with pytest.raises(DeviceError, match=r"--device takes auto or .*cpu"):
        choose_devices(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_no_gpu_is_never_a_silent_cpu() -> None:
    with pytest.raises(DeviceError, match="cuda"):
        choose_devices("cuda")


def test_several_devices() -> None:
    assert choose_devices("cpu, cpu") == [torch.device("cpu")] * 2


def test_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu) is torch.float32
    assert choose_precision("bf16", cpu) is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert choose_precision("auto", cpu, bfloat16=True) is torch.float32
    for instructions in ("avx512_bf16", "amx_bf16"):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda name=instructions: {name: True})
        assert choose_precision("auto", cpu, bfloat16=True) is torch.bfloat16
        assert choose_precision("auto", cpu) is torch.float32
        assert choose_precision("fp32", cpu, bfloat16=True) is torch.float32
    with pytest.raises(DeviceError, match="fp16"):
        choose_precision("fp16", cpu)
    with pytest.raises(DeviceError, match="fp64"):
        choose_precision("fp64", cpu)


CONTENT = b"weights" * 1000


BROKEN = {
    "/nonsense": b"nonsense\r\n\r\n",
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
    "/loop": b"HTTP/1.1 302 Found\r\nLocation: /loop\r\n\r\n",
    "/nowhere-at-all": b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n",
    "/away": b"HTTP/1.1 302 Found\r\nLocation: http://example.invalid/good\r\n\r\n",
    "/file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n",
    "/slow": b"HTTP/1.1 200 OK\r\nContent-Length: 7000\r\n\r\n",
}
"""What a server that is out of order, or up to something, answers."""


def weights(file: str, content: bytes = CONTENT) -> Weights:
    return Weights(file=file, sha256=hashlib.sha256(content).hexdigest(), size=len(content), license="MIT")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """A server on this machine that holds the weights."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = {"/good": CONTENT, "/other": b"x" * len(CONTENT), "/long": CONTENT * 2, "/short": CONTENT[:9]}
            name = self.path.removesuffix(".safetensors")
            body = content.get(name)
            if name in BROKEN:
                self.wfile.write(BROKEN[name])
                while name == "/slow":
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    time.sleep(0.05)
                return
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMGAI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_weights_are_fetched_once(server: str) -> None:
    wanted = weights(f"{server}/good.safetensors")
    assert location(wanted) is None
    path = find(wanted)
    assert path.read_bytes() == CONTENT
    before = path.stat().st_mtime_ns
    assert find(wanted) == path == location(wanted)
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("other", "what came is not the file that was published"),
        ("long", "what came is not the file that was published"),
        ("short", "it broke off after 9 of 7000 bytes"),
        *((name[1:], "cannot be fetched") for name in BROKEN if name not in ("/away", "/file")),
        ("away", "over https alone, not from http://example.invalid/good"),
        ("file", "cannot be fetched|over https alone"),
    ],
)
def test_what_is_not_what_was_declared_is_thrown_away(
    server: str, name: str, why: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "slow":
        monkeypatch.setattr("imgai.predict.fetch._TOTAL", 0.6)
    monkeypatch.setattr("imgai.predict.fetch._WAIT", 0.0)
    with pytest.raises(PluginError, match=why) as caught:
        find(weights(f"{server}/{name}.safetensors"))
    assert "\n" not in str(caught.value)
    assert not [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".part"]


def test_a_network_that_fails_says_where_to_put_the_file(server: str) -> None:
    with pytest.raises(PluginError, match=r"cannot be fetched: .*put the file at"):
        find(weights(f"{server}/nowhere.safetensors"))


def test_plain_http_is_for_this_machine_alone() -> None:
    with pytest.raises(PluginError, match="over https alone"):
        find(weights("http://example.invalid/good.safetensors"))


def test_a_file_that_was_changed_is_refused(server: str) -> None:
    wanted = weights(f"{server}/good.safetensors")
    find(wanted).write_bytes(b"y" * len(CONTENT))
    with pytest.raises(PluginError, match="are not those that the plugin declares"):
        find(wanted)


def test_a_file_of_a_package_that_is_missing() -> None:
    with pytest.raises(PluginError, match="missing; reinstall the plugin"):
        find(weights("imgai:nowhere.safetensors"))


FIRST_USE = """
import ctypes, sys, torch
from pathlib import Path

library = ctypes.CDLL(str(Path(torch.__path__[0]) / "lib" / "libtorch_cpu.so"))
if not hasattr(library, "mkl_vml_serv_cpu_detect"):
    sys.exit(77)
start = ctypes.cast(library.mkl_vml_serv_cpu_detect, ctypes.c_void_p).value
code = ctypes.string_at(start, 6)
if code[:2] != bytes.fromhex("8b05"):  # mov eax, [rip + n]
    sys.exit(77)
chosen = ctypes.c_int.from_address(start + 6 + int.from_bytes(code[2:], "little", signed=True))
assert chosen.value == -1

from imgai.runs import stages

seen = []

class Noted(stages.Thread):
    def start(self):
        seen.append(chosen.value)
        super().start()

stages.Thread = Noted
from imgai.cli.main import main

try:
    main()
finally:
    print("before threads:", seen)
    assert seen and min(seen) >= 0
"""


@pytest.mark.skipif(
    sys.platform != "linux" or not torch.backends.mkl.is_available(),
    reason="reads a variable of MKL in the library of torch",
)
def test_mkl_has_chosen_its_code_before_threads_start(tmp_path: Path) -> None:
    """Threads that call it first at the same time may get code of lower accuracy, and so other pixels."""
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    words = ["enhance", str(tmp_path / "a.png"), "--out", str(tmp_path / "out"), "--backend", "torch"]
    answer = subprocess.run([sys.executable, "-c", FIRST_USE, *words], capture_output=True, text=True, check=False)
    if answer.returncode == 77:
        pytest.skip("MKL is of another version")
    assert answer.returncode == 0, answer.stderr
    assert "before threads: [" in answer.stdout


MEMORY = """
import resource, sys, torch
from imgai.predict.device import tune_allocator
tune_allocator()
torch.set_num_threads(1)
from imgai.testing import load_step
from imgai.sample import Metadata, Sample, Source
from imgai.testing import fake
import dataclasses
model = dataclasses.replace(fake.LIGHTNESS, tile=512, overlap=32)
step = load_step(fake.FIND_LIGHT, model, device=torch.device("cpu"), params=fake.LightParams())

def peak(side):
    image = torch.zeros(side, side, 3, dtype=torch.uint8).permute(2, 0, 1)[None]
    step(Sample(image, Source(None, "x"), Metadata("PNG")))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

idle = peak(64)
print(peak(10_000) - idle)
"""


def test_a_hundred_megapixels_fit_into_a_bounded_memory(python: str) -> None:
    """The picture alone is 300 MB, its mask 100; what a step adds must not grow with the picture."""
    answer = subprocess.run([python, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 800e6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("terminal", "shown"), [(True, "100%"), (False, "weights of find-light/lightness: 100 %")])
def test_a_run_shows_how_far_weights_have_come(
    server: str, monkeypatch: pytest.MonkeyPatch, terminal: bool, shown: str
) -> None:
    from imgai.console import Console
    from imgai.predict.spec import StepSpec
    from imgai.runs.load import load_chains

    model = dataclasses.replace(fake.LIGHTNESS, weights=weights(f"{server}/good.safetensors"))
    words = Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", words)
    load_chains([StepSpec(fake.FIND_LIGHT, model)], Machine(device="cpu"), Console(), max_pixels=10**6)
    assert shown in words.getvalue()


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="a file of Linux")
def test_memory_that_holds_copies_of_files_counts_as_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Path, "read_text", lambda *_, **__: "MemTotal: 8000 kB\nMemFree: 10 kB\nMemAvailable: 7000 kB\n"
    )
    assert devices()[-1].free == 7000 * 1024
