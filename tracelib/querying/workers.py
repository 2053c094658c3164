"""The threads that run queries. They end with the process, whatever they wait for."""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any

log = logging.getLogger(__name__)


class Workers:
    """So many threads, and the tasks that wait for one, in order.

    An executor of Python's would let a process end only once the last statement has.
    """

    def __init__(self, size: int) -> None:
        self._tasks: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()
        for number in range(size):
            Thread(target=self._work, name=f"query {number}", daemon=True).start()

    def submit(self, task: Callable[..., None], *arguments: Any) -> None:
        """Run this when a thread is free."""
        self._tasks.put((task, arguments))

    def _work(self) -> None:
        while True:
            task, arguments = self._tasks.get()
            try:
                task(*arguments)
            except Exception:
                log.exception("A query could not be run.")
