"""Arrays out of an npz file without pickle, checked."""

import zlib
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from reconstruction.errors import InputError

LARGEST = 2**32  # bytes, unpacked: ten times GNM Head


def array_names(path: Path) -> set[str]:
    """Names of the arrays in an npz file.

    Raises
    ------
    InputError
        It is no npz file, or unpacks to more than `LARGEST`.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
    except (BadZipFile, OSError) as error:
        raise InputError(f"expected an npz file, but {path} is none ({error}); check the path.") from None
    if sum(entry.file_size for entry in entries) > LARGEST:
        raise InputError(
            f"expected a model of at most 4 GB, but {path} unpacks to more; check that it is the right file."
        )
    return {entry.filename.removesuffix(".npy") for entry in entries}


def read_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The named arrays; numbers are checked to be finite, text becomes str.

    Raises
    ------
    InputError
        One is missing, holds objects or numbers that are not finite, or the file is damaged.
    """
    missing = sorted(set(names) - array_names(path))
    if missing:
        raise InputError(f"expected an array {missing[0]!r} in {path}, but it is missing; check that it is the file.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in names}
    except (ValueError, OSError, EOFError, BadZipFile, zlib.error) as error:
        raise InputError(f"expected plain arrays in {path}, but they cannot be read ({error}); get it anew.") from None
    for name, array in arrays.items():
        if array.dtype.kind in "iuf" and not np.isfinite(array).all():
            raise InputError(f"expected finite numbers as {name!r} in {path}, but some are not; get it anew.")
        if array.dtype.kind not in "iufUSb":
            raise InputError(f"expected numbers or text as {name!r} in {path}, but found {array.dtype}; get it anew.")
    return arrays
