"""Pictures of a mesh, without a display: OpenGL where a context can be had, ray casting where not.

Both backends draw the same light: the shading is computed here, a colour per vertex, in linear light, and handed to the
backend as a finished colour. What differs is only the rasteriser. Flat light (``ambient=1, intensity=0``) gives exactly
the colours that were passed in.
"""

import logging
import os
from types import ModuleType
from typing import Any

import numpy as np

from reconstruction.camera import FACING
from reconstruction.errors import InputError

log = logging.getLogger(__name__)

KEY_LIGHT = (-0.45, -0.55, -0.70)  # from the viewer's upper left, camera frame
ENVIRONMENT = "FACE_ATLAS_RENDERER"
_SAMPLES = 2  # ray casting: rays per pixel side, against jagged edges
_opengl: dict[int, Any] = {}  # process id: the one OpenGL context of the process


def look_at_camera(
    vertices: np.ndarray,
    width: int,
    height: int,
    yaw: float = 0.0,
    pitch: float = 0.0,
    *,
    distance: float = 1.2,
    margin: float = 0.04,
) -> tuple[np.ndarray, np.ndarray]:
    """A camera that frames a head for a figure; the same scale from every side.

    vertices : (V, 3) metres, head frame, what has to be in the picture
    yaw, pitch : radians, the head turned to the subject's left and downwards; 0.61 three-quarter, 1.57 profile
    distance : metres from the middle of the head
    margin : share of the picture left free on each side

    Returns camera_matrix (3, 3) in pixels and camera_from_head (4, 4), OpenCV, metres.
    """
    low, high = np.min(vertices, 0), np.max(vertices, 0)
    centre = (low + high) / 2
    radius = float(np.hypot(high[0] - low[0], high[2] - low[2]) / 2)
    half_height = float(high[1] - low[1]) / 2
    nearest = distance - radius
    focal = (1 - 2 * margin) * nearest / 2 * min(width / (0.92 * radius), height / half_height)
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    camera_from_head = np.eye(4)
    camera_from_head[:3, :3] = FACING @ turn
    camera_from_head[:3, 3] = np.array([0, 0, distance]) - camera_from_head[:3, :3] @ centre
    camera_matrix = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    return camera_matrix, camera_from_head


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) unit normals, each the area-weighted mean of its triangles' normals."""
    corner = vertices[faces]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    ids, weights = faces.ravel(), np.repeat(cross, 3, axis=0)
    total = np.stack([np.bincount(ids, weights[:, d], len(vertices)) for d in range(3)], 1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)


def srgb_to_linear(colours: np.ndarray) -> np.ndarray:
    """sRGB bytes to linear light in 0..1 (IEC 61966-2-1)."""
    c = np.asarray(colours, np.float32) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light in 0..1 to sRGB bytes (IEC 61966-2-1)."""
    c = np.clip(light, 0, 1)
    encoded = np.where(c <= 0.0031308, 12.92 * c, 1.055 * c ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)


def shade(
    normals: np.ndarray,
    to_viewer: np.ndarray,
    colours: np.ndarray,
    light: tuple[float, float, float] | np.ndarray,
    ambient: float,
    intensity: float,
) -> np.ndarray:
    """(V, 3) sRGB bytes of a matt surface under one key light and a weak fill from the camera.

    Three quarters of `intensity` is the key, wrapped a little around the form as light scattered in skin is
    (``((n·l + w) / (1 + w))`` with w = 0.2); a quarter is the fill. There is no specular term: skin without a pore map
    looks like plastic with one. What would pass full brightness is rolled off, so that highlights never burn out.

    normals, to_viewer : (V, 3) unit vectors, camera frame; colours : (V, 3) uint8 sRGB
    """
    direction = np.asarray(light, float) / max(float(np.linalg.norm(light)), 1e-12)
    key = np.maximum((normals @ direction + 0.2) / 1.2, 0)
    fill = np.maximum((normals * to_viewer).sum(1), 0)
    received = ambient + intensity * (0.75 * key + 0.25 * fill)
    received = np.where(received > 1, 1 + 0.25 * np.tanh((received - 1) / 0.25), received)
    return linear_to_srgb(srgb_to_linear(colours) * received[:, None])


class Renderer:
    """Draws meshes into pictures of one size; keep one and reuse it for every frame.

    Parameters
    ----------
    width, height : pixels
    backend : ``opengl``, ``raycast`` or ``auto``: OpenGL where a context can be had, else ray casting, said once
        through `logging`. The environment variable ``FACE_ATLAS_RENDERER`` overrides ``auto``.

    Raises
    ------
    InputError
        The backend is unknown, or OpenGL was asked for and there is none.
    """

    def __init__(self, width: int, height: int, backend: str = "auto"):
        self.width, self.height = int(width), int(height)
        if backend == "auto":
            backend = os.environ.get(ENVIRONMENT, "auto")
        if backend not in ("auto", "opengl", "raycast"):
            raise InputError(f"expected a renderer of 'auto', 'opengl' or 'raycast', got {backend!r}; choose one.")
        self.backend = "raycast"
        if backend != "raycast":
            problem = _open_context()
            if not problem:
                self.backend = "opengl"
            elif backend == "opengl":
                raise InputError(
                    f"expected an OpenGL context, but there is none ({problem}); install libegl1, libegl-mesa0 and "
                    "libgl1-mesa-dri, or use the 'raycast' renderer."
                )

    def render(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        colours: np.ndarray,
        camera_matrix: np.ndarray,
        camera_from_head: np.ndarray,
        *,
        background: tuple[int, int, int] | np.ndarray = (255, 255, 255),
        light: tuple[float, float, float] | np.ndarray = KEY_LIGHT,
        ambient: float = 0.35,
        intensity: float = 0.75,
        window: tuple[int, int, int, int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One picture, or a part of it.

        vertices : (V, 3) metres, head frame; faces : (F, 3), counter-clockwise from outside
        colours : (V, 3) uint8 sRGB
        camera_matrix : (3, 3) pixels, pixel centres at whole numbers; camera_from_head : (4, 4) OpenCV, metres
        background : one colour, or a picture (H, W, 3) uint8 to draw over
        light : direction towards the key light, camera frame (x right, y down, z forward)
        window : left, top, width and height in pixels of the only part that is drawn, in a fraction of the time; what
            is returned, and a picture given as background, have its size

        Returns rgb (H, W, 3) uint8 and depth (H, W) float32, metres along the camera's axis, 0 where nothing is.
        """
        points = in_camera(vertices, camera_from_head)
        normals = vertex_normals(points, np.asarray(faces))
        to_viewer = -points / np.linalg.norm(points, axis=1, keepdims=True)
        lit = shade(normals, to_viewer, colours, light, ambient, intensity)
        return self.draw(points, faces, lit, camera_matrix, background=background, window=window)

    def draw(
        self,
        points: np.ndarray,
        faces: np.ndarray,
        lit: np.ndarray,
        camera_matrix: np.ndarray,
        *,
        background: tuple[int, int, int] | np.ndarray = (255, 255, 255),
        window: tuple[int, int, int, int] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`render` of points (V, 3) in the camera frame whose light is in their colours `lit` (V, 3) uint8 already."""
        left, top, width, height = window or (0, 0, self.width, self.height)
        to_window = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1.0]])
        rasterise = _draw_opengl if self.backend == "opengl" else _draw_raycast
        rgba, depth = rasterise(
            width, height, points, np.asarray(faces), lit, to_window @ np.asarray(camera_matrix, float)
        )
        behind = np.broadcast_to(np.asarray(background, np.float32), (height, width, 3))
        alpha = rgba[..., 3:]
        # colours come premultiplied with the share of the pixel that is covered: the backends clear to black
        rgb = np.clip(np.round(rgba[..., :3] + (1 - alpha) * behind), 0, 255).astype(np.uint8)
        return rgb, depth


def in_camera(vertices: np.ndarray, camera_from_head: np.ndarray) -> np.ndarray:
    """Vertices (V, 3), head frame, in the camera frame."""
    transform = np.asarray(camera_from_head, float)
    return np.asarray(vertices, float) @ transform[:3, :3].T + transform[:3, 3]


def _open_context() -> str:
    """Open the process's OpenGL context once; returns '' or why there is none."""
    pid = os.getpid()
    if pid not in _opengl:
        os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
        try:
            import pyrender

            _opengl[pid] = (pyrender, pyrender.OffscreenRenderer(64, 64))
        except Exception as error:  # whatever the driver stack raises: the answer is the other backend
            _opengl[pid] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            log.warning("no OpenGL context (%s): pictures are drawn by ray casting, which is slower.", _opengl[pid])
    return _opengl[pid] if isinstance(_opengl[pid], str) else ""


def _draw_opengl(
    width: int, height: int, points: np.ndarray, faces: np.ndarray, lit: np.ndarray, camera_matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 4) float32, colour 0..255 premultiplied by alpha 0..1, and depth (H, W) metres."""
    _open_context()
    pyrender: ModuleType = _opengl[os.getpid()][0]
    context = _opengl[os.getpid()][1]
    depths = points[:, 2]
    near = max(float(depths.min()) * 0.9, 0.01)
    # OpenGL counts pixels from their edge, OpenCV from their centre; its camera looks along -z with y up
    camera = pyrender.IntrinsicsCamera(
        camera_matrix[0, 0],
        camera_matrix[1, 1],
        camera_matrix[0, 2] + 0.5,
        camera_matrix[1, 2] + 0.5,
        znear=near,
        zfar=max(float(depths.max()) * 1.1, 2 * near),
    )
    mesh = pyrender.Mesh(
        [
            pyrender.Primitive(
                positions=(points * (1, -1, -1)).astype(np.float32),
                color_0=np.hstack([lit, np.full((len(lit), 1), 255)]).astype(np.float32) / 255,
                indices=faces.astype(np.uint32),
                material=pyrender.MetallicRoughnessMaterial(baseColorFactor=(1.0, 1.0, 1.0, 1.0), doubleSided=True),
                mode=pyrender.GLTF.TRIANGLES,
            )
        ]
    )
    scene = pyrender.Scene(bg_color=(0.0, 0.0, 0.0, 0.0))
    scene.add(mesh)
    scene.add(camera)
    context.viewport_width, context.viewport_height = width, height
    flags = pyrender.RenderFlags
    colour, depth = context.render(scene, flags.RGBA | flags.FLAT | flags.SKIP_CULL_FACES)
    rgba = colour.astype(np.float32)
    rgba[..., 3] /= 255
    return rgba, depth.astype(np.float32)


def _draw_raycast(
    width: int, height: int, points: np.ndarray, faces: np.ndarray, lit: np.ndarray, camera_matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same through Embree: `_SAMPLES` squared rays per pixel, only where the mesh can be; depth of the nearest."""
    import open3d as o3d

    n = _SAMPLES
    rgba = np.zeros((height, width, 4), np.float32)
    depth = np.zeros((height, width), np.float32)
    front = points[points[:, 2] > 1e-3]
    if not len(front):
        return rgba, depth
    projected = front / front[:, 2:] @ camera_matrix.T
    low = np.floor(np.clip(projected[:, :2].min(0), 0, (width, height))).astype(int)
    high = np.ceil(np.clip(projected[:, :2].max(0) + 1, 0, (width, height))).astype(int)
    w, h = high - low
    if w <= 0 or h <= 0:
        return rgba, depth
    step = (np.arange(n) + 0.5) / n - 0.5
    x = (low[0] + np.arange(w)[:, None] + step).ravel()
    y = (low[1] + np.arange(h)[:, None] + step).ravel()
    pixel = np.stack([*np.meshgrid(x, y), np.ones((h * n, w * n))], -1)
    direction = pixel @ np.linalg.inv(camera_matrix).T  # z is 1, so that the ray length is the depth
    rays = np.concatenate([np.zeros_like(direction), direction], -1).astype(np.float32)
    scene = o3d.t.geometry.RaycastingScene(nthreads=0)
    scene.add_triangles(
        o3d.core.Tensor(points.astype(np.float32)), o3d.core.Tensor(np.ascontiguousarray(faces, np.uint32))
    )
    hits = scene.cast_rays(o3d.core.Tensor(rays))
    t = hits["t_hit"].numpy()
    found = np.isfinite(t)
    corner = lit[faces[hits["primitive_ids"].numpy()[found].astype(np.int64)]].astype(np.float32)
    uv = hits["primitive_uvs"].numpy()[found]
    weights = np.stack([1 - uv.sum(1), uv[:, 0], uv[:, 1]], 1)
    samples = np.zeros((*t.shape, 4), np.float32)
    samples[found, :3] = (corner * weights[..., None]).sum(1)
    samples[found, 3] = 1
    blocks = samples.reshape(h, n, w, n, 4)
    near = np.where(found, t, np.inf).reshape(h, n, w, n).min((1, 3))
    rgba[low[1] : high[1], low[0] : high[0]] = blocks.mean((1, 3))
    depth[low[1] : high[1], low[0] : high[0]] = np.where(np.isfinite(near), near, 0)
    return rgba, depth
