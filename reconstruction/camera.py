"""Pinhole camera without distortion, and the pose of a head before it. OpenCV's frame: x right, y down, z forward."""

import numpy as np
from scipy.spatial.transform import Rotation

from reconstruction.errors import InputError

FACING = np.diag([1.0, -1.0, -1.0])  # head axes of a face that looks straight into an OpenCV camera
FOCAL_TO_SIZE = 1.2


def default_camera_matrix(width: int, height: int, focal: float | None = None) -> np.ndarray:
    """(3, 3) pixels, for a recording whose camera is unknown.

    The focal length is assumed to be 1.2 times the longer side, a field of view of 45 degrees along it: between webcams
    and laptop cameras (about 1.0, 53 degrees) and phones' main cameras in video mode (1.3 to 1.4). A wrong focal length
    trades almost wholly against distance, which is why distances are not read as measurements.
    """
    f = float(focal) if focal else FOCAL_TO_SIZE * max(width, height)
    return np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1]])


def given_camera_matrix(width: int, height: int, focal_px: float | None, fov_deg: float | None) -> np.ndarray | None:
    """(3, 3) pixels, of a focal length in pixels or a horizontal field of view in degrees; None where neither is given.

    Raises
    ------
    InputError
        Both are given, or a camera that does not exist: no positive field of view below 160 degrees.
    """
    if fov_deg is not None:
        if focal_px is not None:
            raise InputError("expected a focal length or a field of view, got both; leave one out.")
        focal = width / 2 / np.tan(np.radians(fov_deg) / 2) if 0 < fov_deg < 180 else np.nan
    elif focal_px is not None:
        focal = focal_px
    else:
        return None
    view = np.degrees(2 * np.arctan(width / 2 / focal)) if focal > 0 else np.nan
    if not 1 <= view <= 160:
        raise InputError(
            f"expected a horizontal field of view of 1 to 160 degrees, for {width} pixels a focal length of "
            f"{width / 2 / np.tan(np.radians(80)):.0f} to {width / 2 / np.tan(np.radians(0.5)):.0f} pixels, got "
            f"{f'{fov_deg:g} degrees' if fov_deg is not None else f'{focal_px:g} pixels'}; leave it out to estimate it."
        )
    return default_camera_matrix(width, height, focal)


def project(points: np.ndarray, camera_matrix: np.ndarray, camera_from_head: np.ndarray | None = None) -> np.ndarray:
    """(..., N, 2) pixels of `points` (..., N, 3), metres, head frame; in the camera frame where no pose is given.

    camera_from_head : (..., 4, 4)
    """
    points = np.asarray(points)
    if camera_from_head is not None:
        rotation, translation = camera_from_head[..., :3, :3], camera_from_head[..., :3, 3]
        points = points @ np.swapaxes(rotation, -1, -2) + translation[..., None, :]
    image = points @ np.asarray(camera_matrix).T
    return image[..., :2] / np.maximum(image[..., 2:], 1e-6)


def rotation_from_axis_angle(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) radians to (..., 3, 3)."""
    axis_angle = np.asarray(axis_angle, np.float64)
    return Rotation.from_rotvec(axis_angle.reshape(-1, 3)).as_matrix().reshape(*axis_angle.shape, 3)


def axis_angle_from_rotation(rotation: np.ndarray) -> np.ndarray:
    """(..., 3, 3) to (..., 3) radians."""
    rotation = np.asarray(rotation, np.float64)
    return Rotation.from_matrix(rotation.reshape(-1, 3, 3)).as_rotvec().reshape(rotation.shape[:-1])


def camera_from_head(pose: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """(..., 4, 4) from a FaceSequence's head pose (..., 3), axis-angle against a face looking into the camera, and
    place (..., 3).
    """
    rotation = FACING @ rotation_from_axis_angle(pose)
    out = np.zeros((*rotation.shape[:-2], 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = rotation, translation, 1
    return out


def head_pose(camera_from_head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of `camera_from_head`: pose (..., 3) and translation (..., 3)."""
    return axis_angle_from_rotation(FACING @ camera_from_head[..., :3, :3]), camera_from_head[..., :3, 3].copy()


def spread_frames(count: int, most: int) -> np.ndarray:
    """At most so many of the numbers below `count`, evenly apart, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, most).round().astype(int))
