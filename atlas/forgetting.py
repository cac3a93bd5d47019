"""Forgetting a person: everything of them in a cohort's folder and in the folders of atlases, found, told, removed.

What is found: folders called ``sub-<id>`` and files called ``sub-<id>`` or ``sub-<id>_...`` anywhere below, rows of
the person in tab-separated tables, and entries of the person in ``people.json``. No link is followed: it is removed,
and what it points to is told. Tables are written anew first, files are removed last, so that a call that was
interrupted or killed is finished by calling again, half-written files and all. What an atlas has learnt stays in it
until it is built again, and a share that was given out is out: both are said, neither can be done here.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atlas.aggregation import digest_of
from atlas.atlas import KIND, VERSION
from atlas.atlas_file import FILE as ATLAS_FILE
from atlas.custody import LOG, read_log, record
from atlas.participants import whole_id
from atlas.sharing.ledger import NAME as LEDGER
from reconstruction.errors import InputError
from reconstruction.sequence import SUFFIXES, load
from reconstruction.storage import WRITING, read_arrays, write_atomically

PEOPLE = "people.json"
TEXTS = (".tsv", ".csv", ".json", ".md", ".txt", ".html", ".jsonl")  # where somebody may be named


@dataclass(frozen=True)
class Place:
    """What there is of a person in one folder.

    things : files, folders and links to be removed, the uppermost only
    files : how many files that are
    recordings : how many of them are parameter files
    tables : {table: rows of the person}; documents : {people.json: entries of the person}
    links : things that are links to somewhere else
    mentions : further text files with the person's id in them, which are left as they are
    torn : files that a killed process left half-written, whoever's they were; they are removed too
    """

    folder: Path
    things: tuple[Path, ...]
    files: int
    recordings: int
    tables: dict[Path, int]
    documents: dict[Path, int]
    links: tuple[Path, ...]
    mentions: tuple[Path, ...]
    torn: tuple[Path, ...]

    @property
    def empty(self) -> bool:
        return not (self.things or self.tables or self.documents)


@dataclass(frozen=True)
class Removal:
    """What is to be removed of a person.

    cohort : of the cohort's folder; atlases : of every atlas folder
    rebuild : folders of atlases that have to be built again: built with the person, or with somebody removed earlier
    shares : how many shares the cohort's audit log knows of
    notes : what the removal cannot know or do
    """

    person: str
    cohort: Place
    atlases: tuple[Place, ...]
    rebuild: tuple[Path, ...]
    shares: int
    notes: tuple[str, ...]


def plan_removal(person: str, cohort: Path, atlases: Sequence[Path] = ()) -> Removal:
    """Find everything of `person`, ``001`` or ``sub-001``; nothing is changed.

    Raises
    ------
    InputError
        The id is no name of one folder, a folder is missing or holds no atlas, or there is nothing of the person.
    """
    person = whole_id(person.strip())
    if person == "sub-" or any(c in person for c in '/\\\0*?[]"\t\n'):
        raise InputError(f"expected a participant such as sub-001, got {person!r}; name one of participants.tsv.")
    if not cohort.is_dir():
        raise InputError(f"expected the folder of a cohort, but {cohort} is none; check the path.")
    for atlas in atlases:
        if not (atlas / ATLAS_FILE).is_file():
            raise InputError(f"expected the folder of an atlas, but {atlas} has no {ATLAS_FILE}; check the path.")
    places = [_place(folder, person) for folder in (cohort, *atlases)]
    waiting = [atlas for atlas in atlases if _waits(atlas)]
    if all(place.empty for place in places):
        still = "".join(f"; {atlas} is still to be built again after a removal" for atlas in waiting)
        raise InputError(
            f"expected a participant of {cohort}, but there is nothing of {person} in it"
            f"{' or the atlases' if atlases else ''}; check the id, or take it as done{still}."
        )
    digests, unreadable = _digests(places)
    built_with = [p.folder for p in places[1:] if p.documents or digests & _digests_of(p.folder / ATLAS_FILE)]
    rebuild = tuple(atlas for atlas in atlases if atlas in built_with or atlas in waiting)
    notes = []
    if unreadable:
        notes.append(f"{unreadable} parameter files cannot be read: whether an atlas was built with them is unknown")
    elif not digests:
        notes.append(
            f"no parameter file is left to know an atlas by: only {PEOPLE} tells whether one was built with them"
        )
    notes += [f"{p.name} is a link: it is removed, what it points to is not" for place in places for p in place.links]
    notes += [f"{p} names them, and is left as it is" for place in places for p in place.mentions]
    if (cohort / LEDGER).is_file():
        notes.append(
            f"{LEDGER} keeps salted hashes of who was in released averages, so that no later one can be subtracted "
            "from them: the next is refused where it lacks them alone"
        )
    shares = sum(entry.action == "share" for entry in read_log(cohort).entries)
    return Removal(person, places[0], tuple(places[1:]), rebuild, shares, tuple(notes))


def forget(removal: Removal) -> None:
    """Remove what `plan_removal` found, tables first, and say so in the audit log of every folder.

    The log tells how much was removed, not whose it was: participant ids are so few that a hash of one would soon be
    guessed. It is written before anything is removed, so that no interruption hides the removal.

    Raises
    ------
    InputError
        Something cannot be removed; what remains is removed by another call.
    """
    for place in (removal.cohort, *removal.atlases):
        if place.empty and place.folder not in removal.rebuild:
            continue
        facts: dict[str, Any] = {
            "files": place.files,
            "recordings": place.recordings,
            "rows": sum(place.tables.values()),
            "entries": sum(place.documents.values()),
        }
        if place is removal.cohort:
            facts |= {"atlases_to_rebuild": len(removal.rebuild), "shares_given_out": removal.shares}
        else:
            facts |= {"rebuild": place.folder in removal.rebuild}
        record(place.folder, "forget", **facts)
        try:
            for table in place.tables:
                write_atomically(table, _without_rows(table.read_bytes(), removal.person)[0])
            for document in place.documents:
                write_atomically(document, _without_entries(document.read_bytes(), removal.person)[0])
            for thing in place.things:
                if thing.is_dir() and not thing.is_symlink():
                    shutil.rmtree(thing)
                else:
                    thing.unlink(missing_ok=True)
            for half in place.torn:
                half.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"expected to remove all of {removal.person} from {place.folder}, but {error.filename} cannot be "
                f"changed ({error.strerror}); change its permissions and call again."
            ) from error


def _place(folder: Path, person: str) -> Place:
    things, tables, documents, links, mentions = list[Path](), {}, {}, list[Path](), list[Path]()
    torn = list[Path]()
    for path in _walk(folder, person):
        if path.name.startswith(WRITING) and path.is_file() and not path.is_symlink():
            (things if _mentions(path.read_bytes(), person) else torn).append(path)
        elif _is_of(path.name, person):
            things.append(path)
            links += [path] if path.is_symlink() else []
        elif path.is_symlink() or path.suffix.lower() not in TEXTS or path.name == LOG:
            continue
        else:
            content = path.read_bytes()
            if path.suffix.lower() == ".tsv" and (rows := _without_rows(content, person)[1]):
                tables[path] = rows
                content = _without_rows(content, person)[0]
            elif path.name == PEOPLE and (entries := _without_entries(content, person)[1]):
                documents[path] = entries
                content = _without_entries(content, person)[0]
            if _mentions(content, person):
                mentions.append(path)
    files = [path for thing in things for path in _files(thing)]
    recordings = sum(path.name.endswith(SUFFIXES) for path in files)
    return Place(
        folder, tuple(things), len(files), recordings, tables, documents, tuple(links), tuple(mentions), tuple(torn)
    )


def _walk(folder: Path, person: str) -> Iterator[Path]:
    """Files and links below, and the folders of the person, which are not entered; sorted."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(where, name)
            if name in files or path.is_symlink() or _is_of(name, person):
                yield path
        folders[:] = [name for name in folders if not _is_of(name, person)]


def _is_of(name: str, person: str) -> bool:
    """Whether a file or folder is the person's by its name; ``sub-10`` is not ``sub-1``'s."""
    return name == person or name.startswith((f"{person}_", f"{person}."))


def _files(thing: Path) -> list[Path]:
    if thing.is_symlink() or not thing.is_dir():
        return [thing]
    return [Path(where, name) for where, _, files in os.walk(thing) for name in sorted(files)]


def _without_rows(table: bytes, person: str) -> tuple[bytes, int]:
    """A tab-separated table without the person's rows, every other byte as it was, and how many rows they were."""
    lines = table.splitlines(keepends=True)
    names = [name.strip().lower() for name in _cells(lines[0].removeprefix(b"\xef\xbb\xbf"))] if lines else []
    if "participant_id" not in names:
        return table, 0
    at = names.index("participant_id")
    kept = lines[:1]
    for line in lines[1:]:
        cells = _cells(line)
        if len(cells) <= at or not cells[at] or whole_id(cells[at]) != person:
            kept.append(line)
    return b"".join(kept), len(lines) - len(kept)


def _cells(line: bytes) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.decode("utf-8", "replace").split("\t")]


def _without_entries(document: bytes, person: str) -> tuple[bytes, int]:
    """A people.json without the person and without notes that name them, and how many entries they were."""
    try:
        read = json.loads(document)
        people, notes = list(read["people"]), list(read.get("notes", []))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return document, 0
    others = [p for p in people if not (isinstance(p, dict) and person in p.values())]
    silent = [note for note in notes if not _mentions(str(note).encode(), person)]
    removed = len(people) - len(others) + len(notes) - len(silent)
    if not removed:
        return document, 0
    read |= {"people": others, **({"notes": silent} if "notes" in read else {})}
    return (json.dumps(read, indent=2, ensure_ascii=False) + "\n").encode(), removed


def _mentions(content: bytes, person: str) -> bool:
    """Whether the id stands in a text, and not as the beginning of a longer one."""
    after = content.split(person.encode())[1:]
    return any(not rest[:1].isalnum() for rest in after)


def _waits(atlas: Path) -> bool:
    """Whether somebody was removed who an atlas was built with, and it was not built again since."""
    for entry in reversed(read_log(atlas).entries):
        if entry.action == "build" or entry.facts.get("rebuild") is True:
            return entry.action != "build"
    return False


def _digests_of(atlas: Path) -> set[str]:
    """Of the recordings that an atlas was built from."""
    return set(read_arrays(atlas, KIND, VERSION)[1].get("digests", ()))


def _digests(places: Sequence[Place]) -> tuple[set[str], int]:
    """Of the person's recordings, and how many parameter files cannot be read."""
    found, unreadable = set(), 0
    for path in [p for place in places for thing in place.things for p in _files(thing) if p.name.endswith(SUFFIXES)]:
        try:
            found.add(digest_of(load(path)))
        except InputError:
            unreadable += 1
    return found, unreadable
