"""Other software, each as one function to be timed. Only run, never copied.

A peer that is not installed raises ImportError, one whose files are absent FileNotFoundError.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reconstruction.quiet import quiet_stderr
from reconstruction.template import Template
from reconstruction.video import open_video

Flame = Callable[[Tensor, Tensor, Tensor], Tensor]


def smplx_flame(template: Template) -> Flame:
    """smplx's `lbs` on the template's arrays: shape (B, S), expression (B, E), pose (B, J, 3) to vertices (B, V, 3)."""
    from smplx.lbs import lbs

    directions = torch.from_numpy(np.concatenate([template.shapedirs, template.expressiondirs], 2))
    posedirs = torch.from_numpy(np.ascontiguousarray(template.posedirs.reshape(-1, template.posedirs.shape[2]).T))
    v_template, regressor, parents, weights = map(
        torch.from_numpy, (template.v_template, template.joint_regressor, template.parents, template.skinning_weights)
    )

    def run(shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        betas = torch.cat([shape, expression], 1)
        return lbs(betas, pose.flatten(1), v_template, directions, posedirs, regressor, parents, weights)[0]

    return run


def body_models_flame(template: Template) -> Flame:
    """The same by body-models."""
    from body_models.flame.torch import FLAME

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flame.npz"
        np.savez(
            path,
            v_template=template.v_template,
            shapedirs=np.concatenate([template.shapedirs, template.expressiondirs], 2),
            posedirs=template.posedirs,
            J_regressor=template.joint_regressor,
            weights=template.skinning_weights,
            kintree_table=np.stack([template.parents, np.arange(template.n_joints)]),
            f=template.faces,
        )
        model = FLAME(model_path=path)

    def run(shape: Tensor, expression: Tensor, pose: Tensor) -> Tensor:
        return model.forward_vertices(pose[:, 1:], head_rotation=pose[:, 0], shape=shape, expression=expression)

    return run


def eos_fit(folder: Path, iterations: int = 5) -> Callable[[np.ndarray, tuple[int, int]], None]:
    """eos-py's fit of pose, shape and expressions to landmarks (68, 2), pixels, of a picture of (width, height)."""
    import eos

    names = ("sfm_shape_3448.bin", "expression_blendshapes_3448.bin", "ibug_to_sfm.txt")
    names += ("sfm_3448_edge_topology.json", "sfm_model_contours.json")
    shape, blendshapes, mapping, edges, contours = (str(_present(folder / name)) for name in names)
    surrey = eos.morphablemodel.load_model(shape)
    model = eos.morphablemodel.MorphableModel(
        surrey.get_shape_model(),
        eos.morphablemodel.load_blendshapes(blendshapes),
        color_model=eos.morphablemodel.PcaModel(),
        vertex_definitions=None,
        texture_coordinates=surrey.get_texture_coordinates(),
    )
    mapper = eos.core.LandmarkMapper(mapping)
    edge_topology = eos.morphablemodel.load_edge_topology(edges)
    contour_landmarks = eos.fitting.ContourLandmarks.load(mapping)
    model_contour = eos.fitting.ModelContour.load(contours)

    def fit(points: np.ndarray, size: tuple[int, int]) -> None:
        landmarks = [eos.core.Landmark(str(i + 1), [float(x), float(y)]) for i, (x, y) in enumerate(points)]
        eos.fitting.fit_shape_and_pose(
            model, landmarks, mapper, *size, edge_topology, contour_landmarks, model_contour, num_iterations=iterations
        )

    return fit


def blendshapes(task: Path) -> Callable[[Path], tuple[list[str], np.ndarray]]:
    """MediaPipe's Face Landmarker on a video: names and (T, 52) blendshapes, NaN in frames without a face."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    _present(task)

    def run(video: Path) -> tuple[list[str], np.ndarray]:
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(task)),
            running_mode=vision.RunningMode.VIDEO,
            output_face_blendshapes=True,
        )
        names: list[str] = []
        found: list[list[float] | None] = []
        with quiet_stderr():
            landmarker = vision.FaceLandmarker.create_from_options(options)
        with landmarker:
            for _, seconds, rgb in open_video(video):
                image = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(rgb))
                faces = landmarker.detect_for_video(image, round(1000 * seconds)).face_blendshapes
                names = [category.category_name for category in faces[0]] if faces else names
                found.append([category.score for category in faces[0]] if faces else None)
        return names, np.array([face or [np.nan] * len(names) for face in found])

    return run


def _present(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"no {path}")
    return path
