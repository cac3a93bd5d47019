"""Motion parameters: what of a face changes from frame to frame, as one vector, M = expressions + joint angles."""

import numpy as np

from reconstruction.template import Template

# the joint angles a recording is fitted with, (joint, axis): jaw opening and sideways, gaze up-down and left-right;
# those of joints that a template lacks are left out
ANGLES = (("jaw", 0), ("jaw", 1), ("left_eye", 0), ("left_eye", 1), ("right_eye", 0), ("right_eye", 1))


def angles(template: Template) -> tuple[tuple[str, int], ...]:
    """Those of `ANGLES` whose joint the template has."""
    return tuple((joint, axis) for joint, axis in ANGLES if joint in template.joint_names)


def motion_names(template: Template) -> tuple[str, ...]:
    """Names of the M motion parameters: the expressions, then the joint angles as `jaw_x`."""
    return template.expression_names + tuple(f"{joint}_{'xyz'[axis]}" for joint, axis in angles(template))


def motion_to_pose(template: Template, motion: np.ndarray) -> np.ndarray:
    """(T, M) motion to (T, J, 3) float32 axis-angle, radians, global rotation and neck zero."""
    pose = np.zeros((len(motion), template.n_joints, 3), np.float32)
    for i, (joint, axis) in enumerate(angles(template)):
        pose[:, template.joint(joint), axis] = motion[:, template.n_expression + i]
    return pose


def pose_to_motion(template: Template, expression: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(T, M) motion of expression (T, E) and axis-angle (T, J, 3); global rotation and neck are left out."""
    turned = [pose[:, template.joint(joint), axis] for joint, axis in angles(template)]
    return np.column_stack([expression, *turned])
