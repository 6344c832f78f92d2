"""Jobs compile nothing, and do without torch's compiler: importing it takes two fifths of what torch and torchvision
take together, and torchvision and every optimizer import it, only to mark what is never to be compiled."""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

COMPILER = "torch._dynamo"
UTILS = f"{COMPILER}.utils"


class _Unloaded(ModuleType):
    """Stands in a module's place, and has it loaded as soon as it is asked for what was not put here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and (self.__name__, name) != (COMPILER, "__path__"):
            raise AttributeError(name)  # what anyone asks of any module; a path is where modules below are looked for
        for module in (COMPILER, UTILS):
            if isinstance(sys.modules.get(module), _Unloaded):
                del sys.modules[module]
        return getattr(import_module(self.__name__), name)


def leave_unloaded() -> None:
    """Torch's compiler is loaded once it is used, not when torchvision is imported or a first optimizer is made.

    To be called before torch is imported; afterwards it does nothing.
    """
    if "torch" in sys.modules:
        return
    compiler, utils = _Unloaded(COMPILER), _Unloaded(UTILS)
    compiler.disable, compiler.graph_break = _disable, lambda *_: None
    utils.is_compile_supported = lambda device: utils.__getattr__("is_compile_supported")(device)
    sys.modules |= {COMPILER: compiler, UTILS: utils}


def _disable(function: Callable | None = None, *_: Any, **__: Any) -> Callable:
    """The mark itself: what is never to be compiled is what it is, where nothing is compiled."""
    return _disable if function is None else function
