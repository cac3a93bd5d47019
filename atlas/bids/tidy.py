"""A looser folder of parameter files as a BIDS derivative: copied under the names BIDS wants, never moved.

Whose a file is tells a folder or the beginning of its name, with or without ``sub-``; of which session a ``ses-`` in
either; before which stimulus ``task-`` in its name, or a word of it that is one of the known stimuli. What cannot be
told apart is left out and said; nothing is guessed.
"""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atlas.aggregation import UNKNOWN
from atlas.bids.derivative import read_json, write_description
from atlas.bids.names import label, recording_path
from atlas.cohort import VIDEO_SUFFIXES, session_of, stimulus_of
from atlas.custody import record
from atlas.participants import MISSING, age_of, declared_simulated, read_participants, read_table, sex_of, whole_id
from atlas.phenotype import FOLDER, SESSIONS, phenotype_tables, session_label
from atlas.simulation.cohort_folder import TRUTH
from atlas.simulation.recording import STIMULI
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, SUFFIXES, FaceSequence, load, stem_of, write_sidecar
from reconstruction.storage import whole_folder, write_json

KNOWN = {  # columns whose meaning is the same in every cohort
    "participant_id": {"Description": "the person"},
    "group": {"Description": "diagnostic group"},
    "age": {"Description": "age", "Units": "year"},
    "sex": {"Description": "sex", "Levels": {"F": "female", "M": "male"}},
    "simulated": {"Description": "the person does not exist", "Levels": {"yes": "simulated"}},
    "session_id": {"Description": "the session"},
}
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Tidied:
    """people, recordings : how many were written; notes : what was changed or left out"""

    people: int
    recordings: int
    notes: tuple[str, ...]


def tidy(
    folder: Path,
    out: Path,
    *,
    name: str = "Face parameters",
    authors: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Tidied:
    """Write the cohort in `folder` to the new folder `out` as a BIDS derivative, whole or not at all.

    Parameter files are copied byte for byte and get a sidecar; tables are written anew; videos, and everything else,
    stay where they are.

    Raises
    ------
    InputError
        `out` holds something or lies in `folder`, participants.tsv cannot be used, a parameter file cannot be read, two
        people would get the same id, or no file is anybody's.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"expected a new or empty folder, but {out} holds something; choose another or remove it.")
    if out.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"expected a folder outside {folder} for what is written, got {out}; choose another.")
    table = folder / "participants.tsv"
    if not table.is_file():
        raise InputError(
            f"expected a cohort folder with participants.tsv, but {table} does not exist; write that table."
        )
    notes: list[str] = []
    rows = read_participants(table, notes)
    ids = _new_ids(rows)
    notes += [f"{old} is called {new}" for old, new in ids.items() if old != new]
    recordings = _recordings(folder, ids, notes)
    if not recordings:
        raise InputError(
            f"expected parameter files of the people in {table}, but found none that is anybody's; call their folders "
            "as the people, and reconstruct videos first: face-atlas reconstruct"
        )
    with whole_folder(out) as writing:
        exist = set()
        for number, (target, source) in enumerate(sorted(recordings.items())):
            (writing / target).parent.mkdir(parents=True, exist_ok=True)
            sequence = _copied(source, writing / target)
            exist |= set() if sequence.simulated else {target.parts[0]}
            if progress:
                progress(number + 1, len(recordings))
        _write_participants(writing, folder, rows, ids, exist, notes)
        _write_scores(writing, folder, ids, notes)
        write_description(writing, name, "face-atlas cohort tidy", authors)
        _write_readme(writing, name, simulated=not exist)
        people = len({target.parts[0] for target in recordings})
        record(writing, "tidy", people=people, recordings=len(recordings))
    return Tidied(people, len(recordings), tuple(notes))


def _new_ids(rows: Mapping[str, object]) -> dict[str, str]:
    """{id: id after BIDS}"""
    out = {old: f"sub-{label(old.removeprefix('sub-'))}" for old in rows}
    for new in out.values():
        same = [old for old, made in out.items() if made == new]
        if new == "sub-" or len(same) > 1:
            raise InputError(
                f"expected ids that differ in letters and digits, which are all that BIDS takes, but "
                f"{' and '.join(same)} would become {new}; rename them in participants.tsv and in the files."
            )
    return out


def _recordings(folder: Path, ids: Mapping[str, str], notes: list[str]) -> dict[Path, Path]:
    """{where a file goes, below the new folder: the file}"""
    seen = [
        p for p in sorted(folder.rglob("*")) if not any(part.startswith(".") for part in p.relative_to(folder).parts)
    ]
    notes += [f"{p.relative_to(folder)} is a link to a folder and was not followed" for p in seen if _is_folder_link(p)]
    files = [path for path in seen if path.is_file()]
    parameters = [p for p in files if p.name.endswith(SUFFIXES) and p.relative_to(folder).parts[0] != TRUTH]
    videos = sum(path.suffix.lower() in VIDEO_SUFFIXES for path in files)
    if videos:
        notes.append(f"{videos} videos were not copied")
    known = {*STIMULI, *(s for path in parameters if (s := stimulus_of(path)))}
    alike: dict[tuple[str, str | None, str], list[Path]] = {}
    for path in parameters:
        below = path.relative_to(folder)
        person = _person(below, ids)
        if person is None:
            notes.append(f"{below} is nobody's in participants.tsv and was left out")
            continue
        task = stimulus_of(path) or _stimulus(path, known)
        if task is None:
            notes.append(f"{below} names no stimulus; it is called task-{UNKNOWN}")
        alike.setdefault((ids[person], session_of(below), task or UNKNOWN), []).append(path)
    out = {}
    for (person, session, task), paths in alike.items():
        for run, path in enumerate(paths, start=1):
            out[recording_path(person, session, task, run if len(paths) > 1 else None)] = path
    return out


def _is_folder_link(path: Path) -> bool:
    return path.is_symlink() and path.is_dir()


def _person(below: Path, ids: Mapping[str, str]) -> str | None:
    """Whose a file is: the nearest folder that is called as somebody, else the beginning of its name."""
    for part in reversed(below.parent.parts):
        if whole_id(part) in ids:
            return whole_id(part)
    begins = [i for i in ids if re.match(rf"(sub-)?{re.escape(i.removeprefix('sub-'))}(?![A-Za-z0-9])", below.name)]
    return max(begins, key=len) if begins else None


def _stimulus(path: Path, known: set[str]) -> str | None:
    words = set(re.split(r"[^A-Za-z0-9]+", stem_of(path).lower()))
    found = [stimulus for stimulus in known if stimulus.lower() in words]
    return found[0] if len(found) == 1 else None


def _copied(source: Path, target: Path) -> FaceSequence:
    sequence = load(source)
    shutil.copyfile(source, target)
    write_sidecar(sequence, target)
    return sequence


def _write_participants(
    out: Path, folder: Path, rows: dict[str, dict[str, str]], ids: dict[str, str], exist: set[str], notes: list[str]
) -> None:
    made: Rows = []
    for old, row in sorted(rows.items()):
        age = age_of(row.get("age", ""), old, notes)
        row = {**row, "participant_id": ids[old], "sex": sex_of(row.get("sex", "")) or ""}
        row["age"] = "" if age is None else f"{age:g}"
        if not exist and not declared_simulated(row):
            row["simulated"] = "yes"
        made.append(row)
    _write_table(out / "participants.tsv", made)
    about: dict[str, object] = KNOWN | read_json(folder / "participants.json")
    groups = sorted({row["group"] for row in made if row["group"].lower() not in MISSING})
    said = about["group"]
    about["group"] = {"Levels": {group: group for group in groups}} | (said if isinstance(said, dict) else {})
    _write_about(out / "participants.json", made, about, "people of the cohort")


def _write_scores(out: Path, folder: Path, ids: dict[str, str], notes: list[str]) -> None:
    """Scores with one row a person into ``phenotype/``, those by session to the person, where BIDS wants them."""
    by_session: dict[str, dict[str, dict[str, str]]] = {}  # {person: {session: row}}
    about: dict[str, object] = {}
    for path in phenotype_tables(folder):
        person = path.parent.name if path.parent.name != FOLDER else None
        rows = []
        for row in read_table(path).rows:
            identity = ids.get(person or whole_id(row.get("participant_id", "")))
            if identity is None:
                notes.append(f"a row of {path.name} is nobody's in participants.tsv and was left out")
            else:
                rows.append({**row, "participant_id": identity})
        described = read_json(path.with_suffix(".json"))
        several = len({row["participant_id"] for row in rows}) < len(rows)
        if person is None and not several:
            (out / FOLDER).mkdir(exist_ok=True)
            rows = [{k: v for k, v in row.items() if k != "session_id"} for row in rows]
            _write_table(out / FOLDER / path.name, rows)
            _write_about(out / FOLDER / path.with_suffix(".json").name, rows, described, f"scores of {path.stem}")
            continue
        about |= {column: described[column] for column in described if column != "MeasurementToolMetadata"}
        for row in rows:
            session = f"ses-{label(session_label(row.get('session_id', ''))) or '1'}"
            scores = {k: v for k, v in row.items() if k not in ("participant_id", "session_id")}
            by_session.setdefault(row["participant_id"], {}).setdefault(session, {}).update(scores)
    columns = list(dict.fromkeys(c for sessions in by_session.values() for row in sessions.values() for c in row))
    for identity, sessions in sorted(by_session.items()):
        lines = [{"session_id": s, **{c: row.get(c, "") for c in columns}} for s, row in sorted(sessions.items())]
        (out / identity).mkdir(exist_ok=True)
        _write_table(out / identity / f"{identity}_{SESSIONS}.tsv", lines)
        _write_about(out / identity / f"{identity}_{SESSIONS}.json", lines, about, "scores of each session")


def _write_table(path: Path, rows: Rows) -> None:
    """Tab-separated, the key first, ``n/a`` for missing."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    columns.sort(key=lambda name: name not in ("participant_id", "session_id"))
    lines = [columns, *([" ".join(row.get(c, "").split()) or "n/a" for c in columns] for row in rows)]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), "utf-8")


def _write_about(path: Path, rows: Rows, described: Mapping[str, object], what: str) -> None:
    """A sidecar with every column of the table; those that nothing describes say so."""
    columns = dict.fromkeys(column for row in rows for column in row)
    about = {c: described.get(c, KNOWN.get(c, {"Description": "not described by the source"})) for c in columns}
    write_json(path, {"Description": described.get("Description", what), **about})


def _write_readme(out: Path, name: str, simulated: bool) -> None:
    who = "Everyone in this folder is simulated: these people do not exist.\n\n" if simulated else ""
    (out / "README.md").write_text(
        f"# {name}\n\n{who}Parameters of faces in recordings, in BIDS's layout for derivatives. BIDS has no suffix for "
        "faces yet: .bidsignore names those files. They are pseudonymous, not anonymous.\n\n"
        f"{STATEMENT.capitalize()}.\n",
        "utf-8",
    )
