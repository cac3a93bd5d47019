"""Standard faces for teaching: what other programs will find in the files."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from glb_reader import Glb

from atlas.atlas import Atlas, build_atlas
from atlas.atlas_file import save_atlas
from atlas.cli.export import export
from atlas.export import export_face, export_standard_face
from atlas.export.gltf import Layer, glb, outline
from atlas.export.morphs import AT_REST, exaggeration
from atlas.figures import AtlasPictures
from atlas.gallery import file_names, write_gallery
from atlas.motion import MotionSpace
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.sequence import STATEMENT, FaceSequence, save
from reconstruction.template import Template

HOSTILE = {"BD": "../a/b", "HC": 'Köntrolle "健"', "MDD": "a?b\n<&>"}


@dataclass(frozen=True)
class Track:
    time_s: np.ndarray
    motion: np.ndarray
    people: np.ndarray


@pytest.fixture(scope="module")
def atlas(aggregated: Callable[..., Any], template: Template, space: MotionSpace) -> Atlas:
    """MDD differs from HC surely on the chin."""
    made = build_atlas(aggregated("strong", 12, 1), template, space, permutations=0)
    chin = np.linalg.norm(template.v_template - template.landmarks68(template.v_template)[8], axis=1) < 0.02
    sure = replace(made.overlays["MDD"]["motion"], p_fwe=np.where(chin, 0.01, 1).astype(np.float32))
    unsure = replace(made.overlays["MDD"]["outward"], p_fwe=np.ones(len(chin), np.float32))
    return replace(made, overlays=made.overlays | {"MDD": {"motion": sure, "outward": unsure}})


@pytest.fixture(scope="module")
def track(space: MotionSpace) -> Track:
    motion = np.zeros((5, space.size))
    motion[:, space.names.index("mouthSmileLeft")] = np.linspace(0, 0.6, 5)
    motion[:, space.names.index("jaw x")] = np.linspace(0, 0.2, 5)
    motion[:, space.names.index("left_eye y")] = np.linspace(-0.2, 0.2, 5)
    return Track(np.arange(5) / 5 + 1, motion, np.array([4, 4, 3, 3, 4]))


@pytest.fixture(scope="module")
def mdd(
    atlas: Atlas, template: Template, space: MotionSpace, track: Track, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("glb") / "MDD.glb"
    return export_standard_face(atlas, template, space, "MDD", path, trajectories={"happiness": track})


def test_the_file_shows_the_standard_face_and_says_what_it_is(
    mdd: Path, atlas: Atlas, template: Template, space: MotionSpace
) -> None:
    file, face = Glb(mdd), atlas.standard_faces["MDD"][None]
    np.testing.assert_allclose(file.positions(), face.expressive(template, space), atol=1e-7)
    np.testing.assert_array_equal(file.array(file.primitives[0]["indices"]).reshape(-1, 3), template.faces)
    assert file.tree["meshes"][0]["weights"] == [0] * len(file.morphs())
    assert file.tree["asset"]["copyright"] == template.licence
    about = file.tree["asset"]["extras"]
    assert about["content"].startswith("standard face of MDD, average of 4 simulated people")
    assert (about["people"], about["simulated"], about["statement"]) == (4, True, STATEMENT)
    assert mdd.stat().st_size < 5e6


def test_differences_come_first_then_teaching_units_then_every_expression(mdd: Path, template: Template) -> None:
    names = list(Glb(mdd).morphs())
    assert names[:8] == [
        "towards HC, expression", "towards HC, identity", "towards BD, expression", "towards BD, identity",
        "AU12 lip corner puller", "AU04 brow lowerer", "AU01 inner brow raiser", "AU15 lip corner depressor",
    ]  # fmt: skip
    assert set(template.expression_names) | {"jawOpen", "eyeLookOutLeft", AT_REST} < set(names)
    assert len(names) == len(set(names))


def test_morphs_are_the_models_displacements(mdd: Path, atlas: Atlas, template: Template, space: MotionSpace) -> None:
    file, face, other = Glb(mdd), atlas.standard_faces["MDD"][None], atlas.standard_faces["HC"][None]
    morphs, base = file.morphs(), file.positions()
    whole = base + morphs["towards HC, expression"] + morphs["towards HC, identity"]
    np.testing.assert_allclose(whole, other.expressive(template, space), atol=1e-4)
    worn = other.expressive(template, space, shape=face.shape)
    np.testing.assert_allclose(base + morphs["towards HC, expression"], worn, atol=1e-6)
    np.testing.assert_allclose(base + morphs[AT_REST], face.neutral(template), atol=1e-6)
    smile = template.expressiondirs[:, :, template.expression_names.index("mouthSmileLeft")]
    np.testing.assert_allclose(morphs["mouthSmileLeft"], smile, atol=2e-7)
    np.testing.assert_allclose(
        morphs["AU12 lip corner puller"], morphs["mouthSmileLeft"] + morphs["mouthSmileRight"], atol=1e-6
    )
    chin, left_eye = template.landmarks68(base + morphs["jawOpen"])[8], template.part("pupil") & (base[:, 0] > 0)
    assert chin[1] < template.landmarks68(base)[8][1] - 0.02, "an open jaw is lower"
    assert morphs["eyeLookOutLeft"][left_eye, 0].min() > 0.003, "outwards of the left eye is to the subject's left"
    assert morphs["eyeLookUpLeft"][left_eye, 1].min() > 0.003


def test_animations_show_the_models_motion(
    mdd: Path, atlas: Atlas, template: Template, space: MotionSpace, track: Track
) -> None:
    file, clips = Glb(mdd), Glb(mdd).clips()
    name = "happiness, average of 3 to 4 simulated people"
    assert list(clips)[-1] == name
    time_s, weights = clips[name]
    np.testing.assert_allclose(time_s, track.time_s - 1, atol=1e-6)
    expression, pose = zip(*(space.split(m, template) for m in track.motion), strict=True)
    shape = torch.from_numpy(atlas.standard_faces["MDD"][None].shape.astype(np.float32))[None]
    truth = FaceModel(template)(shape, torch.from_numpy(np.stack(expression)), torch.from_numpy(np.stack(pose))).numpy()
    for now, true in zip(weights, truth, strict=True):
        error = np.linalg.norm(file.posed(now) - true, axis=1)[template.skin]
        assert error.max() < 0.0025, "the way of an opening jaw is straight, where it should be an arc"
        assert error.mean() < 0.0004
    np.testing.assert_allclose(file.posed(weights[0])[template.skin], truth[0][template.skin], atol=1e-4)
    stated = [animation.get("extras", {}) for animation in file.tree["animations"]]
    assert stated[-1]["people"] == [3, 4]


def test_differences_are_played_exaggerated_and_the_name_says_so(mdd: Path) -> None:
    file, clips = Glb(mdd), Glb(mdd).clips()
    names = list(file.morphs())
    for animation in file.tree["animations"][:2]:
        factor, (_, weights) = animation["extras"]["exaggeration"], clips[animation["name"]]
        target = names.index(animation["name"].rsplit(",", 1)[0])
        assert weights.max() == weights[:, target].max() == factor
        assert (weights[[0, -1]] == 0).all()
        assert animation["name"].endswith(f"exaggerated {factor} times" if factor > 1 else "not exaggerated")
    deltas = np.zeros((2, 3))
    deltas[0, 1], deltas[1, 1] = 0.0007, 1.0
    assert exaggeration(deltas, np.array([True, False])) == 5
    assert exaggeration(deltas, np.array([True, True])) == 1


def test_one_colouring_is_shown_at_a_time(mdd: Path, template: Template) -> None:
    file = Glb(mdd)
    names = [v["name"] for v in file.tree["extensions"]["KHR_materials_variants"]["variants"]]
    assert names[0] == "standard face"
    assert [n.split(" (")[0] for n in names[1:]] == [
        "motion, MDD minus HC, mm", "mean place outward, MDD minus HC, mm", "spread of mean expression over people, mm",
    ]  # fmt: skip
    assert "; line: corrected p < 0.05)" in names[1]
    assert "; nowhere: corrected p < 0.05)" in names[2]
    assert file.shown() == file.shown(0) == [0]
    assert file.shown(1) == [1, 2], "the colours and their line"
    assert [file.shown(i) for i in (2, 3)] == [[3], [4]]
    colours = file.array(file.primitives[0]["attributes"]["COLOR_0"])
    light = np.where(
        template.colours <= 10.31, template.colours / 3294.6, ((template.colours / 255 + 0.055) / 1.055) ** 2.4
    )
    np.testing.assert_allclose(colours[:, :3], light, atol=2e-4)
    lit = file.tree["materials"][0]
    assert "extensions" not in lit, "skin is lit"
    assert all("KHR_materials_unlit" in m["extensions"] for m in file.tree["materials"][1:])
    line = file.positions(2)
    chin = template.landmarks68(file.positions())[8]
    assert np.abs(np.linalg.norm(line - chin, axis=1) - 0.02).max() < 0.008, "the line runs about the chin"
    assert len(file.morphs(2)) == len(file.morphs())


def test_the_reference_group_is_shown_by_its_own_motion(
    atlas: Atlas, template: Template, space: MotionSpace, tmp_path: Path
) -> None:
    file = Glb(export_standard_face(atlas, template, space, "HC", tmp_path / "a.glb"))
    names = [v["name"] for v in file.tree["extensions"]["KHR_materials_variants"]["variants"]]
    assert names[1].startswith("motion, mm (dark green: ")
    assert next(iter(file.morphs())) == "towards BD, expression"


def test_an_outline_closes_about_what_is_inside() -> None:
    grid = np.arange(36).reshape(6, 6)
    a, b, c, d = (g.ravel() for g in (grid[:-1, :-1], grid[:-1, 1:], grid[1:, :-1], grid[1:, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    inside = np.zeros(36, bool)
    inside[[14, 15, 20, 21]] = True
    ends, segments = outline(faces, inside)
    assert inside[ends[:, 0]].all()
    assert not inside[ends[:, 1]].any()
    assert np.bincount(segments[:, 0]).tolist() == np.bincount(segments[:, 1]).tolist() == [1] * len(ends)
    assert outline(faces, np.ones(36, bool)) is None


def test_khronos_validator_finds_nothing(
    gltf_issues: Callable[..., dict[str, Any]],
    mdd: Path,
    sequence: FaceSequence,
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    track: Track,
    tmp_path: Path,
) -> None:
    hostile = renamed(atlas, HOSTILE)
    files = [mdd, export_standard_face(atlas, template, space, "HC", tmp_path / "HC.glb")]
    for number, group in enumerate(hostile.groups):
        path = tmp_path / f"{number}.glb"
        files.append(export_standard_face(hostile, template, space, group, path, trajectories={"a/b\n": track}))
    files.append(export_face(sequence, template, tmp_path / "person.glb"))
    files.append(export_face(sequence, template, tmp_path / "animated.glb", animate=True))
    unlit = glb("a", np.eye(3), np.array([[0, 1, 2]]), [Layer("one", np.zeros((3, 3), np.uint8))])
    (tmp_path / "unlit.glb").write_bytes(unlit)
    (tmp_path / "wrong.glb").write_bytes(unlit.replace(b'"POSITION"', b'"PISITION"'))
    found = gltf_issues(*files, tmp_path / "unlit.glb", tmp_path / "wrong.glb")
    assert found.pop(str(tmp_path / "wrong.glb"))["numErrors"] > 0
    assert {path: (i["numErrors"], i["numWarnings"]) for path, i in found.items()} == {path: (0, 0) for path in found}
    assert len(found) == len(files) + 1


def renamed(atlas: Atlas, names: dict[str, str]) -> Atlas:
    """The atlas with other names of groups."""
    return replace(
        atlas,
        groups=tuple(sorted(names.values())),
        reference=names[atlas.reference],
        standard_faces={names[g]: faces for g, faces in atlas.standard_faces.items()},
        overlays={names[g]: overlays for g, overlays in atlas.overlays.items()},
    )


def test_a_gallery_holds_every_group_whatever_its_name(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    track: Track,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for sheet in ("standard_sheet", "overlay_sheet"):  # these have tests of their own
        monkeypatch.setattr(f"atlas.gallery.{sheet}", lambda *_: SimpleNamespace(png=lambda: b"picture"))
    hostile = renamed(atlas, HOSTILE)
    reliability = {"motion": np.full(len(template.v_template), 0.5, np.float32)}
    tracks = {HOSTILE["BD"]: {"fear": track}}
    pictures = AtlasPictures(hostile, template, space)
    written = write_gallery(pictures, tmp_path / "one", tracks, reliability)
    assert sorted(written) == sorted(p for p in (tmp_path / "one").rglob("*") if p.is_file())
    names = file_names(hostile.groups)
    for group, name in names.items():
        for suffix in (".glb", ".obj", ".mtl", ".ply", ".stl", ".vtp", ".png"):
            assert (tmp_path / "one" / "standard-faces" / f"{name}{suffix}").is_file()
        assert Glb(tmp_path / "one" / "standard-faces" / f"{name}.glb").tree["asset"]["extras"]["group"] == group
        overlay = Glb(tmp_path / "one" / "overlays" / f"{name}.glb")
        assert "KHR_materials_unlit" in overlay.tree["materials"][0]["extensions"]
        assert overlay.tree["asset"]["extras"]["high_mm"] > 0
    played = Glb(tmp_path / "one" / "standard-faces" / f"{names[HOSTILE['BD']]}.glb").clips()
    assert "fear, average of 3 to 4 simulated people" in played
    table = ElementTree.parse(tmp_path / "one" / "standard-faces" / f"{names[HOSTILE['MDD']]}.vtp")
    arrays = {element.get("Name") for element in table.iter("DataArray")}
    assert {"motion_difference_mm", "outward_p_fwe", "motion_reliability", "expression_spread_mm"} < arrays
    again = write_gallery(pictures, tmp_path / "two", tracks, reliability)
    assert [p.read_bytes() for p in again] == [p.read_bytes() for p in written]


def test_file_names_differ_where_groups_do() -> None:
    names = file_names(["a/b", "a-b", "A b", "抑うつ", "", "..", "x" * 300, "é" * 300])
    assert len({name.casefold() for name in names.values()}) == 8
    assert names["抑うつ"] == "抑うつ"
    assert all(len(name.encode()) < 90 and "/" not in name and not name.startswith(".") for name in names.values())


def test_a_recording_is_played(sequence: FaceSequence, template: Template, tmp_path: Path) -> None:
    file = Glb(export_face(sequence, template, tmp_path / "a.glb", animate=True))
    ((time_s, weights),) = file.clips().values()
    np.testing.assert_allclose(time_s, sequence.time_s[sequence.valid], atol=1e-6)
    truth = sequence.vertices(template)[sequence.valid]
    for now, true in zip(weights, truth, strict=True):
        assert np.linalg.norm(file.posed(now) - true, axis=1)[template.skin].max() < 0.002
    np.testing.assert_allclose(file.positions(), sequence.neutral(template), atol=1e-6)
    assert file.tree["animations"][0]["extras"] == {"frames": 6, "frames_left_out": 1}


def test_the_command_exports_a_group(
    atlas: Atlas,
    sequence: FaceSequence,
    template: Template,
    space: MotionSpace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_atlas(atlas, tmp_path / "atlas" / "atlas.safetensors")
    export(tmp_path / "atlas", tmp_path / "bd.glb", group="BD")
    assert "bd.glb (4." in (said := capsys.readouterr().out)
    assert "MB, average of 4 simulated people)" in said
    np.testing.assert_allclose(
        Glb(tmp_path / "bd.glb").positions(), atlas.standard_faces["BD"][None].expressive(template, space), atol=1e-6
    )
    export(tmp_path / "atlas" / "atlas.safetensors", tmp_path / "bd.stl", group="BD")
    with pytest.raises(InputError, match="expected one of the atlas's groups BD, HC, MDD, got none; name one with"):
        export(tmp_path / "atlas", tmp_path / "x.glb")
    with pytest.raises(InputError, match=r"\.usdz, got x\.npz"):
        export(tmp_path / "atlas", tmp_path / "x.npz", group="BD")
    with pytest.raises(InputError, match="is an atlas; leave them out"):
        export(tmp_path / "atlas", tmp_path / "x.glb", group="BD", animate=True)
    person = save(sequence, tmp_path / "a.face.safetensors")
    with pytest.raises(InputError, match="expected an atlas for --group"):
        export(person, tmp_path / "x.glb", group="BD")
    assert not list(tmp_path.glob("x.*"))
