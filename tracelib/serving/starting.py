"""What a server does before anybody comes."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

# So many new objects are looked through at a time: about those of three runs of a page.
YOUNG = 50_000


def prepared(
    prepare: Callable[[], None],
) -> Callable[[object], AbstractAsyncContextManager[None]]:
    """How does a server start, so that its first viewers need not wait? An ASGI lifespan.

    What was imported and met by then is never looked through for garbage again, and the rest
    less often: fifty viewers would wait for that one by one.
    """

    @asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        await asyncio.to_thread(prepare)
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
        yield

    return lifespan
