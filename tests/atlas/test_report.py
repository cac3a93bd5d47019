"""The report of an atlas."""

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from atlas.atlas import KIND, VERSION, Atlas, build_atlas
from atlas.atlas_file import load_atlas, save_atlas
from atlas.biomarkers import ReliabilityTable, template_figures
from atlas.cohort import Cohort, load_cohort
from atlas.figures import AtlasPictures
from atlas.motion import MotionSpace
from atlas.reading import read_cohort
from atlas.report import DemoExtras, RecoveryRow, write_report
from atlas.report.differences import SHOWN, group_differences
from atlas.report.extras import match_rows
from atlas.report.people import PersonSummary, participant_flow, summarise_people
from reconstruction.sequence import FaceSequence, load, save
from reconstruction.storage import read_arrays, write_arrays
from reconstruction.template import Template

VOID = {"meta", "img", "br", "line", "circle", "link", "input", "hr"}


class Page(HTMLParser):
    """Text, images and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        found = dict(attrs)
        if tag == "img":
            self.images.append(found)
        self.addresses += [str(found[name]) for name in ("src", "href", "data", "action") if name in found]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def cohort(cohort_folder: Path) -> Cohort:
    return load_cohort(cohort_folder)


@pytest.fixture(scope="module")
def atlas(cohort: Cohort, template: Template, space: MotionSpace) -> Atlas:
    reading = read_cohort(cohort, template, space)
    return build_atlas(reading.people, template, space, permutations=2, warnings=reading.warnings)


@pytest.fixture(scope="module")
def pictures(atlas: Atlas, template: Template, space: MotionSpace) -> AtlasPictures:
    return AtlasPictures(atlas, template, space)


@pytest.fixture(scope="module")
def written(atlas: Atlas, cohort: Cohort, pictures: AtlasPictures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(atlas, cohort, tmp_path_factory.mktemp("r"), pictures)


def test_the_page_is_whole_self_contained_and_described(written: Path) -> None:
    text = written.read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert all(image["alt"] for image in page.images)
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
    assert "<script" not in text
    assert not re.search(r"url\(|@import|https?://", text)
    ids = re.findall(r'id="([^"]+)"', text)
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(ids)


def test_the_page_says_what_it_must(written: Path, atlas: Atlas) -> None:
    page = Page(written.read_text("utf-8")).text
    assert "Research use; not a diagnosis" in page
    assert "These people are simulated." in page
    for group in ("BD", "HC", "MDD"):
        assert f"{group} 4" in page
    result = atlas.evaluation_summary
    assert f"{sum(result['confusion'][g][g] for g in atlas.groups)} of 12" in page
    assert "mm more motion" in " ".join(str(i["alt"]) for i in Page(written.read_text("utf-8")).images)
    assert atlas.template_sha256 in page
    for words in ("logistic regression", "inconclusive", "quality × (0.5 mm + activation)", "Seed 0", "×1"):
        assert words in page


def test_nobody_of_the_cohort_is_named(written: Path, cohort: Cohort) -> None:
    text = written.read_text("utf-8")
    assert not [person.id for person in cohort.people if person.id in text]
    assert str(cohort.folder) not in text


def test_the_same_atlas_gives_the_same_bytes(
    written: Path, atlas: Atlas, cohort: Cohort, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    again = write_report(atlas, cohort, tmp_path, AtlasPictures(atlas, template, space))
    assert again.read_bytes() == written.read_bytes()
    save_atlas(atlas, tmp_path / "atlas.safetensors")
    from_file = write_report(load_atlas(tmp_path), cohort, tmp_path / "file")
    assert Page(from_file.read_text("utf-8")).text == Page(written.read_text("utf-8")).text


def test_real_people_are_not_called_simulated_and_an_atlas_at_chance_is_said(
    atlas: Atlas, cohort: Cohort, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    real = replace(atlas, simulated=False, evaluation_summary={**atlas.evaluation_summary, "p": 0.6})
    page = Page(write_report(real, cohort, tmp_path, AtlasPictures(real, template, space)).read_text("utf-8")).text
    assert "simulated" not in page.lower()
    assert "does not tell its groups apart better than chance" in page


def reconstructed(atlas: Atlas, template: Template, **recordings: int) -> Atlas:
    """The atlas as if its recordings had been reconstructed from videos with those qualities."""
    table = replace(template_figures(template), recordings=recordings)
    return replace(atlas, reliability=table, matcher=replace(atlas.matcher, reliability=table))


def test_reliability_stands_beside_every_action_unit(
    atlas: Atlas, cohort: Cohort, template: Template, space: MotionSpace, pictures: AtlasPictures, tmp_path: Path
) -> None:
    made = reconstructed(atlas, template, full=36)
    matches = made_match(made, cohort, template, space)
    evidence = [v for m in matches for v in m["evidence"] if v["feature"].startswith("AU")]  # type: ignore[attr-defined]
    assert evidence
    assert all(v["reliability"]["quality"] == "full" for v in evidence)
    row = RecoveryRow("AU26", "jaw drop", 0.71, 0.6, 0.8, None, 9, 0)
    demo = DemoExtras(timings=[], frames=[], recovery=[row], commands=[])
    page = Page(write_report(made, cohort, tmp_path, pictures, matches=matches, demo=demo).read_text("utf-8"))
    assert page.open == []
    told = made.reliability.of("AU26")
    assert told is not None
    assert f"r {told['r']:.2f} ({told['low']:.2f} to {told['high']:.2f}) means {told['between']:.2f}" in page.text
    assert f"from {told['detection_limit']:.1f}" in page.text
    for words in (
        f"films of {made.reliability.people} computer-made people of the template",
        "quality full , the one used here",
        "recovered with r",
        "not measured",
    ):
        assert words in page.text


def test_without_pictures_or_figures_there_is_no_reliability_and_that_is_said(
    atlas: Atlas, written: Path, cohort: Cohort, pictures: AtlasPictures, tmp_path: Path
) -> None:
    assert atlas.reliability.stage == "simulated"
    assert "not recovered from pictures" in Page(written.read_text("utf-8")).text
    unknown = replace(atlas, reliability=ReliabilityTable(recordings={"full": 36}))
    page = Page(write_report(unknown, cohort, tmp_path, pictures).read_text("utf-8")).text
    assert "this template's calibration does not tell" in page


def test_an_atlas_keeps_the_qualities_of_its_recordings(atlas: Atlas, template: Template, tmp_path: Path) -> None:
    mixed = reconstructed(atlas, template, fast=3, full=33)
    save_atlas(mixed, tmp_path / "atlas.safetensors")
    back = load_atlas(tmp_path)
    assert back.reliability == mixed.reliability == back.matcher.reliability
    told = back.summary()["reliability"]
    assert told["quality"] == "fast"
    assert told["recordings"] == {"fast": 3, "full": 33}
    assert told["action_units"]["AU12"]["quality"] == "fast"
    assert "different qualities (3 fast, 33 full)" in mixed.reliability.warnings[0]


def test_an_atlas_from_before_reliability_still_reads(atlas: Atlas, tmp_path: Path) -> None:
    save_atlas(atlas, tmp_path / "atlas.safetensors")
    arrays, header = read_arrays(tmp_path / "atlas.safetensors", KIND, VERSION)
    del header["reliability"], header["kind"], header["version"]
    write_arrays(tmp_path / "atlas.safetensors", KIND, VERSION, arrays, header)
    assert load_atlas(tmp_path).reliability == ReliabilityTable()


def made_match(atlas: Atlas, cohort: Cohort, template: Template, space: MotionSpace) -> list[dict[str, object]]:
    people = read_cohort(cohort, template, space).people
    return [atlas.matcher.match(p.recordings, p.id, f"sub-new{i}").to_json() for i, p in enumerate(people[:3])]


def test_matches_and_the_demonstrations_part_are_shown(
    atlas: Atlas, cohort: Cohort, template: Template, space: MotionSpace, pictures: AtlasPictures, tmp_path: Path
) -> None:
    matches = made_match(atlas, cohort, template, space)
    true_groups = {f"sub-new{i}": person.group for i, person in enumerate(cohort.people[:3])}
    demo = DemoExtras(
        timings=[("reconstruct", 75.2, "240 frames"), ("build", 200.0, "all")],
        frames=[(b"\x89PNG", "a frame <of> someone")],
        recovery=[
            RecoveryRow("AU12", "lip corner puller", 0.71, 0.6, 0.8, None, 9, 0),
            RecoveryRow("blink_rate", "blinks", None, None, None, 0.5, 9, 9),
        ],
        commands=["face-atlas match atlas VIDEO.mp4"],
        planted={"MDD": {"AU12": -1.6}},
    )
    text = write_report(
        atlas,
        cohort,
        tmp_path,
        pictures,
        matches=matches,
        true_groups=true_groups,
        demo=demo,
    ).read_text("utf-8")
    page = Page(text)
    for words in ("sub-new0", "sub-new2", "75 s", "3 min 20 s", "0.71 (0.60 to 0.80)", "not defined", "AU12 −1.6"):
        assert words in page.text
    assert "a frame &lt;of&gt; someone" in text
    assert json.dumps(matches[0]["decision"]).strip('"') in page.text


def test_matches_are_counted_against_the_truth() -> None:
    def one(person: str, best: str, decision: str) -> dict[str, object]:
        values = {"A": 0.1, "B": 0.1, best: 0.8}
        rest = {"evidence": [], "frames": 9, "frames_used": 8, "warnings": ["few", person]}
        return {"person": person, "similarities": values, "probabilities": values, "decision": decision, **rest}

    rows = match_rows(
        [one("x", "A", "A"), one("y", "B", "inconclusive"), one("z", "B", "B"), one("w", "A", "A")],
        {"x": "A", "y": "B", "z": "A"},
        ("A", "B"),
    )
    assert (rows["known"], rows["right"], rows["decided"], rows["decided_right"]) == (3, 2, 2, 1)
    assert rows["warnings"] == ["few"]
    assert rows["rows"][0]["warnings"] == ["x"]
    assert rows["rows"][3]["truth"] is None


def test_the_flow_counts_people_recordings_and_frames(cohort_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    victim = load_cohort(folder).people[0]
    half, none = (r.path for r in victim.recordings[:2])
    sequence = load(half)
    valid = np.arange(len(sequence)) % 2 == 0
    blurred = {"reason": (~valid).astype(np.uint8), "reason_names": ("ok", "blurred")}
    save(FaceSequence(**{**vars(sequence), "valid": valid, **blurred}), half)
    save(FaceSequence(**{**vars(load(none)), **blurred, "valid": np.zeros(len(sequence), bool)}), none)
    other = next(p for p in load_cohort(folder).people if p.group == victim.group and p.id != victim.id)
    shutil.rmtree(folder / other.id)

    cohort = load_cohort(folder)
    flow = {f.group: f for f in participant_flow(cohort, summarise_people(cohort))}
    changed = flow[victim.group]
    assert (changed.listed, changed.people) == (4, 3)
    assert (changed.recordings, changed.recordings_used) == (9, 8)
    assert (changed.frames, changed.frames_used) == (9 * 60, 7 * 60 + 30)
    assert changed.left_out["blurred"] == 60
    assert changed.women + changed.men == 3
    assert changed.age_mean is not None
    whole = next(f for group, f in flow.items() if group != victim.group)
    assert (whole.listed, whole.people, whole.left_out) == (4, 4, {})


def person(group: str, **values: float) -> PersonSummary:
    return PersonSummary(group, 30.0, "F", 1, 1, 10, 10, {}, values)


def test_differences_have_people_as_the_unit_and_are_ranked_by_effect() -> None:
    rng = np.random.default_rng(0)
    people = [person("HC", AU12=2 + x, AU04=1 + y, AU01=1.0) for x, y in rng.normal(size=(20, 2))]
    people += [person("MDD", AU12=-1 + x, AU04=1 + y, AU01=1.0, AU02=3.0) for x, y in rng.normal(size=(20, 2))]
    found, looked_at = group_differences(people, "HC")
    assert list(found) == ["MDD"]
    assert looked_at == 2  # AU01 differs in nobody, AU02 has nobody to compare with
    first, second = found["MDD"]
    assert (first.name, first.people, first.reference_people) == ("AU12", 20, 20)
    welch = stats.ttest_ind(
        *([p.values["AU12"] for p in people if p.group == g] for g in ("MDD", "HC")), equal_var=False
    )
    assert (first.low, first.high) == pytest.approx(tuple(welch.confidence_interval(0.95)))
    assert first.q == pytest.approx(2 * welch.pvalue)  # the smaller of two
    assert -4.5 < first.effect < -1.8
    assert first.q < 0.001 < 0.05 < second.q
    assert len(found["MDD"]) <= SHOWN


def test_differences_are_nothing_where_nobody_can_be_compared() -> None:
    assert group_differences([person("HC", AU12=1.0), person("MDD", AU12=2.0)], "HC") == ({"MDD": []}, 0)
