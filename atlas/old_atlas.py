"""Atlases written by earlier versions, made into what the present one reads; what they do not know is NaN."""

from typing import Any

import numpy as np

from atlas.overlay import MOTION

Arrays = dict[str, np.ndarray]
NOVELTY_MARGIN = 1.25  # how far beyond version 2's most unusual person a person may be
_RENAMED = {"motion_mm": "mean_mm", "motion_sd_mm": "sd_mm"}  # of overlays, when there was one kind of them
_UNKNOWN = {  # arrays of a standard face and what they are as long as
    "shape_low": "shape",
    "shape_high": "shape",
    "motion_low": "motion",
    "motion_high": "motion",
    "shape_margin_mm": "shape_spread_mm",
    "motion_margin_mm": "motion_spread_mm",
    "frame_spread_mm": "motion_spread_mm",
}


def from_version_1(arrays: Arrays, header: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Version 1 had no intervals of standard faces, no faces by sex, no trajectories and no statistics, people of equal
    weight alone, and of overlays at first the motion only, without p values.
    """
    arrays = {_renamed(name): array for name, array in arrays.items()}
    for number, _ in enumerate(header["standard_faces"]):
        for name, like in _UNKNOWN.items():
            arrays[f"standard/{number}/{name}"] = np.full_like(arrays[f"standard/{number}/{like}"], np.nan)
    overlays = [{"kind": MOTION, **overlay} for overlay in header["overlays"]]
    for number, _ in enumerate(overlays):
        for name in ("p", "p_fwe", "q"):
            arrays.setdefault(f"overlay/{number}/{name}", np.full_like(arrays[f"overlay/{number}/mean_mm"], np.nan))
    faces = [{"effective_people": float(face["people"]), **face} for face in header["standard_faces"]]
    unknown: dict[str, Any] = {"averaging": {}, "trajectories": [], "quantity_reliability": {}}
    unknown["statistics"] = {"effects": [], "covariates": [], "warnings": []}
    return arrays, {**header, **unknown, "standard_faces": faces, "overlays": overlays}


def from_version_2(arrays: Arrays, header: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Version 2 knew one threshold for all groups, of novelty that of the most unusual person, and no domain, norms of
    parts or score.
    """
    if "bend" not in header:
        arrays, header = from_residual_encoder(arrays, header)
    return arrays, {
        **header,
        **{name: _calibration(header[name], len(header["groups"])) for name in ("whole", "single")},
        "domain": None,
        "norms": None,
        "severity": None,
    }


def _calibration(old: dict[str, Any], groups: int) -> dict[str, Any]:
    return {
        "temperature": old["temperature"],
        "thresholds": [old["threshold"]] * groups,
        "novelty": None,
        "novelty_limit": NOVELTY_MARGIN * old["novelty"],
        "people": old["people"],
    }


def from_residual_encoder(arrays: Arrays, header: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    """Encoders were normalise(x + x A + ...) of inputs that were not bent; now the linear part is the whole of it."""
    linear = arrays["encoder/linear"]
    arrays = {
        **arrays,
        "encoder/linear": linear + np.eye(len(linear), dtype=linear.dtype),
        "encoder/offset": np.zeros((1, len(linear)), linear.dtype),
    }
    return arrays, {**header, "bend": 0.0}


def _renamed(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{_RENAMED.get(last, last)}" if folder.startswith("overlay/") else name
