"""What the detector's points say about a template's parameters: the learnt numbers, and their file.

`training` learns them from renders of random people with known parameters (`photographer`). What is observed of person
i in frame t, y, the points aligned to a mean face and the features of the image, obeys to first order

    y_it = mean + A_s shape_i + A_x motion_it + A_p pose_it + b_i + e_it

with b ~ N(0, B) what stays with a person (skin, the detector's bias for a face) and e ~ N(0, R) what changes with the
frame. `fitting` inverts this for a whole recording. `motion` is the expressions, then jaw and gaze angles: see module
`motion`.
"""

from dataclasses import dataclass, field, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from reconstruction.detectors import DetectorChoice
from reconstruction.errors import InputError
from reconstruction.image_features import network_name
from reconstruction.reliability import Reliability
from reconstruction.storage import read_arrays, take, write_arrays
from reconstruction.template import SUFFIX as TEMPLATE_SUFFIX
from reconstruction.template import Template

KIND, VERSION = "face-calibration", 3  # 1 had no `measured` and no features of the image, 2 no `twice`
SUFFIX = ".calibration.safetensors"


@dataclass(frozen=True)
class Calibration:
    """C components of the points, F features of the image, D = C + F observed, S shape, M motion, P pose features,
    N = 1434 coordinates.

    canonical : (478, 3) metres, head frame, what points are aligned to
    rigidity : (478,) weights of the alignment
    mean : (N,), basis : (N, C) principal components of aligned points, metres
    feature_mean : (F,) of the image's features
    shape_effect : (D, S); motion_effect : (D, M); pose_effect : (D, P); A_s, A_x, A_p
    between, within : (D, D), B and R
    point_sd : (478,) metres, how far the detector's points lie from those of the template in a picture
    skin_sd : (44, 40) metres, how far the offsets of skin in the windows of `texture` lie from the truth
    motion_mean : (M,), motion_covariance : (M, M), the prior
    reliability : (M,) within-person correlation of the regressor's motion with the truth, on single photographs of
        people left out
    slope : (M,) recovered per true unit, likewise
    shape_reliability : (S,) correlation over people left out
    measured : how the whole path recovers motion from films of people it has not seen; None where no film was tried
    template_sha256 : the template it belongs to
    twice : those of `LOOKED` that hold where the image is looked at twice, as in quality full; none in older files
    looks : how often the image is looked at, see `image_features`
    bounded : how many entries of motion, the first ones, lie in 0..1
    provenance : detector, network of the features, people, frames and seed it was learnt from
    """

    canonical: np.ndarray
    rigidity: np.ndarray
    mean: np.ndarray
    basis: np.ndarray
    feature_mean: np.ndarray
    shape_effect: np.ndarray
    motion_effect: np.ndarray
    pose_effect: np.ndarray
    between: np.ndarray
    within: np.ndarray
    point_sd: np.ndarray
    skin_sd: np.ndarray
    motion_mean: np.ndarray
    motion_covariance: np.ndarray
    reliability: np.ndarray
    slope: np.ndarray
    shape_reliability: np.ndarray
    measured: Reliability | None
    template_sha256: str
    bounded: int
    provenance: dict
    twice: dict[str, np.ndarray] = field(default_factory=dict)
    looks: int = 1

    def at(self, quality: str) -> "Calibration":
        """What holds for a recording reconstructed in `quality`: ``full`` looks twice, where that was learnt."""
        learnt: dict[str, Any] = {**self.twice}
        return replace(self, **learnt, twice={}, looks=2) if quality == "full" and learnt else self


# what depends on the features of the image
LOOKED = (
    "feature_mean", "shape_effect", "motion_effect", "pose_effect", "between", "within", "reliability", "slope",
    "shape_reliability",
)  # fmt: skip
_TWICE = {name: f"twice/{name}" for name in LOOKED}
_OTHERS = ("measured", "template_sha256", "bounded", "provenance", "twice", "looks")
_ARRAYS = tuple(f.name for f in fields(Calibration) if f.name not in _OTHERS)
_MEASURED = {f.name: f"measured/{f.name}" for f in fields(Reliability)}
# large and smooth: half precision loses nothing that matters, and halves the file
_COARSE = ("basis",)


def load_calibration(
    template: Template, path: str | Path | None = None, detector: DetectorChoice | None = None
) -> Calibration:
    """The calibration in a file; without one, that beside the template's file or shipped with an embedded template;
    learnt with `detector`, where given.

    Raises
    ------
    InputError
        There is none, or it belongs to another template, detector or network of image features.
    """
    if path is None and template.path:
        path = beside(template.path)
        if not path.is_file():
            raise InputError(
                f"expected the calibration of template {template.name} in {path}, but there is none; make it: "
                f"face-atlas template calibrate {template.path} --out {path}"
            )
    if path is None:
        embedded = resources.files("templates").joinpath(f"{template.name}{SUFFIX}")
        if not embedded.is_file():
            raise InputError(f"expected a calibration of template {template.name}, but none is shipped; pass its file.")
        with resources.as_file(embedded) as file:
            arrays, header = read_arrays(file, KIND, VERSION)
    else:
        arrays, header = read_arrays(path, KIND, VERSION)
    if header.get("template_sha256") != template.sha256:
        raise InputError(
            f"expected a calibration of template {template.name} ({template.sha256[:8]}), but it belongs to "
            f"{str(header.get('template_sha256'))[:8]}; calibrate this template anew."
        )
    network = header.get("provenance", {}).get("image_features", network_name())
    if network != network_name():
        raise InputError(
            f"expected a calibration learnt with the image features {network_name()} of this software, but it was "
            f"learnt with {network}; calibrate template {template.name} anew."
        )
    if detector is not None:
        detector.check(header.get("provenance", {}), template.name)
    arrays.setdefault("feature_mean", np.zeros(0))
    missing = [name for name in _ARRAYS if name not in arrays]
    if missing:
        raise InputError(f"expected {missing[0]!r} in the calibration, but it is missing; calibrate the template anew.")
    values: dict[str, Any] = {name: arrays[name].astype(np.float64) for name in _ARRAYS}
    return Calibration(
        **values,
        measured=_measured(arrays, values["motion_mean"].size, path),
        template_sha256=template.sha256,
        bounded=template.n_bounded,
        provenance=header["provenance"],
        twice={
            name: take(arrays, stored, values[name].shape, path or "the calibration").astype(np.float64)
            for name, stored in _TWICE.items()
            if any(other in arrays for other in _TWICE.values())
        },
    )


def _measured(arrays: dict[str, np.ndarray], size: int, path: str | Path | None) -> Reliability | None:
    """What films told, of `size` motion parameters, where the file holds it."""
    if not any(stored in arrays for stored in _MEASURED.values()):
        return None
    where = path or "the calibration"
    person = take(arrays, _MEASURED["person"], (None,), where)
    motion = {
        name: take(arrays, stored, (len(person), size), where).astype(np.float64)
        for name, stored in _MEASURED.items()
        if name != "person"
    }
    return Reliability(**motion, person=person.astype(np.intp))


def beside(template_path: str | Path) -> Path:
    """Where the calibration of the template in a file is looked for: NAME.calibration.safetensors in its folder."""
    path = Path(template_path)
    return path.with_name(path.name.removesuffix(TEMPLATE_SUFFIX) + SUFFIX)


def save_calibration(calibration: Calibration, path: str | Path) -> None:
    """Write a calibration file."""
    precision = {name: np.float16 if name in _COARSE else np.float32 for name in _ARRAYS}
    arrays = {name: np.asarray(getattr(calibration, name), precision[name]) for name in _ARRAYS}
    arrays |= {_TWICE[name]: np.asarray(array, np.float32) for name, array in calibration.twice.items()}
    if calibration.measured is not None:
        kinds = {name: np.uint16 if name == "person" else np.float16 for name in _MEASURED}
        arrays |= {
            stored: np.asarray(getattr(calibration.measured, name), kinds[name]) for name, stored in _MEASURED.items()
        }
    header = {"template_sha256": calibration.template_sha256, "provenance": calibration.provenance}
    write_arrays(path, KIND, VERSION, arrays, header)


def align(points: np.ndarray, canonical: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detector points laid over the canonical ones by a similarity (Umeyama 1991), frame by frame.

    points : (T, 478, 3) pixels, as `Detection.points`; canonical : (478, 3); weights : (478,)
    Returns aligned (T, 478, 3), metres, head frame, and rotation (T, 3, 3), image from head, both axes as the head's.
    """
    weight = weights / weights.sum()
    image = points.astype(np.float64) * [1, -1, -1]
    centre = np.einsum("k,tkd->td", weight, image)
    here, there = image - centre[:, None], canonical - weight @ canonical
    u, s, vt = np.linalg.svd(np.einsum("k,tkd,ke->tde", weight, here, there))
    sign = np.ones((len(points), 3))
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / np.einsum("k,tkd->t", weight, here**2)
    aligned = scale[:, None, None] * (here @ rotation) + weight @ canonical
    return aligned, rotation


def pose_features(rotation: np.ndarray) -> np.ndarray:
    """(T, 3, 3) to (T, P): smooth functions of yaw and pitch that the detector's depth errors follow."""
    yaw, pitch = np.arcsin(np.clip(rotation[:, 0, 2], -1, 1)), np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    return np.stack([yaw, pitch, yaw * pitch, yaw**2, pitch**2, np.abs(yaw)], 1)
