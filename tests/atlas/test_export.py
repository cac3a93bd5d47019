"""Files for other programs: complete, valid, and the same bytes every time."""

import base64
import json
import struct
import sys
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh

from atlas.export import Mesh, export_face, write_mesh
from atlas.export.stl import close_holes
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT

ARRAYS = {
    "vertices", "camera_from_head", "camera_matrix", "faces", "landmarks68", "neutral", "neutral_landmarks68", "shape",
    "expression", "expression_names", "pose", "valid", "time_s",
}  # fmt: skip


def test_npz_holds_exactly_what_is_promised(sequence, template, tmp_path):
    with np.load(export_face(sequence, template, tmp_path / "a.npz"), allow_pickle=False) as file:
        assert set(file.files) == ARRAYS
        n = len(template.v_template)
        assert file["vertices"].shape == (6, n, 3)
        assert file["landmarks68"].shape == (6, 68, 3)
        assert file["camera_from_head"].shape == (6, 4, 4)
        np.testing.assert_array_equal(file["valid"], sequence.valid)
        np.testing.assert_allclose(file["vertices"][5], sequence.vertices(template)[5])
        assert not file["vertices"][3].any(), "a frame left out is no face"
        np.testing.assert_allclose(
            file["neutral_landmarks68"], template.landmarks68(sequence.neutral(template)), atol=1e-6
        )
        assert file["expression_names"].tolist() == list(template.expression_names)


@pytest.mark.parametrize("suffix", [".npz", ".glb", ".obj", ".ply", ".stl", ".vtp", ".usdz"])
def test_same_bytes_twice(sequence, template, tmp_path, suffix):
    first = export_face(sequence, template, tmp_path / "one" / f"a{suffix}")
    second = export_face(sequence, template, tmp_path / "two" / f"a{suffix}")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", [".glb", ".ply"])
def test_meshes_come_back(sequence, template, tmp_path, suffix):
    path = export_face(sequence, template, tmp_path / f"a{suffix}")
    mesh = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, sequence.neutral(template), atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, template.faces)
    if suffix == ".ply":
        np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3].astype(int), template.colours, atol=1)
        assert STATEMENT.encode() in path.read_bytes()[:2000]


def test_obj_has_a_material_for_every_part(sequence, template, tmp_path):
    lines = export_face(sequence, template, tmp_path / "a.obj").read_text().splitlines()
    points = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    np.testing.assert_allclose(points[:, :3], sequence.neutral(template), atol=1e-6)
    np.testing.assert_allclose(255 * points[:, 3:], template.colours, atol=0.02)
    assert any(STATEMENT in line for line in lines if line.startswith("#"))
    assert "mtllib a.mtl" in lines
    of_part, part = {}, ""
    for line in lines:
        if line.startswith("usemtl "):
            part = line.split()[1]
        elif line.startswith("f "):
            of_part.setdefault(part, []).append([int(c) - 1 for c in line.split()[1:]])
    assert set(of_part) == set(template.part_names)
    assert sorted(tuple(t) for triangles in of_part.values() for t in triangles) == sorted(
        map(tuple, template.faces.tolist())
    )
    for name, triangles in of_part.items():
        assert template.part(name)[triangles].mean() > 0.6, name
    materials = (tmp_path / "a.mtl").read_text().split("newmtl ")[1:]
    kd = {m.split()[0]: np.array(m.split("Kd")[1].split()[:3], float) for m in materials}
    np.testing.assert_allclose(255 * kd["iris"], template.colours[template.part("iris")].mean(0), atol=0.02)


def test_stl_is_closed_life_size_and_stands(sequence, template, tmp_path):
    path = export_face(sequence, template, tmp_path / "a.stl")
    solid = trimesh.load(path)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0
    assert len(solid.split()) == 3, "the head and two eyes; no teeth"
    width, depth, height = 1000 * np.ptp(sequence.neutral(template), axis=0)[[0, 2, 1]]
    np.testing.assert_allclose(solid.extents, [width, depth, height], atol=0.01)
    assert solid.bounds[0, 2] == 0
    assert solid.area_faces[(solid.triangles[:, :, 2] == 0).all(1)].sum() > 8000, "a flat base of the neck's size, mm^2"
    nose = solid.vertices[solid.vertices[:, 1].argmin()]
    assert abs(nose[0]) < 20, "the face looks along -y"
    assert b"millimetres; research use; not a diagnosis; simulated" in path.read_bytes()[:80]


def test_holes_are_closed_where_they_are():
    box = trimesh.creation.box()
    vertices, faces = close_holes(box.vertices, box.faces[box.face_normals[:, 2] < 0.5])
    closed = trimesh.Trimesh(vertices, faces, process=False)
    assert closed.is_watertight
    assert closed.volume == pytest.approx(1)
    np.testing.assert_array_equal(close_holes(box.vertices, box.faces)[1], box.faces)


def test_vtp_holds_numbers_at_every_point(template, tmp_path):
    numbers = np.linspace(0, 1, len(template.v_template))
    mesh = Mesh.of(template, template.v_template, {"group": 'a "b" <c>\n', "people": 3}, arrays={"p < <1>": numbers})
    root = ElementTree.fromstring(write_mesh(tmp_path / "a.vtp", mesh).read_text())
    piece = root.find("PolyData/Piece")
    assert piece.attrib == {"NumberOfPoints": str(len(numbers)), "NumberOfPolys": str(len(template.faces))}
    found = {a.get("Name"): vtk_array(a) for a in piece.iter("DataArray")}
    np.testing.assert_array_equal(found["Points"], template.v_template)
    np.testing.assert_array_equal(found["connectivity"].reshape(-1, 3), template.faces)
    np.testing.assert_array_equal(found["offsets"], 3 * np.arange(1, 1 + len(template.faces)))
    np.testing.assert_array_equal(found["colours"], template.colours)
    np.testing.assert_allclose(found["p < <1>"], numbers, atol=1e-7)
    codes = bytes(int(code) for code in root.find("PolyData/FieldData/Array").text.split())
    assert codes == b'group: a "b" <c>; people: 3\0'


def vtk_array(element):
    """A DataArray in base64, one block with its length in eight bytes before it."""
    content = base64.b64decode(element.text)
    assert int.from_bytes(content[:8], "little") == len(content) - 8
    kind = {"Float32": np.float32, "Int32": np.int32, "UInt8": np.uint8}[element.get("type")]
    width = int(element.get("NumberOfComponents"))
    values = np.frombuffer(content[8:], kind)
    return values.reshape(-1, width) if width > 1 else values


def test_usdz_is_valid_and_has_the_parts(sequence, template, tmp_path):
    pxr = pytest.importorskip("pxr", reason="needs usd-core")
    from pxr import Usd, UsdGeom, UsdShade, UsdValidation

    path = export_face(sequence, template, tmp_path / "a.usdz")
    assert pxr is not None
    stage = Usd.Stage.Open(str(path))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert [e.GetMessage() for e in UsdValidation.ValidationContext(validators).Validate(stage)] == []
    assert (UsdGeom.GetStageMetersPerUnit(stage), UsdGeom.GetStageUpAxis(stage)) == (1.0, "Y")
    surface = UsdGeom.Mesh(stage.GetPrimAtPath("/Face/Mesh"))
    np.testing.assert_allclose(np.array(surface.GetPointsAttr().Get()), sequence.neutral(template), atol=1e-6)
    np.testing.assert_array_equal(np.array(surface.GetFaceVertexIndicesAttr().Get()), template.faces.ravel())
    subsets = UsdShade.MaterialBindingAPI(surface.GetPrim()).GetMaterialBindSubsets()
    assert {subset.GetPrim().GetName() for subset in subsets} == set(template.part_names)
    assert sum(len(subset.GetIndicesAttr().Get()) for subset in subsets) == len(template.faces)
    about = stage.GetDefaultPrim().GetCustomData()
    assert (about["statement"], about["simulated"]) == (STATEMENT, True)
    with zipfile.ZipFile(path) as package:
        (entry,) = package.infolist()
        assert entry.compress_type == zipfile.ZIP_STORED
        assert entry.date_time[:3] == (1980, 1, 1)


def test_usdz_without_openusd_is_one_sentence(sequence, template, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(InputError, match=r"expected OpenUSD for a \.usdz file, but it is not installed; run: pip"):
        export_face(sequence, template, tmp_path / "a.usdz")
    assert not list(tmp_path.iterdir())


def test_glb_says_what_it_is(sequence, template, tmp_path):
    content = export_face(sequence, template, tmp_path / "a.glb").read_bytes()
    magic, version, length, size, kind = struct.unpack("<4sIII4s", content[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
    tree = json.loads(content[20 : 20 + size])
    assert tree["asset"]["extras"]["statement"] == STATEMENT
    assert tree["asset"]["extras"]["simulated"] is True
    assert tree["asset"]["copyright"] == template.licence
    primitive = tree["meshes"][0]["primitives"][0]
    assert {"POSITION", "NORMAL", "COLOR_0"} <= set(primitive["attributes"])


def test_other_suffixes_are_refused(sequence, template, tmp_path):
    with pytest.raises(InputError, match=r"\.npz, \.glb, \.obj, \.ply, \.stl, \.vtp, \.usdz, got a\.fbx"):
        export_face(sequence, template, tmp_path / "a.fbx")
    with pytest.raises(InputError, match=r"ending in \.glb"):
        write_mesh(tmp_path / "a.npz", Mesh(np.eye(3), np.array([[0, 1, 2]]), np.zeros((3, 3), np.uint8)))
    with pytest.raises(InputError, match=r"expected a \.glb without wrinkles to animate, got a\.ply"):
        export_face(sequence, template, tmp_path / "a.ply", animate=True)
    assert not list(tmp_path.iterdir())
