"""Motion vectors and what they turn."""

import numpy as np

from reconstruction.motion import ANGLES, motion_names, motion_to_pose, pose_to_motion


def test_names_are_the_expressions_and_then_the_angles(template):
    names = motion_names(template)
    assert names[: template.n_expression] == template.expression_names
    assert names[template.n_expression :] == (
        "jaw_x", "jaw_y", "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y",
    )  # fmt: skip
    assert len(set(names)) == len(names)


def test_every_angle_turns_its_joint_and_nothing_else(template):
    names = motion_names(template)
    motion = np.zeros((len(ANGLES), len(names)))
    motion[:, template.n_expression :] = np.diag(np.arange(1, len(ANGLES) + 1) / 10)
    pose = motion_to_pose(template, motion)
    assert pose.shape == (len(ANGLES), template.n_joints, 3)
    for i, (joint, axis) in enumerate(ANGLES):
        assert pose[i, template.joint(joint), axis] == np.float32((i + 1) / 10)
        assert np.count_nonzero(pose[i]) == 1


def test_motion_comes_back_from_expression_and_pose(template):
    motion = np.random.default_rng(0).uniform(0, 0.3, (4, len(motion_names(template))))
    again = pose_to_motion(template, motion[:, : template.n_expression], motion_to_pose(template, motion))
    np.testing.assert_allclose(again, motion, atol=1e-7)
