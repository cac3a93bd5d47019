"""A matched person that tests of pages and of FHIR share."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from atlas.atlas import Atlas
from atlas.motion import MotionSpace
from atlas.new_recordings import measured
from atlas.patient import MatchedPerson, matched_people, page
from atlas.patient.z_map import z_pictures
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="session", autouse=True)
def small_maps() -> Iterator[None]:
    """Heads are drawn small: what they show is tested, not how large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "z_pictures", partial(z_pictures, height=60))
        yield


@pytest.fixture(scope="session")
def matched(
    known_atlas: Atlas, template: Template, space: MotionSpace, new_person: Callable[..., FaceSequence]
) -> MatchedPerson:
    """sub-077, a woman of 34, recorded before three stimuli."""
    stimuli = ["happiness", "anger", "neutral"]
    sequences = [new_person(s) for s in stimuli]
    paths = [Path(f"sub-077/sub-077_task-{s}.face.safetensors") for s in stimuli]
    return matched_people(
        known_atlas, template, space, measured(known_atlas, paths, sequences), {"sub-077": (34.0, "F")}
    )[0]
