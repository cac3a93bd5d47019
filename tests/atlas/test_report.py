"""The report of an atlas."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atlas.atlas import KIND, VERSION, Atlas, build_atlas
from atlas.atlas_file import load_atlas, save_atlas
from atlas.biomarkers import ReliabilityTable, template_figures
from atlas.biomarkers.recording import FaceParts, face_parts, recording_biomarkers
from atlas.biomarkers.table import BiomarkerTable, biomarker_table
from atlas.cohort import Cohort, load_cohort
from atlas.figures import AtlasPictures, png
from atlas.motion import MotionSpace, motion_space
from atlas.reading import Reading, read_cohort
from atlas.report import DemoExtras, RecoveryRow, write_report
from atlas.report.effects import APPENDIX, MOST_SHOWN
from atlas.report.extras import match_rows
from atlas.statistics import Effect, Statistics, compare, contrasts, people_of
from reconstruction import quality
from reconstruction.errors import InputError
from reconstruction.storage import read_arrays, write_arrays
from reconstruction.template import Template

VOID = {"meta", "img", "br", "line", "circle", "rect", "path", "link", "input", "hr"}


class Page(HTMLParser):
    """Text, images and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
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
def parts(template: Template, space: MotionSpace) -> FaceParts:
    return face_parts(template, space)


@pytest.fixture(scope="module")
def reading(cohort: Cohort, template: Template, space: MotionSpace, parts: FaceParts) -> Reading:
    return read_cohort(cohort, template, space, biomarkers=lambda s: recording_biomarkers(s, parts))


@pytest.fixture(scope="module")
def atlas(reading: Reading, template: Template, space: MotionSpace) -> Atlas:
    return build_atlas(reading.people, template, space, permutations=2, warnings=reading.warnings)


@pytest.fixture(scope="module")
def pictures(atlas: Atlas, template: Template, space: MotionSpace) -> AtlasPictures:
    return AtlasPictures(atlas, template, space)


@pytest.fixture(scope="module")
def table(reading: Reading, parts: FaceParts) -> BiomarkerTable:
    return biomarker_table(reading.people, parts.quantities)


@pytest.fixture(scope="module")
def statistics(table: BiomarkerTable, cohort: Cohort, atlas: Atlas) -> Statistics:
    wanted = contrasts(atlas.groups, atlas.reference)
    return compare(table, people_of(cohort), wanted, covariates=(), permutations=200, resamples=100)


@pytest.fixture(scope="module")
def write(atlas: Atlas, cohort: Cohort, reading: Reading, pictures: AtlasPictures) -> Callable[..., str]:
    """``write(folder)``: the page's text; with other arguments of `write_report`, or another atlas."""

    def page(out: Path, made: Atlas = atlas, drawn: AtlasPictures = pictures, **others: Any) -> str:
        return write_report(made, cohort, reading, out, drawn, **others).html.read_text("utf-8")

    return page


@pytest.fixture(scope="module")
def written(
    write: Callable[..., str],
    statistics: Statistics,
    table: BiomarkerTable,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """The page with all that a build has."""
    command = "face-atlas build COHORT --out OUT"
    return write(tmp_path_factory.mktemp("r"), statistics=statistics, biomarkers=table, command=command)


def test_the_page_is_whole_self_contained_and_described(written: str) -> None:
    text, page = written, Page(written)
    assert page.open == []
    assert all(image["alt"] for image in page.images)
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert "<script" not in text
    assert not re.search(r"url\(|@import|https?://", text)
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(ids)
    assert '<html lang="en">' in text
    assert page.headings[0] == 1
    assert all(b <= a + 1 for a, b in pairwise(page.headings))
    assert text.count("<table") == text.count("<thead>")


def test_the_page_says_what_it_must(written: str, atlas: Atlas) -> None:
    page = Page(written).text
    assert "Research use; not a diagnosis" in page
    assert "These people are simulated." in page
    for group in ("BD", "HC", "MDD"):
        assert f"{group} 4" in page
    result = atlas.evaluation_summary
    assert f"{sum(result['confusion'][g][g] for g in atlas.groups)} of 12" in page
    assert "mm more motion" in " ".join(str(i["alt"]) for i in Page(written).images)
    assert atlas.template_sha256 in page
    for words in (
        "Flow of participants",
        "12 people listed",
        "Age, years",
        "What was planted, and what was found",
        "200 permutations of people by the method of Freedman and Lane",
        "10.1080/07350015.1983.10509354",
        "and no covariates",
        "ICC(C,1)",
        "BD, HC and MDD have fewer than 30 simulated people",
        "face-atlas build COHORT --out OUT",
        "36 recordings' parameters, together",
        "its calibration, as installed",
        "logistic regression",
        "inconclusive",
        "quality × (0.5 mm + activation)",
        "Seed 0",
        "×1",
    ):
        assert words in page


def test_the_limits_of_quality_that_it_tells_are_those_that_hold(written: str) -> None:
    page = Page(written).text
    for words in (
        f"detector's confidence below {quality.MIN_CONFIDENCE[0]:g}",
        f"outer eye corners nearer than {quality.MIN_INTEROCULAR[0]:g} pixels",
        f"more than {100 * quality.MAX_OUTSIDE[0]:g} % of the points outside",
        f"turned by more than {np.degrees(quality.MAX_YAW[0]):.0f} or tilted by more than "
        f"{np.degrees(quality.MAX_PITCH[0]):.0f} degrees",
    ):
        assert words in page


def test_effects_stand_by_level_the_largest_first_and_the_rest_folds_away(
    written: str, statistics: Statistics, table: BiomarkerTable
) -> None:
    units = [e for e in statistics.effects if e.level == "unit" and np.isfinite(e.d)]
    largest = max(units, key=lambda e: abs(e.d))
    section = written[written.index("<h3>Action units</h3>") :]
    first = section[: section.index("</tr>", section.index("<tbody>"))]
    told = Page(first).text
    assert largest.name in told
    assert f"{largest.contrast.replace('-', ' minus ')} n 4 : 4" in told
    assert f"{largest.d:+.2f}".replace("-", "−") in told
    assert next(q.label for q in table.quantities if q.name == largest.name) in told
    folded = re.findall(r"<details>.*?</details>", section, re.S)
    assert "next" in folded[0]
    assert folded[0].count('<th scope="row">') <= APPENDIX
    assert section[: section.index("<details>")].count('<th scope="row">') <= MOST_SHOWN
    for title in ("Movement and expressivity measures", "Organs of the face", "Regions of the face", "Key points"):
        assert f"<h3>{title}</h3>" in written


def test_without_statistics_that_is_said(write: Callable[..., str], tmp_path: Path) -> None:
    page = Page(write(tmp_path)).text
    assert "No effects were computed" in page
    assert "effects stand after" not in page
    assert "Freedman" not in page


def test_nobody_of_the_cohort_is_named(written: str, cohort: Cohort) -> None:
    assert not [person.id for person in cohort.people if person.id in written]
    assert str(cohort.folder) not in written
    assert cohort.folder.parent.name not in written


def test_names_of_groups_are_shown_and_not_obeyed(
    reading: Reading, cohort_folder: Path, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    bad = "<script>alert(1)</script> & 'x' {{ 7 * 7 }}"
    folder = Path(shutil.copytree(cohort_folder, tmp_path / "cohort"))
    rows = (folder / "participants.tsv").read_text("utf-8")
    (folder / "participants.tsv").write_text(rows.replace("\tMDD\t", f"\t{bad}\t"), "utf-8")
    people = tuple(replace(p, group=bad) if p.group == "MDD" else p for p in reading.people)
    hostile = replace(reading, people=people)
    made = build_atlas(people, template, space, permutations=0)
    effect = Effect("unit", "AU12", f"{bad}-HC", 4, 4, -1.0, "<b>", -2.0, -0.1, -1.0, 0.01, 0.01, 0.01, float("nan"))
    found = Statistics((effect,), (), 10, 10, 0, (f"{bad}: odd",))
    text = write_report(made, load_cohort(folder), hostile, tmp_path, statistics=found).html.read_text("utf-8")
    assert "<script" not in text
    page = Page(text)
    assert page.open == []
    assert bad in page.text
    assert f"{bad} minus HC" in page.text


def test_the_same_atlas_gives_the_same_bytes(
    atlas: Atlas, write: Callable[..., str], template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    once, again = (write(tmp_path, drawn=AtlasPictures(atlas, template, space)) for _ in range(2))
    assert again == once
    save_atlas(atlas, tmp_path / "atlas.safetensors")
    read = load_atlas(tmp_path)
    from_file = write(tmp_path / "file", read, AtlasPictures(read, template, motion_space(template)))
    assert Page(from_file).text == Page(once).text


def test_real_people_are_not_called_simulated_and_an_atlas_at_chance_is_said(
    atlas: Atlas, write: Callable[..., str], template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    reliability = replace(atlas.reliability, recordings={"full": 36})
    chance = {**atlas.evaluation_summary, "p": 0.6}
    real = replace(atlas, simulated=False, evaluation_summary=chance, reliability=reliability)
    page = Page(write(tmp_path, real, AtlasPictures(real, template, space))).text
    assert "simulated" not in page.lower()
    assert "does not tell its groups apart better than chance" in page
    assert "No face was averaged of fewer than 10 people" in page


def test_figures_are_shown_with_their_words(write: Callable[..., str], pictures: AtlasPictures, tmp_path: Path) -> None:
    drawing = tmp_path / "regions.svg"
    drawing.write_text('<?xml version="1.0"?><svg xmlns="x"><rect/></svg>')
    shown = {
        "units": (png(pictures.standard("HC")), "mm more in MDD than HC; n 4 and 4"),
        "regions": (drawing, "share in %, <n 4>"),
        "spread": (drawing, "which the page shows anyway"),
    }
    page = Page(write(tmp_path, figures=shown))
    assert [i["src"].split(";")[0] for i in page.images if i["alt"] == "share in %, <n 4>"] == ["data:image/svg+xml"]
    assert "mm more in MDD than HC; n 4 and 4. Simulated people." in page.text
    assert "shows anyway" not in page.text
    assert page.text.index("n 4 and 4") < page.text.index("share in %")
    with pytest.raises(InputError, match="as PNG or SVG, but it is neither"):
        write(tmp_path, figures={"x": (b"GIF89a", "x")})
    with pytest.raises(InputError, match="cannot be read"):
        write(tmp_path, figures={"x": (tmp_path / "absent.png", "x")})


def reconstructed(atlas: Atlas, template: Template, **recordings: int) -> Atlas:
    """The atlas as if its recordings had been reconstructed from videos with those qualities."""
    table = replace(template_figures(template), recordings=recordings)
    return replace(atlas, reliability=table, matcher=replace(atlas.matcher, reliability=table))


def test_reliability_stands_beside_every_action_unit(
    atlas: Atlas,
    reading: Reading,
    template: Template,
    statistics: Statistics,
    write: Callable[..., str],
    tmp_path: Path,
) -> None:
    made = reconstructed(atlas, template, full=36)
    matches = made_match(made, reading)
    evidence = [v for m in matches for v in m["evidence"] if v["feature"].startswith("AU")]  # type: ignore[attr-defined]
    assert evidence
    assert all(v["reliability"]["quality"] == "full" for v in evidence)
    row = RecoveryRow("AU26", "jaw drop", 0.71, 0.6, 0.8, None, 9, 0)
    demo = DemoExtras(timings=[], frames=[], recovery=[row], commands=[])
    page = Page(write(tmp_path, made, statistics=statistics, matches=matches, demo=demo))
    assert page.open == []
    told = made.reliability.of("AU26")
    assert told is not None
    assert f"r {told['r']:.2f} ({told['low']:.2f} to {told['high']:.2f}) means {told['between']:.2f}" in page.text
    assert f"from {told['detection_limit']:.1f}" in page.text
    for words in (
        f"films of {made.reliability.people} computer-made people of the template",
        "quality full , the one used here",
        "recovered with r",
        "not known",
    ):
        assert words in page.text


def test_without_pictures_or_figures_there_is_no_reliability_and_that_is_said(
    atlas: Atlas, written: str, write: Callable[..., str], statistics: Statistics, tmp_path: Path
) -> None:
    assert atlas.reliability.stage == "simulated"
    assert "not recovered from pictures" in Page(written).text
    unknown = replace(atlas, reliability=ReliabilityTable(recordings={"full": 36}))
    assert "this template's calibration does not tell" in Page(write(tmp_path, unknown, statistics=statistics)).text


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


def made_match(atlas: Atlas, reading: Reading) -> list[dict[str, Any]]:
    return [atlas.matcher.match(p.recordings, p.id, f"sub-new{i}").to_json() for i, p in enumerate(reading.people[:3])]


def test_matches_and_the_demonstrations_part_are_shown(
    atlas: Atlas, reading: Reading, write: Callable[..., str], tmp_path: Path
) -> None:
    matches = made_match(atlas, reading)
    true_groups = {f"sub-new{i}": person.group for i, person in enumerate(reading.people[:3])}
    demo = DemoExtras(
        timings=[("reconstruct", 75.2, "240 frames"), ("build", 200.0, "all")],
        frames=[(b"\x89PNG", "a frame <of> someone")],
        recovery=[
            RecoveryRow("AU12", "lip corner puller", 0.71, 0.6, 0.8, None, 9, 0),
            RecoveryRow("blink_rate", "blinks", None, None, None, 0.5, 9, 9),
        ],
        commands=["face-atlas match atlas VIDEO.mp4"],
    )
    text = write(tmp_path, matches=matches, true_groups=true_groups, demo=demo)
    page = Page(text)
    for words in ("sub-new0", "sub-new2", "75 s", "3 min 20 s", "0.71 (0.60 to 0.80)", "not defined"):
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
