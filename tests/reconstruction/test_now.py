"""The NoW protocol on two simulated people as scans: no scan of a real person is part of the project."""

import shutil

import cv2
import numpy as np
import pytest
import trimesh
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from reconstruction.errors import InputError
from reconstruction.evaluation import now as protocol
from reconstruction.evaluation.metrics import Surface, recovered, similarity
from reconstruction.evaluation.now import crop, cumulative, mean_face, now_distances, score, write_predictions
from reconstruction.evaluation.now_folder import LANDMARKS7, Mesh, NowFolder, read_prediction
from reconstruction.pipeline import reconstruct


def face_of(folder, subject):
    scan, marks = NowFolder(folder).scan(subject)
    return crop(scan, marks), marks


@pytest.fixture
def editable(now_folder, tmp_path):
    return shutil.copytree(now_folder, tmp_path / "now")


def test_the_scan_is_cropped_to_the_face(now_folder, template):
    face, marks = face_of(now_folder, "FaMoS_a")
    assert 1000 < len(face) < len(template.v_template)
    centre = marks[4] + 0.3 * (marks[1:3].mean(0) - marks[4])
    radius = 0.7 * (np.linalg.norm(marks[0] - marks[3]) + np.linalg.norm(marks[1:3].mean(0) - marks[4]))
    assert 70 < radius < 120
    assert radius - 5 < np.linalg.norm(face - centre, axis=1).max() <= radius


def test_a_perfect_prediction_is_exact(now_folder, now_predictions, template):
    scores = score(NowFolder(now_folder), now_predictions, template)
    assert scores.missing == 1
    mine, mean, pictures = scores.pooled()
    assert pictures == 2
    assert mine.max() < 0.01
    assert np.median(mean) > 0.5
    assert recovered(mine, mean) > 0.9999
    filled, baseline, pictures = scores.pooled(filled=True)
    assert pictures == 3
    assert len(filled) == len(baseline) > len(mine)
    np.testing.assert_array_equal(filled[len(mine) :], baseline[len(mine) :])
    assert scores.pooled("selfie")[2] == 1
    assert scores.pooled("multiview_occlusions")[2] == 0


def test_the_mean_face_scores_what_direct_minimisation_gives(now_folder, template):
    face, marks = face_of(now_folder, "FaMoS_b")
    face = face[::4]
    ours = now_distances(face, marks, mean_face(template))
    mean = 1000.0 * template.v_template
    mean = similarity(template.landmarks68(mean)[list(LANDMARKS7)], marks)(mean)
    middle = face.mean(0)

    def distances(x):
        turned = (mean - middle) @ Rotation.from_rotvec(x[1:4] - 1).as_matrix().T
        return Surface(x[0] * turned + middle + 100 * (x[4:] - 1), template.faces).distance(face)

    direct = least_squares(distances, np.ones(7), diff_step=1e-4).fun
    assert (ours**2).mean() == pytest.approx((direct**2).mean(), rel=1e-3)
    assert np.median(ours) == pytest.approx(np.median(direct), abs=0.005)


def test_scale_rotation_and_place_of_a_prediction_do_not_matter(now_folder, template):
    face, marks = face_of(now_folder, "FaMoS_a")
    one = mean_face(template)
    turn = Rotation.from_rotvec([1, 2, -0.5]).as_matrix()
    other = Mesh(70 * one.vertices @ turn.T + 3, one.faces, 70 * one.landmarks @ turn.T + 3)
    np.testing.assert_allclose(now_distances(face, marks, one), now_distances(face, marks, other), atol=2e-3)


def test_obj_and_npy_are_read_as_ply_and_txt(now_predictions, now_folder, tmp_path):
    picture = NowFolder(now_folder).pictures[0]
    given = read_prediction(now_predictions, picture)
    target = tmp_path / picture.path
    target.parent.mkdir(parents=True)
    trimesh.Trimesh(given.vertices, given.faces, process=False).export(target.with_suffix(".obj"))
    np.save(target.with_suffix(".npy"), given.landmarks)
    again = read_prediction(tmp_path, picture)
    np.testing.assert_allclose(again.vertices, given.vertices, atol=1e-6)
    np.testing.assert_array_equal(again.faces, given.faces)
    np.testing.assert_array_equal(again.landmarks, given.landmarks)
    assert read_prediction(tmp_path, NowFolder(now_folder).pictures[2]) is None


def test_pictures_become_predictions_once(now_folder, template, tmp_path, monkeypatch):
    now = NowFolder(now_folder)
    refused = write_predictions(now, tmp_path, template, "fast", 0)
    assert list(refused) == ["FaMoS_b/multiview_neutral/IMG_3.jpg"]
    assert "no face" in next(iter(refused.values()))
    mesh = read_prediction(tmp_path, now.pictures[0])
    sequence = reconstruct(now.picture(now.pictures[0]), template=template, quality="fast")
    np.testing.assert_allclose(mesh.vertices, sequence.neutral(template), atol=1e-6)
    np.testing.assert_allclose(mesh.landmarks, template.landmarks68(mesh.vertices)[list(LANDMARKS7)], atol=1e-6)

    tried = []
    monkeypatch.setattr(
        "reconstruction.evaluation.now.reconstruct", lambda path, **_: tried.append(path.name) or sequence
    )
    assert write_predictions(now, tmp_path, template, "fast", 0) == {}
    assert tried == ["IMG_3.jpg"], "what is there is not done again"


def test_cumulative_errors():
    np.testing.assert_allclose(cumulative(np.array([3, 1, 2, 9.0]), np.array([0, 1, 2.5, 9])), [0, 25, 50, 100])


def remove_list(folder):
    (folder / "imagepathsvalidation.txt").unlink()


def shorten_list(folder):
    (folder / "imagepathsvalidation.txt").write_text("IMG_1.jpg\n")


def empty_list(folder):
    (folder / "imagepathsvalidation.txt").write_text("\n")


def remove_scan(folder):
    (folder / "scans/FaMoS_b/scan.obj").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_list, "has no imagepathsvalidation.txt"),
        (shorten_list, "but one reads IMG_1.jpg"),
        (empty_list, "but it is empty"),
        (remove_scan, r"expected a \.obj file in .*FaMoS_b, but there is none"),
    ],
)
def test_a_folder_that_is_not_the_benchmarks_is_refused(editable, damage, message):
    damage(editable)
    with pytest.raises(InputError, match=message):
        NowFolder(editable)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "<PickedPoints><point x='1' y='2' z='3'/></PickedPoints>",
            "expected seven picked points in .*, but it holds 1",
        ),
        ("<PickedPoints><point x='1' y='2'/></PickedPoints>", "cannot be read"),
        ("no xml", "cannot be read"),
    ],
)
def test_landmarks_of_a_scan_that_are_none(editable, content, message):
    (editable / "scans_lmks_onlypp/FaMoS_a/scan_picked_points.pp").write_text(content)
    with pytest.raises(InputError, match=message):
        NowFolder(editable).scan("FaMoS_a")


def test_landmarks_beside_the_scan(editable, now_predictions, template):
    points = "<point x='9e3' y='0' z='0'/>" * 7
    (editable / "scans_lmks_onlypp/FaMoS_a/scan_picked_points.pp").write_text(f"<p>{points}</p>")
    with pytest.raises(InputError, match="no vertex is near them"):
        score(NowFolder(editable), now_predictions, template)


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        (".npy", np.array([{"a": 1}]), "cannot be read"),  # a pickle: never loaded
        (".npy", np.zeros((7, 3)), "seven different landmarks"),
        (".npy", np.ones((6, 3)), r"but it holds \(6, 3\)"),
        (".obj", "no mesh\n", "expected a"),
        (".obj", "v 0 0 0\nv 1 0 nan\nv 0 1 0\nf 1 2 3\n", "finite vertices"),
    ],
)
def test_predictions_that_are_none(now_folder, now_predictions, tmp_path, suffix, content, message):
    folder = shutil.copytree(now_predictions, tmp_path / "predictions")
    picture = NowFolder(now_folder).pictures[0]
    target = (folder / picture.path).with_suffix(suffix)
    if suffix == ".npy":
        np.save(target, content)
    else:
        target.write_text(content)
    with pytest.raises(InputError, match=message):
        read_prediction(folder, picture)


def test_predictions_without_landmarks_or_without_any_mesh(now_folder, now_predictions, template, tmp_path):
    folder = shutil.copytree(now_predictions, tmp_path / "predictions")
    now = NowFolder(now_folder)
    (folder / now.pictures[0].path).with_suffix(".txt").unlink()
    with pytest.raises(InputError, match="expected the seven landmarks of"):
        read_prediction(folder, now.pictures[0])
    with pytest.raises(InputError, match="lay them out as subject/challenge/picture"):
        score(now, tmp_path / "nothing", template)


def test_pictures_that_are_missing_or_show_nobody(editable, template, tmp_path):
    now = NowFolder(editable)
    for picture in now.pictures:
        cv2.imwrite(str(now.picture(picture)), np.full((60, 80, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"none can be reconstructed; the first: expected a face in IMG_1\.jpg"):
        write_predictions(now, tmp_path / "out", template, "fast", 0)
    now.picture(now.pictures[1]).unlink()
    with pytest.raises(InputError, match=r"1 of 3 are not there, such as .*IMG_2\.jpg"):
        write_predictions(now, tmp_path / "out", template, "fast", 0)
    assert not (tmp_path / "out").exists()


def test_every_landmark_name_is_known():
    assert len(LANDMARKS7) == len(set(LANDMARKS7)) == 7
    assert protocol.PUBLISHED["DECA"] == (1.09, 1.38, 1.18)
