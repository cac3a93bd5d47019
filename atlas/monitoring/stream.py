"""The stream of matches that a deployed matcher made: read from the documents of `face-atlas match`, one person once.

A stream is kept in ``stream.json`` beside what is made of it, so that later files are added to earlier ones, whether
these are still there or not. It holds personal data: every person's ``sub-*`` and what they put into the match.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from atlas.match import INCONCLUSIVE
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically

FILE, KIND, VERSION = "stream.json", "face-atlas-stream", 1
LARGEST = 256 * 1024**2  # bytes of a file that is read


@dataclass(frozen=True)
class Entry:
    """One person's match.

    person : ``sub-*``, None where the recordings named nobody; stimuli : recorded before
    features, novelty, used, frame_rate, embedding : see `atlas.inputs.inputs_of`
    similarities, probabilities : by group, no probabilities where the match was refused; prediction_set, decision : see
        `atlas.match.Match`
    """

    person: str | None
    stimuli: tuple[str, ...]
    features: dict[str, float]
    novelty: float
    used: float
    frame_rate: float
    embedding: tuple[float, ...]
    similarities: dict[str, float]
    probabilities: dict[str, float]
    prediction_set: tuple[str, ...]
    decision: str
    simulated: bool

    @property
    def inconclusive(self) -> bool:
        return self.decision == INCONCLUSIVE

    @property
    def similarity(self) -> float:
        """To the nearest standard face."""
        return max(self.similarities.values())


@dataclass(frozen=True)
class Stream:
    """Matches in order of time.

    atlas : SHA-256 of the atlas they were made with
    files : {SHA-256 of a document: its entries}, in the order in which they were given
    """

    atlas: str
    files: dict[str, tuple[Entry, ...]]

    @property
    def matched(self) -> tuple[Entry, ...]:
        """All of them."""
        return tuple(entry for entries in self.files.values() for entry in entries)

    @property
    def people(self) -> tuple[Entry, ...]:
        """Every person once, by their latest match, at the time of that."""
        matched = self.matched
        latest = {entry.person: i for i, entry in enumerate(matched)}
        return tuple(e for i, e in enumerate(matched) if e.person is None or latest[e.person] == i)


def add_files(stream: Stream, paths: Sequence[Path], groups: Sequence[str]) -> tuple[Stream, int]:
    """The stream with the documents at `paths` after what it has, and how many of them it had already.

    Raises
    ------
    InputError
        A file is no document of `face-atlas match`, was made with another atlas, or lacks what is followed.
    """
    files, again = dict(stream.files), 0
    for path in paths:
        content = _bytes(path)
        digest = hashlib.sha256(content).hexdigest()
        if digest in files:
            again += 1
            continue
        files[digest] = _entries(_document(content, path), path, stream.atlas, groups)
    return replace(stream, files=files), again


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"expected a match file of up to {LARGEST // 1024**2} MB, but {path} is larger; split it.")
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"expected a match file, but {path} cannot be read ({error.strerror}); check the path."
        ) from error


def _document(content: bytes, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"expected JSON as `face-atlas match --out` writes it, but {path} is none; check it."
        ) from error
    if not isinstance(document, dict) or not isinstance(document.get("matches"), list):
        raise InputError(f"expected a document of `face-atlas match`, but {path} has no list of matches; check it.")
    return document


def _entries(document: Mapping[str, Any], path: Path, atlas: str, groups: Sequence[str]) -> tuple[Entry, ...]:
    made_with = document.get("atlas")
    if made_with is None:
        raise InputError(
            f"expected matches that name their atlas, but {path} was written by an earlier version; match them anew."
        )
    if made_with != atlas:
        raise InputError(
            f"expected matches against the atlas {atlas[:12]}, but {path} was made with {str(made_with)[:12]}; monitor "
            "every atlas by itself."
        )
    try:
        together = {row["person"] for row in document.get("people", [])}
        rows = [row for row in document["matches"] if row.get("person") not in together]
        return tuple(entry_of(row, groups) for row in (*rows, *document.get("people", [])))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"expected whole matches in {path}, but {error} is missing or wrong; match the recordings anew."
        ) from error


def entry_of(row: Mapping[str, Any], groups: Sequence[str]) -> Entry:
    inputs = row["inputs"]
    person = row.get("person")
    return Entry(
        person=None if person is None else str(person),
        stimuli=tuple(map(str, row["stimuli"])),
        features=_numbers(inputs["features"]),
        novelty=_finite(inputs["novelty"]),
        used=_finite(inputs["used"]),
        frame_rate=_finite(inputs["frame_rate"]),
        embedding=tuple(map(_finite, inputs["embedding"])),
        similarities={group: _finite(row["similarities"][group]) for group in groups},
        probabilities={group: _finite(row["probabilities"][group]) for group in groups} if row["probabilities"] else {},
        prediction_set=tuple(group for group in map(str, row["prediction_set"]) if group in groups),
        decision=str(row["decision"]),
        simulated=bool(row["simulated"]),
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {str(name): _finite(value) for name, value in values.items()}


def _finite(value: Any) -> float:
    number = float(value)
    if not np.isfinite(number) or isinstance(value, bool | str):
        raise ValueError(f"the number {value!r}")
    return number


def save_stream(stream: Stream, path: str | Path) -> None:
    """Write ``stream.json``."""
    document = {
        "kind": KIND,
        "version": VERSION,
        "statement": STATEMENT,
        "atlas": stream.atlas,
        "files": [{"sha256": d, "entries": [asdict(e) for e in entries]} for d, entries in stream.files.items()],
    }  # fmt: skip
    write_atomically(path, (json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n").encode())


def load_stream(path: str | Path, atlas: str) -> Stream:
    """The stream in a file, an empty one where there is none.

    Raises
    ------
    InputError
        It is damaged, or of another atlas.
    """
    path = Path(path)
    if not path.exists():
        return Stream(atlas, {})
    try:
        document = json.loads(_bytes(path))
        if document["kind"] != KIND or document["version"] != VERSION:
            raise ValueError("its kind or version")
        found = {f["sha256"]: tuple(map(_stored, f["entries"])) for f in document["files"]}
        stream = Stream(str(document["atlas"]), found)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(
            f"expected the stream of an earlier run in {path}, but {error} is wrong; remove it."
        ) from error
    if stream.atlas != atlas:
        raise InputError(
            f"expected the stream of the atlas {atlas[:12]} in {path.parent}, but it is of {stream.atlas[:12]}; name "
            "another folder with --out."
        )
    return stream


def _stored(row: Mapping[str, Any]) -> Entry:
    names = {field.name for field in fields(Entry)}
    if row.keys() != names:
        raise ValueError("an entry")
    found: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
    return Entry(**found)
