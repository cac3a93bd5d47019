"""OpenFace's CSV: 714 columns in OpenFace 2.2's order, and numbers that come back as they are printed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from atlas.biomarkers.action_units import action_units
from atlas.biomarkers.recording import face_parts, recording_biomarkers
from atlas.biomarkers.tool_biomarkers import tool_biomarkers
from atlas.biomarkers.tool_table import read_tool_table
from atlas.exchange.formats import Source, read, recognise, write
from atlas.exchange.openface import COLUMNS, DIGITS, read_openface, write_openface
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="module")
def recording(template: Template) -> FaceSequence:
    """Six seconds of a simulated person, of which the last is left out."""
    made = simulate_recording(simulate_people(3, "none", template=template)[1], "happiness", 6, 25, 0, template)
    valid = np.arange(len(made)) < 125
    return replace(made, valid=valid, reason=(~valid).astype(np.uint8), reason_names=("ok", "blurred"))


@pytest.fixture(scope="module")
def written(recording: FaceSequence, template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openface") / "sub-001.csv"
    write_openface(recording, template, path)
    return path


def test_the_columns_are_openface_s(written: Path) -> None:
    """By the counts and the ends of OpenFace 2.2's blocks, as its documentation lists them."""
    assert (len(COLUMNS), len(set(COLUMNS))) == (714, 714)
    assert written.read_text().splitlines()[0] == ",".join(COLUMNS)
    places = {
        "frame": 0, "face_id": 1, "timestamp": 2, "confidence": 3, "success": 4, "gaze_0_x": 5, "gaze_1_z": 10,
        "gaze_angle_x": 11, "gaze_angle_y": 12, "eye_lmk_x_0": 13, "eye_lmk_y_0": 69, "eye_lmk_X_0": 125,
        "eye_lmk_Z_55": 292, "pose_Tx": 293, "pose_Rx": 296, "pose_Rz": 298, "x_0": 299, "y_0": 367, "X_0": 435,
        "Y_0": 503, "Z_0": 571, "Z_67": 638, "p_scale": 639, "p_ty": 644, "p_0": 645, "p_33": 678, "AU01_r": 679,
        "AU45_r": 695, "AU01_c": 696, "AU28_c": 712, "AU45_c": 713,
    }  # fmt: skip
    assert {name: COLUMNS.index(name) for name in places} == places


def test_the_columns_of_a_real_file_of_1_x_are_in_the_same_order(shared_data: Callable[[str], Path]) -> None:
    """Those that both versions have; 1.x lacks the eyes' landmarks, gaze angles and the face's number."""
    real = [name.strip() for name in shared_data("behaviour/OpenFace_Test.csv").open().readline().split(",")]
    assert len(real) == 431
    ours = [name for name in COLUMNS if name in real]
    assert [name for name in real if name in COLUMNS] == ours
    assert set(real) <= set(COLUMNS)


def test_action_units_and_landmarks_come_back(written: Path, recording: FaceSequence, template: Template) -> None:
    table = pd.read_csv(written)
    used, units = recording.valid, action_units(recording)
    for code in ("AU01", "AU04", "AU12", "AU26", "AU45"):
        np.testing.assert_allclose(table[f"{code}_r"][used], units[code][used], atol=0.6 * 10 ** -DIGITS["unit"])
        np.testing.assert_array_equal(table[f"{code}_c"][used], units[code][used] >= 1)
    marks = template.landmarks68(recording.vertices(template, used))
    placed = recording.camera_from_head[used]
    camera = marks @ np.swapaxes(placed[:, :3, :3], 1, 2) + placed[:, None, :3, 3]
    pixels = project(marks, recording.camera_matrix, placed)
    for k in (0, 30, 67):
        np.testing.assert_allclose(table[[f"x_{k}", f"y_{k}"]][used], pixels[:, k], atol=0.01)
        np.testing.assert_allclose(table[[f"{a}_{k}" for a in "XYZ"]][used], 1000 * camera[:, k], atol=0.01)
    assert (table.loc[~used, ["confidence", "success", "AU12_r", "x_0", "pose_Tz"]] == 0).all(axis=None)
    assert (table.loc[used, ["confidence", "success"]] == 1).all(axis=None)
    np.testing.assert_allclose(table.timestamp, recording.time_s, atol=1e-6)


def test_what_is_not_known_is_nan_and_not_nought(written: Path) -> None:
    table = pd.read_csv(written)
    for name in ("eye_lmk_x_0", "p_scale", "p_33", "AU23_r", "AU25_c"):
        assert table[name][:125].isna().all(), name
    assert not table[["gaze_0_x", "gaze_angle_y", "pose_Rz", "AU28_c"]].isna().any(axis=None)


def test_the_face_looks_into_the_camera_as_openface_has_it(
    recording: FaceSequence, template: Template, tmp_path: Path
) -> None:
    ahead = replace(recording, pose=recording.pose * 0)
    write_openface(ahead, template, tmp_path / "a.csv")
    row = pd.read_csv(tmp_path / "a.csv").iloc[0]
    assert [row[f"gaze_0_{a}"] for a in "xyz"] == [0, 0, -1]
    assert [row[f"pose_R{a}"] for a in "xyz"] == [0, 0, 0]
    assert row.x_36 < row.x_45, "the subject's right eye is on the picture's left"
    assert row.y_8 > row.y_27, "the chin is below"
    left = replace(ahead, pose=ahead.pose.copy())
    for eye in ("left_eye", "right_eye"):
        left.pose[:, template.joint(eye), 1] = 0.2  # to the subject's left, the picture's right
    write_openface(left, template, tmp_path / "b.csv")
    turned = pd.read_csv(tmp_path / "b.csv").iloc[0]
    assert turned.gaze_angle_x == pytest.approx(0.2, abs=1e-4)
    assert turned.gaze_0_x > 0


def test_biomarkers_of_the_table_are_those_of_the_parameters(
    written: Path, recording: FaceSequence, template: Template, space: MotionSpace
) -> None:
    parts = face_parts(template, space)
    own = dict(zip(parts.names, recording_biomarkers(recording, parts), strict=True))
    quantities, vector = tool_biomarkers(read_tool_table(written))
    told = {quantity.name: value for quantity, value in zip(quantities, vector, strict=True)}
    assert not {name for name in told if name.startswith(("AU23", "AU25"))}, "what is not told is not 0"
    for name in ("AU12", "AU26_presence", "head_speed", "head_velocity", "gaze_speed", "ear_blink_rate"):
        assert told[name] == pytest.approx(own[name], rel=0.02), name


def test_a_table_read_as_parameters_has_its_action_units(
    written: Path, recording: FaceSequence, template: Template, tmp_path: Path
) -> None:
    made, notes = read_openface(written, template)
    np.testing.assert_array_equal(made.valid, recording.valid)
    wanted, found = action_units(recording), action_units(made)
    for code in ("AU01", "AU04", "AU12", "AU26", "AU45"):
        np.testing.assert_allclose(found[code], wanted[code], atol=1e-4)
    used = made.valid
    for joint in (0, template.joint("left_eye")):
        np.testing.assert_allclose(made.pose[used, joint], recording.pose[used, joint], atol=2e-4)
    np.testing.assert_allclose(made.translation[used], recording.translation[used], atol=1e-6)
    assert not made.shape.any()
    assert (made.shape_sd == 1).all()
    assert "the table tells no identity: the template's mean face" in notes
    assert made.provenance["converted"]["notes"] == notes
    write_openface(made, template, tmp_path / "again.csv")
    first, again = pd.read_csv(written), pd.read_csv(tmp_path / "again.csv")
    for name in ("AU12_r", "AU26_r", "pose_Rx", "pose_Tz", "gaze_0_x", "gaze_1_y"):
        np.testing.assert_allclose(again[name], first[name], atol=1.1e-3)


def test_a_simulated_person_stays_simulated(recording: FaceSequence, template: Template, tmp_path: Path) -> None:
    path, _ = write(recording, "openface", tmp_path / "a", template)
    assert recognise(path) == "openface"
    assert read(Source(path, "openface", "a"), template)[0].simulated
    assert "not a diagnosis" in (tmp_path / "a.face-atlas.json").read_text()


def test_a_real_table_is_read(shared_data: Callable[[str], Path], template: Template) -> None:
    path = shared_data("behaviour/OpenFace_Test.csv")
    with pytest.raises(InputError, match="expected a frame rate, which this table of OpenFace does not tell"):
        read_openface(path, template)
    made, notes = read_openface(path, template, 30)
    table = pd.read_csv(path, skipinitialspace=True)
    np.testing.assert_allclose(action_units(made)["AU12"][made.valid], table.AU12_r[made.valid], atol=1e-5)
    assert "no shape for AU23, AU25: left out" in notes
    assert made.frame_rate == 30


def test_a_file_s_name_which_may_be_a_person_s_stays_out(written: Path, template: Template, tmp_path: Path) -> None:
    table = pd.read_csv(written)
    pd.concat([table, table.head(3).assign(face_id=1)]).to_csv(tmp_path / "Jane_Doe.csv", index=False)
    made, notes = read_openface(tmp_path / "Jane_Doe.csv", template)
    assert any(note.startswith("Jane_Doe.csv shows 2 faces") for note in notes)
    assert "Jane" not in str(made.provenance)


def test_what_does_not_fit_is_refused(
    recording: FaceSequence, template: Template, flame: Template, tmp_path: Path
) -> None:
    behind = replace(recording, translation=-recording.translation)
    with pytest.raises(InputError, match="expected the head before the camera"):
        write_openface(behind, template, tmp_path / "a.csv")
    with pytest.raises(InputError, match="expected a template with named expressions"):
        read_openface(tmp_path / "a.csv", flame)
    assert not list(tmp_path.iterdir())


def test_a_template_without_units_still_gives_landmarks(
    flame_sequence: FaceSequence, flame: Template, tmp_path: Path
) -> None:
    notes = write_openface(flame_sequence, flame, tmp_path / "a.csv")
    assert any(note.startswith("no shape for AU01, AU02") for note in notes)
    table = pd.read_csv(tmp_path / "a.csv")
    assert table.AU12_r[table.success == 1].isna().all()
    assert not table[["AU26_r", "x_0", "Z_67"]].isna().any(axis=None)
