"""Biomarkers of a recording: against plain loops, in the mirror, on movements whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest

from atlas.biomarkers.catalogue import MOVEMENT
from atlas.biomarkers.courses import LandmarkModel
from atlas.biomarkers.expressivity import EXPRESSIONS, expressivity
from atlas.biomarkers.face_geometry import PAIRS, asymmetry, blinks, eye_aspect_ratio
from atlas.biomarkers.mirror import LANDMARK_PARTNERS, mirrored_motion, mirrored_shape
from atlas.biomarkers.quantity import LEVELS
from atlas.biomarkers.recording import FaceParts, face_parts, quantities, reactivity, recording_biomarkers
from atlas.biomarkers.tremor import tremor_mm
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="module")
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


@pytest.fixture(scope="module")
def recording(template: Template) -> FaceSequence:
    """12 s of a simulated person who is not alike on both sides, with frames left out."""
    person = simulate_people(3, "none", template=template)[1]
    made = simulate_recording(person, "fear", 12, 25, 0, template)
    valid = np.ones(len(made), bool)
    valid[[40, 41, 90, 200]] = False
    return replace(made, valid=valid)


def values(sequence: FaceSequence, parts: FaceParts) -> dict[str, float]:
    return dict(zip(parts.names, recording_biomarkers(sequence, parts), strict=True))


def mirrored(sequence: FaceSequence, space: MotionSpace, template: Template) -> FaceSequence:
    """The recording as it is in a mirror."""
    found = mirrored_motion(space.names)
    assert found is not None
    order = found[0][: space.n_expression]
    swapped = list(range(len(sequence.joint_names)))
    left, right = (sequence.joint_names.index(f"{side}_eye") for side in ("left", "right"))
    swapped[left], swapped[right] = right, left
    return replace(
        sequence,
        shape=sequence.shape * mirrored_shape(template).astype(np.float32),
        expression=sequence.expression[:, order],
        pose=sequence.pose[:, swapped] * np.float32([1, -1, -1]),
        translation=sequence.translation * np.float32([-1, 1, 1]),
    )


def test_the_catalogue_is_whole(parts: FaceParts, template: Template) -> None:
    names = parts.names
    assert quantities(template) == parts.quantities
    assert len(set(names)) == len(names) > 300
    by_name = {quantity.name: quantity for quantity in parts.quantities}
    for quantity in parts.quantities:
        assert quantity.level in LEVELS
        assert by_name[quantity.mirror].mirror == quantity.name
        assert by_name[quantity.mirror].family == quantity.family
        assert all((quantity.unit, quantity.label, quantity.definition, quantity.source, quantity.place))
    assert set(MOVEMENT) <= set(names)


def test_everything_is_known_of_a_whole_recording(recording: FaceSequence, parts: FaceParts) -> None:
    found = values(recording, parts)
    assert [name for name, value in found.items() if not np.isfinite(value)] == []
    for these in parts.sets:
        assert sum(found[f"{these.name}_{place}_share"] for place in these.places) == pytest.approx(100, abs=1e-9)


def test_in_a_mirror_every_quantity_becomes_its_partner(
    recording: FaceSequence, parts: FaceParts, template: Template
) -> None:
    here, there = values(recording, parts), values(mirrored(recording, parts.space, template), parts)
    assert set(mirrored_shape(template)) == {1, -1}, "every component of the embedded template has a mirror image"
    sided = 0
    for quantity in parts.quantities:
        assert there[quantity.mirror] == pytest.approx(here[quantity.name], rel=1e-5, abs=1e-7), quantity.name
        sided += quantity.mirror != quantity.name and abs(here[quantity.name] - here[quantity.mirror]) > 1e-6
    assert sided > 150, "the person must be unlike enough for the mirror to matter"


def test_expressivity_by_plain_loops(recording: FaceSequence, parts: FaceParts) -> None:
    rng = np.random.default_rng(0)
    codes = sorted({code for codes in EXPRESSIONS.values() for code in codes} - {"AU23"})
    units = {code: rng.uniform(0, 5, 60) for code in codes}
    present = {code: units[code] >= 1 for code in codes}
    valid = rng.random(60) > 0.2
    found = expressivity(units, present, valid)
    expected = {}
    for name, members in EXPRESSIONS.items():
        frames = []
        for t in range(60):
            if not valid[t]:
                continue
            shown = [units[code][t] for code in members if code in units and present[code][t]]
            frames.append(sum(shown) / (6 * len(shown)) if shown else 0.0)
        expected[name] = sum(frames) / len(frames)
    expected["overall"] = sum(value for name, value in expected.items() if name != "pain") / 7
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert expressivity({"AU26": units["AU26"]}, present, valid) == {}, "one unit of several says nothing of a set"
    told = values(recording, parts)
    assert told["expressivity_fear"] > 5 * told["expressivity_happiness"] + 0.01, "what was shown is what is found"


def test_geometry_by_plain_loops() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(5, 68, 3))
    for side, first in (("right", 36), ("left", 42)):
        for t, value in enumerate(eye_aspect_ratio(points, side)):
            p = points[t, first : first + 6]
            height = np.sqrt(((p[1] - p[5]) ** 2).sum()) + np.sqrt(((p[2] - p[4]) ** 2).sum())
            assert value == pytest.approx(height / (2 * np.sqrt(((p[0] - p[3]) ** 2).sum())), abs=1e-9)
    for name, distances in asymmetry(points).items():
        for t, value in enumerate(distances):
            origin = points[t, 30]
            normal = np.cross(points[t, 27] - origin, points[t, 8] - origin)
            normal = normal / np.sqrt(normal @ normal)
            away = []
            for left, right in PAIRS[name]:
                mirror_image = points[t, left] - 2 * ((points[t, left] - origin) @ normal) * normal
                away.append(np.sqrt(((mirror_image - points[t, right]) ** 2).sum()))
            assert value == pytest.approx(sum(away) / len(away), abs=1e-9)
    alike = points.copy()
    alike = (alike + alike[:, LANDMARK_PARTNERS] * [-1, 1, 1]) / 2
    assert max(distance.max() for distance in asymmetry(alike).values()) < 1e-9


def test_one_sided_smile_is_asymmetric_and_in_mm(recording: FaceSequence, parts: FaceParts) -> None:
    own = values(replace(recording, expression=0 * recording.expression), parts)["asymmetry_mouth"]
    assert 0.1 < own < 2, "the neutral face's own"
    still = replace(recording, shape=0 * recording.shape, expression=0 * recording.expression, pose=0 * recording.pose)
    assert values(still, parts)["asymmetry_mouth"] < 0.01
    smile = still.expression.copy()
    smile[:, still.expression_names.index("mouthSmileLeft")] = 1
    found = values(replace(still, expression=smile), parts)
    assert 3 < found["asymmetry_mouth"] < 20
    assert found["asymmetry_brow"] < 0.5
    assert found["AU12_asymmetry"] == pytest.approx(5)
    assert found["AU12"] == pytest.approx(2.5)
    assert found["AU12_presence"] == pytest.approx(100)
    assert np.isnan(found["organ_OLC_share"]), "nothing moves"


def test_landmarks_are_those_of_the_model(recording: FaceSequence, parts: FaceParts, template: Template) -> None:
    model: LandmarkModel = parts.landmarks
    course = model.course(recording.shape, parts.space.vectors(recording))[:20]
    vertices = recording.vertices(template, np.arange(20))
    exact = 1000 * template.landmarks68(vertices)
    inner = np.linalg.norm(course - exact, axis=2)[:, 17:]
    assert inner.max() < 1.5
    assert inner.mean() < 0.2


def test_blinks_by_eye_aspect_ratio() -> None:
    time = np.arange(250) / 25
    opening = np.full(250, 0.3)
    for start in (30, 100, 170):
        opening[start : start + 5] = [0.2, 0.1, 0.05, 0.1, 0.2]
    opening[220:224] = 0.25  # too shallow
    valid = np.ones(250, bool)
    seconds = blinks(opening, time, valid, 25.0)
    assert len(seconds) == 3
    assert seconds == pytest.approx(3.5 / 25, abs=0.02)
    valid[102] = False
    assert len(blinks(opening, time, valid, 25.0)) == 2, "a gap in a blink hides it"


def test_tremor_is_the_amplitude_in_its_band() -> None:
    time = np.arange(600) / 30
    valid = np.ones(600, bool)

    def shaking(hertz: float, rate: float = 30.0) -> float:
        course = np.zeros((600, 2, 3))
        course[:, :, 1] = np.sin(2 * np.pi * hertz * time)[:, None] + 3 * time[:, None]
        return tremor_mm(course, time, valid, rate)

    assert shaking(5.0) == pytest.approx(np.sqrt(0.5), rel=0.02)
    assert shaking(1.0) < 0.05
    assert shaking(12.0) < 0.05
    assert np.isnan(shaking(5.0, 15.0)), "too few frames a second"
    valid[::50] = False
    assert np.isnan(shaking(5.0)), "no stretch is long enough"


def test_head_and_gaze_are_seen_from_the_camera(recording: FaceSequence, parts: FaceParts) -> None:
    still = replace(
        recording,
        pose=0 * recording.pose,
        translation=np.tile(np.float32([0, 0, 0.5]), (len(recording), 1)),
        valid=np.ones(len(recording), bool),
    )
    rest = values(still, parts)
    assert rest["head_velocity"] == rest["gaze_speed"] == rest["head_speed"] == 0
    place = still.translation.copy()
    place[:, 0] += np.float32(0.02 * still.time_s)
    assert values(replace(still, translation=place), parts)["head_velocity"] == pytest.approx(20, rel=1e-3)
    pose = still.pose.copy()
    pose[:, 0, 1] = 0.1 * still.time_s
    turning = values(replace(still, pose=pose), parts)
    assert turning["gaze_speed"] == pytest.approx(0.1, rel=1e-3), "eyes turn with the head"
    assert turning["face_speed"] == pytest.approx(rest["face_speed"]), "the head's turn is no motion of the face"
    for eye in ("left_eye", "right_eye"):
        pose[:, still.joint_names.index(eye), 1] = -0.1 * still.time_s
    assert values(replace(still, pose=pose), parts)["gaze_speed"] == pytest.approx(0, abs=1e-4), "they stay on a thing"


def test_reactivity_is_after_less_before(recording: FaceSequence, parts: FaceParts) -> None:
    smile = recording.expression * 0
    for side in ("Left", "Right"):
        smile[recording.time_s >= 5, recording.expression_names.index(f"mouthSmile{side}")] = 0.6
    found = dict(zip(parts.names, reactivity(replace(recording, expression=smile), 5.0, parts), strict=True))
    assert found["AU12"] == pytest.approx(3.0, abs=1e-6)
    assert found["AU12_presence"] == pytest.approx(100)
    assert found["AU04"] == 0
    with pytest.raises(InputError, match="at least 1 s of recording before and after"):
        reactivity(recording, 11.9, parts)


def test_a_recording_without_a_face_knows_nothing(recording: FaceSequence, parts: FaceParts) -> None:
    nobody = replace(recording, valid=np.zeros(len(recording), bool))
    assert np.isnan(recording_biomarkers(nobody, parts)).all()
    single = replace(recording, valid=np.arange(len(recording)) == 3)
    found = values(single, parts)
    assert np.isfinite(found["AU12"])
    assert np.isnan(found["face_speed"])


def test_a_template_whose_expressions_have_no_names(recording: FaceSequence, template: Template) -> None:
    names = tuple(f"expression{i:03d}" for i in range(template.n_expression))
    other = replace(template, expression_names=names, bounded=False)
    made = face_parts(other)
    found = dict(zip(made.names, recording_biomarkers(replace(recording, expression_names=names), made), strict=True))
    assert "AU12" not in found
    assert found["AU26"] > 0
    assert found["ear_blink_rate"] > 0, "blinks are seen in the key points"
    assert np.isnan(found["blink_rate"])
    assert np.isnan(found["expressivity_happiness"])
    assert found["organ_OLC_speed"] > 0
