"""Who a page is about: one person's recordings together, their match, and where they stand against the norm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas
from atlas.motion import MotionSpace, face_mask
from atlas.new_recordings import Known, NewRecording, by_person, match_person
from atlas.norm import FARTHEST
from atlas.standing import Standing, standing
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


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
    recordings: Sequence[NewRecording],
    known: Known | None = None,
) -> list[MatchedPerson]:
    """The people of some recordings, by id.

    Raises
    ------
    InputError
        A recording fits no norm because its template differs.
    """
    out = []
    for identity, mine in by_person(recordings).items():
        age, sex = (known or {}).get(identity, (None, None))
        face = AggregatedFace(identity, "", tuple(r.summary for r in mine), age, sex)
        out.append(
            MatchedPerson(
                id=identity,
                sequences=tuple(r.sequence for r in mine),
                stimuli=tuple(r.summary.stimulus for r in mine),
                match=match_person(atlas, mine, identity, identity, known or {}).to_json(),
                face=face,
                standing=standing(face, atlas.norms, atlas.stimuli, template, space),
            )
        )
    return out
