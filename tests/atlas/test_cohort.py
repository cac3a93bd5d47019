"""A cohort folder: what is read, what is said, what is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from atlas.cohort import load_cohort, person_of, reconstruct_videos, session_of, stimulus_of
from atlas.participants import sex_of
from atlas.statistics import people_of
from reconstruction.errors import InputError
from reconstruction.sequence import BIDS_SUFFIX, SUFFIX, FaceSequence, load, save, stem_of


@pytest.fixture
def folder(cohort_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))


def rows(folder: Path) -> list[str]:
    return (folder / "participants.tsv").read_text().splitlines()


def write(folder: Path, lines: list[str]) -> None:
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


def test_everyone_is_read_with_group_age_sex_and_stimuli(cohort_folder: Path) -> None:
    cohort = load_cohort(cohort_folder)
    assert len(cohort.people) == 12
    assert cohort.groups == ("BD", "HC", "MDD")
    assert cohort.stimuli == ("anger", "happiness", "neutral")
    assert all(len(person.recordings) == 3 and person.age and person.sex for person in cohort.people)
    assert cohort.warnings == ()
    assert not cohort.videos


def test_stimulus_and_person_come_from_the_name() -> None:
    assert stimulus_of("x/sub-01_task-anger_run-2.mp4") == "anger"
    assert stimulus_of("holiday.mp4") is None
    assert person_of("cohort/sub-07/video/a.mp4") == "sub-07"
    assert person_of("/tmp/sub-08_task-anger.mp4") == "sub-08"
    assert person_of("/tmp/a.mp4") is None


def test_oddities_are_said_and_the_rest_is_used(folder: Path) -> None:
    lines = rows(folder)
    header = lines[0].split("\t")
    first, second, third = (line.split("\t") for line in lines[1:4])
    first[header.index("age")] = "old"
    second[header.index("group")] = "n/a"
    shutil.rmtree(folder / third[0])
    shutil.copytree(folder / first[0], folder / "sub-stranger")
    broken = folder / lines[4].split("\t")[0] / "sub-x_task-fear.face.safetensors"
    broken.write_text("not a tensor")
    write(folder, [lines[0], "\t".join(first), "\t".join(second), *lines[3:]])
    cohort = load_cohort(folder)
    said = "; ".join(cohort.warnings)
    assert len(cohort.people) == 10
    for part in (
        f"{first[0]} has the age 'old'",
        f"{second[0]} has no group",
        f"{third[0]} has no recording",
        "sub-stranger has recordings but no row",
        f"{broken.name} of",
    ):
        assert part in said
    assert next(p for p in cohort.people if p.id == first[0]).age is None


def test_ids_may_lack_the_prefix_and_columns_may_be_missing(folder: Path) -> None:
    lines = rows(folder)
    columns = lines[0].split("\t")
    kept = [columns.index("participant_id"), columns.index("group")]
    write(folder, ["\t".join(line.split("\t")[i] for i in kept).removeprefix("sub-") for line in lines])
    cohort = load_cohort(folder)
    assert len(cohort.people) == 12
    assert {p.age for p in cohort.people} == {None}
    assert any("no column age" in warning for warning in cohort.warnings)


def test_refuses_what_cannot_be_used(folder: Path, tmp_path: Path) -> None:
    lines = rows(folder)
    with pytest.raises(InputError, match="does not exist"):
        load_cohort(tmp_path / "nowhere")
    write(folder, [line.replace("group", "diagnosis") for line in lines[:1]] + lines[1:])
    with pytest.raises(InputError, match="group is missing"):
        load_cohort(folder)
    write(folder, [line.replace("\t", ",") for line in lines])
    with pytest.raises(InputError, match="separate columns by tabs"):
        load_cohort(folder)
    write(folder, [*lines, lines[1]])
    with pytest.raises(InputError, match="listed twice"):
        load_cohort(folder)
    (folder / "participants.tsv").write_bytes(b"participant_id\tgroup\nsub-\xff\tHC\n")
    with pytest.raises(InputError, match="UTF-8"):
        load_cohort(folder)


def test_refuses_a_group_of_one_and_a_single_group(folder: Path) -> None:
    lines = rows(folder)
    groups = {line.split("\t")[lines[0].split("\t").index("group")] for line in lines[1:]}
    only = [line for line in lines[1:] if "\tMDD\t" in line]
    others = [line for line in lines[1:] if "\tMDD\t" not in line]
    assert groups == {"MDD", "BD", "HC"}
    write(folder, [lines[0], *others, only[0]])
    with pytest.raises(InputError, match=r"at least 2 people .* MDD \(1\) has fewer"):
        load_cohort(folder)
    write(folder, [lines[0], *only])
    with pytest.raises(InputError, match="at least two groups, but found MDD"):
        load_cohort(folder)
    assert load_cohort(folder, least=0).groups == ("MDD",)  # patients alone can be shared
    write(folder, [lines[0]])
    with pytest.raises(InputError, match="of a group, but found nobody with a recording"):
        load_cohort(folder, least=0)


def test_refuses_few_people_who_exist(folder: Path) -> None:
    """A file that calls its person simulated makes the person so, and so does the table."""
    lines = rows(folder)
    column = lines[0].split("\t").index("simulated")
    plain = ["\t".join(cell for i, cell in enumerate(line.split("\t")) if i != column) for line in lines]
    write(folder, plain)
    assert all(person.simulated for person in load_cohort(folder).people)
    for path in folder.glob("sub-*/*face.safetensors"):
        save(replace(load(path), simulated=False), path)
    with pytest.raises(InputError, match=r"at least 10 people .* BD \(4\), HC \(4\), MDD \(4\) has fewer"):
        load_cohort(folder)
    write(folder, lines)
    assert all(person.simulated for person in load_cohort(folder).people)
    write(folder, [lines[0], *(line.replace("\tyes", "\tno") if "\tHC\t" in line else line for line in lines[1:])])
    with pytest.raises(InputError, match=r"at least 10 people .* but HC \(4\) has fewer"):
        load_cohort(folder)


def test_parameters_named_after_bids_and_those_that_are_not_are_read_alike(folder: Path) -> None:
    for path in folder.glob("sub-*/*" + BIDS_SUFFIX):
        path.rename(path.with_name(stem_of(path) + SUFFIX))
    cohort = load_cohort(folder)
    assert cohort.warnings == ()
    assert {r.stem for p in cohort.people for r in p.recordings} == {
        f"{person.id}_task-{stimulus}" for person in cohort.people for stimulus in cohort.stimuli
    }


def by_session(folder: Path) -> None:
    """Everybody's anger and neutral in session 1, happiness in session 2, which only the name tells."""
    for path in sorted(folder.glob("sub-*/*" + BIDS_SUFFIX)):
        person, task = stem_of(path).split("_")
        if task == "task-happiness":
            path.rename(path.with_name(f"{person}_ses-2_{task}{BIDS_SUFFIX}"))
        else:
            (path.parent / "ses-1").mkdir(exist_ok=True)
            path.rename(path.parent / "ses-1" / f"{person}_{task}{BIDS_SUFFIX}")


def test_a_session_is_told_by_folder_or_name_and_can_be_chosen(folder: Path) -> None:
    assert session_of("sub-1/ses-a/x_ses-b.mp4") == "a"
    assert session_of("ses-9/sub-1/x.mp4") is None
    by_session(folder)
    cohort = load_cohort(folder)
    assert cohort.sessions == ("1", "2")
    assert [(r.stimulus, r.session) for r in cohort.people[0].recordings] == [
        ("anger", "1"),
        ("neutral", "1"),
        ("happiness", "2"),
    ]
    assert load_cohort(folder, session="1").stimuli == ("anger", "neutral")
    assert load_cohort(folder, session="ses-2").stimuli == ("happiness",)
    shutil.rmtree(folder / "sub-003" / "ses-1")
    assert "sub-003 has no recording of session 1 below cohort/sub-003 and was left out" in (
        load_cohort(folder, session="1").warnings
    )
    with pytest.raises(InputError, match=r"of session 3, but there are none \(sessions found: 1, 2\)"):
        load_cohort(folder, session="3")


def test_videos_of_the_same_name_in_two_sessions_are_two(folder: Path, tmp_path: Path) -> None:
    sequence = load(folder / "sub-001" / f"sub-001_task-anger{BIDS_SUFFIX}")
    for session in ("ses-1", "ses-2"):
        (folder / "sub-001" / session).mkdir()
        (folder / "sub-001" / session / "fear.mp4").write_bytes(b"video")
    done = reconstruct_videos(load_cohort(folder), tmp_path, lambda video, progress: sequence)
    made = [r.path.relative_to(tmp_path) for r in done.people[0].recordings if r.session]
    assert [str(path) for path in made] == [f"sub-001/ses-{n}/fear{SUFFIX}" for n in (1, 2)]
    assert not load_cohort(folder, tmp_path).videos


def scores(folder: Path, name: str, *lines: str) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join("\t".join(line.split()) + "\n" for line in lines))


def test_scores_are_joined_and_can_be_covariates(folder: Path) -> None:
    scores(folder, "phenotype/hamd.tsv", "participant_id total site", "sub-001 17 north", "002 n/a south", "sub-9 3 x")
    scores(folder, "phenotype/bdi.tsv", "participant_id total", "sub-001 30")
    cohort = load_cohort(folder)
    extra = {person.id: person.extra for person in cohort.people}
    assert extra["sub-001"] == {"simulated": "yes", "hamd_total": "17", "site": "north", "bdi_total": "30"}
    assert extra["sub-002"] == {"simulated": "yes", "site": "south"}
    assert cohort.warnings == ("scores of sub-9 have no row in participants.tsv and were left out",)
    assert people_of(cohort).columns["hamd_total"][:2] == ("17", "")


def test_scores_of_sessions_are_averaged_or_chosen(folder: Path) -> None:
    by_session(folder)
    rows = ("participant_id session_id total mood", "sub-001 ses-1 17 low", "sub-001 2 10 high")
    scores(folder, "phenotype/hamd.tsv", *rows)
    scores(folder, "sub-002/sub-002_sessions.tsv", "session_id acq_time bdi", "ses-1 2020-01-01 4", "ses-2 x 5")
    cohort = load_cohort(folder)
    assert cohort.people[0].extra == {"simulated": "yes", "total": "13.5"}
    assert cohort.people[1].extra == {"simulated": "yes", "bdi": "4.5"}
    assert "mood differs between the sessions of 1 people" in cohort.warnings[0]
    chosen = load_cohort(folder, session="2").people
    assert [p.extra for p in chosen[:2]] == [
        {"simulated": "yes", "total": "10", "mood": "high"},
        {"simulated": "yes", "bdi": "5"},
    ]


def test_scores_that_cannot_be_read_are_said_and_left_out(folder: Path) -> None:
    scores(folder, "phenotype/hamd.tsv", "who total", "sub-001 17")
    (folder / "phenotype/bdi.tsv").write_bytes(b"participant_id\tbdi\nsub-001\t\xff\n")
    cohort = load_cohort(folder)
    assert [w.split(" was left out")[0] for w in cohort.warnings] == ["bdi.tsv", "hamd.tsv"]
    assert cohort.people[0].extra == {"simulated": "yes"}


def test_sex_has_usual_words() -> None:
    assert [sex_of(word) for word in ("f", "Female", "w", "M", "male", "n/a", "", "Diverse")] == [
        *("F", "F", "F", "M", "M"),
        *(None, None, "Diverse"),
    ]


def test_refuses_a_mixture_of_templates(folder: Path) -> None:
    path = sorted(folder.glob("sub-*/*face.safetensors"))[0]
    sequence = load(path)
    save(FaceSequence(**{**vars(sequence), "template": "other", "template_sha256": "0" * 64}), path)
    with pytest.raises(InputError, match=r"one template, but found .*atlas-head.* other \(00000000\): 1 files"):
        load_cohort(folder)


def test_parameters_made_with_another_quality_do_not_stand_in_for_a_video(folder: Path, tmp_path: Path) -> None:
    """A file that names no quality does, so do those beside the video: they were put there, not kept from a run."""
    files = sorted(folder.glob("sub-*/*face.safetensors"))[:4]
    parameters = tmp_path / "parameters"
    for path, provenance in zip(
        files, ({"quality": "fast"}, {"quality": "full"}, {}, {"quality": "fast"}), strict=True
    ):
        path.with_name(f"{stem_of(path)}.mp4").write_bytes(b"video")
        save(replace(load(path), provenance=provenance), parameters / path.parent.name / f"{stem_of(path)}{SUFFIX}")
        if path != files[3]:
            path.unlink()
    stems = [stem_of(path) for path in files]
    for quality, waiting in (("full", stems[:1]), ("fast", stems[1:2]), (None, [])):
        assert [recording.stem for _, recording in load_cohort(folder, parameters, quality).videos] == waiting


def test_videos_become_parameters_once_and_bad_ones_are_left_out(folder: Path, tmp_path: Path) -> None:
    files = sorted(folder.glob("sub-*/*face.safetensors"))
    made = {f"{stem_of(path)}.mp4": load(path) for path in files[:3]}
    for path in files[:3]:
        path.with_name(f"{stem_of(path)}.mp4").write_bytes(b"video")
        path.unlink()
    asked: list[str] = []

    def reconstruct(video: Path, progress: object) -> FaceSequence:
        asked.append(video.name)
        if len(asked) == 2:
            raise InputError("expected a face, but there is none.")
        return made[video.name]

    parameters = tmp_path / "parameters"
    cohort = load_cohort(folder, parameters)
    assert len(cohort.videos) == 3
    done = reconstruct_videos(cohort, parameters, reconstruct)
    assert not done.videos
    assert any(f"{asked[1]} was left out: expected a face" in warning for warning in done.warnings)
    written = load(parameters / files[0].parent.name / f"{stem_of(files[0])}{SUFFIX}")
    np.testing.assert_array_equal(written.expression, made[asked[0]].expression)
    again = load_cohort(folder, parameters)
    assert [recording.path.name for _, recording in again.videos] == [asked[1]]
