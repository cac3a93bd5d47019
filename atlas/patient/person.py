"""Who a page is about: one person's recordings together, their match, and where they stand against the norm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace, RecordingSummary, summarise
from atlas.atlas import Atlas
from atlas.motion import MotionSpace, face_mask
from atlas.norm import FARTHEST
from atlas.standing import Standing, standing
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template

NO_NAME = "input"  # who lies in no sub-* folder is input-1, input-2: a file's name may tell who it is


@dataclass(frozen=True)
class MatchedPerson:
    """One person.

    id : the ``sub-*`` that the recordings lie in, or ``input-1``; nothing else names the person
    sequences : of the recordings, with `stimuli` before which they were made
    match : `Match.to_json` of all recordings together
    age : years; sex : ``F``, ``M`` or another word; None where unknown
    standing : None where the atlas holds no norm
    """

    id: str
    sequences: tuple[FaceSequence, ...]
    stimuli: tuple[str, ...]
    match: Mapping[str, object]
    face: AggregatedFace
    standing: Standing | None

    @property
    def simulated(self) -> bool:
        return bool(self.match["simulated"])

    def beyond(self, template: Template) -> dict[str, float]:
        """Share of the face's vertices whose |z| is beyond `FARTHEST`, of ``motion`` and ``outward``."""
        if self.standing is None:
            return {}
        face = face_mask(template)
        kinds = {"motion": self.standing.motion, "outward": self.standing.outward}
        return {kind: float((np.abs(z[face]) > FARTHEST).mean()) for kind, z in kinds.items()}


def matched_people(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    sequences: Sequence[FaceSequence],
    persons: Sequence[str | None],
    stimuli: Sequence[str | None],
    *,
    warnings: Sequence[Sequence[str]] = (),
    known: Mapping[str, tuple[float | None, str | None]] | None = None,
) -> list[MatchedPerson]:
    """The people of some recordings, by id; recordings of nobody named are each a person.

    sequences, persons, stimuli : N of each; warnings : what else is to be said of each, none where they are not given
    known : {person: (age, sex)}

    Raises
    ------
    InputError
        A recording has too few usable frames, or fits no norm because its template differs.
    """
    ids: list[str] = []
    for person in persons:
        ids.append(person or f"{NO_NAME}-{sum(i.startswith(NO_NAME) for i in ids) + 1}")
    norms = atlas.matcher.norms
    measure = None if norms is None else lambda sequence: norms.measure(sequence, atlas.space)
    out = []
    for identity in sorted(set(ids)):
        mine = [i for i, one in enumerate(ids) if one == identity]
        summaries: list[RecordingSummary] = []
        for i in mine:
            try:
                summaries.append(summarise(sequences[i], stimuli[i], atlas.space, atlas.units, measure))
            except InputError as error:
                error.add_note(f"in a recording of {identity}")
                raise
        age, sex = (known or {}).get(identity, (None, None))
        face = AggregatedFace(identity, "", tuple(summaries), age, sex)
        made = atlas.matcher.match(summaries, identity, identity, age=age, sex=sex).to_json()
        said = dict.fromkeys((*made["warnings"], *(w for i in mine for w in (warnings[i] if warnings else ()))))
        out.append(
            MatchedPerson(
                id=identity,
                sequences=tuple(sequences[i] for i in mine),
                stimuli=tuple(r.stimulus for r in summaries),
                match={**made, "warnings": list(said)},
                face=face,
                standing=standing(face, atlas.norms, atlas.stimuli, template, space),
            )
        )
    return out
