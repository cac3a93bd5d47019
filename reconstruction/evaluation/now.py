"""The NoW protocol (Sanyal et al. 2019).

The scan is cropped to the face; the prediction, a neutral mesh in any unit with the same seven points, is aligned with
rotation, translation and scale, by the points and then by the distances of the scan's vertices to its surface; these
distances are pooled over all pictures.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from reconstruction.calibration import load_calibration
from reconstruction.errors import InputError
from reconstruction.evaluation.metrics import Surface, refine_alignment, similarity
from reconstruction.evaluation.now_folder import LANDMARKS7, Mesh, NowFolder, Picture, existing, read_prediction
from reconstruction.pipeline import reconstruct
from reconstruction.storage import write_atomically
from reconstruction.template import Template

# as published, on the test set, whose scans are withheld: median, mean, standard deviation in mm where known
PUBLISHED: dict[str, tuple[float, float | None, float | None]] = {
    "TokenFace": (0.76, None, None),
    "MICA": (0.90, None, None),
    "DECA": (1.09, 1.38, 1.18),
    "RingNet": (1.21, 1.53, 1.31),
    "3DDFA-V2": (1.23, 1.57, 1.39),
}
Progress = Callable[[str, int, int], None]


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
    if not any(existing(predictions / picture.path, (".obj", ".ply")) for picture in now.pictures):
        raise InputError(
            f"expected predictions such as {predictions / now.pictures[0].path.with_suffix('.obj')}, but there is none "
            "for any picture of the list; lay them out as subject/challenge/picture."
        )
    found: dict[Path, np.ndarray | None] = {}
    mean: dict[str, np.ndarray] = {}
    for subject, pictures in _by_subject(now):
        scan, landmarks = now.scan(subject)
        face = crop(scan, landmarks)
        if not len(face):
            raise InputError(
                f"expected the landmarks of {subject} to lie on its scan, but no vertex is near them; check that both "
                "are in the same unit."
            )
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
