"""A cohort folder: participants.tsv and the recordings below it.

Layout, after BIDS: ``participants.tsv`` (tab-separated; participant_id, group, age, sex; ``n/a`` for missing), scores
as `atlas.phenotype` reads them, and ``sub-<id>/[ses-<label>/]sub-<id>_[ses-<label>_]task-<stimulus>_face.safetensors``
(``.face.safetensors`` as well), or a video of that name to be reconstructed. A recording belongs to the ``sub-*``
folder it lies in; recordings of several sessions are recordings of the person. Reads leniently and collects what it
found odd in `Cohort.warnings`; refuses what would make the result wrong.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from atlas.groups import LEAST_PEOPLE, check_groups
from atlas.participants import MISSING, age_of, declared_simulated, read_participants, sex_of
from atlas.phenotype import read_phenotype, session_label
from reconstruction.errors import InputError, why_left_out
from reconstruction.sequence import KIND, SUFFIX, SUFFIXES, FaceSequence, save, stem_of
from reconstruction.storage import HEADER

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class Recording:
    """One recording of one person; `stimulus` is what stands behind ``task-``, `session` what stands behind ``ses-`` in
    the folder or in the name, or None.
    """

    path: Path
    stimulus: str | None
    session: str | None = None

    @property
    def is_video(self) -> bool:
        return not self.path.name.endswith(SUFFIXES)

    @property
    def stem(self) -> str:
        return stem_of(self.path) if not self.is_video else self.path.stem

    def parameters(self, folder: Path, person: str) -> Path:
        """Where below `folder` the parameters of a video are kept."""
        return folder / person / (f"ses-{self.session}" if self.session else "") / f"{self.stem}{SUFFIX}"


@dataclass(frozen=True)
class Participant:
    """One person; `id` as ``sub-<id>``, `age` in years or None, `extra` the other columns and the scores as text.

    simulated : the person does not exist: participants.tsv says so, or every recording's parameters do
    """

    id: str
    group: str
    age: float | None
    sex: str | None
    recordings: tuple[Recording, ...]
    extra: dict[str, str] = field(default_factory=dict)
    simulated: bool = False


@dataclass(frozen=True)
class Cohort:
    """People sorted by id, and what was odd about their files."""

    folder: Path
    people: tuple[Participant, ...]
    warnings: tuple[str, ...] = ()

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(sorted({person.group for person in self.people}))

    @property
    def stimuli(self) -> tuple[str, ...]:
        return tuple(sorted({r.stimulus for p in self.people for r in p.recordings if r.stimulus}))

    @property
    def sessions(self) -> tuple[str, ...]:
        return tuple(sorted({r.session for p in self.people for r in p.recordings if r.session}))

    def of_group(self, group: str) -> tuple[Participant, ...]:
        return tuple(person for person in self.people if person.group == group)

    @property
    def videos(self) -> tuple[tuple[Participant, Recording], ...]:
        """Recordings that have no parameter file yet."""
        return tuple((p, r) for p in self.people for r in p.recordings if r.is_video)


def stimulus_of(path: str | Path) -> str | None:
    """The stimulus in a file name, ``sub-01_task-anger_run-2.mp4`` to ``anger``; None where it names none."""
    found = re.search(r"(?:^|_)task-([A-Za-z0-9]+)", Path(path).name)
    return found.group(1) if found else None


def session_of(path: str | Path) -> str | None:
    """The session of a recording: of the ``ses-*`` folder it lies in, else of its name; None where neither says one."""
    path = Path(path)
    for parent in path.parents:
        if parent.name.startswith("sub-"):
            break
        if re.fullmatch(r"ses-[A-Za-z0-9]+", parent.name):
            return session_label(parent.name)
    found = re.search(r"(?:^|_)ses-([A-Za-z0-9]+)", path.name)
    return found.group(1) if found else None


def person_of(path: str | Path) -> str | None:
    """The nearest ``sub-*`` folder a recording lies in, else the ``sub-*`` of its name; None where there is neither."""
    path = Path(path).absolute()
    for parent in path.parents:
        if parent.name.startswith("sub-"):
            return parent.name
    found = re.match(r"(sub-[A-Za-z0-9]+)", path.name)
    return found.group(1) if found else None


def load_cohort(
    folder: str | Path,
    parameters: str | Path | None = None,
    quality: str | None = None,
    least: int = LEAST_PEOPLE,
    session: str | None = None,
) -> Cohort:
    """Read a cohort folder.

    parameters : folder ``sub-<id>/[ses-<label>/]<stem>.face.safetensors`` of already reconstructed videos, searched
        where a video has no parameter file beside it
    least : people who are not simulated that a group needs, if it has any; 0 where one group is enough as well
    quality : of reconstruction; what lies in `parameters` and names another one stays a video; None for any
    session : only recordings and scores of this session, ``1`` or ``ses-1``; None for all

    Raises
    ------
    InputError
        There is no usable participants.tsv, a person is listed twice, no recording can be used or is of the session,
        parameters belong to several templates, or a group has too few people with recordings.
    """
    folder = Path(folder)
    table = folder / "participants.tsv"
    if not table.is_file():
        raise InputError(
            "expected a cohort folder with participants.tsv (columns participant_id, group, age, sex), but "
            f"{table} does not "
            "exist; check the path or write that table."
        )
    warnings: list[str] = []
    rows = read_participants(table, warnings)
    found = find_recordings(folder, Path(parameters) if parameters else None, quality)
    if session is not None:
        session = session_label(session)
        found = _of_session(found, session)
    columns = next(iter(rows.values()), {})
    scores = read_phenotype(folder, session, columns, warnings)
    people = []
    for identity, row in sorted(rows.items()):
        recordings = found.pop(identity, ())
        if row["group"].lower() in MISSING:
            warnings.append(f"{identity} has no group in participants.tsv and was left out")
        elif not recordings:
            of = f" of session {session}" if session else ""
            warnings.append(f"{identity} has no recording{of} below {folder.name}/{identity} and was left out")
        else:
            extra = {k: v for k, v in row.items() if k not in ("participant_id", "group", "age", "sex") and v}
            people.append(
                Participant(
                    identity,
                    row["group"],
                    age_of(row.get("age", ""), identity, warnings),
                    sex_of(row.get("sex", "")),
                    recordings,
                    extra | scores.pop(identity, {}),
                    declared_simulated(row),
                )
            )
    if unknown := scores.keys() - rows.keys():
        warnings.append(f"scores of {', '.join(sorted(unknown))} have no row in participants.tsv and were left out")
    for identity in sorted(found):
        warnings.append(f"{identity} has recordings but no row in participants.tsv and was left out")
    people = _drop_unreadable(people, warnings)
    check_groups(people, least)
    return Cohort(folder, tuple(people), tuple(warnings))


def reconstruct_videos(
    cohort: Cohort,
    parameters: str | Path,
    reconstruct: Callable[[Path, Callable[[str, int, int], None]], FaceSequence],
    *,
    least: int = LEAST_PEOPLE,
    progress: Callable[[int, int, str, str, int, int], None] | None = None,
) -> Cohort:
    """Reconstruct what is still video into `Recording.parameters`; the rest is left as it is.

    What is written stays, so that a second call goes on where the first was stopped.

    reconstruct : called with the video and its own progress function (stage, frame, frames), gives the parameters;
        passed in, because nothing in `atlas` touches a pixel
    least : see `load_cohort`
    progress : called with (recording, recordings, stem, stage, frame, frames)

    A video that cannot be used is left out with a warning.
    """
    done: dict[Path, Path | None] = {}
    warnings = list(cohort.warnings)
    videos = cohort.videos
    for number, (person, recording) in enumerate(videos):

        def report(stage: str, frame: int, frames: int, number: int = number, stem: str = recording.stem) -> None:
            if progress:
                progress(number, len(videos), stem, stage, frame, frames)

        target = recording.parameters(Path(parameters), person.id)
        try:
            sequence = reconstruct(recording.path, report)
            if person.simulated:
                sequence = replace(sequence, simulated=True)
            done[recording.path] = save(sequence, target)
        except InputError as error:
            done[recording.path] = None
            warnings.append(why_left_out(recording.path, error))
    people = []
    for person in cohort.people:
        kept = tuple(replace(r, path=path) for r in person.recordings if (path := done.get(r.path, r.path)) is not None)
        if kept:
            people.append(replace(person, recordings=kept))
        else:
            warnings.append(f"{person.id} has no usable recording and was left out")
    people = _drop_unreadable(people, warnings)
    check_groups(people, least)
    return Cohort(cohort.folder, tuple(people), tuple(warnings))


def find_recordings(
    folder: Path, parameters: Path | None = None, quality: str | None = None
) -> dict[str, tuple[Recording, ...]]:
    """Person id to recordings sorted by session and name; a parameter file stands in for the video of the same stem."""
    best: dict[tuple[str, str, str], Recording] = {}
    for path in sorted(folder.glob("sub-*/**/*")):
        is_parameters = path.name.endswith(SUFFIXES)
        if not path.is_file() or not (is_parameters or path.suffix.lower() in VIDEO_SUFFIXES):
            continue
        recording = Recording(path, stimulus_of(path), session_of(path.relative_to(folder)))
        key = (path.relative_to(folder).parts[0], recording.session or "", recording.stem)
        if is_parameters or key not in best:
            best[key] = recording
    out: dict[str, list[Recording]] = {}
    for (identity, _, _), recording in sorted(best.items()):
        if parameters and recording.is_video:
            made = recording.parameters(parameters, identity)
            if made.is_file() and _has_quality(made, quality):
                recording = replace(recording, path=made)
        out.setdefault(identity, []).append(recording)
    return {identity: tuple(recordings) for identity, recordings in out.items()}


def _of_session(found: dict[str, tuple[Recording, ...]], session: str) -> dict[str, tuple[Recording, ...]]:
    kept = {identity: tuple(r for r in of if r.session == session) for identity, of in found.items()}
    if not any(kept.values()):
        known = sorted({r.session for of in found.values() for r in of if r.session})
        raise InputError(
            f"expected recordings of session {session}, but there are none (sessions found: "
            f"{', '.join(known) or 'none'}); name one of them, or leave the session out."
        )
    return kept


def _has_quality(path: Path, quality: str | None) -> bool:
    """Whether nothing in a parameter file says that it was reconstructed with another quality."""
    provenance = (_peek(path) or {}).get("provenance")
    known = provenance.get("quality") if isinstance(provenance, dict) else None
    return quality is None or known is None or known == quality


def _drop_unreadable(people: list[Participant], warnings: list[str]) -> list[Participant]:
    """People without the parameter files that cannot be read, simulated where all others say so; refuses a mixture of
    templates.
    """
    templates: dict[str, list[str]] = {}
    kept = []
    for person in people:
        good, exist = [], False
        for recording in person.recordings:
            header = None if recording.is_video else _peek(recording.path)
            if not recording.is_video and header is None:
                warnings.append(f"{recording.path.name} of {person.id} is no readable {SUFFIX} file and was left out")
                continue
            exist |= header is None or header.get("simulated") is not True
            if header is not None:
                key = f"{header.get('template')} ({str(header.get('template_sha256'))[:8]})"
                templates.setdefault(key, []).append(recording.path.name)
            good.append(recording)
        if good:
            kept.append(replace(person, recordings=tuple(good), simulated=person.simulated or not exist))
        else:
            warnings.append(f"{person.id} has no usable recording and was left out")
    if len(templates) > 1:
        counts = "; ".join(f"{key}: {len(names)} files such as {names[0]}" for key, names in sorted(templates.items()))
        raise InputError(
            f"expected all parameters of one template, but found {counts}; reconstruct all recordings with the "
            "same template."
        )
    return kept


def _peek(path: Path) -> dict[str, object] | None:
    """The header of a parameter file without its arrays, or None where it is none."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
    except (SafetensorError, ValueError, OSError):
        return None
    return header if isinstance(header, dict) and header.get("kind") == KIND else None
