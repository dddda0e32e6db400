"""Models by name: fetched from a real server that cuts, stalls, redirects, lies and serves wrong bytes."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import save

import imgai
from imgai.errors import PluginError, UsageError
from imgai.library.ask import _registry
from imgai.predict import zoo
from imgai.predict.fetch import Wanted, fetch
from tests.models.conftest import answer, as_image, compact

CONTENT = save(compact())
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Answers as its path says. asked: the paths, with the byte that each began at."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.url = ""

    def wanted(self, path: str, content: bytes = CONTENT) -> Wanted:
        return Wanted(f"{self.url}/{path}", hashlib.sha256(content).hexdigest(), len(content))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    told, gone_on = Server(), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            how = self.path.strip("/").split("/")[-1]
            begin = int(self.headers.get("Range", "bytes=0-")[6:-1])
            told.asked.append((self.path, begin))
            if begin:
                gone_on.set()
            if how == "redirects":
                return self.send(302, b"", Location="/good")
            if how == "away":
                return self.send(302, b"", Location="http://example.invalid/good")
            if how == "gone" or self.path.startswith("/empty"):
                return self.send(404, b"")
            if how == "busy" and len(told.asked) < 3:
                return self.send(503, b"")
            content = CONTENT
            if how == "wrong":
                content = b"x" * len(CONTENT)
            if how == "long":
                content = CONTENT + b"more"
            if how == "lies" and begin:  # it goes on with another file, once
                content = b"y" * len(CONTENT)
            if how == "whole":  # it knows no ranges
                begin = 0
            part = content[begin:]
            stop = len(part)
            if how in ("cuts", "lies", "whole", "stalls") and len(told.asked) <= (1 if how != "cuts" else 3):
                stop = len(CONTENT) // 4
            self.send_response(206 if begin else 200)
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            if how == "slow":
                for at in range(0, len(part), 200):
                    self.wfile.write(part[at : at + 200])
                    time.sleep(0.02)
                return None
            self.wfile.write(part[:stop])
            if stop < len(part):
                self.wfile.flush()
                if how == "stalls":
                    gone_on.wait()
                self.close_connection = True
            return None

        def send(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    monkeypatch.setattr("imgai.predict.fetch._WAIT", 0.01)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        told.url = f"http://127.0.0.1:{running.server_port}"
        yield told
        gone_on.set()
        running.shutdown()


@pytest.mark.parametrize(
    ("how", "begins"),
    [
        ("good", [0]),
        ("redirects", [0, 0]),
        ("busy", [0, 0, 0]),
        ("whole", [0, "quarter"]),
        ("stalls", [0, "quarter"]),
        ("lies", [0, "quarter", 0]),
    ],
)
def test_a_file_comes_in_the_end(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, begins: list[object]
) -> None:
    if how == "stalls":
        monkeypatch.setattr("imgai.predict.fetch._TIMEOUT", 2)
    seen: list[tuple[int, int]] = []
    path = fetch(
        server.wanted(how), tmp_path / "deep" / "model.safetensors", lambda came, size: seen.append((came, size))
    )
    assert path.read_bytes() == CONTENT
    assert [begin for _, begin in server.asked] == [len(CONTENT) // 4 if each == "quarter" else each for each in begins]
    assert [each.name for each in path.parent.iterdir()] == ["model.safetensors"]
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_it_goes_on_where_it_broke_off(server: Server, tmp_path: Path) -> None:
    fetch(server.wanted("cuts"), tmp_path / "model.safetensors")
    quarter = len(CONTENT) // 4
    assert [begin for _, begin in server.asked] == [0, quarter, 2 * quarter, 3 * quarter]


def test_a_later_call_goes_on(server: Server, tmp_path: Path) -> None:
    target = tmp_path / "model.safetensors"
    target.with_name("model.safetensors.part").write_bytes(CONTENT[:1000])
    fetch(server.wanted("good"), target)
    assert server.asked == [("/good", 1000)]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("wrong", "what came is not the file that was published"),
        ("long", "what came is not the file that was published"),
        ("gone", "the server says 404"),
        ("away", "over https alone, not from http://example.invalid"),
    ],
)
def test_what_is_not_the_file_is_never_there(server: Server, tmp_path: Path, how: str, words: str) -> None:
    with pytest.raises(PluginError, match=words) as refused:
        fetch(server.wanted(how), tmp_path / "model.safetensors")
    assert refused.value.exit_code == 3
    assert len(str(refused.value).splitlines()) == 1
    assert not (tmp_path / "model.safetensors").exists()


def test_two_processes_fetch_it_once(server: Server, tmp_path: Path) -> None:
    wanted, target = server.wanted("slow"), tmp_path / "model.safetensors"
    program = f"""
from pathlib import Path
from imgai.predict.fetch import Wanted, fetch
print(fetch(Wanted({wanted.url!r}, {wanted.sha256!r}, {wanted.size}), Path({str(target)!r})))
"""
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [each.communicate()[0].strip() for each in both] == [str(target)] * 2
    assert target.read_bytes() == CONTENT
    assert server.asked == [("/slow", 0)]
    assert [each.name for each in tmp_path.iterdir() if each.suffix in (".safetensors", ".part")] == [target.name]


def test_the_mirror_is_asked_first(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGAI_MIRROR", f"{server.url}/mirror/")
    host = server.url.removeprefix("http://")
    fetch(server.wanted("good"), tmp_path / "a.safetensors")
    assert server.asked == [(f"/mirror/{host}/good", 0)]
    server.asked.clear()
    monkeypatch.setenv("IMGAI_MIRROR", f"{server.url}/empty")
    fetch(server.wanted("good"), tmp_path / "b.safetensors")
    assert server.asked[-1] == ("/good", 0)


def test_proxies_of_the_environment_are_used(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    fetch(Wanted("http://localhost:1/good", DIGEST, len(CONTENT)), tmp_path / "model.safetensors")
    assert server.asked == [("http://localhost:1/good", 0)]


def test_offline_fetches_nothing(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMGAI_OFFLINE", "1")
    with pytest.raises(PluginError, match="IMGAI_OFFLINE is set"):
        fetch(server.wanted("good"), tmp_path / "model.safetensors")
    assert server.asked == []


@pytest.fixture
def listed(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A list of three models on that server."""
    table = tmp_path / "zoo.toml"
    text = ""
    for name, license in (("free", "MIT"), ("not-for-money", "CC-BY-NC-4.0"), ("of-nobody", "")):
        text += f'[super-resolve.{name}]\nurl = "{server.url}/good?{name}.safetensors"\nsha256 = "{DIGEST}"\n'
        text += f'size = {len(CONTENT)}\nlicense = "{license}"\nsource = "here"\n'
    table.write_text(text.replace("/good?", "/").replace(".safetensors", "/good"))
    monkeypatch.setattr("imgai.predict.zoo._TABLE", table)
    _registry.cache_clear()
    return server


def test_a_model_is_fetched_by_name_and_then_used(listed: Server, cat: Path, cache: Path) -> None:
    with pytest.raises(UsageError, match=r"free is not fetched yet .0 MB, MIT.; imgai models fetch super-resolve/free"):
        imgai.load("super-resolve", model="free")
    code, words, _ = run("models", "info", "free")
    assert (code, DIGEST in words, "MIT" in words) == (0, True, True)
    assert listed.asked == [], "nothing is fetched unless it is asked for"
    found = zoo.entry("free")
    zoo.bring(found)
    image = imgai.load("super-resolve", model="free")(cat).image
    assert (image - answer(compact(), as_image(cat), 2)[0]).abs().max() < 1 / 255
    assert zoo.is_sound(found)
    found.path.write_bytes(CONTENT[:-1] + b"?")
    assert not zoo.is_sound(found)
    assert zoo.remove(found) == len(CONTENT)
    assert zoo.path_of("super-resolve", "nonsense") is None
    with pytest.raises(UsageError, match="did you mean 'free'"):
        zoo.entry("fre")


def run(*words: str | Path) -> tuple[int, str, str]:
    """A command, in this process: the list of the test counts."""
    from typer.testing import CliRunner

    from imgai.cli.main import build_app
    from imgai.registry import load_registry

    result = CliRunner().invoke(build_app(load_registry()), [str(word) for word in words])
    error = str(result.exception) if isinstance(result.exception, (PluginError, UsageError)) else ""
    return result.exit_code, result.stdout, result.stderr + error


def test_licences_are_shown_and_must_be_accepted(listed: Server) -> None:
    code, _, words = run("models", "fetch", "free")
    assert (code, "licence: MIT" in words) == (0, True)
    for name, license in (("not-for-money", "CC-BY-NC-4.0"), ("of-nobody", "unknown")):
        code, _, words = run("models", "fetch", name)
        assert code != 0
        assert f"the licence of super-resolve/{name} is {license}; read it, then add --accept-license" in words
    assert len(listed.asked) == 1
    assert run("models", "fetch", "not-for-money", "--accept-license")[0] == 0
    rows = [json.loads(line) for line in run("models", "list", "super-resolve", "--json")[1].splitlines()]
    assert {row["name"]: row["fetched"] for row in rows if "url" in row} == {
        "free": True,
        "not-for-money": True,
        "of-nobody": False,
    }
    rows = [json.loads(line) for line in run("models", "list", "--license", "permissive", "--json")[1].splitlines()]
    assert [row["name"] for row in rows if "url" in row] == ["free"]
    assert run("models", "verify")[0] == 0
    zoo.entry("free").path.write_bytes(b"other")
    code, out, _ = run("models", "verify")
    assert (code, "DAMAGED" in out) == (1, True)
    assert run("models", "remove", "free")[0] == 0
    code, _, words = run("models", "fetch", "free", "--offline")
    assert code != 0
    assert "--offline fetches nothing" in words
    assert run("models", "where", "free")[1].strip() == str(zoo.entry("free").path)


def test_a_file_gets_a_name(listed: Server, cat: Path, tmp_path: Path) -> None:
    path = tmp_path / "somebody's model.safetensors"
    path.write_bytes(CONTENT)
    words = ("models", "import", path, "--name", "mine", "--task", "super-resolve")
    assert run(*words, "--license", "MIT")[0] == 0
    path.unlink()
    assert imgai.load("super-resolve", model="mine")(cat).image.shape == (3, 80, 96)
    path.write_bytes(CONTENT)
    for name, why in (("mine", "has a model called 'mine' already"), ("photo", "already"), ("No Name", "is no name")):
        code, _, said = run("models", "import", path, "--name", name, "--task", "super-resolve")
        assert code != 0
        assert why in said
    path.write_text("nonsense")
    assert "is no file of weights" in run(*words[:4], "other", *words[5:])[2]
    assert run("models", "remove", "mine")[0] == 0
    assert "mine" not in {each.name for each in zoo.entries()}


def test_a_catalogue_is_taken_in(listed: Server, tmp_path: Path) -> None:
    resource = {
        "platform": "pytorch",
        "type": "pth",
        "size": 5,
        "sha256": "a" * 64,
        "urls": ["https://x.invalid/a.pth"],
    }
    good = {"name": "A", "author": ["b", "c"], "license": "MIT", "scale": 4, "architecture": "esrgan"}
    catalogue = {
        "4x-Good": {**good, "resources": [resource]},
        "1x-Clean": {
            **good,
            "scale": 1,
            "resources": [{**resource, "type": "onnx", "urls": ["https://x.invalid/a.onnx"]}],
        },
        "4x-Page": {**good, "resources": [{**resource, "urls": ["https://drive.invalid/view?id=3"]}]},
        "4x-NoDigest": {**good, "resources": [{**resource, "sha256": None}]},
        "4x-Plain": {**good, "resources": [{**resource, "urls": ["http://x.invalid/a.pth"]}]},
        "broken": 5,
    }
    path = tmp_path / "models.json"
    path.write_text(json.dumps(catalogue))
    code, _, words = run("models", "sync", "openmodeldb", path)
    assert code == 0
    assert "2 models of OpenModelDB are in the list; 4 without" in words
    taken = {each.name: each for each in zoo.entries() if each.source == "OpenModelDB"}
    assert {name: each.task for name, each in taken.items()} == {"4x-good": "super-resolve", "1x-clean": "denoise"}
    assert taken["4x-good"].author == "b, c"
    for content in ("nonsense", "[]", '{"a": 1}'):
        path.write_text(content)
        assert "catalogue" in run("models", "sync", "openmodeldb", path)[2]
    assert len([each for each in zoo.entries() if each.source == "OpenModelDB"]) == 2, "what was there stays"


def test_the_list_that_ships_is_sound() -> None:
    from imgai.registry import load_registry

    registry = load_registry()
    names: set[tuple[str, str]] = set()
    for each in zoo.entries():
        assert each.task in registry.tasks
        assert each.url.startswith("https://")
        assert each.size > 1000
        assert len(each.sha256) == 64
        assert each.license
        assert each.accepted, f"{each.name} is not for every use"
        assert each.source in ("OpenModelDB", "opencv_zoo", "rembg")
        assert each.path.suffix in (".pth", ".safetensors", ".onnx")
        assert (each.task, each.name) not in names
        names.add((each.task, each.name))
        assert each.name not in {model.name for model in registry.models(each.task)}
    assert len(names) > 80


def test_a_plugin_has_a_list_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """A ``zoo.toml`` beside the module of its entry point; one that is wrong is told, and breaks nothing."""
    import types

    from imgai.discovery import Plugin, discover

    found = list(discover())
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        module = types.ModuleType(f"zoo_of_{name}")
        module.__file__ = str(tmp_path / name / "__init__.py")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        found.append(Plugin(name, f"imgai-{name}", "1", module=module.__name__))
    monkeypatch.setattr("imgai.predict.zoo.discover", lambda: tuple(found))
    right = {"url": "https://x.invalid/a.pth", "sha256": "a" * 64, "size": 5, "source": "its makers"}

    def write(folder: str, values: dict[str, object]) -> None:
        lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
        (tmp_path / folder / "zoo.toml").write_text(f"[denoise.theirs-{folder}]\n{lines}")

    before = len(zoo.entries())
    write("good", {**right, "license": "MIT"})
    assert zoo.entry("theirs-good").source == "its makers"
    for wrong in (
        {"url": "http://x.invalid/a.pth"},
        {"sha256": "A" * 64},
        {"size": -5},
        {"source": ""},
        {"scale": "four"},
        {"mirror": "https://y.invalid"},
    ):
        write("bad", {**right, **wrong})
        assert len(zoo.entries()) == before + 1
        (trouble,) = zoo.troubles()
        assert str(tmp_path / "bad" / "zoo.toml") in trouble
        assert next(iter(wrong)) in trouble
    (tmp_path / "bad" / "zoo.toml").write_text("nonsense")
    code, out, said = run("models", "list", "denoise")
    assert (code, "theirs-good" in out, "is no list of models" in said) == (0, True, True)


def test_entries_of_the_cache_that_are_damaged_do_no_harm(cache: Path) -> None:
    (cache / "zoo").mkdir(parents=True)
    for content in ("nonsense", "5", '[{"task": 3}]', '[{"name": "a"}]'):
        (cache / "zoo" / "imported.json").write_text(content)
        assert zoo.entries()
    one = replace(zoo.entries()[0], license="")
    assert not one.accepted


def test_help_names_every_command() -> None:
    words = run("models", "--help")[1]
    assert all(name in words for name in ("list", "fetch", "verify", "remove", "where", "import", "sync", "export"))
