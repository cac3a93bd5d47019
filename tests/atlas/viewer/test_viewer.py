"""What the viewer's page holds: numbers as in the atlas, sentences that are true, nothing that could break out."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from viewer_atlas import HOSTILE, Course, effect, extras, planted, renamed

import atlas.viewer.page as page
from atlas.aggregation import AggregatedFace
from atlas.atlas import Atlas
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import MOTION, OUTWARD
from atlas.viewer import viewer_page, write_viewer
from atlas.viewer.anatomy import Anatomy, anatomy
from atlas.viewer.packing import NEAR_MM, motion_basis, shares, signed
from atlas.viewer.scene import ordered, scene
from atlas.viewer.wording import headline, surest
from reconstruction.errors import InputError
from reconstruction.template import Template

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(atlas: Atlas, people: list[AggregatedFace], template: Template, space: MotionSpace) -> Document:
    return scene(atlas, template, space, [effect()], **extras(atlas, people, template, space))


@pytest.fixture(scope="module")
def places(template: Template) -> Anatomy:
    return anatomy(template, face_mask(template))


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A shell that only marks where the document goes, so that these tests need no Node.js."""
    tmp_path.joinpath(page.SHELL).write_text("<script type=json>%ATLAS%</script>")
    monkeypatch.setattr("atlas.viewer.page.resources", SimpleNamespace(files=lambda package: tmp_path))


def unpack(packed: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(base64.b64decode(packed["data"]), packed["type"]) * packed["scale"]


def test_numbers_survive_packing() -> None:
    values = np.array([-3.0, 0.0, 1.25, np.nan])
    assert unpack(signed(values)) == pytest.approx([-3, 0, 1.25, 0], abs=1e-4)
    assert unpack(shares(np.array([0, 0.034, 1, np.nan]))) == pytest.approx([0, 0.034, 1, 1], abs=1e-5)


def test_heads_are_the_standard_faces(document: Document, atlas: Atlas, template: Template, space: MotionSpace) -> None:
    directions = np.array([unpack(d) for d in document["directions"]])
    for group in document["groups"]:
        for motion in group["motions"]:
            shown = unpack(group["neutral"]) + np.array(motion["values"]) @ directions
            true = atlas.standard_faces[group["name"]][motion["stimulus"]].expressive(template, space)
            # the model turns jaw and eyes, the directions move straight
            assert 1000 * np.linalg.norm(shown.reshape(-1, 3) - true, axis=1).max() < 0.5


def test_few_directions_hold_what_is_shown(space: MotionSpace) -> None:
    motions = np.random.default_rng(0).normal(0, 0.1, (40, 6)) @ np.random.default_rng(1).normal(size=(6, space.size))
    basis = motion_basis(space.directions, [motions])
    assert len(basis.directions) <= 6
    true = np.einsum("vdm,nm->nvd", space.directions.astype(float), motions)
    shown = np.einsum("rvd,nr->nvd", basis.directions, motions @ basis.of_motion.T)
    assert 1000 * np.linalg.norm(true - shown, axis=2).max() <= NEAR_MM


def test_overlays_are_those_of_the_atlas(document: Document, atlas: Atlas) -> None:
    names = [group["name"] for group in document["groups"]]
    assert names == ["HC", "MDD", "BD"]
    for overlay in document["overlays"][:2]:
        for name, shown in zip(names[1:], overlay["groups"][1:], strict=True):
            true = atlas.overlays[name][overlay["name"]]
            for key, values in (("value", true.difference_mm), ("low", true.low_mm), ("d", true.effect), ("q", true.q)):
                assert unpack(shown[key]) == pytest.approx(values, abs=2e-4), key
    assert "value" not in document["overlays"][0]["groups"][0]


def test_effects_find_their_place(document: Document) -> None:
    (row,) = document["effects"]
    assert (row["set"], row["place"], row["group"], row["label"]) == ("grid", 0, 1, "right half")
    grid = document["places"][1]
    assert grid["names"] == ["1: right half", "2"]
    assert set(unpack(grid["of"])) == {1, 2}


def test_an_effect_that_is_unknown_is_null_in_the_page(atlas: Atlas, template: Template, space: MotionSpace) -> None:
    found = scene(atlas, template, space, [effect("new", "PHQ-9", reliability=np.nan)])["effects"][0]
    assert found["reliability"] is None
    assert found["group"] is None
    assert found["set"] is None


def test_reliability_of_places_is_shown_where_it_is_known(
    atlas: Atlas, people: list[AggregatedFace], template: Template, space: MotionSpace
) -> None:
    given = extras(atlas, people, template, space) | {"reliability": None}
    overlay = scene(atlas, template, space, [effect()], **given)["overlays"][-1]
    right = template.v_template[:, 0] < 0
    assert overlay["name"] == "reliability"
    assert unpack(overlay["all"]["value"])[right] == pytest.approx(0.76, abs=1e-4)
    assert (unpack(overlay["all"]["known"]) == right).all()


def test_a_long_trajectory_is_thinned_out(atlas: Atlas, template: Template, space: MotionSpace) -> None:
    time = np.arange(6000) / 10
    course = Course(time, np.sin(time)[:, None] * np.ones(space.size) / 50)
    (found,) = scene(atlas, template, space, [], trajectories={"MDD": {"anger": course}})["trajectories"]
    assert len(found["seconds"]) == 900
    assert found["seconds"][-1] == pytest.approx(599.9)


def test_places_are_called_by_what_lies_there(places: Anatomy, template: Template) -> None:
    marks = template.landmarks68(template.v_template)
    for number, name in ((48, "right corner of the mouth"), (54, "left corner of the mouth"), (30, "tip of the nose"),
                         (45, "left outer eye corner"), (24, "left outer brow"), (8, "chin")):  # fmt: skip
        nearest = np.linalg.norm(template.v_template - marks[number], axis=1).argmin()
        assert places.names[places.label[nearest]] == name
    other = {"right": "left", "left": "right"}
    for twin, name in zip(places.mirror, places.names, strict=True):
        assert places.names[twin] == " ".join(other.get(word, word) for word in name.split())


def test_the_headline_names_what_differs(atlas: Atlas, places: Anatomy) -> None:
    mouth = np.isin(places.label, [places.names.index(f"{side} corner of the mouth") for side in ("left", "right")])
    motion = planted(atlas.overlays["MDD"][MOTION], mouth, -0.8)
    assert headline(motion, places) == (
        "In MDD the corners of the mouth move 0.80 mm less than in HC (0.40 to 1.2), p = 0.003, "
        "corrected for some 4,800 places."
    )
    chin = places.label == places.names.index("chin")
    outward = planted(atlas.overlays["BD"][OUTWARD], chin, 0.5)
    assert headline(outward, places).startswith("In BD the chin lies 0.50 mm farther out than in HC (0.10 to 0.90), ")


def test_the_headline_says_when_nothing_differs(atlas: Atlas, places: Anatomy) -> None:
    none = replace(atlas.overlays["MDD"][MOTION], p_fwe=np.full(len(places.label), 0.4, np.float32))
    assert headline(none, places).startswith("No place on the face tells MDD from HC beyond chance: ")
    assert "p = 0.400" in headline(none, places)


def test_the_surest_biomarker_is_told_or_that_there_is_none() -> None:
    effects = [effect("b", p_fwe=0.03), effect(), effect("c", "BD-HC", p_fwe=0.2)]
    assert surest(effects, "MDD", "HC", {"grid_1_share": "right half"}) == (
        "Surest of 2 biomarkers: right half (grid_1_share), 3.2 lower than in HC (1.4 to 5.0; %), p = 0.004, "
        "corrected within its kind; reliability 0.76."
    )
    assert surest(effects, "BD", "HC", {}) == "None of 1 biomarkers differs between BD and HC beyond chance."
    assert surest(effects, "HC", "HC", {}) == ""


def test_the_reference_comes_first_then_the_field_s_names() -> None:
    assert ordered(("BD", "HC", "MDD", "ADHD"), "HC") == ["HC", "MDD", "BD", "ADHD"]
    assert ordered(("b", "a", "c"), "c") == ["c", "a", "b"]


@pytest.mark.usefixtures("shell")
def test_no_group_s_name_breaks_out_of_the_document(atlas: Atlas, template: Template, space: MotionSpace) -> None:
    html = viewer_page(scene(renamed(atlas, HOSTILE), template, space, []))
    content = html.removeprefix("<script type=json>").removesuffix("</script>")
    assert not set("<>&") & set(content)
    assert [group["name"] for group in json.loads(content)["groups"]] == [HOSTILE["HC"], HOSTILE["MDD"], HOSTILE["BD"]]


@pytest.mark.usefixtures("shell")
def test_the_same_atlas_gives_the_same_bytes(
    atlas: Atlas, people: list[AggregatedFace], template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    given = extras(atlas, people, template, space)
    one, two = (
        write_viewer(atlas, template, space, [effect()], tmp_path / name, **given) for name in ("a.html", "b.html")
    )
    assert one.read_bytes() == two.read_bytes()
    assert one.stat().st_size < 4_000_000
    for person in people:
        assert person.id not in one.read_text()


def test_a_viewer_without_its_program_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("atlas.viewer.page.resources", SimpleNamespace(files=lambda package: tmp_path))
    with pytest.raises(InputError, match=r"expected the viewer's program, .* without it; run `make setup`"):
        viewer_page({})
    monkeypatch.setattr("atlas.viewer.page.SOURCES", tmp_path / "none")
    with pytest.raises(InputError, match="without it; install it again without FACE_ATLAS_NO_VIEWER"):
        viewer_page({})
