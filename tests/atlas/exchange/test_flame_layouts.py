"""Emoface, EMOCA, DECA, VHAP and MICA: what is written comes back, to float32's own precision."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import trimesh

from atlas.exchange.flame import ROOT_JOINT
from atlas.exchange.formats import Source, read, recognise, write
from reconstruction.camera import project
from reconstruction.errors import InputError
from reconstruction.face_model import FaceModel
from reconstruction.sequence import NOT_GIVEN, FaceSequence, load, save
from reconstruction.template import Template


def back(path: Path, wanted: str, template: Template | None = None, fps: float | None = None) -> FaceSequence:
    assert recognise(path) == wanted
    return read(Source(path, wanted, "x"), template, fps)[0]


def vhap_arrays(frames: int = 7) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    widths = {"rotation": 3, "translation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "expr": 100}
    arrays = {name: 0.3 * rng.normal(size=(frames, width)).astype(np.float32) for name, width in widths.items()}
    arrays["translation"][:, 2] -= 1
    return {**arrays, "shape": rng.normal(size=300).astype(np.float32), "static_offset": np.zeros((1, 5143, 3))}


def deca_arrays(frames: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    widths = {"shape": 100, "exp": 50, "pose": 6, "cam": 3}
    arrays = {name: 0.2 * rng.normal(size=(frames, width)).astype(np.float32) for name, width in widths.items()}
    arrays["shape"][:] = arrays["shape"][:1]
    arrays["cam"][:, 0] = 9 + arrays["cam"][:, 0]
    return arrays


def still_there(arrays: dict[str, np.ndarray], path: Path) -> None:
    with np.load(path) as archive:
        for name in archive.files:
            np.testing.assert_allclose(archive[name], arrays[name], rtol=3e-7, atol=1e-12, err_msg=name)
            assert archive[name].dtype == np.float32


@pytest.mark.parametrize("wanted", ["emoface", "emoca", "deca", "vhap"])
def test_a_sequence_goes_out_and_comes_back(
    wanted: str, flame: Template, flame_sequence: FaceSequence, tmp_path: Path
) -> None:
    path, notes = write(flame_sequence, wanted, tmp_path / "sub-001", flame)
    same = back(path, wanted, flame)
    assert (same.template, same.template_sha256, same.simulated) == ("flame2020", flame.sha256, True)
    for name in ("shape", "expression", "time_s", "valid"):
        np.testing.assert_array_equal(getattr(same, name), getattr(flame_sequence, name))
    assert same.frame_rate == flame_sequence.frame_rate
    kept = np.arange(5) if wanted == "vhap" else [0, 2]
    np.testing.assert_array_equal(same.pose[:, kept], flame_sequence.pose[:, kept])
    lost = [note for note in notes if "turn left out" in note]
    assert len(lost) == (0 if wanted == "vhap" else 2)
    if wanted in ("deca", "vhap"):
        np.testing.assert_allclose(same.translation, flame_sequence.translation, atol=1e-7)
    save(same, tmp_path / "x.face.safetensors")
    assert load(tmp_path / "x.face.safetensors").provenance["converted"]["from"] == wanted


def test_vhap_without_the_model_is_kept_bit_by_bit(flame: Template, tmp_path: Path) -> None:
    arrays = vhap_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    sequence, notes = read(Source(tmp_path / "a.npz", "vhap", "a"), None, 25)
    assert (sequence.template, sequence.template_sha256) == ("flame", NOT_GIVEN)
    assert sequence.provenance["converted"]["rotation_about"] == ROOT_JOINT
    assert "static_offset: no place here, left out" in notes
    assert (len(sequence), sequence.frame_rate, sequence.time_s[1]) == (7, 25, 0.04)
    with pytest.raises(InputError, match=r"converted from another tool without the model's file \(flame\)"):
        sequence.vertices(flame)
    path, _ = write(load(save(sequence, tmp_path / "a.face.safetensors")), "vhap", tmp_path / "b")
    with np.load(path) as archive:
        assert set(archive.files) == set(arrays) - {"static_offset"}
        for name in archive.files:
            np.testing.assert_array_equal(archive[name], arrays[name])


def test_vhap_with_the_model_is_where_flame_puts_it(flame: Template, tmp_path: Path) -> None:
    """The vertices in the camera are those of FLAME's own order: turned about the root joint, then shifted."""
    import torch

    arrays = vhap_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    sequence = back(tmp_path / "a.npz", "vhap", flame, 25)
    pose = np.concatenate([arrays[f"{n}"] for n in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")], 1)
    parts = arrays["shape"][None], arrays["expr"], pose.reshape(-1, 5, 3)
    with torch.no_grad():
        truth = FaceModel(flame)(*map(torch.from_numpy, parts)).numpy() + arrays["translation"][:, None]
    placed, vertices = sequence.camera_from_head, sequence.vertices(flame)
    ours = vertices @ np.swapaxes(placed[:, :3, :3], 1, 2) + placed[:, None, :3, 3]
    np.testing.assert_allclose(ours * [1, -1, -1], truth, atol=2e-6)
    write(sequence, "vhap", tmp_path / "b", flame)
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_allclose(archive["translation"], arrays["translation"], atol=2e-7)
        np.testing.assert_array_equal(archive["rotation"], arrays["rotation"])


def test_deca_s_camera_sees_the_same_pixels(flame: Template, tmp_path: Path) -> None:
    arrays = deca_arrays()
    np.savez(tmp_path / "a.npz", **arrays)
    sequence = back(tmp_path / "a.npz", "deca", None, 25)
    point = np.array([0.02, 0.01, 0.0])
    s, tx, ty = arrays["cam"].T
    turned = np.array([matrix @ point for matrix in sequence.camera_from_head[:, :3, :3] * [[1], [-1], [-1]]])
    crop = np.column_stack([s * (turned[:, 0] + tx), -s * (turned[:, 1] + ty)])
    pixels = project(np.tile(point, (5, 1, 1)), sequence.camera_matrix, sequence.camera_from_head)[:, 0]
    np.testing.assert_allclose(pixels, 112 + 112 * crop, atol=0.05 * np.abs(pixels - 112).max())
    write(sequence, "deca", tmp_path / "b")
    still_there(arrays, tmp_path / "b.npz")


def test_deca_s_own_mat_files_are_frames(tmp_path: Path) -> None:
    arrays = deca_arrays()
    for i, number in enumerate((1, 2, 5, 6, 10)):
        name = f"image{number:02d}"
        (tmp_path / "deca" / name).mkdir(parents=True)
        one = {key: value[i : i + 1] for key, value in arrays.items()}
        scipy.io.savemat(tmp_path / "deca" / name / f"{name}.mat", {**one, "images": np.zeros((1, 3, 4, 4))})
    sequence = back(tmp_path / "deca", "deca", None, 10)
    np.testing.assert_array_equal(np.flatnonzero(sequence.valid), [0, 1, 4, 5, 9])
    np.testing.assert_array_equal(sequence.expression[sequence.valid], arrays["exp"])
    assert sequence.reason_names[sequence.reason[2]] == "not in the deca files"


def test_emoca_s_folders_are_frames_and_what_has_no_place_is_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for number in (3, 4, 7):
        frame = tmp_path / "clip" / f"{number:06d}_000"
        frame.mkdir(parents=True)
        for name, width in (("shape", 100), ("exp", 50), ("tex", 50), ("pose", 6), ("detail", 128)):
            np.save(frame / f"{name}.npy", rng.normal(size=width).astype(np.float32))
    sequence, notes = read(Source(tmp_path / "clip", "emoca", "clip"), None, 5)
    np.testing.assert_array_equal(np.flatnonzero(sequence.valid), [0, 1, 4])
    assert any("tex.npy has no place here" in note for note in notes)
    assert any("shape differed from frame to frame, by" in note for note in notes)
    mean = np.mean([np.load(f / "shape.npy") for f in (tmp_path / "clip").iterdir()], 0)
    np.testing.assert_allclose(sequence.shape, mean, atol=1e-6)
    write(sequence, "emoca", tmp_path / "again")
    for number, frame in enumerate(sorted((tmp_path / "clip").iterdir())):
        written = tmp_path / "again" / f"{(1, 2, 5)[number]:06d}"
        for name in ("exp", "pose"):
            np.testing.assert_array_equal(np.load(written / f"{name}.npy"), np.load(frame / f"{name}.npy"))


def test_emoface_s_vertices_are_the_model_s(flame: Template, flame_sequence: FaceSequence, tmp_path: Path) -> None:
    path, _ = write(flame_sequence, "emoface", tmp_path / "a", flame, meshes=True)
    vertices = np.load(path / "vertices.npy")
    assert (vertices.shape, vertices.dtype) == ((5, len(flame.v_template), 3), np.float32)
    assert np.load(path / "pose.npy").shape == (5, 6)
    still = replace(flame_sequence, pose=flame_sequence.pose * 0)
    write(still, "emoface", tmp_path / "b", flame, meshes=True)
    np.testing.assert_allclose(np.load(tmp_path / "b" / "vertices.npy"), still.vertices(flame, still.valid), atol=1e-6)
    with pytest.raises(InputError, match="expected the template for --meshes"):
        write(flame_sequence, "emoface", tmp_path / "c", None, meshes=True)


def test_mica_s_identity(flame: Template, flame_sequence: FaceSequence, tmp_path: Path) -> None:
    path, notes = write(flame_sequence, "mica", tmp_path / "a", flame, meshes=True)
    assert any("all 5 frames left out" in note for note in notes)
    np.testing.assert_array_equal(np.load(path / "identity.npy"), flame_sequence.shape)
    mesh = trimesh.load_mesh(path / "mesh.obj", process=False, maintain_order=True)
    np.testing.assert_allclose(mesh.vertices / 1000, flame_sequence.neutral(flame), atol=1e-6)
    same = back(path, "mica", flame)
    np.testing.assert_array_equal(same.shape, flame_sequence.shape)
    assert (len(same), same.valid.all()) == (1, True)
    assert recognise(path / "identity.npy") == "mica"


def test_parameters_of_another_model_are_refused(
    sequence: FaceSequence, template: Template, flame_sequence: FaceSequence, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"expected parameters of a whole FLAME model .* they are of atlas-head; transfer"
    ):
        write(sequence, "emoface", tmp_path / "a")
    with pytest.raises(InputError, match="expected the template flame2020 for a layout that tells where the head is"):
        write(flame_sequence, "vhap", tmp_path / "a")
    np.savez(tmp_path / "a.npz", **vhap_arrays())
    with pytest.raises(InputError, match=r"a FLAME template with all 300 shape components .* atlas-head has 50 and 44"):
        read(Source(tmp_path / "a.npz", "vhap", "a"), template, 25)


def test_components_a_layout_has_no_room_for_are_said(
    flame: Template, flame_sequence: FaceSequence, tmp_path: Path
) -> None:
    more = replace(flame_sequence, shape=np.ones(300, np.float32))
    _, notes = write(more, "emoface", tmp_path / "a", flame)
    assert "shape components 100 to 299, 66.7 % of the squared length, left out" in notes


def test_a_frame_rate_is_asked_for(flame_sequence: FaceSequence, flame: Template, tmp_path: Path) -> None:
    path, _ = write(flame_sequence, "emoface", tmp_path / "a", flame)
    (path / "face-atlas.json").unlink()
    with pytest.raises(InputError, match="expected a frame rate, which Emoface files do not tell"):
        read(Source(path, "emoface", "a"))
    with pytest.raises(InputError, match="above 0 and up to 100000, got -3"):
        read(Source(path, "emoface", "a"), None, -3)
    assert len(read(Source(path, "emoface", "a"), None, 5)[0]) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"frames": [0, 0, 1, 2, 3]},
        {"frames": [0, 1, 2, 4, 99]},
        {"time_s": [5, 4, 3, 2, 1, 0]},
        {"frame_rate": 0},
        {"simulated": 1},
        {"kind": "x"},
        {"frames": "abc"},
        {"time_s": None},
    ],
)
def test_a_damaged_timing_is_refused(
    change: dict, flame_sequence: FaceSequence, flame: Template, tmp_path: Path
) -> None:
    path, _ = write(flame_sequence, "emoface", tmp_path / "a", flame)
    file = path / "face-atlas.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match="remove it and give --fps"):
        read(Source(path, "emoface", "a"))
