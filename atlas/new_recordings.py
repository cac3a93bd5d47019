"""New recordings: each measured once, then matched by itself, by person, and told on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from atlas.aggregation import RecordingSummary, summarise
from atlas.atlas import Atlas
from atlas.cohort import person_of, stimulus_of
from atlas.match import Match
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence

NO_NAME = "input"  # who lies in no sub-* folder is input-1, input-2: a file's name may tell who it is
Known = Mapping[str, tuple[float | None, str | None]]  # {id: (age in years, sex as in participants.tsv)}


@dataclass(frozen=True)
class NewRecording:
    """A recording to match.

    path : of its file, which matches are told by and pages are not
    person : the ``sub-*`` it lies in; None where it lies in none
    id : the person, or ``input-1`` for somebody not named
    warnings : what is to be said of it beside what its match says
    """

    path: Path
    person: str | None
    id: str
    sequence: FaceSequence
    summary: RecordingSummary
    warnings: tuple[str, ...]


def ids_of(paths: Sequence[Path]) -> list[str]:
    """`NewRecording.id` of every path."""
    nameless = count(1)
    return [person_of(path) or f"{NO_NAME}-{next(nameless)}" for path in paths]


def measured(atlas: Atlas, paths: Sequence[Path], sequences: Sequence[FaceSequence]) -> list[NewRecording]:
    """Recordings measured as the atlas's own were; persons and stimuli are those of the paths.

    Raises
    ------
    InputError
        A recording has too few usable frames, or parameters that mean something else than the atlas's.
    """
    norms = atlas.matcher.norms
    measure = None if norms is None else lambda sequence: norms.measure(sequence, atlas.space)
    out: list[NewRecording] = []
    for path, identity, sequence in zip(paths, ids_of(paths), sequences, strict=True):
        warnings = check_parameters(atlas, sequence, path)
        try:
            summary = summarise(sequence, stimulus_of(path), atlas.space, atlas.units, measure)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        out.append(NewRecording(path, person_of(path), identity, sequence, summary, warnings))
    return out


def by_person(recordings: Sequence[NewRecording]) -> dict[str, list[NewRecording]]:
    """{id: the person's recordings}, ids in order; recordings of nobody named are each a person."""
    return {i: [r for r in recordings if r.id == i] for i in sorted({r.id for r in recordings})}


def match_person(
    atlas: Atlas, recordings: Sequence[NewRecording], name: str, person: str | None, known: Known
) -> Match:
    """The match of one person's recordings together; `name` is told as what was matched."""
    age, sex = known.get(recordings[0].id, (None, None))
    made = atlas.matcher.match([r.summary for r in recordings], name, person, age=age, sex=sex)
    return replace(made, warnings=tuple(dict.fromkeys((*made.warnings, *(w for r in recordings for w in r.warnings)))))


def match_all(
    atlas: Atlas, recordings: Sequence[NewRecording], known: Known | None = None
) -> tuple[list[Match], list[Match]]:
    """A match for every recording, and one for every person with several."""
    known = known or {}
    matches = [match_person(atlas, [r], str(r.path), r.person, known) for r in recordings]
    people = [match_person(atlas, mine, i, i, known) for i, mine in by_person(recordings).items() if len(mine) > 1]
    return matches, people


def check_parameters(atlas: Atlas, sequence: FaceSequence, path: Path) -> tuple[str, ...]:
    """Warnings about parameters of another template; raises InputError where they cannot be compared at all."""
    if sequence.template_sha256 == atlas.template_sha256:
        return ()
    sequence.check_known()
    joints = [name for name in atlas.space.joint_names if name not in sequence.joint_names]
    if tuple(sequence.expression_names) != atlas.space.names[: atlas.space.n_expression] or joints:
        raise InputError(
            f"expected parameters of the atlas's template {atlas.template} ({atlas.template_sha256[:8]}), but "
            f"{path} was made "
            f"with {sequence.template} ({sequence.template_sha256[:8]}), whose expressions differ; reconstruct it with "
            "the atlas's template."
        )
    return (
        f"made with another version of the template ({sequence.template} {sequence.template_sha256[:8]}, the atlas has "
        f"{atlas.template_sha256[:8]}): coefficients may not mean quite the same",
    )
