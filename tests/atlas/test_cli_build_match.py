"""`face-atlas build` and `face-atlas match`, from parameter files."""

import json
import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.atlas import KIND, VERSION, build_atlas
from atlas.atlas_file import FILE, load_atlas, save_atlas
from atlas.averaging import Averaging
from atlas.biomarkers.recording import face_parts, recording_biomarkers
from atlas.biomarkers.table import biomarker_table
from atlas.cli.build import build
from atlas.cli.match import match
from atlas.cohort import load_cohort
from atlas.custody import read_log, verify
from atlas.domain import Domain
from atlas.features import feature_table
from atlas.gallery import file_name
from atlas.motion import MotionSpace
from atlas.new_recordings import check_parameters, match_all, measured
from atlas.reading import read_cohort
from atlas.statistics import people_of
from reconstruction.errors import InputError
from reconstruction.sequence import SUFFIX, FaceSequence, load, save, stem_of
from reconstruction.storage import read_arrays, write_arrays
from reconstruction.template import Template


@pytest.fixture(scope="module")
def built(cohort_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("atlas")
    build(cohort_folder, out, permutations=3)
    return out


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_build_writes_what_people_open(built: Path) -> None:
    written = files(built)
    assert {
        FILE,
        "atlas.json",
        "people.json",
        "statistics.tsv",
        "biomarkers.tsv",
        "biomarkers.json",
        "viewer.html",
        "model-card.md",
        "model-card.json",
        "report.pdf",
    } <= set(written)
    for group in ("BD", "HC", "MDD"):
        assert {f"standard-faces/{group}{suffix}" for suffix in (".glb", ".obj", ".ply", ".png")} <= set(written)
        assert {f"overlays/{group}{suffix}" for suffix in (".glb", ".png")} <= set(written)
    summary = json.loads(written["atlas.json"])
    assert summary["simulated"] is True
    assert summary["statement"] == "research use; not a diagnosis"
    assert summary["groups"]["MDD"]["people"] == 4
    for name, content in written.items():
        assert (b"sub-0" in content) == (
            name in ("people.json", "biomarkers.tsv")
        )  # nobody is named in what may be shared


def test_a_build_is_recorded_in_the_audit_log(built: Path) -> None:
    (entry,) = read_log(built).entries
    assert entry.action == "build"
    assert entry.facts["people"] == {"BD": 4, "HC": 4, "MDD": 4}
    assert entry.facts["recordings"] == 36
    assert entry.facts["atlas_sha256"] == sha256((built / FILE).read_bytes()).hexdigest()
    assert verify(built) == ()


def test_building_twice_gives_the_same_bytes(built: Path, cohort_folder: Path, tmp_path: Path) -> None:
    build(cohort_folder, tmp_path / "again", permutations=3)
    first, second = files(built), files(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_match_answers_for_every_input_and_every_person(built: Path, cohort_folder: Path, tmp_path: Path) -> None:
    inputs = sorted((cohort_folder / "sub-001").glob("*face.safetensors"))
    alone = sorted((cohort_folder / "sub-002").glob("*face.safetensors"))[:1]
    out = tmp_path / "match.json"
    match(built, [*inputs, *alone], out)
    document = json.loads(out.read_text())
    assert [m["input"] for m in document["matches"]] == [str(path) for path in (*inputs, *alone)]
    assert [m["person"] for m in document["people"]] == ["sub-001"]
    whole = document["people"][0]
    assert whole["frames_used"] == sum(m["frames_used"] for m in document["matches"][:3])
    assert set(whole["similarities"]) == {"BD", "HC", "MDD"}
    first = out.read_bytes()
    match(built / FILE, [cohort_folder / "sub-001", *inputs, *alone], out)  # of a folder the files, once each
    assert out.read_bytes() == first


def test_match_without_out_prints_json(built: Path, cohort_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    match(built, sorted((cohort_folder / "sub-001").glob("*face.safetensors"))[:1])
    assert json.loads(capsys.readouterr().out)["matches"][0]["statement"] == "research use; not a diagnosis"


def test_an_atlas_reads_back_as_it_was(
    cohort_folder: Path, template: Template, space: MotionSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("atlas.severity.FEWEST", 10)
    parts = face_parts(template, space)
    reading = read_cohort(
        load_cohort(cohort_folder), template, space, biomarkers=lambda sequence: recording_biomarkers(sequence, parts)
    )
    people, averaging = reading.people, Averaging("poststratified", "age", "sex")
    known = people_of(load_cohort(cohort_folder))
    known = replace(known, columns={**known.columns, "phq-9": tuple(map(str, range(len(people))))})
    atlas = build_atlas(
        people,
        template,
        space,
        permutations=0,
        reference="BD",
        warnings=reading.warnings,
        averaging=averaging,
        trajectories=reading.trajectories,
        biomarkers=(biomarker_table(people, parts.quantities), parts),
        known=known,
        score="phq-9",
    )
    save_atlas(atlas, tmp_path / FILE)
    back = load_atlas(tmp_path)
    assert back.summary() == atlas.summary()
    assert back.units == atlas.units
    a, b = (x.matcher.match(people[0].recordings, "x").to_json() for x in (atlas, back))
    assert a == b
    norms, same_norms = (x.matcher.norms for x in (atlas, back))
    assert norms is not None
    assert same_norms is not None
    recording = load(sorted(cohort_folder.glob("sub-001/*face.safetensors"))[0])
    np.testing.assert_array_equal(same_norms.measure(recording, back.space), norms.measure(recording, space))
    for field in fields(norms):
        np.testing.assert_array_equal(getattr(norms, field.name), getattr(same_norms, field.name))
    assert a["severity"]["column"] == "phq-9"
    table = feature_table([people[0].recordings], atlas.matcher.encoder.scaler.names, atlas.stimuli)
    told = [x.matcher.severity.predict(table) for x in (atlas, back) if x.matcher.severity is not None]
    np.testing.assert_array_equal(*told)
    np.testing.assert_allclose(back.standard_faces["HC"]["anger"].motion, atlas.standard_faces["HC"]["anger"].motion)
    np.testing.assert_array_equal(back.overlays["HC"]["outward"].p, atlas.overlays["HC"]["outward"].p)
    assert set(back.embeddings) == {"BD", "HC", "MDD"}
    assert back.averaging == averaging
    assert set(back.by_sex) == {"F", "M"}
    face, same = (x.by_sex["F"]["MDD"][None] for x in (atlas, back))
    assert (same.sex, same.age, same.effective_people) == ("F", face.age, face.effective_people)
    np.testing.assert_allclose(same.motion_low, face.motion_low, rtol=1e-6)
    course, same_course = (x.trajectories["MDD"]["anger"] for x in (atlas, back))
    for name in ("time_s", "motion", "sd", "people"):
        np.testing.assert_array_equal(getattr(same_course, name), getattr(course, name))
        assert getattr(same_course, name).dtype == getattr(course, name).dtype


def version_2(atlas: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """An atlas's arrays and header as version 2 had them."""
    arrays, header = read_arrays(atlas / FILE, KIND, VERSION)
    arrays = {name: array for name, array in arrays.items() if not name.startswith(("norms/", "severity/"))}
    for name in ("whole", "single"):
        now = header[name]
        header[name] = {"temperature": now["temperature"], "threshold": 0.6, "novelty": 2.0, "people": now["people"]}
    for name in ("kind", "version", "domain", "norms", "severity"):
        del header[name]
    return arrays, header


def test_atlases_of_version_2_still_read(built: Path, cohort_folder: Path, tmp_path: Path) -> None:
    write_arrays(tmp_path / FILE, KIND, 2, *version_2(built))
    old, now = load_atlas(tmp_path), load_atlas(built)
    assert old.matcher.whole.thresholds == (0.6, 0.6, 0.6)
    assert old.matcher.whole.novelty_limit == 2.5
    assert (old.matcher.norms, old.matcher.severity, old.matcher.domain) == (None, None, Domain())
    path = sorted(cohort_folder.glob("sub-001/*face.safetensors"))[0]
    (was,), (made,) = (match_all(atlas, measured(atlas, [path], [load(path)]))[0] for atlas in (old, now))
    assert was.similarities == made.similarities
    assert (was.part_evidence, len(made.part_evidence)) == ((), 8)
    json.dumps(was.to_json(), allow_nan=False)


def test_a_person_outside_the_atlass_ages_is_refused_and_no_group_named(
    built: Path, cohort_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = sorted(cohort_folder.glob("sub-001/*face.safetensors"))
    match(built, inputs, tmp_path / "match.json", age=100)
    document = json.loads((tmp_path / "match.json").read_text())
    for made in (*document["matches"], *document["people"]):
        assert made["decision"] == "refused"
        assert "age 100, but the atlas's people are" in made["refusals"][0]
        assert (made["probabilities"], made["prediction_set"]) == ({}, [])
        assert set(made["similarities"]) == {"BD", "HC", "MDD"}
    with pytest.raises(InputError, match="expected an age in years, between 0 and 120, got -1"):
        match(built, inputs, age=-1)
    others = sorted(cohort_folder.glob("sub-002/*face.safetensors"))
    with pytest.raises(InputError, match="expected the recordings of one person with --age or --sex, got those of 2"):
        match(built, [*inputs, *others], sex="F")

    table = tmp_path / "patients.tsv"
    table.write_text("participant_id\tage\nsub-001\t100\n")
    match(built, [*inputs, *others], tmp_path / "match.json", people=table)
    old, unknown = json.loads((tmp_path / "match.json").read_text())["people"]
    assert (old["person"], old["decision"]) == ("sub-001", "refused")
    assert not any("age" in reason for reason in unknown["refusals"])
    assert "note: sub-002 not in patients.tsv: matched with age and sex unknown" in capsys.readouterr().err
    with pytest.raises(InputError, match="expected --people, or --age and --sex, but got both"):
        match(built, inputs, age=30, people=table)


def test_atlases_of_version_1_still_read(built: Path, tmp_path: Path) -> None:
    """The last of them, and the first, whose overlays were of motion alone and named otherwise."""
    arrays, header = version_2(built)
    new = ("low", "high", "margin_mm", "frame_spread_mm")
    arrays = {n: a for n, a in arrays.items() if not (n.startswith("standard/") and n.endswith(new))}
    arrays = {n: a for n, a in arrays.items() if not n.startswith("trajectory/")}
    for face in header["standard_faces"]:
        del face["effective_people"], face["sex"], face["age"]
    del header["trajectories"], header["averaging"]
    write_arrays(tmp_path / FILE, KIND, 1, arrays, header)
    last = load_atlas(tmp_path)
    wanted = load_atlas(built)
    assert set(last.overlays["MDD"]) == {"motion", "outward"}
    face, same = last.standard_faces["MDD"]["anger"], wanted.standard_faces["MDD"]["anger"]
    np.testing.assert_array_equal(face.motion, same.motion)
    assert np.isnan(face.motion_low).all()
    assert (face.effective_people, last.trajectories, last.by_sex) == (4, {}, {})
    assert last.embeddings.keys() == wanted.embeddings.keys()

    kept = [i for i, overlay in enumerate(header["overlays"]) if overlay["kind"] == "motion"]
    names = {"mean_mm": "motion_mm", "sd_mm": "motion_sd_mm"}
    first = {n: a for n, a in arrays.items() if not n.startswith("overlay/")}
    for number, i in enumerate(kept):
        for name in ("mean_mm", "sd_mm", "difference_mm", "low_mm", "high_mm", "effect"):
            first[f"overlay/{number}/{names.get(name, name)}"] = arrays[f"overlay/{i}/{name}"]
    overlays = [{k: v for k, v in header["overlays"][i].items() if k != "kind"} for i in kept]
    write_arrays(tmp_path / FILE, KIND, 1, first, header | {"overlays": overlays})
    overlay = load_atlas(tmp_path).overlays["MDD"]["motion"]
    np.testing.assert_array_equal(overlay.mean_mm, wanted.overlays["MDD"]["motion"].mean_mm)
    assert np.isnan(overlay.p_fwe).all()


def test_a_damaged_atlas_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_atlas(tmp_path)
    arrays, header = read_arrays(built / FILE, KIND, VERSION)
    header.pop("kind"), header.pop("version"), header.pop("motion")
    write_arrays(tmp_path / FILE, KIND, VERSION, arrays, header)
    with pytest.raises(InputError, match="build it anew"):
        load_atlas(tmp_path)


def test_bad_input_is_one_sentence_and_writes_nothing(built: Path, cohort_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="reference group XX among the groups BD, HC, MDD"):
        build(cohort_folder, out, reference="XX")
    with pytest.raises(InputError, match="--min-people of 10 or more, got 9"):
        build(cohort_folder, out, min_people=9)
    with pytest.raises(InputError, match="--weights equal or poststratified, got 'heavy'"):
        build(cohort_folder, out, weights="heavy")
    with pytest.raises(InputError, match="is a file"):
        build(cohort_folder, cohort_folder / "participants.tsv")
    with pytest.raises(InputError, match="expected quality full or fast, got 'best'"):
        build(cohort_folder, out, quality="best")
    with pytest.raises(InputError, match="expected quality full or fast, got 'best'"):
        match(built, sorted(cohort_folder.glob("sub-001/*face.safetensors")), quality="best")
    with pytest.raises(InputError, match="is no file"):
        match(built, [tmp_path / "nobody.mp4"])
    with pytest.raises(InputError, match="but there are none"):
        match(built, [tmp_path])
    broken = tmp_path / "x.face.safetensors"
    broken.write_text("nothing")
    with pytest.raises(InputError, match="no readable safetensors"):
        match(built, [broken], tmp_path / "out.json")
    with pytest.raises(InputError, match="is a folder"):
        match(built, [broken], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [broken.name]


def test_parameters_of_another_template_are_refused_or_said(built: Path, cohort_folder: Path) -> None:
    atlas = load_atlas(built)
    path = sorted(cohort_folder.glob("sub-001/*face.safetensors"))[0]
    sequence = load(path)
    assert check_parameters(atlas, sequence, path) == ()
    newer = FaceSequence(**{**vars(sequence), "template_sha256": "1" * 64})
    assert "another version of the template" in check_parameters(atlas, newer, path)[0]
    names = tuple(f"component {i}" for i in range(len(sequence.expression_names)))
    with pytest.raises(InputError, match="whose expressions differ"):
        check_parameters(atlas, FaceSequence(**{**vars(newer), "expression_names": names}), path)


def test_a_recording_without_a_face_is_named_when_it_is_matched(built: Path, cohort_folder: Path) -> None:
    atlas = load_atlas(built)
    path = sorted(cohort_folder.glob("sub-001/*face.safetensors"))[0]
    sequence = load(path)
    blind = replace(sequence, valid=np.zeros(len(sequence), bool))
    with pytest.raises(InputError, match=f"{path.name}: expected at least 10 frames"):
        measured(atlas, [path], [blind])


def test_recordings_without_enough_frames_are_left_out_and_said(
    cohort_folder: Path, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    path = sorted(folder.glob("sub-001/*face.safetensors"))[0]
    sequence = load(path)
    save(FaceSequence(**{**vars(sequence), "valid": np.zeros(len(sequence), bool)}), path)
    reading = read_cohort(load_cohort(folder), template, space)
    assert len(next(p for p in reading.people if p.id == "sub-001").recordings) == 2
    assert any(w.startswith(f"{path.name} was left out: expected at least 10 frames") for w in reading.notes)
    assert any("no recording of the stimulus" in w for w in reading.warnings)
    assert [(u.person, u.frames, u.frames_used) for u in reading.unused] == [("sub-001", len(sequence), 0)]


def test_a_group_of_any_name_has_a_file_name() -> None:
    assert file_name("bipolar/II ä") == "bipolar-II-ä"


@pytest.mark.usefixtures("few_figures")
def test_videos_are_reconstructed_on_the_way(
    built: Path, cohort_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    parameters = sorted(folder.glob("sub-001/*face.safetensors"))[0]
    known = FaceSequence(**{**vars(load(parameters)), "simulated": False})
    video = parameters.with_name(f"{stem_of(parameters)}.mp4")
    video.write_bytes(b"video")
    parameters.unlink()
    asked = []

    def reconstruct(
        path: Path, *, template: str, quality: str, seed: int, progress: Callable[[str, int, int], None]
    ) -> FaceSequence:
        asked.append((path, template, quality))
        progress("fitting", 1, 2)
        return replace(known, provenance={"quality": quality})

    monkeypatch.setattr("reconstruction.pipeline.reconstruct", reconstruct)
    made = tmp_path / "atlas" / "parameters" / "sub-001" / f"{stem_of(parameters)}{SUFFIX}"
    save(replace(known, provenance={"quality": "full"}), made)  # of an earlier run
    build(folder, tmp_path / "atlas", permutations=0, quality="fast")
    assert load(made).provenance == {"quality": "fast"}
    assert load(made).simulated  # the cohort's table says so, the video cannot
    for quality in ("full", "fast"):
        match(built, [video], tmp_path / "match.json", quality=quality)
    assert asked == [(video, "atlas-head", quality) for quality in ("fast", "full", "fast")]
    assert json.loads((tmp_path / "match.json").read_text())["matches"][0]["input"] == str(video)


def test_two_people_a_group_are_enough_to_build_and_never_to_decide(
    cohort_folder: Path, template: Template, space: MotionSpace
) -> None:
    people = read_cohort(load_cohort(cohort_folder), template, space).people
    few = [p for group in ("BD", "HC", "MDD") for p in [q for q in people if q.group == group][:2]]
    atlas = build_atlas(few, template, space, permutations=2)
    assert atlas.evaluation is not None
    assert atlas.evaluation.people == 6
    assert atlas.evaluation.decided == 0
    assert atlas.matcher.match(people[-1].recordings, "x").decision == "inconclusive"
