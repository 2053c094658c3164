"""Things of which a process has one: pools, threads, writers."""

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class MadeOnce(Generic[P, T]):
    """What `make` returns for these arguments, made once, of the latest `most` arguments.

    With `lru_cache` alone, two threads that come first at the same time make one each.
    """

    def __init__(self, make: Callable[P, T], most: int = 4) -> None:
        self._made = lru_cache(most)(make)
        self._lock = Lock()

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> T:
        with self._lock:
            return self._made(*arguments, **named)  # type: ignore[arg-type]

    def cache_clear(self) -> None:
        """Make all of them again."""
        self._made.cache_clear()
