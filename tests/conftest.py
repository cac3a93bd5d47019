"""What tests share: recordings that are not part of the project, a small recording made on the spot, the template."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from reconstruction.camera import default_camera_matrix
from reconstruction.quality import REASONS
from reconstruction.rendering import Renderer
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template, load_template
from reconstruction.video_writer import VideoWriter

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """``shared_data("video/single_face.mp4")``: that file's path; skips the test where it is absent."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{name}, which is not part of the project")
        return path

    return find


@pytest.fixture(scope="session")
def template() -> Template:
    """The embedded template."""
    return load_template()


@pytest.fixture(scope="session")
def grey_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of 64x48 at 10 frames a second, no face; frame i has the grey value 10 i."""
    path = tmp_path_factory.mktemp("video") / "grey.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for i in range(20):
        writer.write(np.full((48, 64, 3), 10 * i, np.uint8))
    writer.release()
    return path


N_FRAMES = 6


@pytest.fixture(scope="session")
def sequence(template: Template) -> FaceSequence:
    """Six frames at 10 a second of a simulated person who turns a little and smiles; the fourth is left out."""
    rng = np.random.default_rng(0)
    expression = np.zeros((N_FRAMES, template.n_expression), np.float32)
    for side in ("Left", "Right"):
        expression[:, template.expression_names.index(f"mouthSmile{side}")] = np.linspace(0, 0.8, N_FRAMES)
    pose = np.zeros((N_FRAMES, template.n_joints, 3), np.float32)
    pose[:, 0, 1] = np.linspace(-0.2, 0.2, N_FRAMES)
    pose[:, template.joint("jaw"), 0] = np.linspace(0, 0.1, N_FRAMES)
    valid = np.arange(N_FRAMES) != 3
    middle = template.landmarks68(template.v_template).mean(0)
    return FaceSequence(
        template=template.name,
        template_sha256=template.sha256,
        expression_names=template.expression_names,
        joint_names=template.joint_names,
        shape=rng.normal(size=template.n_shape).astype(np.float32),
        shape_sd=np.full(template.n_shape, 0.3, np.float32),
        expression=expression * valid[:, None],
        expression_sd=np.full(template.n_expression, 0.1, np.float32),
        pose=pose * valid[:, None, None],
        translation=np.tile(np.float32([-middle[0], middle[1], 0.65]), (N_FRAMES, 1)) * valid[:, None],
        camera_matrix=default_camera_matrix(320, 240).astype(np.float32),
        image_size=(320, 240),
        time_s=np.arange(N_FRAMES) / 10,
        valid=valid,
        quality=valid.astype(np.float32),
        reason=np.where(valid, 0, REASONS.index("blurred")).astype(np.uint8),
        reason_names=REASONS,
        frame_rate=10.0,
        simulated=True,
        provenance={"seed": 0},
    )


@pytest.fixture(scope="session")
def face_video(tmp_path_factory: pytest.TempPathFactory, sequence: FaceSequence, template: Template) -> Path:
    """`sequence` as a recording of 320x240; the frame left out is grey."""
    path = tmp_path_factory.mktemp("video") / "sub-001_task-happiness.mp4"
    renderer = Renderer(*sequence.image_size)
    vertices = sequence.vertices(template)
    with VideoWriter(path, *sequence.image_size, sequence.frame_rate) as film:
        for i in range(len(sequence)):
            frame = np.full((240, 320, 3), 128, np.uint8)
            if sequence.valid[i]:
                frame, _ = renderer.render(
                    vertices[i],
                    template.faces,
                    template.colours,
                    sequence.camera_matrix,
                    sequence.camera_from_head[i],
                    background=(128, 128, 128),
                )
            film.write(frame)
    return path
