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
from atlas.domain import Domain
from atlas.encoder import FittedEncoder, weight_shapes
from atlas.features import Scaler
from atlas.inputs import InputReference
from atlas.matcher import Matcher
from atlas.motion import MotionSpace
from atlas.norm import Norm
from atlas.old_atlas import from_version_1, from_version_2
from atlas.overlay import Overlay
from atlas.part_norms import PartNorms
from atlas.severity import Severity, SeverityScores
from atlas.standard_faces import Faces, StandardFace
from atlas.statistics.table_file import from_json, to_json
from atlas.trajectories import Trajectory
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT
from reconstruction.storage import read_arrays, take, write_arrays

FILE = "atlas.safetensors"
Stored = StandardFace | Overlay | Trajectory | Norm | InputReference
OF_NORMS = ("names", "labels", "units", "sets", "stimuli")
PARTLY_KNOWN = ("mean", "sd", "q", "reliability")  # of the norms: NaN where unknown, which a file cannot hold


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
        **{f"encoder/{name}": array for name, array in encoder.weights.items()},
    }
    norms, severity = atlas.matcher.norms, atlas.matcher.severity
    if norms is not None:
        arrays |= {"norms/forms": norms.forms, "norms/extent": norms.extent}
        for name in PARTLY_KNOWN:
            values = getattr(norms, name)
            arrays |= {f"norms/{name}": np.nan_to_num(values), f"norms/{name}_known": ~np.isnan(values)}
    if severity is not None:
        arrays |= {f"severity/{name}": getattr(severity.scaler, name) for name in ("mean", "sd", "basis")}
        arrays["severity/weights"] = severity.weights
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
        "bend": scaler.bend,
        "standard_faces": faces,
        "overlays": overlay_headers,
        "trajectories": trajectories,
        "averaging": asdict(atlas.averaging),
        "steps": encoder.steps,
        "whole": atlas.matcher.whole.to_json(),
        "single": atlas.matcher.single.to_json(),
        "domain": atlas.matcher.domain.to_json(),
        "norms": None if norms is None else {name: getattr(norms, name) for name in OF_NORMS},
        "severity": None if severity is None else severity.to_json() | {"bend": severity.scaler.bend},
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
        if header["version"] < 2:
            arrays, header = from_version_1(arrays, header)
        if header["version"] < 3:
            arrays, header = from_version_2(arrays, header)
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
    prototypes = take(arrays, "encoder/prototypes", (len(groups), None), path)
    shapes = weight_shapes(k, prototypes.shape[1], hidden, gated="encoder/gate" in arrays)
    encoder = FittedEncoder(
        scaler=Scaler(
            features,
            stimuli,
            take(arrays, "scaler/mean", (rows, columns), path),
            take(arrays, "scaler/sd", (rows, columns), path),
            basis,
            float(header["bend"]),
        ),
        weights={name: take(arrays, f"encoder/{name}", shape, path) for name, shape in shapes.items()},
        prototypes=prototypes,
        steps=int(header["steps"]),
        held_people=np.zeros((0, len(groups))),
        held_single=np.zeros((0, len(groups))),
    )
    matcher = Matcher(
        groups=groups,
        encoder=encoder,
        group_z=take(arrays, "encoder/group_z", (len(groups), columns), path),
        whole=Calibration.from_json(header["whole"]),
        single=Calibration.from_json(header["single"]),
        coverage=float(header["coverage"]),
        simulated=bool(header["simulated"]),
        digests=tuple(header["digests"]),
        cautions=tuple(header["cautions"]),
        reliability=reliability,
        domain=Domain() if header["domain"] is None else Domain.from_json(header["domain"]),
        norms=_norms(arrays, header, path),
        severity=_severity(arrays, header, path),
    )
    of = _by_folder(arrays)
    faces: dict[str | None, Faces] = {None: {group: {} for group in groups}}
    for number, scalars in enumerate(header["standard_faces"]):
        face = StandardFace(**(scalars | of.get(f"standard/{number}", {})))
        faces.setdefault(face.sex, {}).setdefault(face.group, {})[face.stimulus] = face
    trajectories: dict[str, dict[str, Trajectory]] = {}
    for number, scalars in enumerate(header["trajectories"]):
        trajectory = Trajectory(**(scalars | of.get(f"trajectory/{number}", {})))
        trajectories.setdefault(trajectory.group, {})[trajectory.stimulus] = trajectory
    made = [Overlay(**(s | of.get(f"overlay/{i}", {}))) for i, s in enumerate(header["overlays"])]
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
        norms={norm.stimulus: norm for norm in _all(Norm, "norm", of, header)},
        inputs=tuple(_all(InputReference, "inputs", of, header)),
        people=header.get("people", {}),
        subgroups=tuple(header.get("subgroups", ())),
        held_out_excess=header.get("held_out_excess", {}),
        quantity_reliability={k: np.nan if r is None else r for k, r in header["quantity_reliability"].items()},
    )


def _norms(arrays: dict[str, np.ndarray], header: dict[str, Any], path: Path) -> PartNorms | None:
    found = header["norms"]
    if found is None:
        return None
    names, sets = tuple(found["names"]), tuple((name, int(size)) for name, size in found["sets"])
    parts, size, rows = sum(size for _, size in sets), len(header["motion"]["names"]), len(found["stimuli"]) + 1
    k = len(names)
    shapes = {"mean": (rows, len(header["groups"]), k), "sd": (rows, k), "q": (k,), "reliability": (k,)}
    values = {
        name: np.where(
            take(arrays, f"norms/{name}_known", shape, path), take(arrays, f"norms/{name}", shape, path), np.nan
        )
        for name, shape in shapes.items()
    }
    return PartNorms(
        names=names,
        labels=tuple(found["labels"]),
        units=tuple(found["units"]),
        sets=sets,
        stimuli=tuple(found["stimuli"]),
        forms=take(arrays, "norms/forms", (parts, size, size), path),
        extent=take(arrays, "norms/extent", (parts,), path),
        **values,
    )


def _severity(arrays: dict[str, np.ndarray], header: dict[str, Any], path: Path) -> Severity | None:
    found = header["severity"]
    if found is None:
        return None
    features, stimuli = tuple(header["features"]), tuple(header["stimuli"])
    shape = (len(stimuli) + 1, len(features))
    basis = take(arrays, "severity/basis", (None, None), path)
    mean, sd = (take(arrays, f"severity/{name}", shape, path) for name in ("mean", "sd"))
    told: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in found["scores"].items()}
    return Severity(
        **{n: v for n, v in found.items() if n != "bend"} | {"scores": SeverityScores(**told)},
        scaler=Scaler(features, stimuli, mean, sd, basis, float(found["bend"])),
        weights=take(arrays, "severity/weights", (basis.shape[1],), path),
    )


def _divided(item: Stored) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A dataclass's plain values and its arrays: coefficients and mm as float32, times and counts as they are."""
    values = {field.name: getattr(item, field.name) for field in fields(item)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    if isinstance(item, StandardFace | Overlay | Norm):
        arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    return {name: value for name, value in values.items() if name not in arrays}, arrays


def _by_folder(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """{folder: {name: array}} of names such as ``standard/3/shape``."""
    out: dict[str, dict[str, np.ndarray]] = {}
    for path, array in arrays.items():
        folder, _, name = path.rpartition("/")
        out.setdefault(folder, {})[name] = array
    return out


def _all(make: type[Any], kind: str, folders: dict[str, dict[str, np.ndarray]], header: dict[str, Any]) -> list[Any]:
    """Every item of a kind that older files do not have; names, which JSON gives as lists, as tuples."""
    stored = (s | folders.get(f"{kind}/{i}", {}) for i, s in enumerate(header.get(kind, ())))
    return [make(**{k: tuple(v) if isinstance(v, list) else v for k, v in item.items()}) for item in stored]
