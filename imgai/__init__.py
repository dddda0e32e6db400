"""imgai: the image toolkit, as a command line and as a library.

>>> segment = imgai.load("segment", model="subject")
>>> segment("cat.jpg").save("cat.png", kind="cutout")

See docs/library.md.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing's takes longer to import than all else here, and Ctrl-C meets no handler meanwhile

if TYPE_CHECKING:
    from imgai.errors import DeviceError, ImgaiError, InputError, PluginError, UsageError
    from imgai.library.ask import load, run
    from imgai.library.chain import Chain
    from imgai.library.result import Box, Result
    from imgai.options import Machine

__version__ = "0.2.0"

__all__ = [
    "Box",
    "Chain",
    "DeviceError",
    "ImgaiError",
    "InputError",
    "Machine",
    "PluginError",
    "Result",
    "UsageError",
    "load",
    "run",
]

# Imported on first use, so that `import imgai` is fast and imports neither torch nor NumPy.
_MODULES = {
    "Box": "library.result",
    "Chain": "library.chain",
    "DeviceError": "errors",
    "ImgaiError": "errors",
    "InputError": "errors",
    "Machine": "options",
    "PluginError": "errors",
    "Result": "library.result",
    "UsageError": "errors",
    "load": "library.ask",
    "run": "library.ask",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'imgai' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"imgai.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
