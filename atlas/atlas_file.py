"""The file of an atlas, ``atlas.safetensors``: everything a match needs, and what a report draws."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from atlas.atlas import KIND, VERSION, Atlas
from atlas.averaging import Averaging
from atlas.biomarkers import ReliabilityTable
from atlas.calibration import Calibration
from atlas.encoder import FittedEncoder
from atlas.features import Scaler
from atlas.inputs import InputReference
from atlas.matcher import Matcher
from atlas.motion import MotionSpace
from atlas.norm import Norm
from atlas.old_atlas import from_version_1
from atlas.overlay import Overlay
from atlas.standard_faces import Faces, StandardFace
from atlas.statistics.table_file import from_json, to_json
from atlas.trajectories import Trajectory
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import read_arrays, take, write_arrays

FILE = "atlas.safetensors"
Stored = StandardFace | Overlay | Trajectory | Norm | InputReference
WEIGHTS = ("linear", "inner", "bias", "outer")


def save_atlas(atlas: Atlas, path: str | Path) -> None:
    """Write ``atlas.safetensors``."""
    encoder, scaler = atlas.matcher.encoder, atlas.matcher.encoder.scaler
    arrays: dict[str, np.ndarray] = {
        "metric": atlas.space.metric,
        "scaler/mean": scaler.mean,
        "scaler/sd": scaler.sd,
        "scaler/basis": scaler.basis,
        "encoder/prototypes": encoder.prototypes,
        "encoder/group_z": atlas.matcher.group_z,
        **{f"encoder/{name}": encoder.weights[name] for name in WEIGHTS},
    }
    faces: list[dict[str, Any]] = []
    for of_sex in (atlas.standard_faces, *atlas.by_sex.values()):
        for face in (face for of_group in of_sex.values() for face in of_group.values()):
            scalars, found = _divided(face)
            arrays |= {f"standard/{len(faces)}/{name}": array for name, array in found.items()}
            faces.append(scalars)
    overlay_headers = []
    for number, overlay in enumerate(o for of_group in atlas.overlays.values() for o in of_group.values()):
        scalars, found = _divided(overlay)
        arrays |= {f"overlay/{number}/{name}": array for name, array in found.items()}
        overlay_headers.append(scalars)
    trajectories = []
    for number, trajectory in enumerate(t for of_group in atlas.trajectories.values() for t in of_group.values()):
        scalars, found = _divided(trajectory)
        arrays |= {f"trajectory/{number}/{name}": array for name, array in found.items()}
        trajectories.append(scalars)
    extras: dict[str, list[dict[str, Any]]] = {"norm": [], "inputs": []}
    kinds: tuple[tuple[str, Iterable[Stored]], ...] = (("norm", atlas.norms.values()), ("inputs", atlas.inputs))
    for kind, items in kinds:
        for number, item in enumerate(items):
            scalars, found = _divided(item)
            arrays |= {f"{kind}/{number}/{name}": array for name, array in found.items()}
            extras[kind].append(scalars)
    header = {
        **extras,
        "people": atlas.people,
        "subgroups": atlas.subgroups,
        "held_out_excess": atlas.held_out_excess,
        "statement": STATEMENT,
        "simulated": atlas.simulated,
        "template": atlas.template,
        "template_sha256": atlas.template_sha256,
        "groups": atlas.groups,
        "reference": atlas.reference,
        "stimuli": atlas.stimuli,
        "motion": {
            "names": atlas.space.names,
            "n_expression": atlas.space.n_expression,
            "joint_names": atlas.space.joint_names,
        },
        "features": scaler.names,
        "standard_faces": faces,
        "overlays": overlay_headers,
        "trajectories": trajectories,
        "averaging": asdict(atlas.averaging),
        "steps": encoder.steps,
        "whole": asdict(atlas.matcher.whole),
        "single": asdict(atlas.matcher.single),
        "coverage": atlas.matcher.coverage,
        "digests": atlas.matcher.digests,
        "cautions": atlas.matcher.cautions,
        "evaluation": atlas.evaluation_summary,
        "seed": atlas.seed,
        "warnings": atlas.warnings,
        "reliability": asdict(atlas.reliability),
        "statistics": to_json(atlas.statistics),
        "quantity_reliability": {k: None if r != r else r for k, r in atlas.quantity_reliability.items()},
    }
    write_arrays(path, KIND, VERSION, arrays, header)


def atlas_digest(path: str | Path) -> str:
    """SHA-256 of an atlas's file, or of that in its folder, in hex: what a match's document names it by."""
    path = Path(path)
    return hashlib.sha256((path / FILE if path.is_dir() else path).read_bytes()).hexdigest()


def load_atlas(path: str | Path) -> Atlas:
    """Read an atlas: its file, or the folder that holds it.

    Raises
    ------
    InputError
        There is none, or it is damaged or newer than this software.
    """
    path = Path(path)
    path = path / FILE if path.is_dir() else path
    arrays, header = read_arrays(path, KIND, VERSION)
    try:
        if header["version"] == 1:
            arrays, header = from_version_1(arrays, header)
        return _from_file(arrays, header, path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"expected a whole atlas in {path}, but {error} is missing or wrong; build it anew."
        ) from error


def _from_file(arrays: dict[str, np.ndarray], header: dict[str, Any], path: Path) -> Atlas:
    groups, stimuli = tuple(header["groups"]), tuple(header["stimuli"])
    reliability = ReliabilityTable(**header.get("reliability", {}))  # older atlases have none
    motion, features = header["motion"], tuple(header["features"])
    size, rows, columns = len(motion["names"]), len(stimuli) + 1, len(features)
    basis = take(arrays, "scaler/basis", (None, None), path)
    k = basis.shape[1]
    hidden = take(arrays, "encoder/bias", (1, None), path).shape[1]
    shapes = {"linear": (k, k), "inner": (k, hidden), "bias": (1, hidden), "outer": (hidden, k)}
    encoder = FittedEncoder(
        scaler=Scaler(
            features,
            stimuli,
            take(arrays, "scaler/mean", (rows, columns), path),
            take(arrays, "scaler/sd", (rows, columns), path),
            basis,
        ),
        weights={name: take(arrays, f"encoder/{name}", shape, path) for name, shape in shapes.items()},
        prototypes=take(arrays, "encoder/prototypes", (len(groups), k), path),
        steps=int(header["steps"]),
        held_people=np.zeros((0, len(groups))),
        held_single=np.zeros((0, len(groups))),
    )
    matcher = Matcher(
        groups=groups,
        encoder=encoder,
        group_z=take(arrays, "encoder/group_z", (len(groups), columns), path),
        whole=Calibration(**header["whole"]),
        single=Calibration(**header["single"]),
        coverage=float(header["coverage"]),
        simulated=bool(header["simulated"]),
        digests=tuple(header["digests"]),
        cautions=tuple(header["cautions"]),
        reliability=reliability,
    )
    faces: dict[str | None, Faces] = {None: {group: {} for group in groups}}
    for number, scalars in enumerate(header["standard_faces"]):
        face = StandardFace(**(scalars | _collected(arrays, f"standard/{number}/")))
        faces.setdefault(face.sex, {}).setdefault(face.group, {})[face.stimulus] = face
    trajectories: dict[str, dict[str, Trajectory]] = {}
    for number, scalars in enumerate(header["trajectories"]):
        trajectory = Trajectory(**(scalars | _collected(arrays, f"trajectory/{number}/")))
        trajectories.setdefault(trajectory.group, {})[trajectory.stimulus] = trajectory
    made = [Overlay(**(s | _collected(arrays, f"overlay/{i}/"))) for i, s in enumerate(header["overlays"])]
    return Atlas(
        template=header["template"],
        template_sha256=header["template_sha256"],
        groups=groups,
        reference=header["reference"],
        stimuli=stimuli,
        space=MotionSpace(
            tuple(motion["names"]),
            int(motion["n_expression"]),
            tuple(motion["joint_names"]),
            np.zeros((0, 3, size), np.float32),
            take(arrays, "metric", (size, size), path),
        ),
        standard_faces=faces[None],
        by_sex={sex: of_sex for sex, of_sex in faces.items() if sex is not None},
        averaging=Averaging(**header["averaging"]),
        trajectories=trajectories,
        overlays={group: {o.kind: o for o in made if o.group == group} for group in groups},
        matcher=matcher,
        evaluation=None,
        evaluation_summary=header["evaluation"],
        simulated=bool(header["simulated"]),
        seed=int(header["seed"]),
        warnings=tuple(header["warnings"]),
        reliability=reliability,
        statistics=from_json(header["statistics"]),
        norms={norm.stimulus: norm for norm in _all(Norm, "norm", arrays, header)},
        inputs=tuple(_all(InputReference, "inputs", arrays, header)),
        people=header.get("people", {}),
        subgroups=tuple(header.get("subgroups", ())),
        held_out_excess=header.get("held_out_excess", {}),
        quantity_reliability={k: np.nan if r is None else r for k, r in header["quantity_reliability"].items()},
    )


def _divided(item: Stored) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A dataclass's plain values and its arrays: coefficients and mm as float32, times and counts as they are."""
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    if isinstance(item, StandardFace | Overlay | Norm):
        arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {name: value for name, value in values.items() if name not in arrays}, arrays


def _all(make: type[Any], kind: str, arrays: dict[str, np.ndarray], header: dict[str, Any]) -> list[Any]:
    """Every item of a kind that older files do not have; names, which JSON gives as lists, as tuples."""
    stored = (s | _collected(arrays, f"{kind}/{i}/") for i, s in enumerate(header.get(kind, ())))
    return [make(**{k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}) for item in stored]


def _collected(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
