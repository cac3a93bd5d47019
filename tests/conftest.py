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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-figures", action="store_true", help="draw the figures that tests compare with anew")


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


NOW_PICTURES = (
    ("FaMoS_a", "multiview_neutral", "IMG_1.jpg"),
    ("FaMoS_a", "selfie", "IMG_2.jpg"),
    ("FaMoS_b", "multiview_neutral", "IMG_3.jpg"),
)


@pytest.fixture(scope="session")
def now_folder(tmp_path_factory: pytest.TempPathFactory, template: Template, face_video: Path) -> Path:
    """A tiny folder laid out as the NoW benchmark: two simulated people as scans, in mm, each somewhere in space, with
    three pictures, of which the last shows no face. Not to be changed.
    """
    folder = tmp_path_factory.mktemp("benchmark") / "now"
    for i, subject in enumerate(("FaMoS_a", "FaMoS_b")):
        shape = np.random.default_rng(i).normal(size=template.n_shape)
        vertices = 1000 * (template.v_template + template.shapedirs @ shape)
        vertices = vertices @ cv2.Rodrigues(np.array([0.2, -0.3, 0.1 + i]))[0].T + [40, -90, 700]
        marks = template.landmarks68(vertices)[[36, 39, 42, 45, 33, 48, 54]]
        lines = [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices]
        lines += [f"f {a} {b} {c}" for a, b, c in template.faces + 1]
        _write_text(folder / "scans" / subject / "scan.obj", "\n".join(lines))
        picked = [
            f'<point x="{x:.5f}" y="{y:.5f}" z="{z:.5f}" active="1" name="{n}"/>' for n, (x, y, z) in enumerate(marks)
        ]
        text = "<!DOCTYPE PickedPoints>\n<PickedPoints>\n<DocumentData/>\n" + "\n".join(picked) + "\n</PickedPoints>\n"
        _write_text(folder / "scans_lmks_onlypp" / subject / "scan_picked_points.pp", text)
    _write_text(folder / "imagepathsvalidation.txt", "".join(f"{'/'.join(parts)}\n" for parts in NOW_PICTURES))
    capture = cv2.VideoCapture(str(face_video))
    _, face = capture.read()
    capture.release()
    for i, parts in enumerate(NOW_PICTURES):
        path = folder.joinpath("NoW_Dataset/final_release_version/iphone_pictures", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), face if i < 2 else np.full_like(face, 128))
    return folder


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture(scope="session")
def now_predictions(tmp_path_factory: pytest.TempPathFactory, now_folder: Path) -> Path:
    """The scans themselves as predictions, metres instead of mm; the last picture has none. Not to be changed."""
    import trimesh

    folder = tmp_path_factory.mktemp("predictions")
    for subject, challenge, name in NOW_PICTURES[:2]:
        scan = trimesh.load_mesh(now_folder / "scans" / subject / "scan.obj", process=False, maintain_order=True)
        text = (now_folder / "scans_lmks_onlypp" / subject / "scan_picked_points.pp").read_text()
        numbers = [line.split('"')[1:6:2] for line in text.splitlines() if line.startswith("<point")]
        marks = np.array(numbers, float) / 1000
        target = (folder / subject / challenge / name).with_suffix(".ply")
        target.parent.mkdir(parents=True, exist_ok=True)
        trimesh.Trimesh(scan.vertices / 1000, scan.faces, process=False).export(target)
        np.savetxt(target.with_suffix(".txt"), marks)
    return folder


@pytest.fixture(scope="session")
def render_folder(
    tmp_path_factory: pytest.TempPathFactory, template: Template, sequence: FaceSequence, face_video: Path
) -> Path:
    """`face_video` as a render with its truth, two times, as two people; not to be changed."""
    folder = tmp_path_factory.mktemp("renders")
    skin = template.part("skin", "lips", "brow", "lid")
    neutral = 1000 * sequence.neutral(template)[skin][::8]
    marks = 1000 * template.landmarks68(sequence.vertices(template))
    own = 1000 * template.landmarks68(sequence.neutral(template))
    names = [n.replace("Left", "_L").replace("Right", "_R") for n in template.expression_names]
    for i in range(2):
        (folder / f"sub-{i:02d}.mp4").write_bytes(face_video.read_bytes())
        np.savez(
            folder / f"sub-{i:02d}.npz",
            neutral=np.concatenate([neutral, own]).astype(np.float32),
            narrow=len(neutral),
            lm68=len(neutral) + np.arange(68),
            landmarks_head=marks.astype(np.float32),
            expr=np.column_stack([sequence.expression, sequence.pose[:, template.joint("jaw"), 0]]),
            names=[*names, "jawOpen"],
        )
    return folder
