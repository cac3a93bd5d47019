"""Arrays out of other tools' .npy, .npz and .mat files, which may be hostile: no pickle, nothing larger than said."""

import io
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np
from scipy.io import loadmat, whosmat

from reconstruction.errors import InputError
from reconstruction.storage import write_atomically

LARGEST = 2**30  # bytes of one file, unpacked: an hour of parameters has a hundredth
NUMBERS = "fiu"
PICKLE = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"(dp", b"(lp", b"ccopy_reg")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npy(path: Path) -> np.ndarray:
    """The numbers in a .npy file.

    Raises
    ------
    InputError
        The file is missing, too large, damaged, or holds a pickle, text or numbers that are not finite.
    """
    _check_file(path)
    with path.open("rb") as file:
        return _array(file.read(), path, path.name)


def read_archive(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Those of the named arrays that a .npz or .mat file has; the rest of it is not read.

    Raises
    ------
    InputError
        The file is missing, too large, damaged, or one of them is a pickle, text or not finite.
    """
    _check_file(path)
    return _from_mat(path, names) if path.suffix.lower() == ".mat" else _from_npz(path, names)


def names_in(path: Path) -> set[str]:
    """Names of the arrays in a .npz or .mat file; none where it cannot be read."""
    try:
        if path.suffix.lower() == ".mat":
            return {name for name, _, _ in whosmat(str(path))}
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except Exception:  # whatever a damaged file raises: it is not recognised
        return set()


def shaped(array: np.ndarray, what: str, width: int, *more: int) -> np.ndarray:
    """(N, width) float32: `array` of that shape, or of `more` widths, or (width,) as one row.

    Raises
    ------
    InputError
        It has another shape, no row, or numbers beyond float32.
    """
    rows = array[None] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] not in (width, *more) or not len(rows):
        widths = " or ".join(str(n) for n in (width, *more))
        raise InputError(f"expected {widths} numbers a frame as {what}, got shape {array.shape}; check the file.")
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    if not np.isfinite(narrow).all():
        raise InputError(f"expected numbers that float32 can hold as {what}, but some are too large; check the file.")
    return narrow


def write_npy(path: Path, array: np.ndarray) -> None:
    """Write `array` as float32 to a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    write_atomically(path, stream.getvalue())


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"expected a file of arrays, but {path} does not exist; check the path.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"expected a file of at most 1 GB, but {path} is larger; check that it is the right one.")


def _array(content: bytes, path: Path, what: str) -> np.ndarray:
    """One array of .npy's format, whose header is believed only as far as there are bytes."""
    stream = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(stream)
        shape, fortran, dtype = _HEADERS[version](stream)
    except Exception as error:  # a hostile header may raise anything
        if content.startswith(PICKLE):
            raise _pickled(path, what) from None
        raise InputError(
            f"expected an array in NumPy's format as {what} of {path}, but it is none ({_brief(error)}); save it anew."
        ) from None
    if dtype.hasobject:
        raise _pickled(path, what)
    if dtype.kind not in NUMBERS or dtype.names:
        raise InputError(f"expected numbers as {what} of {path}, but it holds {str(dtype)[:40]}; save it anew.")
    rest = len(content) - stream.tell()
    if math.prod(shape) * dtype.itemsize != rest:
        raise InputError(
            f"expected {math.prod(shape)} numbers as {what} of {path}, as its header says, but {rest} bytes are there; "
            "copy the file anew."
        )
    if not rest:
        raise InputError(f"expected numbers as {what} of {path}, but there are none; save it anew.")
    array = np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")
    return _finite(array.astype(dtype.newbyteorder("=")), path, what)


def _from_npz(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(PICKLE):
        raise _pickled(path, path.name)
    if start.startswith(b"\x93NUMPY"):  # np.save of a dict, or of a lone array
        array = read_npy(path)
        raise InputError(f"expected several named arrays in {path}, but it holds one of shape {array.shape}; use .npz.")
    try:
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.getinfo(f"{name}.npy") for name in names if f"{name}.npy" in archive.namelist()}
            if sum(entry.file_size for entry in found.values()) > LARGEST:
                raise InputError(f"expected arrays of at most 1 GB, but {path} unpacks to more; check the file.")
            contents = {}
            for name, entry in found.items():
                with archive.open(entry) as stream:
                    contents[name] = stream.read(entry.file_size + 1)
    except InputError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputError(f"expected an .npz file, but {path} cannot be read ({_brief(error)}); save it anew.") from None
    return {name: _array(content, path, name) for name, content in contents.items()}


def _from_mat(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        listed = [(name, shape, kind) for name, shape, kind in whosmat(str(path)) if name in names]
        if 8 * sum(math.prod(shape) for _, shape, _ in listed) > LARGEST:
            raise InputError(f"expected arrays of at most 1 GB, but {path} unpacks to more; check the file.")
        for name, _, kind in listed:
            if kind not in ("single", "double") and "int" not in kind:
                raise InputError(f"expected numbers as {name} of {path}, but it holds {kind[:40]}; save it anew.")
        whole = loadmat(str(path), variable_names=[name for name, _, _ in listed])
    except InputError:
        raise
    except Exception as error:  # SciPy's reader raises many things; a hostile file any of them
        raise InputError(f"expected a .mat file, but {path} cannot be read ({_brief(error)}); save it anew.") from None
    out = {}
    for name, _, _ in listed:
        if not isinstance(whole.get(name), np.ndarray) or whole[name].dtype.kind not in NUMBERS:
            raise InputError(f"expected numbers as {name} of {path}, but it holds none; save it anew.")
        out[name] = _finite(whole[name], path, name)
    return out


def _finite(array: np.ndarray, path: Path, what: str) -> np.ndarray:
    if not np.isfinite(array).all():
        raise InputError(f"expected finite numbers as {what} of {path}, but some are NaN or infinite; save it anew.")
    return array


def _pickled(path: Path, what: str) -> InputError:
    return InputError(
        f"expected arrays of numbers in {path}, but {what} is a Python pickle, which may run code when it is opened; "
        "save the arrays one by one, with numpy.save or numpy.savez."
    )


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:80]}"
