"""Python programs as processes of their own, without the seconds that importing torch takes.

A server imports what nearly every command imports and starts no thread. For each program it forks: the child gets the
arguments, the environment, the folder, the umask, the standard streams and the ignored signals of whoever asked. That
one runs a client in the place of Python; it passes signals on, ends as the program ends, and takes the program with it
when it is killed. Where only a fresh interpreter will do (options, PYTHON..., a locale), or the server is gone, the
client becomes that interpreter.

Not for tests of how a process starts, what it imports, or how much memory it takes; how that grows is seen. The
fixture `python` of conftest.py is the client.
"""

from __future__ import annotations

import marshal
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

PLAIN = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""The signals that are passed on, and which a shell may have told its children to ignore."""
IMPORTED = [
    "torch",
    "kornia",
    "safetensors.torch",
    "pydantic.type_adapter",
    "platformdirs",
    "rich.console",
    "rich.text",
    "simplejpeg",
    "scipy.ndimage",
    "PIL.BmpImagePlugin",
    "PIL.GifImagePlugin",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin",
    "importlib.readers",
    "imgai.cli.tasks",
    "imgai.images.write",
    "imgai.images.codecs.pillow",
    "imgai.images.codecs.jpeg",
    "imgai.kinds.files",
    "imgai.library.ask",
    "imgai.predict.load",
    "imgai.predict.step",
    "imgai.runs.load",
    "imgai.runs.stages",
    "imgai.runs.sort",
]


def needs_fresh(words: list[str], environment: dict[bytes, bytes]) -> bool:
    """Whether only an interpreter that starts would heed what is asked."""
    names = {name for name in {*environment, *os.environb} if name.startswith((b"PYTHON", b"LANG", b"LC_"))}
    differ = {name for name in names if environment.get(name) != os.environb.get(name)}
    return bool(differ - {b"PYTHONPATH"}) or not words or (words[0][:1] == "-" and words[0] not in ("-c", "-m"))


# The client. It imports little: its start is what a program costs.


def ask(path: str, words: list[str]) -> None:
    """Run Python with these words at the server, and end as it ends."""
    given = [number for number in (0, 1, 2) if is_open(number)]
    for _ in range(3 - len(given)):
        os.open(os.devnull, os.O_RDWR)  # else the socket would get the number of a stream that is closed
    ignored = [int(number) for number in PLAIN if signal.getsignal(number) == signal.SIG_IGN]
    signal.pthread_sigmask(signal.SIG_BLOCK, PLAIN)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0)
    os.umask(umask)
    try:
        server.connect(path)
        socket.send_fds(server, [b"."], [*given, os.open(".", os.O_RDONLY)])
        asked = marshal.dumps((words, dict(os.environb), umask, given, ignored))
        server.sendall(len(asked).to_bytes(4) + asked)
        child = int.from_bytes(server.recv(4))
    except OSError:
        child = 0
    if not child:
        for number in {0, 1, 2}.difference(given):
            os.close(number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PLAIN)
        os.execv(sys.executable, [sys.executable, *words])

    def pass_on(number: int, _: object) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in PLAIN:  # also what is ignored: the program may have a handler of its own by then
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PLAIN)
    answer = server.recv(4)
    if not answer:
        sys.exit("forked.py: nobody knows how the program ended")
    status = int.from_bytes(answer)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


# The server.


def serve(path: str) -> list[str]:
    """Answer until standard input ends. Returns in each child, with the words of the program that it is to run."""
    import gc
    import select

    for name in IMPORTED:
        __import__(name)
    gc.collect()
    gc.freeze()  # the collector would write to every object, and so copy all memory
    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads cannot be forked"  # noqa: PTH208
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path + ".new")
    listener.listen(64)
    os.rename(path + ".new", path)  # noqa: PTH104  # only now can anybody connect
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        if any(number == 0 for number, _ in poll.poll()):
            os._exit(0)
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            return attend(connection)
        connection.close()
        reap()


def reap() -> None:
    """Take the times of those that ended, as a parent does."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def attend(connection: socket.socket) -> list[str]:
    """Fork the program and stay with it until it ends. Returns in the child."""
    import select

    _, streams, _, _ = socket.recv_fds(connection, 1, 4)
    asked = read(connection, int.from_bytes(read(connection, 4)))
    words, environment, umask, given, ignored = marshal.loads(asked)
    if needs_fresh(words, environment):
        connection.sendall(bytes(4))
        os._exit(0)
    child = os.fork()
    if not child:
        connection.close()
        os.setpgid(0, 0)
        become(streams, environment, umask, given, ignored)
        return words
    for number in streams:
        os.close(number)
    connection.sendall(child.to_bytes(4))
    ended = os.pidfd_open(child)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.register(connection, select.POLLIN)
    if ended not in dict(poll.poll()):
        os.kill(child, signal.SIGKILL)  # the client is gone
    status = os.waitpid(child, 0)[1]
    try:
        connection.sendall(status.to_bytes(4))
    finally:
        os._exit(0)


def read(connection: socket.socket, count: int) -> bytes:
    content = b""
    while len(content) < count:
        content += connection.recv(count - len(content)) or os._exit(1)
    return content


def become(
    streams: list[int], environment: dict[bytes, bytes], umask: int, given: list[int], ignored: list[int]
) -> None:
    """Have the streams, the folder, the environment and the signals of the client."""
    os.fchdir(streams[-1])
    for number in (0, 1, 2):
        if number in given:
            os.dup2(streams[given.index(number)], number)
        else:
            os.close(number)
    for number in streams:
        os.close(number)
    for number in PLAIN:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(umask)
    os.environ.clear()
    os.environb.update(environment)
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        old = getattr(sys, name)
        new = None
        if number in given:
            new = open(number, mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
            new.reconfigure(line_buffering=name == "stderr" or new.isatty(), write_through=old.write_through)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def run(words: list[str]) -> None:
    """Run what Python would run for these words."""
    import runpy
    import types

    path = [os.path.abspath(part) for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]  # noqa: PTH100
    sys.path[:1] = ["", *path]
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(words[1], "<string>", "exec"), vars(main))
    elif words[0] == "-m":
        sys.argv = words[1:]
        sys.modules.pop(words[1], None)
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = os.path.dirname(os.path.abspath(words[0]))  # noqa: PTH100, PTH120
        runpy.run_path(words[0], run_name="__main__")


def end(program: Callable[[list[str]], None], words: list[str]) -> None:
    """Run it and end as an interpreter does, but without taking every object apart: that copies the server's memory."""
    import atexit
    import threading
    import traceback

    code: object = 0
    try:
        program(words)
    except SystemExit as error:
        code = error.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
            code = 1
    except BaseException as error:
        traceback.print_exc()
        code = -signal.SIGINT if isinstance(error, KeyboardInterrupt) else 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError as error:
        print(error, file=sys.stderr)
        code = 120
    if sys.stderr:
        sys.stderr.flush()
    if code == -signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    end(run, serve(sys.argv[1]))
