"""Earlier releases of averages, of groups or of people alike: who was in each, so that a later one cannot be subtracted
from it.

The ledger is the owner's and never leaves: ``.releases.json`` in the cohort's folder, or another file. It holds salted
hashes of participant ids, so that a copy that gets lost is no list of participants by itself; whoever has it and the
ids can tell who took part. A release that is not in the ledger is judged by what is in it: the number of people of
every average, and the averages themselves.
"""

import hashlib
import json
import secrets
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.sharing.averages import FILE, Average, EarlierAverage, Members, load_averages, told_apart
from reconstruction.errors import InputError
from reconstruction.storage import write_atomically

NAME, KIND, VERSION = ".releases.json", "release-ledger", 1
LARGEST = 2**28  # bytes of the averages in an earlier release
ROUNDING = 1e-5  # averages of the same people differ by no more


@dataclass(frozen=True)
class Release:
    """One release: digest of its averages, {(group, stimulus): hashes of its people}, and the epsilon spent on it."""

    digest: str
    averages: dict[tuple[str, str | None], frozenset[str]]
    epsilon: float | None = None


@dataclass(frozen=True)
class Ledger:
    """salt : hexadecimal; releases : in order"""

    salt: str
    releases: tuple[Release, ...] = ()

    def hashed(self, members: Iterable[str]) -> frozenset[str]:
        return frozenset(hashlib.sha256(f"{self.salt} {member}".encode()).hexdigest()[:32] for member in members)

    def with_release(self, members: Members, digest: str, epsilon: float | None = None) -> "Ledger":
        """With one release more; the same one again changes nothing."""
        made = Release(digest, {name: self.hashed(of) for name, of in members.items()}, epsilon)
        return self if made in self.releases else replace(self, releases=(*self.releases, made))

    def tells(self, members: Sequence[Iterable[str]], least: int) -> str | None:
        """Why averages over these people would tell of fewer than `least`, by themselves or with earlier ones."""
        own = [self.hashed(of) for of in members]
        before = [of for r in self.releases if r.epsilon is None for of in r.averages.values()]
        few = told_apart([*own, *before], least)
        if not few:
            return None
        where = "an earlier release" if not told_apart(own, least) else "each other"
        return f"the difference of these averages and {where} would tell of {few} {'person' if few == 1 else 'people'}"

    @property
    def epsilon(self) -> float:
        """Spent on all releases; privacy losses add up."""
        return sum(release.epsilon or 0.0 for release in self.releases)


def differencing(
    averages: Sequence[Average], ledger: Ledger, earlier: Sequence[Path], least: int, scratch: Path
) -> str | None:
    """Why these averages would tell of fewer than `least` people together with earlier ones; None where they do not.

    scratch : folder for what is taken out of archives
    """
    few = ledger.tells([a.members for a in averages], least)
    if few is not None:
        return few
    known = {release.digest for release in ledger.releases}
    for path in earlier:
        found, digest, blurred = read_release(path, scratch)
        if blurred or digest in known:
            continue
        for average in averages:
            of_group = [other for other in found if other.group == average.group]
            unsafe = next((other for other in of_group if not _safe(average, other, least)), None)
            if unsafe is not None:
                return (
                    f"{average.group} has {len(average.members)} people here and {unsafe.people} in {path.name}, of "
                    "which the ledger does not know who they were: their difference could tell of fewer"
                )
    return None


def _safe(average: Average, other: EarlierAverage, least: int) -> bool:
    """Whether the people of both are the same, as the same mean shape shows, or differ by `least` because their numbers
    do.
    """
    if abs(len(average.members) - other.people) >= least:
        return True
    same = len(average.shape) == len(other.shape) and np.allclose(average.shape, other.shape, atol=ROUNDING)
    return bool(same) and len(average.members) == other.people


def load_ledger(path: Path) -> Ledger:
    """The ledger in a file, or a new one where there is none.

    Raises
    ------
    InputError
        The file is no ledger.
    """
    if not path.exists():
        return Ledger(secrets.token_hex(16))
    try:
        document = json.loads(path.read_text("utf-8"))
        if document["kind"] != KIND or document["version"] > VERSION:
            raise ValueError("of another kind or version")
        releases = tuple(
            Release(
                str(r["digest"]),
                {(a["group"], a["stimulus"]): frozenset(map(str, a["members"])) for a in r["averages"]},
                None if r["epsilon"] is None else float(r["epsilon"]),
            )
            for r in document["releases"]
        )
        return Ledger(str(document["salt"]), releases)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"expected the ledger of earlier releases, but {path} is none that can be read ({error}); name the right "
            "file with --ledger, or a new one and the earlier releases with --earlier."
        ) from error


def save_ledger(ledger: Ledger, path: Path) -> None:
    releases: list[dict[str, Any]] = [
        {
            "digest": r.digest,
            "epsilon": r.epsilon,
            "averages": [
                {"group": group, "stimulus": stimulus, "members": sorted(members)}
                for (group, stimulus), members in r.averages.items()
            ],
        }
        for r in ledger.releases
    ]
    document = {"kind": KIND, "version": VERSION, "private": "not to be passed on", "salt": ledger.salt}
    write_atomically(path, (json.dumps({**document, "releases": releases}, indent=1) + "\n").encode())


def read_release(path: Path, scratch: Path) -> tuple[tuple[EarlierAverage, ...], str, bool]:
    """Averages, digest, and whether they are blurred, of a release of the level group: a folder, .zip or .tar.

    scratch : folder for what is taken out of an archive

    Raises
    ------
    InputError
        There are no averages in it.
    """
    content = _averages_in(path)
    copy = scratch / ".earlier.safetensors"
    write_atomically(copy, content)
    try:
        found, blurred = load_averages(copy)
    finally:
        copy.unlink(missing_ok=True)
    return found, digest_of(content), blurred


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _averages_in(path: Path) -> bytes:
    content: bytes | None = None
    try:
        if path.is_dir():
            inside = sorted(path.rglob(FILE)) or sorted(p for e in ("zip", "tar") for p in path.glob(f"*.{e}"))
            if inside and inside[0].name == FILE:
                content = inside[0].read_bytes()
            elif inside:
                return _averages_in(inside[0])
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                names = [i for i in archive.infolist() if i.filename.endswith(FILE) and i.file_size <= LARGEST]
                content = archive.read(names[0]) if names else None
        elif path.is_file() and tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                members = [m for m in tar if m.isfile() and m.name.endswith(FILE) and m.size <= LARGEST]
                stream = tar.extractfile(members[0]) if members else None
                content = stream.read() if stream else None
    except (OSError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise InputError(
            f"expected an earlier release, but {path} cannot be read ({error}); check the path."
        ) from error
    if content is None:
        raise InputError(
            f"expected an earlier release of level group (its folder, .zip or .tar, decrypted), but {path} holds no "
            f"{FILE}; check the path."
        )
    return content
