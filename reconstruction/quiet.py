"""Silence for native libraries that write to stderr on their own (MediaPipe's start-up, OpenCV's decoders)."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_within = 0  # blocks entered and not left, in all threads
_saved: int | None = None  # what the first of them silenced


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send file descriptor 2 to nowhere for the length of the block; of blocks that overlap in several threads, until
    the last is left.

    For the whole process: use it round single native calls whose failures are reported by return value or exception.
    """
    global _within, _saved
    with _lock:
        if _within == 0:
            _saved = _silence()
        _within += 1
    try:
        yield
    finally:
        with _lock:
            _within -= 1
            if _within == 0 and _saved is not None:
                os.dup2(_saved, 2)
                os.close(_saved)


def _silence() -> int | None:
    """A copy of the file descriptor silenced, None where there is none."""
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return saved
