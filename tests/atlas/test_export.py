"""Files for other programs: complete, valid, and the same bytes every time."""

import json
import struct

import numpy as np
import pytest
import trimesh

from atlas.export import export_face, write_mesh
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


@pytest.mark.parametrize("suffix", [".npz", ".glb", ".obj", ".ply"])
def test_same_bytes_twice(sequence, template, tmp_path, suffix):
    first = export_face(sequence, template, tmp_path / f"a{suffix}")
    second = export_face(sequence, template, tmp_path / f"b{suffix}")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply"])
def test_meshes_come_back(sequence, template, tmp_path, suffix):
    path = export_face(sequence, template, tmp_path / f"a{suffix}")
    mesh = trimesh.load(path, force="mesh", process=False)
    np.testing.assert_allclose(mesh.vertices, sequence.neutral(template), atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, template.faces)
    if suffix != ".glb":
        np.testing.assert_allclose(mesh.visual.vertex_colors[:, :3].astype(int), template.colours, atol=1)
        assert STATEMENT.encode() in path.read_bytes()[:2000]


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


def test_vertex_colours_of_glb_are_linear_light(tmp_path):
    vertices = np.eye(3)
    write_mesh(tmp_path / "a.glb", vertices, np.array([[0, 1, 2]]), np.full((3, 3), 188, np.uint8))
    content = (tmp_path / "a.glb").read_bytes()
    assert bytes([128, 128, 128, 255]) * 3 in content, "sRGB 188 is half the light"


def test_other_suffixes_are_refused(sequence, template, tmp_path):
    with pytest.raises(InputError, match=r"\.npz, \.glb, \.obj, \.ply, got a\.stl"):
        export_face(sequence, template, tmp_path / "a.stl")
    with pytest.raises(InputError, match="expected a mesh file"):
        write_mesh(tmp_path / "a.npz", np.eye(3), np.array([[0, 1, 2]]), np.zeros((3, 3), np.uint8))
    assert not list(tmp_path.iterdir())
