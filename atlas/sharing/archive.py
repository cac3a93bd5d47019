"""A folder as one file, the same bytes for the same content, encrypted to its recipients on request."""

import io
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from reconstruction.errors import InputError

KINDS = ("zip", "tar")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip file can tell; it tells nothing


def write_archive(folder: Path, path: Path, recipients: Sequence[Any] = ()) -> Path:
    """Pack the files below `folder` into `path`, a .zip or .tar by its name, whole or not at all; with `recipients` of
    `read_recipients` encrypted, and ``.age`` behind its name. Returns where it is.
    """
    target = path.with_name(path.name + ".age") if recipients else path
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w+b") as stream:
            if recipients:
                # a file without a name: nothing that can be read is left behind, whatever happens
                with tempfile.TemporaryFile(dir=path.parent) as plain:
                    _pack(folder, plain, path.suffix)
                    plain.seek(0)
                    _pyrage().encrypt_io(plain, stream, list(recipients))
            else:
                _pack(folder, stream, path.suffix)
        temporary.chmod(0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target


def read_recipients(keys: Sequence[str]) -> list[Any]:
    """The public keys of age (``age1...``) or SSH (``ssh-ed25519 ...``) that an archive is encrypted to.

    Raises
    ------
    InputError
        A key is none, or pyrage is not installed.
    """
    return [_recipient(key.strip()) for key in keys]


def _recipient(key: str) -> Any:
    pyrage = _pyrage()
    if key.upper().startswith("AGE-SECRET-KEY"):
        raise InputError("expected a public key for --recipient, got a secret one; pass what begins with age1.")
    try:
        kind = pyrage.ssh if key.startswith("ssh-") else pyrage.x25519
        return kind.Recipient.from_str(key)
    except pyrage.RecipientError as error:
        raise InputError(
            f"expected a public key of age (age1...) or SSH (ssh-ed25519 ...) for --recipient, got {key[:12]!r}... "
            f"({error}); ask the recipient for it."
        ) from error


def _pack(folder: Path, stream: BinaryIO, suffix: str) -> None:
    paths = sorted((p.relative_to(folder).as_posix(), p) for p in folder.rglob("*") if p.is_file())
    if suffix == ".tar":
        with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, path in paths:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    tar.addfile(entry, content)
        return
    with zipfile.ZipFile(cast(io.BufferedIOBase, stream), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in paths:
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type, member.create_system, member.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            archive.writestr(member, path.read_bytes())


def _pyrage() -> Any:
    try:
        import pyrage
    except ImportError as error:
        raise InputError(
            "expected the package pyrage for --recipient, but it is not installed; "
            "pip install 'digital-face-atlas[share]'."
        ) from error
    return pyrage
