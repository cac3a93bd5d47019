"""How well wrinkles come back: simulated heads with known wrinkles, moles and freckles, filmed and measured.

usage: python scripts/measure_detail.py [--fitted]

Lines of 0.4 mm on the forehead, beside nose and mouth and by the eyes are pressed into a mean face, spots are painted
on it, and films of 720 x 720 pixels, without loss unless said, are made of it. Printed are, in the wrinkles, the
correlation of the map with the truth without what changes slowly, and how much of the depth comes back; the root
mean square of what is carved elsewhere, and in spots, millimetres. With --fitted the parameters are not the true ones
but reconstructed from the film.
"""

import argparse
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial import cKDTree

from reconstruction.camera import FACING, head_pose
from reconstruction.detail import SLOW, estimate_detail
from reconstruction.detail_map import DetailMap
from reconstruction.pipeline import reconstruct
from reconstruction.quality import REASONS
from reconstruction.quiet import quiet_stderr
from reconstruction.rendering import Renderer, linear_to_srgb, srgb_to_linear, vertex_normals
from reconstruction.sequence import FaceSequence
from reconstruction.subdivision import subdivide
from reconstruction.template import Template, load_template
from reconstruction.unrolled import Canvas
from reconstruction.uv_grid import face_triangles, make_grid

DEPTH, WIDTH = 0.0004, 0.0013  # metres; the profile of a line is Gaussian, WIDTH its standard deviation
EDGE = 0.0008  # metres, of the mesh that is filmed
SIDE = (-0.6, -0.5, -0.6)  # light from the side and above
PIGMENT = (0.65, 1.0, 1.5)  # how a spot darkens red, green and blue, of the log: brown
NOISE = 2.0  # grey levels
SHIFT = 4  # texels


def planted(template: Template, points: np.ndarray) -> np.ndarray:
    """(N,) metres of displacement at points (N, 3) of the neutral mean face: wrinkles."""
    marks = template.landmarks68(template.v_template)[:, :2]
    lines = []
    across = np.linspace(-0.032, 0.032, 15)
    for n, above in enumerate((0.010, 0.017, 0.024)):
        lines.append(np.stack([across, marks[[19, 24], 1].mean() + above + 0.002 * np.sin(120 * across + n)], 1))
    for side, nose, mouth, eye in ((-1, 31, 48, 36), (1, 35, 54, 45)):
        from_nose, to_mouth = marks[nose] + [0.008 * side, 0.002], marks[mouth] + [0.010 * side, 0.003]
        bow = (from_nose + to_mouth) / 2 + [0.003 * side, 0]
        lines.append(np.array([from_nose, bow, to_mouth, marks[mouth] + [0.012 * side, -0.012]]))
        start = marks[eye] + [0.010 * side, 0]
        for angle in (-0.35, 0.0, 0.35):
            lines.append(np.array([start, start + 0.016 * np.array([side * np.cos(angle), np.sin(angle)])]))
    deepest = np.zeros(len(points))
    for line in lines:
        distance = np.full(len(points), np.inf)
        for a, b in pairwise(line):
            along = np.clip((points[:, :2] - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)[:, None]
            distance = np.minimum(distance, np.linalg.norm(points[:, :2] - a - along * (b - a), axis=1))
        deepest = np.maximum(deepest, np.exp(-0.5 * (distance / WIDTH) ** 2))
    return -DEPTH * deepest * (points[:, 2] > 0)


def spots(template: Template, points: np.ndarray, seed: int, moles: int = 20, freckles: int = 120) -> np.ndarray:
    """(N,) how much pigment, of the log of light, at points (N, 3) of the neutral mean face."""
    rng = np.random.default_rng(seed)
    face = template.v_template[np.unique(template.faces[face_triangles(template)])]
    pigment, tree = np.zeros(len(points)), cKDTree(points)
    for n in range(moles + freckles):
        radius, dark = rng.uniform(0.0008, 0.002), rng.uniform(0.5, 1.3)
        if n >= moles:
            radius, dark = radius / 2, dark / 4
        centre = face[rng.integers(len(face))] + rng.normal(0, 0.002, 3)
        near = tree.query_ball_point(centre, 0.005)
        distance = np.linalg.norm(points[near] - centre, axis=1)
        pigment[near] = np.maximum(pigment[near], dark / (1 + np.exp((distance - radius) / 0.00025)))
    return pigment


@dataclass(frozen=True)
class Head:
    """A mean face made fine; see `Renderer.render`."""

    vertices: np.ndarray
    faces: np.ndarray
    colours: np.ndarray


def make_head(template: Template, wrinkled: bool = True, spotted: bool = True, seed: int = 0) -> Head:
    fine = subdivide(
        template.v_template, template.faces, template.uv, template.uv_faces, face_triangles(template), EDGE
    )
    points, vertices = fine.carry(template.v_template), fine.smooth(template.v_template)
    if wrinkled:
        vertices = vertices + planted(template, points)[:, None] * vertex_normals(vertices, fine.faces)
    light = srgb_to_linear(fine.carry(template.colours))
    if spotted:
        light = light * np.exp(-spots(template, points, seed)[:, None] * PIGMENT)
    light = light * np.exp(np.random.default_rng(seed).normal(0, 0.02, (len(points), 1)))
    return Head(vertices, fine.faces, linear_to_srgb(light))


def film(
    path: Path,
    template: Template,
    head: Head,
    *,
    size: int = 720,
    frames: int = 12,
    turn: float = 1.0,
    light: tuple[float, float, float] = SIDE,
    seed: int = 1,
) -> FaceSequence:
    """Film the head turning by up to `turn` times 20 degrees sideways and 12 up and down; its true parameters.

    path : ``.mkv`` without loss, ``.mp4`` with much
    """
    rng = np.random.default_rng(seed)
    focal, distance = 1.3 * size, 0.5
    camera_matrix = np.array([[focal, 0, (size - 1) / 2], [0, focal, (size - 1) / 2], [0, 0, 1]])
    twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]) @ camera_matrix
    renderer = Renderer(2 * size, 2 * size)
    pose, translation = np.zeros((frames, template.n_joints, 3), np.float32), np.zeros((frames, 3), np.float32)
    with quiet_stderr():
        codec = cv2.VideoWriter.fourcc(*("FFV1" if path.suffix == ".mkv" else "mp4v"))
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, 10, (size, size))
    try:
        for n in range(frames):
            about_x, about_y = (
                cv2.Rodrigues(np.radians(a) * np.array(axis))[0]
                for a, axis in zip(turn * rng.uniform(-1, 1, 2) * (12, 20), ((1.0, 0, 0), (0, 1.0, 0)), strict=True)
            )
            camera_from_head = np.eye(4)
            camera_from_head[:3, :3] = FACING @ about_x @ about_y
            middle = template.landmarks68(template.v_template).mean(0)
            camera_from_head[:3, 3] = np.array([0, 0, distance]) - camera_from_head[:3, :3] @ middle
            pose[n, 0], translation[n] = head_pose(camera_from_head)
            rgb, _ = renderer.render(
                head.vertices, head.faces, head.colours, twice, camera_from_head,
                background=(90, 100, 110), light=light, ambient=0.35, intensity=0.6,
            )  # fmt: skip
            small = cv2.resize(rgb, (size, size), interpolation=cv2.INTER_AREA)
            noisy = np.clip(small + rng.normal(0, NOISE, (size, size, 1)), 0, 255).astype(np.uint8)
            writer.write(cv2.cvtColor(noisy, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    return FaceSequence(
        template=template.name,
        template_sha256=template.sha256,
        expression_names=template.expression_names,
        joint_names=template.joint_names,
        shape=np.zeros(template.n_shape, np.float32),
        shape_sd=np.zeros(template.n_shape, np.float32),
        expression=np.zeros((frames, template.n_expression), np.float32),
        expression_sd=np.zeros(template.n_expression, np.float32),
        pose=pose,
        translation=translation,
        camera_matrix=camera_matrix.astype(np.float32),
        image_size=(size, size),
        time_s=np.arange(frames) / 10,
        valid=np.ones(frames, bool),
        quality=np.ones(frames, np.float32),
        reason=np.zeros(frames, np.uint8),
        reason_names=REASONS,
        frame_rate=10.0,
        simulated=True,
    )


def compare(detail: DetailMap, template: Template, seed: int = 0) -> dict[str, float]:
    """correlation and share of the depth in the wrinkles; elsewhere, spots : root mean square there, millimetres.

    shifted : the correlation where forehead, left and right are each moved by up to SHIFT texels to fit best, the least
        of the three: points of a fitted mesh lie a little beside where they belong on the skin
    """
    grid = make_grid(template)
    canvas = Canvas(grid.inside)
    points = grid.embedding(template.v_template)
    everywhere = np.ones(len(points), np.float32)
    truth, found = 1000 * planted(template, points), 1000 * detail.displacement[grid.inside].astype(float)
    near = canvas.smooth(np.abs(truth), everywhere, 1.5) > 0.06
    spotted = canvas.smooth(spots(template, points, seed), everywhere, 1.0) > 0.15
    truth -= canvas.smooth(truth, everywhere, SLOW)
    a, b = truth[near], found[near]
    picture = canvas.draw(found)
    steps = [(i, j) for i in range(-SHIFT, SHIFT + 1) for j in range(-SHIFT, SHIFT + 1)]
    shifted = np.array([np.roll(picture, step, (0, 1))[grid.inside] for step in steps])
    forehead = points[:, 1] > template.landmarks68(template.v_template)[17:27, 1].max()
    parts = (near & part for part in (forehead, ~forehead & (points[:, 0] > 0), ~forehead & (points[:, 0] < 0)))
    known = detail.confidence[grid.inside] > 0
    return {
        "correlation": float(np.corrcoef(a, b)[0, 1]),
        "shifted": min(max(np.corrcoef(truth[part], moved[part])[0, 1] for moved in shifted) for part in parts),
        "depth": float(a @ b / (a @ a)),
        "elsewhere": float(np.sqrt((found[~near & ~spotted & known] ** 2).mean())),
        "spots": float(np.sqrt((found[~near & spotted & known] ** 2).mean())),
    }


CASES: dict[str, tuple[dict, dict, str]] = {  # of the head, of the film, its file
    "light from the side, head turns": ({}, {}, "film.mkv"),
    "the same without wrinkles": ({"wrinkled": False}, {}, "film.mkv"),
    "head turns a tenth as far": ({}, {"turn": 0.1}, "film.mkv"),
    "light from the camera": ({}, {"light": (0.0, 0.0, -1.0)}, "film.mkv"),
    "one frame": ({}, {"frames": 1}, "film.mkv"),
    "strongly compressed": ({}, {}, "film.mp4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fitted", action="store_true")
    fitted = parser.parse_args().fitted
    template = load_template()
    with tempfile.TemporaryDirectory() as folder:
        for name, (of_head, of_film, file) in CASES.items():
            path = Path(folder) / file
            sequence = film(path, template, make_head(template, **of_head), **of_film)
            if fitted:
                sequence = reconstruct(path)
            detail = estimate_detail(path, template, sequence)
            figures = ", ".join(f"{key} {value:.3f}" for key, value in compare(detail, template).items())
            print(f"{name}: {figures}", flush=True)


if __name__ == "__main__":
    main()
