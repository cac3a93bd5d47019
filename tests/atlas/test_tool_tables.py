"""Other tools' tables: the same recording told by parameters and as OpenFace would write it, and what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from atlas.biomarkers.alignment import without_head_pose
from atlas.biomarkers.courses import parameter_courses
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.biomarkers.tool_biomarkers import tool_biomarkers
from atlas.biomarkers.tool_table import FEX, OPENFACE, read_tool_table
from atlas.motion import MotionSpace
from atlas.simulation import simulate_people, simulate_recording
from reconstruction.camera import FACING
from reconstruction.errors import InputError
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template


@pytest.fixture(scope="module")
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


@pytest.fixture(scope="module")
def recording(template: Template) -> FaceSequence:
    return simulate_recording(simulate_people(3, "none", template=template)[1], "happiness", 12, 25, 0, template)


@pytest.fixture(scope="module")
def openface(recording: FaceSequence, parts: FaceParts) -> pd.DataFrame:
    """The recording as OpenFace 1.x writes one, with a blank before its names; the last 25 frames are no success."""
    courses = parameter_courses(recording, parts.space.vectors(recording), parts.landmarks)
    assert courses.points is not None
    assert courses.gaze is not None
    placed = np.einsum("tij,tkj->tki", recording.camera_from_head[:, :3, :3].astype(float), courses.points)
    placed += 1000 * recording.translation[:, None]
    turned = Rotation.from_matrix(recording.camera_from_head[:, :3, :3] @ FACING).as_euler("XYZ")
    columns = {"frame": 1 + np.arange(len(recording)), "timestamp": recording.time_s, "confidence": 0.95, "success": 1}
    columns |= {f"gaze_{eye}_{axis}": courses.gaze[:, eye, i] for eye in (0, 1) for i, axis in enumerate("xyz")}
    columns |= {f"pose_T{axis}": 1000 * recording.translation[:, i] for i, axis in enumerate("xyz")}
    columns |= {f"pose_R{axis}": turned[:, i] for i, axis in enumerate("xyz")}
    columns |= {f"{axis}_{k}": placed[:, k, i] for i, axis in enumerate("XYZ") for k in range(68)}
    for code in ("AU01", "AU02", "AU04", "AU06", "AU12", "AU26"):
        columns |= {f"{code}_r": courses.units[code], f"{code}_c": (courses.units[code] >= 1).astype(int)}
    frame = pd.DataFrame(columns)
    frame.loc[len(frame) - 25 :, [name for name in frame if name not in ("frame", "timestamp", "confidence")]] = 0
    return frame.rename(columns={name: f" {name}" for name in frame if name != "frame"})


@pytest.fixture(scope="module")
def few(openface: pd.DataFrame) -> pd.DataFrame:
    """Its first 100 frames and few columns."""
    kept = ("timestamp", "confidence", "success", "AU12_r", "AU12_c", "pose_Tx", "pose_Ty", "pose_Tz")
    return openface[["frame", *(f" {name}" for name in kept)]].head(100)


def write(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_csv(path, index=False)
    return path


def values(path: Path, fps: float | None = None) -> dict[str, float]:
    quantities, vector = tool_biomarkers(read_tool_table(path, fps))
    return {quantity.name: float(value) for quantity, value in zip(quantities, vector, strict=True)}


def test_one_name_means_one_thing(
    openface: pd.DataFrame, recording: FaceSequence, parts: FaceParts, tmp_path: Path
) -> None:
    seen = replace(recording, valid=np.arange(len(recording)) < len(recording) - 25)
    own = dict(zip(parts.names, recording_biomarkers(seen, parts), strict=True))
    table = read_tool_table(write(openface, tmp_path / "of.csv"))
    assert (table.tool, table.frames_used, table.warnings) == (OPENFACE, len(recording) - 25, ())
    told = values(tmp_path / "of.csv")
    assert set(told) < set(own)
    exact = {"AU12", "AU06_presence", "eye_opening_left", "ear_blink_rate", "ear_blink_duration", "gaze_speed"}
    exact |= {"head_speed", "head_velocity", "asymmetry_mouth", "expressivity_happiness"}
    for name in exact:
        assert told[name] == pytest.approx(own[name], rel=2e-3), name
        assert own[name] > 0
    for name in told:
        if name.startswith(("organ", "keypoint")):
            assert told[name] == pytest.approx(own[name], rel=1e-3, abs=0.01), name
    assert sum(value for name, value in told.items() if name.startswith("organ") and "share" in name) == pytest.approx(
        100
    )


def test_head_pose_is_taken_out_and_size_of_pixels_too() -> None:
    rng = np.random.default_rng(0)
    face = rng.normal(size=(68, 3))
    turns = Rotation.random(20, rng).as_matrix()
    places = face @ turns + rng.normal(size=(20, 1, 3))
    assert np.ptp(without_head_pose(places, np.ones(20, bool), scaled=False), axis=0).max() < 1e-9
    flat = face[:, :2]
    angle = rng.uniform(-1, 1, 20)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 2, 2)
    size = rng.uniform(0.5, 2, 20)
    laid = without_head_pose(size[:, None, None] * (flat @ turn), np.ones(20, bool), scaled=True)
    assert np.ptp(laid, axis=0).max() < 1e-9
    assert np.isnan(without_head_pose(places, np.arange(20) > 3, scaled=False)[:4]).all()


@pytest.fixture(scope="module")
def fex() -> pd.DataFrame:
    """A Fex table of 40 frames, every second of the film."""
    rng = np.random.default_rng(0)
    face = rng.uniform(100, 200, (68, 2))
    frame = pd.DataFrame({"FaceScore": np.full(40, 0.99), "frame": 2 * np.arange(40)})
    trembling = {f"{axis}_{i}": face[i, k] + rng.normal(0, 1, 40) for k, axis in enumerate("xy") for i in range(68)}
    frame = pd.concat([frame, pd.DataFrame(trembling)], axis=1).assign(AU04=0.2, AU12=0.9, AU43=0.6)
    return frame.assign(**{f"Identity_{i}": "who" for i in range(1, 9)})


def test_fex_gives_probabilities_blinks_as_au45_and_never_reads_identities(fex: pd.DataFrame, tmp_path: Path) -> None:
    path = write(fex, tmp_path / "fex.csv")
    table = read_tool_table(path, 30)
    assert table.tool == FEX
    assert table.courses.frame_rate == 15
    told = values(path, 30)
    assert told["AU12_probability"] == pytest.approx(0.9)
    assert told["AU45_probability"] == pytest.approx(0.6)
    assert told["AU12_presence"] == 100
    assert told["AU04_presence"] == 0
    assert not any("AU43" in name or "Identity" in name or name == "AU12" for name in told)
    assert told["keypoint_30_speed_px"] > 0
    untimed = values(path)
    assert np.isnan(untimed["keypoint_30_speed_px"])
    assert sum(v for n, v in untimed.items() if n.startswith("keypoint") and "share" in n) == pytest.approx(100)
    assert "frame rate" in read_tool_table(path).warnings[0]


def test_frames_without_success_or_confidence_do_not_count(few: pd.DataFrame, tmp_path: Path) -> None:
    frame = few.copy()
    frame[" AU12_r"] = 2.0
    frame.loc[:79, " AU12_r"] = 0.0
    frame.loc[:39, " confidence"] = 0.7
    frame.loc[40:79, " success"] = 0
    assert values(write(frame, tmp_path / "a.csv"))["AU12"] == pytest.approx(2)


def test_the_face_seen_longest_is_taken(few: pd.DataFrame, tmp_path: Path) -> None:
    frame = few.copy()
    frame[" face_id"] = np.where(np.arange(len(frame)) < 20, 1, 0)
    table = read_tool_table(write(frame, tmp_path / "a.csv"))
    assert table.frames_used == 80
    assert "2 faces" in table.warnings[0]


def test_time_stamps_no_recording_has(few: pd.DataFrame, tmp_path: Path) -> None:
    frame = few.copy()
    frame[" timestamp"] = np.arange(len(frame)) / 1000
    path = write(frame, tmp_path / "a.csv")
    assert "no recording has" in read_tool_table(path).warnings[0]
    assert np.isnan(values(path)["head_velocity"])
    assert values(path, 25)["head_velocity"] == pytest.approx(values(write(few, tmp_path / "b.csv"))["head_velocity"])


def _with(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return frame.assign(**{f" {name}": value for name, value in columns.items()})


HOSTILE: dict[str, tuple[Callable[[pd.DataFrame], bytes], str]] = {
    "empty": (lambda _: b"", "begins with nothing"),
    "binary": (lambda _: b"\x89PNG\r\n\xff\xfe\x00" * 99, "none; export it anew"),
    "other table": (lambda _: b"id,score\n1,2\n", "begins with id, score"),
    "wide header": (lambda f: b"confidence,success,AU01_r," + b"x," * 2**17, "at most 128 KiB"),
    "no face": (lambda f: _with(f, face_id=np.nan).to_csv(index=False).encode(), "a number as face_id"),
    "header alone": (lambda f: f.head(0).to_csv(index=False).encode(), "a row a frame"),
    "word": (lambda f: _with(f, AU12_r="much").to_csv(index=False).encode(), "expected numbers"),
    "formula": (lambda f: _with(f, pose_Tx='=cmd|" /C calc"!A0').to_csv(index=False).encode(), "expected numbers"),
    "twice": (lambda f: pd.concat([f, f[[" AU12_r"]]], axis=1).to_csv(index=False).encode(), "AU12_r is there twice"),
    "backwards": (lambda f: f[::-1].to_csv(index=False).encode(), "rising numbers"),
    "two faces": (lambda f: pd.concat([f, f]).sort_values("frame").to_csv(index=False).encode(), "rising numbers"),
    "not text": (lambda f: f.to_csv(index=False).encode() + b"101,\xff\xfe,1\n", "expected numbers"),
    "nobody": (lambda f: _with(f, confidence=0.1).to_csv(index=False).encode(), "none of 100 has it"),
    "infinite": (lambda f: _with(f, confidence=np.inf).to_csv(index=False).encode(), "none of 100 has it"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_what_cannot_be_used_is_refused_in_one_sentence(attack: str, few: pd.DataFrame, tmp_path: Path) -> None:
    make, said = HOSTILE[attack]
    path = tmp_path / "hostile.csv"
    path.write_bytes(make(few))
    with pytest.raises(InputError, match=r"^expected [^\n]*[.]$") as caught:
        read_tool_table(path)
    assert said in str(caught.value)


def test_a_huge_table_a_missing_one_and_a_frame_rate_that_is_none(
    few: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(few, tmp_path / "of.csv")
    with pytest.raises(InputError, match="frame rate"):
        read_tool_table(path, 0)
    with pytest.raises(InputError, match="does not exist"):
        read_tool_table(tmp_path / "none.csv")
    monkeypatch.setattr("atlas.biomarkers.tool_table.MOST_BYTES", 1000)
    with pytest.raises(InputError, match="at most"):
        read_tool_table(path)


def test_real_openface_1(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("behaviour/OpenFace_Test.csv")
    table = read_tool_table(path, 30)
    assert (table.tool, table.frames_used) == (OPENFACE, 100)
    told = values(path, 30)
    raw = pd.read_csv(path, skipinitialspace=True)
    assert told["AU04"] == pytest.approx(raw["AU04_r"].mean())
    assert told["AU45_presence"] == pytest.approx(100 * raw["AU45_c"].mean())
    assert 0.2 < told["eye_opening"] < 0.45
    assert 0 < told["asymmetry_mouth"] < 10
    assert np.isfinite(list(told.values())).sum() > 200
    assert read_tool_table(path).warnings, "its time stamps are 0.001 s apart"


def test_good_and_bad_news_differ_where_a_reader_expects(shared_data: Callable[[str], Path]) -> None:
    """Cheeks and lip corners rise at good news, brows lower at bad; one actor, three clips each."""
    good, bad = (
        [values(shared_data(f"behaviour/news_{clip}.csv")) for clip in clips]
        for clips in (("001", "002", "003"), ("011", "012", "013"))
    )
    for code in ("AU06", "AU12"):
        name = f"{code}_probability"
        assert min(clip[name] for clip in good) > max(clip[name] for clip in bad) + 0.3
    assert max(clip["AU04_probability"] for clip in good) < min(clip["AU04_probability"] for clip in bad)
    old = values(shared_data("behaviour/pyfeat_fex_v0.csv"))
    assert 0 < old["AU12_probability"] < 1
