"""Versioned safetensors files: the one container for templates, calibrations, face sequences and atlases.

A file holds named arrays and one JSON header under the metadata key ``face_atlas``. (One key, because safetensors
writes several in random order, and the same content must give the same bytes.) The header's ``elements`` names the
encoding and its version of every array and every field. Nothing in a file can run code. ``docs/format.md`` is the
specification.
"""

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from reconstruction.errors import InputError, InputWarning

HEADER, ELEMENTS = "face_atlas", "elements"
ENCODING_VERSION = 1  # of every encoding below
WRITING = ".writing-"  # what a file is called after until it is whole; one that a killed process left is garbage
LARGEST_HEADER = 2**26  # bytes; the largest atlas has well under a hundredth
DEEPEST = 64  # objects within objects
_FIELD_ENCODINGS = {bool: "boolean", str: "string", int: "integer", float: "number", dict: "object", type(None): "null"}


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=WRITING)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def json_text(document: Any) -> str:
    """A document as the project's JSON files hold it: indented, Unicode as it is, no NaN."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: str | Path, document: Any) -> None:
    """Write a JSON file whole or not at all."""
    write_atomically(path, json_text(document).encode())


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out`, new or empty until then, when all went well; else nothing is left."""
    out.parent.mkdir(parents=True, exist_ok=True)
    writing = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    try:
        yield writing
        writing.chmod(0o755)
        if out.exists():
            out.rmdir()
        writing.rename(out)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise


def write_arrays(
    path: str | Path,
    kind: str,
    version: int,
    arrays: Mapping[str, np.ndarray],
    header: Mapping[str, Any],
    about: Mapping[str, Mapping[str, str]] | None = None,
    table: bool = True,
) -> None:
    """Write arrays and a JSON header to one safetensors file, the same bytes for the same content.

    kind : what the file is, e.g. ``face-sequence``; `version` counts changes of that kind's layout.
    about : what more to say of arrays in the table of elements, such as unit and axes
    table : whether there is one; not in files whose bytes are their name, if they were written before it

    Raises
    ------
    InputError
        A number is not finite: `read_arrays` would refuse the file.
    """
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in contiguous.items():
        if array.dtype.kind == "f" and not _finite(array):
            raise InputError(f"expected finite numbers, but {name} holds NaN or infinity; nothing was written.")
    document: dict[str, Any] = {"kind": kind, "version": version, **header}
    if table:
        elements = {name: _element(f"json/{_field_encoding(value)}") for name, value in header.items()}
        elements |= {name: _element(f"array/{array.dtype.name}") for name, array in contiguous.items()}
        for name, more in (about or {}).items():
            elements[name] |= more
        document[ELEMENTS] = elements
    text = json.dumps(document, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_atomically(path, save(contiguous, metadata={HEADER: text}))


def _element(encoding: str) -> dict[str, Any]:
    return {"encoding": encoding, "version": ENCODING_VERSION}


def _field_encoding(value: Any) -> str:
    return _FIELD_ENCODINGS.get(type(value), "array")


def read_arrays(path: str | Path, kind: str, newest: int) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file written by `write_arrays`, of this version or an earlier one, which had no table of elements.

    Returns the arrays and the header without that table. Every floating point value is checked to be finite. What is
    in an encoding that this software does not know is left out with an `InputWarning`.

    Raises
    ------
    InputError
        The file is missing, no safetensors file, of another kind, newer than `newest`, contradicts itself, or holds
        values that are not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a {kind} file, but {path} does not exist; check the path.")
    header = _header(path, kind)
    found = header.get("kind")
    if found != kind:
        raise InputError(
            f"expected a {kind} file, but {path} says it is {_short(found) if found else 'none of ours'}; pass a file "
            "of the right kind."
        )
    version = header.get("version")
    if type(version) is not int or not 1 <= version <= newest:
        raise InputError(
            f"expected a {kind} file of version {newest} or older, but {path} has version {_short(version)}; update "
            "face-atlas."
        )
    known = _known_elements(header, path)
    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys() if known.get(name, True)}  # noqa: SIM118
    except (SafetensorError, UnicodeDecodeError, OverflowError, TypeError, ValueError, AttributeError) as error:
        raise _unreadable(kind, path, error) from error
    encodings = {name: element["encoding"] for name, element in header.pop(ELEMENTS, {}).items() if known[name]}
    for name, array in arrays.items():
        is_of = _dtype_name(array.dtype)
        said = encodings.get(name, f"array/{is_of}")
        if said != f"array/{is_of}":
            raise InputError(
                f"expected {name!r} in {path} to be {_short(said)}, as its header says, but it is {is_of}; write the "
                "file anew."
            )
        if array.dtype.kind == "f" and not _finite(array):
            raise InputError(
                f"expected finite numbers, but {name} in {path} holds NaN or infinity; write the file anew."
            )
    return arrays, {name: value for name, value in header.items() if known.get(name, True)}


def _header(path: Path, kind: str) -> dict[str, Any]:
    """The JSON under `HEADER`; read here as well as by safetensors, which takes the last of two equal names."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise _unreadable(kind, path, f"its header is said to be longer than the file, which has {size} bytes")
        if length > LARGEST_HEADER:
            raise _unreadable(kind, path, f"its header is larger than {LARGEST_HEADER >> 20} MiB")
        content = file.read(length)
    try:
        outer = parse_json(content.decode("utf-8"))
        metadata = outer.get("__metadata__", {}) if isinstance(outer, dict) else {}
        header = parse_json(metadata[HEADER]) if isinstance(metadata, dict) and HEADER in metadata else {}
    except (ValueError, TypeError) as error:  # UnicodeDecodeError is a ValueError
        raise _unreadable(kind, path, error) from error
    return header if isinstance(header, dict) else {}


def parse_json(text: str) -> Any:
    """JSON as its standard has it, of bounded depth: no name twice in an object, no NaN.

    Raises
    ------
    ValueError
        `text` is none.
    """

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in found:
            if name in out:
                raise ValueError(f"the name {_short(name)} is there twice")
            out[name] = value
        return out

    def number(what: str) -> float:
        if not isfinite(value := float(what)):
            raise ValueError(f"{_short(what)} is no number of JSON's")
        return value

    try:
        document = json.loads(text, object_pairs_hook=pairs, parse_constant=number, parse_float=number)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST}") from None
    layer = [document]
    for _ in range(DEEPEST):
        layer = [
            inner
            for value in layer
            if isinstance(value, (dict, list))  # a union would be made anew every time
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
        if not layer:
            return document
    raise ValueError(f"nested deeper than {DEEPEST}")


def _known_elements(header: Mapping[str, Any], path: Path) -> dict[str, bool]:
    """Whether this software knows how to read an element, by name; of every one that the table names."""
    table = header.get(ELEMENTS, {})
    if not isinstance(table, dict):
        raise InputError(f"expected a table of elements in the header of {path}, got a list; write the file anew.")
    known = {}
    for name, element in table.items():
        encoding, version = (element.get(k) for k in ("encoding", "version")) if isinstance(element, dict) else (0, 0)
        if not isinstance(encoding, str) or type(version) is not int:
            raise InputError(
                f"expected the encoding and the version of {_short(name)} in the header of {path}, but they are "
                "missing; write the file anew."
            )
        known[name] = version <= ENCODING_VERSION and encoding.partition("/")[0] in ("array", "json")
        if not known[name]:
            left_out(
                f"{_short(name)} in {path.name} is {_short(encoding)}, version {version}: newer than this software"
            )
    return known


@cache
def _dtype_name(dtype: np.dtype[Any]) -> str:
    """``float32`` and so on; NumPy puts it together anew every time, which takes longer than reading an array."""
    return dtype.name


def left_out(what: str) -> None:
    """Say with an `InputWarning` that something in a file was left out."""
    warnings.warn(f"{what}; it was left out.", InputWarning, stacklevel=2)


def _unreadable(kind: str, path: Path, why: object) -> InputError:
    said = " ".join(str(why).split())[:200]
    return InputError(f"expected a {kind} file, but {path} is no readable safetensors file ({said}); write it anew.")


def _short(value: Any) -> str:
    """At most 60 characters of something in a file, on one line."""
    said = " ".join(str(value).split())
    return said if len(said) <= 60 else f"{said[:57]}..."


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
