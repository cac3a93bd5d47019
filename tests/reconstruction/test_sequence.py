"""FaceSequence: what is saved comes back, and what does not belong is refused."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, load, save


def test_round_trip_and_same_bytes(sequence, tmp_path):
    first = save(sequence, tmp_path / "a.face.safetensors")
    second = save(sequence, tmp_path / "b.face.safetensors")
    assert first.read_bytes() == second.read_bytes()
    back = load(first)
    for field in fields(sequence):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(sequence, field.name))


def test_sidecar_is_readable_and_counts_frames(sequence, tmp_path):
    save(sequence, tmp_path / "a.face.safetensors")
    sidecar = json.loads((tmp_path / "a.face.json").read_text("utf-8"))
    assert sidecar["frames"] == 6
    assert sidecar["frames_used"] == 5
    assert sidecar["frames_left_out"] == {"blurred": 1}
    assert sidecar["statement"] == STATEMENT
    assert sidecar["simulated"] is True


def test_nothing_is_written_for_a_bad_name_or_nan(sequence, tmp_path):
    with pytest.raises(InputError, match=r"ending in .face.safetensors, got a.bin"):
        save(sequence, tmp_path / "a.bin")
    with pytest.raises(InputError, match="shape holds NaN"):
        save(replace(sequence, shape=sequence.shape * np.nan), tmp_path / "a.face.safetensors")
    assert not list(tmp_path.iterdir())


def test_vertices_leave_the_head_pose_out_and_the_jaw_in(sequence, template):
    vertices = sequence.vertices(template)
    turned = replace(sequence, pose=sequence.pose.copy())
    turned.pose[:, 0] += 0.3
    np.testing.assert_allclose(turned.vertices(template), vertices, atol=1e-6)
    chin = template.landmarks68(vertices)[:, 8]
    assert chin[5, 1] < chin[0, 1] - 0.002, "the jaw opens by 0.1 rad: the chin goes down by millimetres"


def test_neutral_is_the_shape_alone(sequence, template):
    still = replace(sequence, expression=sequence.expression * 0, pose=sequence.pose * 0)
    np.testing.assert_allclose(still.vertices(template)[0], sequence.neutral(template), atol=1e-6)


def test_camera_from_head_looks_into_the_camera(sequence):
    assert sequence.camera_from_head.shape == (6, 4, 4)
    straight = replace(sequence, pose=sequence.pose * 0).camera_from_head[0]
    np.testing.assert_allclose(straight[:3, :3], np.diag([1, -1, -1]), atol=1e-6)
    np.testing.assert_allclose(straight[:3, 3], sequence.translation[0])


def test_another_template_is_refused(sequence, template):
    with pytest.raises(InputError, match="expected parameters of template"):
        sequence.vertices(replace(template, sha256="0" * 64))


def test_missing_array_is_named(sequence, tmp_path):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = save(sequence, tmp_path / "a.face.safetensors")
    with safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys() if name != "pose"}  # noqa: SIM118
        save_file(arrays, tmp_path / "b.face.safetensors", file.metadata())
    with pytest.raises(InputError, match="expected an array 'pose'"):
        load(tmp_path / "b.face.safetensors")
