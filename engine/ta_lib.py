"""TA-Lib, imported without pandas, which it would load in every process: 80 MB and half a second.

TA-Lib asks for pandas to take its Series and frames beside arrays. It gets stand-ins for them
here: whoever loads pandas can hand them to TA-Lib all the same. No indicators here.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _StandIn(type):
    """A class of pandas: nothing is an instance of it before pandas is loaded."""

    def __instancecheck__(cls, instance: Any) -> bool:
        real = getattr(sys.modules.get("pandas"), cls.__name__, None)
        return real is not None and isinstance(instance, real)

    def __call__(cls, *arguments: Any, **options: Any) -> Any:
        return getattr(sys.modules["pandas"], cls.__name__)(*arguments, **options)


def _import_alone() -> ModuleType:
    if "pandas" in sys.modules:
        return import_module("talib")
    names = ("Series", "DataFrame")
    stand_ins = ModuleType("pandas")
    stand_ins.__dict__.update({name: _StandIn(name, (), {}) for name in names})
    sys.modules["pandas"] = stand_ins
    try:
        return import_module("talib")
    finally:
        del sys.modules["pandas"]


talib = _import_alone()
