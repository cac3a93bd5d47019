"""The NoW benchmark's folder, laid out as it is handed out, and predictions for it.

    imagepathsvalidation.txt                                  subject/challenge/picture.jpg, one a line
    scans/SUBJECT/*.obj                                       mm, neutral
    scans_lmks_onlypp/SUBJECT/*.pp                            seven picked points, in the order of `LANDMARKS7`
    NoW_Dataset/final_release_version/iphone_pictures/subject/challenge/picture.jpg

The benchmark is licensed to who signs for it; nothing of it is included.
"""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import trimesh

from reconstruction.errors import InputError

# eye corners from the subject's right to the left, below the nose, corners of the mouth right and left, in iBUG 68
LANDMARKS7 = (36, 39, 42, 45, 33, 48, 54)
CHALLENGES = ("multiview_neutral", "multiview_expressions", "multiview_occlusions", "selfie")
_BASES = (".", "NoW_Dataset", "final_release_version", "NoW_Dataset/final_release_version")


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

    def scan(self, subject: str) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (N, 3) of a subject's scan and its landmarks (7, 3), mm."""
        landmarks = _read_picked_points(self._one(self._marks, subject, ".pp"))
        return _read_vertices(self._one(self._scans, subject, ".obj")), landmarks

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


def read_prediction(folder: Path, picture: Picture) -> Mesh | None:
    """The prediction for a picture, ``.obj`` or ``.ply`` with ``.npy`` or ``.txt``; None where there is no mesh.

    Raises
    ------
    InputError
        Mesh or landmarks cannot be read, or the landmarks are missing or not seven different points.
    """
    mesh = existing(folder / picture.path, (".obj", ".ply"))
    if mesh is None:
        return None
    marks = existing(folder / picture.path, (".npy", ".txt"))
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


def existing(path: Path, suffixes: tuple[str, ...]) -> Path | None:
    """The path with the first of the suffixes that is a file's, or None."""
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
