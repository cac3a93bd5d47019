"""What a report rests on, so that it can be had again: versions of libraries, and hashes of files."""

import hashlib
import platform
from collections.abc import Sequence
from importlib import metadata, resources
from pathlib import Path

from atlas.aggregation import AggregatedFace
from reconstruction import __version__
from reconstruction.calibration import SUFFIX, beside
from reconstruction.image_features import FILE as NETWORK
from reconstruction.template import Template

LIBRARIES = ("matplotlib", "mediapipe", "numpy", "open3d", "scikit-learn", "scipy", "torch", "weasyprint")


def versions() -> list[tuple[str, str]]:
    """(name, version) of this software and of what its numbers and pictures come from."""
    return [
        ("face-atlas", __version__),
        ("Python", platform.python_version()),
        *((name, _version(name)) for name in LIBRARIES),
    ]


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "not installed"


def hashes(
    template: Template, template_sha256: str, people: Sequence[AggregatedFace], atlas_file: Path | None
) -> list[tuple[str, str]]:
    """(what, SHA-256) of everything the result depends on; what is not there is left out.

    people : whose recordings give one hash, see `recordings_sha256`
    """
    embedded = resources.files("templates")
    calibration = beside(template.path) if template.path else embedded.joinpath(f"{template.name}{SUFFIX}")
    out = [(f"template {template.name}", template_sha256)]
    for what, file in (
        ("its calibration, as installed", calibration),
        ("network of image features, as installed", embedded.joinpath(NETWORK)),
        ("atlas file", atlas_file),
    ):
        if file is not None and file.is_file():
            out.append((what, hashlib.sha256(file.read_bytes()).hexdigest()))
    count = sum(len(person.recordings) for person in people)
    return [*out, (f"{count} recordings' parameters, together", recordings_sha256(people))]


def recordings_sha256(people: Sequence[AggregatedFace]) -> str:
    """Of the sorted digests of people's recordings, joined by line feeds; it changes with any and tells of none."""
    digests = sorted(r.digest for person in people for r in person.recordings)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
