"""Arrays out of a pickle that may be hostile: no class, function or module that it names is ever touched.

Every name a pickle asks for is looked up in an exact list and answered by an inert record, which keeps what it is given
and does nothing. Arrays are made afterwards, here, from records whose type, shape and length are checked. chumpy, whose
objects the FLAME files hold and which no longer installs, is not needed.
"""

import io
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from reconstruction.errors import InputError

LARGEST = 2**30  # bytes; the largest FLAME file has 53 MB


class Record:
    """What stands for an object of a pickle: `args` it was called with, `state` it was given."""

    args: tuple
    state: Any = None

    def __new__(cls, *args: Any) -> Any:
        made = object.__new__(cls)
        made.args = args
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state


class Array(Record):
    """numpy.ndarray by way of `_reconstruct`; its state is version, shape, dtype, Fortran order, bytes."""


class Buffer(Record):
    """numpy.ndarray as protocol 5 writes it; args are bytes, dtype, shape, order."""


class Scalar(Record):
    """A number of numpy's; args are dtype and bytes."""


class Dtype(Record):
    """numpy.dtype; args begin with its code, the second entry of the state is its byte order."""


class Sparse(Record):
    """scipy.sparse.csc_matrix; its state is a dict of its attributes."""


class Chumpy(Record):
    """chumpy.ch.Ch, an array in state['x']."""


class Selected(Record):
    """chumpy.reordering.Select: entries idxs of the array a, in a shape of their own."""


class Plain(Record):
    """A class that is only named, or `copyreg._reconstructor`, which makes an object of the class it is given."""

    def __new__(cls, *args: Any) -> Any:
        made = args and isinstance(args[0], type) and issubclass(args[0], Record)
        return args[0]() if made else Record.__new__(cls, *args)


class Encoded(Record):
    """`_codecs.encode`: bytes that protocols below 3 write as text."""

    def __new__(cls, *args: Any) -> Any:
        if len(args) != 2 or not isinstance(args[0], str) or args[1] not in ("latin1", "latin-1"):
            raise ValueError("bytes in an unknown encoding")
        return args[0].encode("latin1")


class Collected(Record):
    """`set`, of which chumpy keeps some."""

    def __new__(cls, *args: Any) -> Any:
        return set(*args)


ALLOWED: dict[tuple[str, str], type[Record]] = {
    ("numpy", "ndarray"): Plain,
    ("numpy", "dtype"): Dtype,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): Array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): Scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): Buffer for core in ("core", "_core")},
    ("_codecs", "encode"): Encoded,
    ("scipy.sparse.csc", "csc_matrix"): Sparse,
    ("scipy.sparse._csc", "csc_matrix"): Sparse,
    ("chumpy.ch", "Ch"): Chumpy,
    ("chumpy.reordering", "Select"): Selected,
    ("copy_reg", "_reconstructor"): Plain,
    ("copyreg", "_reconstructor"): Plain,
    ("__builtin__", "object"): Plain,
    ("builtins", "object"): Plain,
    ("__builtin__", "set"): Collected,
    ("builtins", "set"): Collected,
}


class _Refused(Exception):
    """What a pickle asked for and does not get."""


class _Reader(pickle._Unpickler):
    """Python's own unpickler in Python: its memo is a dict, so that a place of four billion costs nothing, and every
    way out of the file is a method.
    """

    read: Callable[[int], bytes]
    append: Callable[[Any], None]

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise _Refused(f"{module}.{name}")
        return ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("an object outside the file")

    def get_extension(self, code: int) -> Any:
        raise _Refused(f"the registered extension {code}")

    def load_bytearray8(self) -> None:
        """As bytes: room is made for what is there, not for what is said to be there."""
        size = int.from_bytes(self.read(8), "little")
        self.append(self.read(min(size, LARGEST)))

    dispatch: ClassVar[dict[int, Any]] = {**pickle._Unpickler.dispatch, pickle.BYTEARRAY8[0]: load_bytearray8}


def read_pickle(path: str | Path) -> dict[str, Any]:
    """The dict in a pickle of protocol 0 to 5 by Python 2 or 3; its arrays are still records, see `as_array`.

    Raises
    ------
    InputError
        The file is missing, too large or damaged, holds no dict, or asks for anything that no model needs; the message
        says what. Nothing of it was run.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a pickle, but {path} does not exist; check the path.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"expected a model of at most 1 GB, but {path} is larger; check that it is the right file.")
    content = path.read_bytes()
    try:
        found = _Reader(io.BytesIO(content), encoding="latin1").load()
    except _Refused as refused:
        raise InputError(
            f"expected arrays and nothing else in {path}, but it asks for {refused}, as no face model does; nothing of "
            "it was run: do not open it with other software, and get the model from its publisher."
        ) from None
    except Exception as error:  # a hostile file may raise anything; none of it is worth more than this sentence
        raise InputError(
            f"expected a pickle, but {path} cannot be read ({type(error).__name__}: {str(error)[:80]}); get the model "
            "anew from its publisher."
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"expected a dict of arrays in {path}, but found {_kind(found)}; check that it is the file.")
    return found


def as_array(value: Any, what: str) -> np.ndarray:
    """The numbers in a record of `read_pickle`, or in a list, as an array; what : its name, for the message.

    Raises
    ------
    InputError
        It is no array of finite numbers, or its size does not agree with its shape.
    """
    try:
        array = _numbers(value, 0)
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"expected numbers as {what!r}, but found {_kind(value)} ({str(error)[:80]}); check that it is the file."
        ) from None
    if not np.isfinite(array).all():
        raise InputError(f"expected finite numbers as {what!r}, but some are NaN or infinite; get the model anew.")
    return array


def _numbers(value: Any, depth: int) -> np.ndarray:
    if depth > 4:
        raise ValueError("nested too deeply")
    if isinstance(value, Chumpy):
        return _numbers(value.state["x"], depth + 1)
    if isinstance(value, Selected):
        whole, chosen = (_numbers(value.state[key], depth + 1) for key in ("a", "idxs"))
        shape = value.state.get("preferred_shape")
        picked = whole.ravel()[chosen.astype(np.int64).ravel()]
        return picked if shape is None else picked.reshape(tuple(int(n) for n in _numbers(shape, depth + 1).ravel()))
    if isinstance(value, Sparse):
        state = value.state
        data, indices, indptr = (_numbers(state[key], depth + 1) for key in ("data", "indices", "indptr"))
        rows, columns = (int(n) for n in _numbers(state["_shape"] if "_shape" in state else state["shape"], depth + 1))
        if not (0 < rows * columns <= LARGEST // 64 and len(indptr) == columns + 1):
            raise ValueError(f"a sparse matrix of {rows} x {columns}")
        matrix = sp.csc_matrix((data, indices, indptr), (rows, columns))
        matrix.check_format(full_check=True)
        return matrix.toarray()
    if isinstance(value, Array):
        _, shape, dtype, fortran, content = value.state
        return _from_bytes(content, _dtype(dtype), shape, bool(fortran))
    if isinstance(value, Buffer):
        content, dtype, shape, order = value.args
        return _from_bytes(content, _dtype(dtype), shape, order == "F")
    if isinstance(value, Scalar):
        return _from_bytes(value.args[1], _dtype(value.args[0]), (), False)
    if isinstance(value, list | tuple) and all(isinstance(entry, Scalar) for entry in value):
        return np.array([float(_numbers(entry, depth + 1)) for entry in value])
    if isinstance(value, list | tuple | int | float):
        array = np.array(value)
        if array.dtype.kind in "biuf":
            return array
    raise ValueError(_kind(value))


def _dtype(record: Any) -> np.dtype:
    code, order = str(record.args[0]), record.state[1]
    if code[:1] not in tuple("biuf") or code[1:] not in ("1", "2", "4", "8"):
        raise ValueError(f"entries of type {code[:20]!r}")
    return np.dtype(("<" if order in ("|", "=") else {"<": "<", ">": ">"}[order]) + code)


def _from_bytes(content: Any, dtype: np.dtype, shape: Any, fortran: bool) -> np.ndarray:
    if isinstance(content, str):  # Python 2 wrote bytes as text
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray):
        raise ValueError(f"entries in {_kind(content)}")
    size = tuple(int(n) for n in shape)
    if min(size, default=0) < 0 or math.prod(size) * dtype.itemsize != len(content):
        raise ValueError(f"{len(content)} bytes for shape {size}")
    return np.frombuffer(content, dtype).reshape(size, order="F" if fortran else "C").astype(dtype.newbyteorder("="))


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
