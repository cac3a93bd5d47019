"""Wrinkles of a simulated head whose wrinkles are known; the map's files; the mesh that carries it."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from reconstruction.detail import choose_frames, estimate_detail
from reconstruction.detail_map import EDGE, LIMIT, DetailMap, detailed_mesh, load_detail, save_detail
from reconstruction.errors import InputError
from reconstruction.uv_grid import SIZE, face_triangles, make_grid

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(scope="module")
def simulated():
    """scripts/measure_detail.py as a module."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        import measure_detail

        yield measure_detail
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def wrinkled(simulated, template, tmp_path_factory):
    """Recording and true parameters of a wrinkled, spotted head."""
    path = tmp_path_factory.mktemp("wrinkles") / "film.mkv"
    return path, simulated.film(path, template, simulated.make_head(template), frames=6)


@pytest.fixture(scope="module")
def detail(template) -> DetailMap:
    """A made-up map: a bump of half a millimetre in its middle."""
    rows, columns = np.indices((SIZE, SIZE)) - SIZE / 2
    bump = 5e-4 * np.exp(-(rows**2 + columns**2) / 200)
    window = make_grid(template).window.astype(np.float32)
    return DetailMap(
        template.name, template.sha256, bump.astype(np.float32), (bump > 1e-5).astype(np.float32), window, 180.0, 6
    )


def test_planted_wrinkles_come_back_and_spots_are_not_carved(simulated, wrinkled, template):
    found = estimate_detail(wrinkled[0], template, wrinkled[1])
    figures = simulated.compare(found, template)
    assert figures["correlation"] > 0.65
    assert 0.2 < figures["depth"] < 1.1
    assert figures["elsewhere"] < 0.06
    assert figures["spots"] < 0.09, "moles of up to 70 % darker skin"
    assert found.resolved
    assert found.simulated
    outside = ~make_grid(template).inside
    assert not found.displacement[outside].any()
    assert not found.displacement[found.confidence == 0].any()
    assert np.abs(found.displacement).max() <= LIMIT


def test_a_small_face_says_so_and_stays_smooth(wrinkled, template, tmp_path):
    path, sequence = wrinkled
    capture = cv2.VideoCapture(str(path))
    small = tmp_path / "small.png"
    cv2.imwrite(str(small), cv2.resize(capture.read()[1], (360, 360), interpolation=cv2.INTER_AREA))
    capture.release()
    first = slice(0, 1)
    own = {name: getattr(sequence, name)[first] for name in (
        "expression", "pose", "translation", "time_s", "valid", "quality", "reason",
    )}  # fmt: skip
    camera = (np.diag([0.5, 0.5, 1]) @ sequence.camera_matrix).astype(np.float32)
    found = estimate_detail(small, template, replace(sequence, **own, camera_matrix=camera, image_size=(360, 360)))
    assert not found.resolved
    assert "too small to show wrinkles (8" in found.finding
    assert np.abs(found.displacement).max() == 0


def test_another_recording_is_refused(wrinkled, face_video, template):
    later = replace(wrinkled[1], time_s=wrinkled[1].time_s + 100)
    with pytest.raises(InputError, match="expected the recording of these parameters"):
        estimate_detail(wrinkled[0], template, later)


def test_frames_are_valid_neutral_and_turned(sequence):
    chosen = choose_frames(sequence)
    assert set(chosen) <= set(np.flatnonzero(sequence.valid))
    assert len(choose_frames(sequence, 2)) == 2
    smile = sequence.expression.sum(1)
    assert smile[chosen].max() < smile.max()


def test_files_come_back_and_are_the_same_bytes_twice(detail, tmp_path):
    paths = [save_detail(detail, tmp_path / f"{name}.detail.safetensors") for name in "ab"]
    again = load_detail(paths[0])
    np.testing.assert_array_equal(again.displacement, detail.displacement)
    np.testing.assert_array_equal(again.window, detail.window)
    assert (again.face_pixels, again.frames, again.template_sha256) == (180.0, 6, detail.template_sha256)
    for ending in (".detail.safetensors", ".detail.json", ".detail.png"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes()
    told = json.loads((tmp_path / "a.detail.json").read_text())
    grey = cv2.imread(str(tmp_path / "a.detail.png"), cv2.IMREAD_UNCHANGED)
    assert grey.dtype == np.uint16
    metres = (grey.astype(float) - told["picture"]["zero"]) * told["picture"]["metres_per_step"]
    np.testing.assert_allclose(metres, detail.displacement, atol=LIMIT / 2**15)
    assert told["statement"] == "research use; not a diagnosis"


def test_other_files_are_refused(detail, tmp_path):
    with pytest.raises(InputError, match=r"ending in \.detail\.safetensors, got a\.png"):
        save_detail(detail, tmp_path / "a.png")
    with pytest.raises(InputError, match="does not exist"):
        load_detail(tmp_path / "none.detail.safetensors")
    small = {name: np.zeros((4, 4), np.float32) for name in ("displacement", "confidence")}
    save_detail(replace(detail, **small), tmp_path / "b.detail.safetensors")
    with pytest.raises(InputError, match=r"'displacement' of shape \(256, 256\)"):
        load_detail(tmp_path / "b.detail.safetensors")


def test_the_mesh_carries_the_map(detail, template):
    flat = replace(detail, displacement=np.zeros_like(detail.displacement))
    smooth, faces, colours = detailed_mesh(flat, template, template.v_template)
    bumpy, _, _ = detailed_mesh(detail, template, template.v_template)
    n = len(template.v_template)
    np.testing.assert_allclose(smooth[:n], template.v_template, atol=1e-7)
    moved = np.linalg.norm(bumpy - smooth, axis=1)
    assert 4e-4 < moved.max() < 5.1e-4
    assert (moved > 1e-6).mean() < 0.2
    assert len(smooth) == len(colours) < 80_000
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    _, shared = np.unique(np.sort(sides, 1), axis=0, return_counts=True)
    _, before = np.unique(np.sort(template.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1), axis=0, return_counts=True)
    assert shared.max() == before.max(), "no cracks"
    on_face = np.isin(faces, np.unique(template.faces[face_triangles(template)])).any(1)
    length = np.linalg.norm(smooth[faces[on_face]] - smooth[np.roll(faces[on_face], 1, 1)], axis=2)
    assert np.median(length) < EDGE


def test_a_map_of_another_template_is_refused(detail, template):
    with pytest.raises(InputError, match="expected detail of template atlas-head"):
        detailed_mesh(replace(detail, template_sha256="0" * 64), template, template.v_template)
