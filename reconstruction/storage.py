"""Versioned safetensors files: the one container for templates, calibrations, face sequences and atlases.

A file holds named arrays and one JSON header under the metadata key ``face_atlas``. (One key, because safetensors
writes several in random order, and the same content must give the same bytes.) Nothing in it can run code.
"""

import json
import os
import tempfile
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from reconstruction.errors import InputError

HEADER = "face_atlas"


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_arrays(
    path: str | Path, kind: str, version: int, arrays: dict[str, np.ndarray], header: dict[str, Any]
) -> None:
    """Write arrays and a JSON header to one safetensors file, the same bytes for the same content.

    kind : what the file is, e.g. ``face-sequence``; `version` counts changes of that kind's layout.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    document = json.dumps(
        {"kind": kind, "version": version, **header}, sort_keys=True, allow_nan=False, ensure_ascii=False
    )
    write_atomically(path, save(contiguous, metadata={HEADER: document}))


def read_arrays(path: str | Path, kind: str, newest: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file written by `write_arrays`.

    Returns the arrays and the header. Every floating point value is checked to be finite.

    Raises
    ------
    InputError
        The file is missing, no safetensors file, of another kind, newer than `newest`, or holds values that are not
        finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a {kind} file, but {path} does not exist; check the path.")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError, OverflowError, TypeError) as error:
        raise InputError(
            f"expected a {kind} file, but {path} is no readable safetensors file ({error}); write it anew."
        ) from error
    found = header.get("kind") if isinstance(header, dict) else None
    if found != kind:
        raise InputError(
            f"expected a {kind} file, but {path} says it is {found or 'none of ours'}; pass a file of the right kind."
        )
    version = header.get("version")
    if not isinstance(version, int) or version > newest:
        raise InputError(
            f"expected a {kind} file of version {newest} or older, but {path} has version {version}; update face-atlas."
        )
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not _finite(array):
            raise InputError(
                f"expected finite numbers, but {name} in {path} holds NaN or infinity; write the file anew."
            )
    return arrays, header


def _finite(array: np.ndarray) -> bool:
    """Whether no value is NaN or infinite. The square of the length tells, unless it overflows, and takes a moment."""
    flat = array.ravel()
    return bool(isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())


def take(arrays: dict[str, np.ndarray], name: str, shape: tuple[int | None, ...], path: str | Path) -> np.ndarray:
    """The array `name`, checked against `shape` (None: any length).

    Raises
    ------
    InputError
        The array is missing or has another shape.
    """
    if name not in arrays:
        raise InputError(f"expected an array {name!r} in {path}, but it is missing; write the file anew.")
    array = arrays[name]
    as_wanted = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not as_wanted:
        wanted = tuple("any" if n is None else n for n in shape)
        raise InputError(
            f"expected {name!r} of shape {wanted} in {path}, but it has {array.shape}; write the file anew."
        )
    return array
