"""Work done ahead of who needs it, in a thread: decoding and detection leave Python's lock, so that they overlap."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
DEPTH = 2  # items: enough to bridge an uneven pace; each is a frame of video in memory
_END: Any = object()


def ahead(items: Iterator[T], depth: int = DEPTH) -> Generator[T, None, None]:
    """The same items in the same order, up to `depth` of them computed before they are asked for.

    One thread runs `items`, and nothing else may. Close the generator, or leave ``contextlib.closing``, to stop early:
    the item being computed is waited for, the thread ends, and `items` is closed if it is a generator.

    Raises
    ------
    Exception
        What `items` raises, after the items before it.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting = deque(thread.submit(next, items, _END) for _ in range(depth))
        try:
            while (item := waiting.popleft().result()) is not _END:
                waiting.append(thread.submit(next, items, _END))
                yield item
        finally:
            for task in waiting:
                task.cancel()
            if isinstance(items, Generator):
                thread.submit(items.close).result()
