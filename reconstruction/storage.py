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
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize
from safetensors.numpy import save

from reconstruction.errors import InputError, InputWarning

HEADER, ELEMENTS = "face_atlas", "elements"
ENCODING_VERSION = 1  # of every encoding below
WRITING = ".writing-"  # what a file is called after until it is whole; one that a killed process left is garbage
LARGEST_HEADER = 2**26  # bytes; the largest atlas has well under a hundredth
LARGEST_KEPT = 2**16  # of the headers that are not parsed anew where the next file has the same
DEEPEST = 64  # objects within objects
_DTYPES = {  # by their names in a file
    **{f"F{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
    **{f"I{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    "BOOL": np.dtype(bool),
}
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


def check_folder(out: Path, option: str = "--out") -> None:
    """Raise InputError where `out`, of the command's `option`, cannot be a folder that is written to."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise InputError(f"expected a folder for {option}, but {there} is a file; name another.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"expected a folder for {option} that may be written to, but {there} may not; name another.")


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
        elements |= {name: _element(_encoding(array.dtype)) for name, array in contiguous.items()}
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
    path = path if isinstance(path, Path) else Path(path)
    if not os.path.isfile(path):
        raise InputError(f"expected a {kind} file, but {path} does not exist; check the path.")
    content, length = _content(path, kind)
    parse = _parse_header_again if length <= LARGEST_KEPT else _parse_header
    try:
        header, stored = parse(bytes(content[: 8 + length]), len(content))
    except (SafetensorError, OverflowError, TypeError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise _unreadable(kind, path, error) from error
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
    table, arrays = header.get(ELEMENTS, {}), {}
    for name, (of, shape, place) in stored.items():
        if not known.get(name, True):
            continue
        if of not in _DTYPES:
            raise _unreadable(kind, path, f"{_short(name)} is of the type {of}, which NumPy has not")
        array: np.ndarray = np.ndarray(shape, _DTYPES[of], content, place)
        arrays[name] = array if array.flags.aligned else array.copy()
        is_of = _encoding(array.dtype)
        said = table[name]["encoding"] if name in table else is_of
        if said != is_of:
            raise InputError(
                f"expected {name!r} in {path} to be {_short(said)}, as its header says, but it is {array.dtype}; write "
                "the file anew."
            )
        if array.dtype.kind == "f" and not _finite(array):
            raise InputError(
                f"expected finite numbers, but {name} in {path} holds NaN or infinity; write the file anew."
            )
    return arrays, _copy({n: value for n, value in header.items() if n != ELEMENTS and known.get(n, True)})


def _content(path: Path, kind: str) -> tuple[bytearray, int]:
    """The file as it is, and how long its header is, which is no longer than the file."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > size - 8:
            raise _unreadable(kind, path, f"its header is said to be longer than the file, which has {size} bytes")
        if length > LARGEST_HEADER:
            raise _unreadable(kind, path, f"its header is larger than {LARGEST_HEADER >> 20} MiB")
        file.seek(0)
        content = bytearray(size)
        if file.readinto(content) != size:
            raise _unreadable(kind, path, "it ends while it is read")
    return content, length


def _parse_header(head: bytes, size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON under `HEADER`, and {name: (type as safetensors calls it, shape, place)} of the arrays, of a file of
    `size` bytes that begins with `head`. Nothing else tells whether safetensors finds a file to be one. It is parsed
    here too because safetensors takes the last of two equal names.

    Raises
    ------
    ValueError, TypeError, OverflowError, SafetensorError
        The file is none.
    """
    outer = parse_json(head[8:].decode("utf-8"))
    if not isinstance(outer, dict):
        return {}, {}
    deserialize(head + bytes(size - len(head)))
    metadata = outer.pop("__metadata__", None) or {}
    text = metadata.get(HEADER)
    ours = {} if text is None else (_parse_again if len(head) <= LARGEST_KEPT else parse_json)(text)
    stored = {n: (a["dtype"], tuple(a["shape"]), len(head) + a["data_offsets"][0]) for n, a in outer.items()}
    return ours if isinstance(ours, dict) else {}, stored


_parse_header_again = lru_cache(maxsize=32)(_parse_header)  # recordings of a cohort and length have few different ones


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise ValueError(f"the name {_short(names.most_common(1)[0][0])} is there twice")
    return out


def _number(what: str) -> float:
    if not isfinite(value := float(what)):
        raise ValueError(f"{_short(what)} is no number of JSON's")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_number, parse_float=_number)


def parse_json(text: str) -> Any:
    """JSON as its standard has it, of bounded depth: no name twice in an object, no NaN.

    Raises
    ------
    ValueError
        `text` is none.
    """

    try:
        document = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {DEEPEST}") from None
    if text.count("{") + text.count("[") <= DEEPEST:
        return document
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


_parse_again = lru_cache(maxsize=32)(parse_json)  # and those of other lengths still have few of these


def _copy(document: Any) -> Any:
    """A JSON object or list of one's own: what is parsed only once is everybody's."""
    if isinstance(document, dict):
        return {name: _copy(value) if isinstance(value, (dict, list)) else value for name, value in document.items()}
    return [_copy(value) if isinstance(value, (dict, list)) else value for value in document]


def _known_elements(header: Mapping[str, Any], path: Path) -> dict[str, bool]:
    """Whether this software knows how to read an element, by name; of every one that the table names."""
    table = header.get(ELEMENTS, {})
    if not isinstance(table, dict):
        raise InputError(f"expected a table of elements in the header of {path}, got a list; write the file anew.")
    known = {}
    for name, element in table.items():
        encoding, version = (element.get("encoding"), element.get("version")) if isinstance(element, dict) else (0, 0)
        if not isinstance(encoding, str) or type(version) is not int:
            raise InputError(
                f"expected the encoding and the version of {_short(name)} in the header of {path}, but they are "
                "missing; write the file anew."
            )
        known[name] = version <= ENCODING_VERSION and encoding.split("/", 1)[0] in ("array", "json")
        if not known[name]:
            left_out(
                f"{_short(name)} in {path.name} is {_short(encoding)}, version {version}: newer than this software"
            )
    return known


@cache
def _encoding(dtype: np.dtype[Any]) -> str:
    """``array/float32`` and so on; NumPy puts a name together anew every time, which takes longer than reading."""
    return f"array/{dtype.name}"


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
    if array.shape == shape:
        return array
    as_wanted = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not as_wanted:
        wanted = tuple("any" if n is None else n for n in shape)
        raise InputError(
            f"expected {name!r} of shape {wanted} in {path}, but it has {array.shape}; write the file anew."
        )
    return array
