"""Stored values read back, and nothing else: a file that someone has replaced runs no code."""

import io
import pickle
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any

# What values are made with, in addition to classes of ours; each only makes one of its parts.
MAKERS: Mapping[str, tuple[str, ...]] = {
    "builtins": ("bytearray", "slice"),
    "datetime": ("date", "datetime", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "numpy": ("dtype", "ndarray"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "pandas": (
        *("BooleanDtype", "DatetimeTZDtype", "Float64Dtype", "Int64Dtype", "StringDtype"),
        *("DataFrame", "Index", "RangeIndex"),
    ),
    "pandas._libs.arrays": ("__pyx_unpickle_NDArrayBacked",),
    "pandas._libs.internals": ("_unpickle_block",),
    "pandas.arrays": (
        *("ArrowStringArray", "BooleanArray", "DatetimeArray", "FloatingArray", "IntegerArray"),
        "TimedeltaArray",
    ),
    "pandas.core.indexes.base": ("_new_Index",),
    "pandas.core.internals.managers": ("BlockManager",),
    "pyarrow.lib": ("_restore_array", "py_buffer", "type_for_alias"),
}


def value_of(stored: bytes) -> Any:
    """The value that was stored. Raises UnpicklingError."""
    try:
        return _Unpickler(io.BytesIO(stored)).load()
    except Exception as error:  # what is broken can fail anywhere
        raise pickle.UnpicklingError(str(error)) from error


class _Unpickler(pickle.Unpickler):
    """Reads values of the classes above, and of the dataclasses, tuples and enums of the app."""

    def find_class(self, module: str, name: str) -> Any:
        """The class of a value, or what pandas makes one with. Raises UnpicklingError."""
        if name in MAKERS.get(module, ()):
            return super().find_class(module, name)
        if module.startswith("tracelib."):
            found = getattr(import_module(module), name, None)
            if isinstance(found, type) and (is_dataclass(found) or issubclass(found, tuple | Enum)):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no value")
