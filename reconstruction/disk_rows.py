"""An array that grows on disk, row by row, so that a long recording needs no more memory than a short one."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np


class DiskRows:
    """Rows of one shape in a temporary file without a name, gone when closed or when the process ends; a context
    manager. Rows never written are 0.

    Indexing reads: ``rows[a:b]``, ``rows[indices]`` and these with further
    axes, ``rows[a:b, :, :2]``, give ordinary arrays, so read a piece at a time. (Not a memory
    map, whose pages count as the process's memory as long as nothing presses them out.)

    shape : of one row; folder : where the file lies, the system's folder for such files unless given
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, folder: Path | None = None):
        self.row_shape, self.dtype = shape, np.dtype(dtype)
        self._size = int(np.prod(shape)) * self.dtype.itemsize
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        return (self._count, *self.row_shape)

    def write(self, index: int, row: np.ndarray) -> None:
        """Set one row; those between the last and it become 0."""
        self._file.seek(index * self._size)
        self._file.write(np.ascontiguousarray(row, self.dtype).reshape(self.row_shape).data)
        self._count = max(self._count, index + 1)

    def extend(self, count: int) -> None:
        """Let there be at least `count` rows."""
        self._count = max(self._count, count)
        self._file.truncate(self._count * self._size)

    def __getitem__(self, which: Any) -> np.ndarray:
        if isinstance(which, tuple):
            return self[which[0]][(slice(None), *which[1:])]
        if isinstance(which, slice):
            start, stop, step = which.indices(self._count)
            if step != 1:
                return self[np.arange(start, stop, step)]
            return self._read(start, max(0, stop - start))
        rows = np.flatnonzero(which) if which.dtype == bool else np.asarray(which)
        out = np.empty((len(rows), *self.row_shape), self.dtype)
        for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
            if len(run):
                out[run] = self._read(int(rows[run[0]]), len(run))
        return out

    def _read(self, start: int, count: int) -> np.ndarray:
        if not 0 <= start <= start + count <= self._count:
            raise IndexError(f"rows {start} to {start + count} of {self._count}")
        out = np.zeros((count, *self.row_shape), self.dtype)
        self._file.seek(start * self._size)
        self._file.readinto(out.data)
        return out

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> "DiskRows":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
