"""The NoW protocol (Sanyal et al. 2019) on a folder laid out as the benchmark's own.

    imagepathsvalidation.txt                                  subject/challenge/picture.jpg, one a line
    scans/SUBJECT/*.obj                                       mm, neutral
    scans_lmks_onlypp/SUBJECT/*.pp                            seven picked points, in the order of `LANDMARKS7`
    NoW_Dataset/final_release_version/iphone_pictures/subject/challenge/picture.jpg

The scan is cropped to the face; the prediction, a neutral mesh in any unit with the same seven points, is aligned with
rotation, translation and scale, by the points and then by the distances of the scan's vertices to its surface; these
distances are pooled over all pictures. The benchmark is licensed to who signs for it; nothing of it is included.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import trimesh

from reconstruction.errors import InputError
from reconstruction.evaluation.metrics import Surface, refine_alignment, similarity
from reconstruction.storage import write_atomically
from reconstruction.template import Template

# eye corners from the subject's right to the left, below the nose, corners of the mouth right and left, in iBUG 68
LANDMARKS7 = (36, 39, 42, 45, 33, 48, 54)
CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")
# as published, on the test set, whose scans are withheld: median, mean, standard deviation in mm where known
PUBLISHED: dict[str, tuple[float, float | None, float | None]] = {
    "TokenFace": (0.76, None, None),
    "MICA": (0.90, None, None),
    "DECA": (1.09, 1.38, 1.18),
    "RingNet": (1.21, 1.53, 1.31),
    "3DDFA-V2": (1.23, 1.57, 1.39),
}
_BASES = (".", "NoW_Dataset", "final_release_version", "NoW_Dataset/final_release_version")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Mesh:
    """A face to compare: vertices (V, 3) in any unit, faces (F, 3), landmarks (7, 3)."""

    vertices: np.ndarray
    faces: np.ndarray
    landmarks: np.ndarray


@dataclass(frozen=True)
class Picture:
    """One picture of the list; `path` is it below ``iphone_pictures`` and, with another suffix, in the predictions."""

    subject: str
    challenge: str
    path: Path


class NowFolder:
    """The benchmark's folder.

    Raises
    ------
    InputError
        The list of pictures, the scans or their landmarks are missing or cannot be read.
    """

    def __init__(self, folder: Path, pictures: Path | None = None):
        self.folder = folder
        listed = pictures or self._find("imagepathsvalidation.txt")
        self._scans, self._marks = self._find("scans"), self._find("scans_lmks_onlypp")
        if not listed.is_file():
            raise InputError(f"expected a text file that lists pictures, but {listed} is none; check the path.")
        parts = [Path(line.strip()).parts[-3:] for line in listed.read_text().splitlines() if line.strip()]
        short = [str(Path(*part)) for part in parts if len(part) < 3]
        if not parts or short:
            raise InputError(
                f"expected lines like subject/{CHALLENGES[0]}/IMG_0001.jpg in {listed}, but "
                f"{f'one reads {short[0]}' if short else 'it is empty'}; take the benchmark's own list."
            )
        self.pictures = [Picture(subject, challenge, Path(subject, challenge, n)) for subject, challenge, n in parts]
        self.subjects = sorted({picture.subject for picture in self.pictures})
        for subject in self.subjects:
            self._one(self._scans, subject, ".obj")
            self._one(self._marks, subject, ".pp")

    def picture(self, picture: Picture) -> Path:
        """Where a picture of the list lies."""
        return self._find("iphone_pictures") / picture.path

    def face(self, subject: str) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (N, 3) of a subject's scan that belong to the face, and its landmarks (7, 3), mm."""
        landmarks = _read_picked_points(self._one(self._marks, subject, ".pp"))
        path = self._one(self._scans, subject, ".obj")
        face = crop(_read_vertices(path), landmarks)
        if not len(face):
            raise InputError(
                f"expected the landmarks of {subject} to lie on {path}, but no vertex is near them; check that both "
                "are in the same unit."
            )
        return face, landmarks

    def _find(self, name: str) -> Path:
        for base in _BASES:
            if (self.folder / base / name).exists():
                return self.folder / base / name
        raise InputError(
            f"expected a folder laid out as the NoW benchmark, but {self.folder} has no {name}; unpack the validation "
            "set's scans, landmarks and list of pictures into it."
        )

    def _one(self, folder: Path, subject: str, suffix: str) -> Path:
        found = sorted((folder / subject).glob(f"*{suffix}"))
        if not found:
            raise InputError(
                f"expected a {suffix} file in {folder / subject}, but there is none; unpack the benchmark's again."
            )
        return found[0]


def crop(vertices: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The vertices (N, 3) of a scan within the protocol's sphere about the face."""
    bridge, below = landmarks[1:3].mean(0), landmarks[4]
    centre = below + 0.3 * (bridge - below)
    radius = 1.4 * (np.linalg.norm(landmarks[0] - landmarks[3]) + np.linalg.norm(bridge - below)) / 2
    return vertices[np.linalg.norm(vertices - centre, axis=1) <= radius]


def now_distances(face: np.ndarray, landmarks: np.ndarray, prediction: Mesh) -> np.ndarray:
    """(N,) float32 mm from the scan's face (N, 3) to the aligned prediction; landmarks (7, 3) of the scan."""
    start = similarity(prediction.landmarks.astype(float), landmarks)
    vertices = start(prediction.vertices.astype(float))
    aligned = refine_alignment(face, vertices, prediction.faces)(vertices)
    return Surface(aligned, prediction.faces).distance(face).astype(np.float32)


def mean_face(template: Template) -> Mesh:
    """The template's mean as a prediction."""
    return neutral_mesh(template, template.v_template)


def neutral_mesh(template: Template, vertices: np.ndarray) -> Mesh:
    """A neutral face (V, 3) of the template as a prediction."""
    return Mesh(vertices, template.faces, template.landmarks68(vertices)[list(LANDMARKS7)])


def write_predictions(
    now: NowFolder, out: Path, template: Template, quality: str, seed: int, progress: Progress | None = None
) -> dict[str, str]:
    """Reconstruct every picture of the list: ``out/subject/challenge/picture.ply`` and its landmarks ``.npy``, metres,
    as the benchmark takes them. What is there already is kept.

    Returns {picture: why there is no prediction of it}.

    Raises
    ------
    InputError
        A picture of the list is not there, or none of them can be reconstructed.
    """
    from reconstruction.calibration import load_calibration
    from reconstruction.pipeline import reconstruct

    calibration, refused = load_calibration(template), {}
    missing = [p for p in now.pictures if not now.picture(p).is_file()]
    if missing:
        raise InputError(
            f"expected the pictures of the list, but {len(missing)} of {len(now.pictures)} are not there, such as "
            f"{now.picture(missing[0])}; unpack them, or give --predictions."
        )
    for done, picture in enumerate(now.pictures):
        if progress:
            progress("pictures", done, len(now.pictures))
        target = out / picture.path.with_suffix(".ply")
        if target.is_file():
            continue
        try:
            sequence = reconstruct(
                now.picture(picture), template=template, calibration=calibration, quality=quality, seed=seed
            )
        except InputError as error:
            refused[str(picture.path)] = str(error)
            continue
        mesh = neutral_mesh(template, sequence.neutral(template))
        marks = io.BytesIO()
        np.save(marks, mesh.landmarks.astype(np.float32))
        write_atomically(target.with_suffix(".npy"), marks.getvalue())
        content = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).export(file_type="ply")
        write_atomically(target, content)
    if len(refused) == len(now.pictures):
        raise InputError(
            f"expected pictures of faces, but none can be reconstructed; the first: {next(iter(refused.values()))}"
        )
    return refused


def read_prediction(folder: Path, picture: Picture) -> Mesh | None:
    """The prediction for a picture, ``.obj`` or ``.ply`` with ``.npy`` or ``.txt``; None where there is no mesh.

    Raises
    ------
    InputError
        Mesh or landmarks cannot be read, or the landmarks are missing or not seven different points.
    """
    mesh = _existing(folder / picture.path, (".obj", ".ply"))
    if mesh is None:
        return None
    marks = _existing(folder / picture.path, (".npy", ".txt"))
    if marks is None:
        raise InputError(f"expected the seven landmarks of {mesh} beside it as .npy or .txt, but there are none.")
    try:
        loaded = np.load(marks, allow_pickle=False) if marks.suffix == ".npy" else np.loadtxt(marks)
        landmarks = np.asarray(loaded, float)
    except (ValueError, OSError) as error:
        raise InputError(f"expected seven landmarks as numbers, but {marks} cannot be read; write it anew.") from error
    if landmarks.shape != (7, 3) or not np.isfinite(landmarks).all() or not np.ptp(landmarks, axis=0).any():
        raise InputError(
            f"expected seven different landmarks (7, 3) in {marks}, but it holds {landmarks.shape}; write the "
            "benchmark's seven points."
        )
    try:
        loaded = trimesh.load_mesh(mesh, process=False, maintain_order=True, skip_materials=True)
        vertices, faces = np.asarray(loaded.vertices, float), np.asarray(loaded.faces)
    except Exception as error:  # trimesh raises what it likes on damaged files
        raise InputError(f"expected a triangle mesh, but {mesh} cannot be read; write it anew.") from error
    if not len(faces) or not np.isfinite(vertices).all():
        raise InputError(f"expected a mesh of triangles with finite vertices, but {mesh} is none; write it anew.")
    return Mesh(vertices, faces, landmarks)


@dataclass(frozen=True)
class NowScores:
    """Distances in mm of every picture: (N,) float32 by picture, None where there is no prediction, and the mean face's
    on the same scan.
    """

    pictures: list[Picture]
    predicted: list[np.ndarray | None]
    mean_face: list[np.ndarray]

    def pooled(self, challenge: str | None = None, filled: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
        """Distances of predictions and of the mean face on the same pictures, pooled, and the number of pictures.

        challenge : of that alone; filled : the mean face stands in where there is no prediction
        """
        pairs = [
            (mine if mine is not None else mean, mean)
            for picture, mine, mean in zip(self.pictures, self.predicted, self.mean_face, strict=True)
            if challenge in (None, picture.challenge) and (filled or mine is not None)
        ]
        if not pairs:
            return np.zeros(0, np.float32), np.zeros(0, np.float32), 0
        mine, mean = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return mine, mean, len(pairs)

    @property
    def missing(self) -> int:
        return sum(distance is None for distance in self.predicted)


def score(now: NowFolder, predictions: Path, template: Template, progress: Progress | None = None) -> NowScores:
    """Measure the predictions in a folder, and the template's mean face beside them.

    Raises
    ------
    InputError
        The folder holds no prediction for any picture of the list, or one that cannot be read.
    """
    if not any(_existing(predictions / picture.path, (".obj", ".ply")) for picture in now.pictures):
        raise InputError(
            f"expected predictions such as {predictions / now.pictures[0].path.with_suffix('.obj')}, but there is none "
            "for any picture of the list; lay them out as subject/challenge/picture."
        )
    found: dict[Path, np.ndarray | None] = {}
    mean: dict[str, np.ndarray] = {}
    for subject, pictures in _by_subject(now):
        face, landmarks = now.face(subject)
        mean[subject] = now_distances(face, landmarks, mean_face(template))
        for picture in pictures:
            if progress:
                progress("scans", len(found), len(now.pictures))
            prediction = read_prediction(predictions, picture)
            found[picture.path] = None if prediction is None else now_distances(face, landmarks, prediction)
    return NowScores(now.pictures, [found[p.path] for p in now.pictures], [mean[p.subject] for p in now.pictures])


def cumulative(distance: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Percentage of distances that are at most `at` (K,)."""
    return 100 * np.searchsorted(np.sort(distance), at, side="right") / len(distance)


def summary(distance: np.ndarray) -> Mapping[str, float]:
    """Median, mean and standard deviation."""
    wide = distance.astype(float)
    return {"median_mm": float(np.median(wide)), "mean_mm": float(wide.mean()), "std_mm": float(wide.std())}


def _by_subject(now: NowFolder) -> Iterator[tuple[str, list[Picture]]]:
    for subject in now.subjects:
        yield subject, [picture for picture in now.pictures if picture.subject == subject]


def _existing(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    return next((path.with_suffix(s) for s in suffixes if path.with_suffix(s).is_file()), None)


def _read_vertices(path: Path) -> np.ndarray:
    """(V, 3) every vertex of an OBJ in the file's order; mesh libraries drop or repeat some."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        rows = [line.split()[1:4] for line in lines if line.startswith("v ")]
    try:
        return np.array(rows, float).reshape(-1, 3)
    except ValueError as error:
        raise InputError(f"expected a scan of vertices 'v x y z', but {path} is none; unpack it again.") from error


def _read_picked_points(path: Path) -> np.ndarray:
    """(7, 3) of MeshLab's PickedPoints file."""
    try:
        points = [[float(point.get(axis, "")) for axis in "xyz"] for point in ElementTree.parse(path).iter("point")]
        landmarks = np.array(points, float).reshape(-1, 3)
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"expected MeshLab's picked points, but {path} cannot be read; unpack it again.") from error
    if landmarks.shape != (7, 3):
        raise InputError(f"expected seven picked points in {path}, but it holds {len(landmarks)}; unpack it again.")
    return landmarks
