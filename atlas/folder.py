"""The folder of an atlas: everything `face-atlas build` writes, one line each."""

import json
from pathlib import Path
from typing import Any

from atlas.atlas import Atlas
from atlas.atlas_file import FILE, save_atlas
from atlas.cohort import Cohort
from atlas.figures import AtlasPictures
from atlas.gallery import write_gallery
from atlas.motion import MotionSpace
from atlas.reading import Reading
from atlas.report import WrittenReport, write_report
from reconstruction.errors import InputError
from reconstruction.storage import write_atomically
from reconstruction.template import Template

SUMMARY, PEOPLE = "atlas.json", "people.json"


def write_folder(
    out: Path, atlas: Atlas, cohort: Cohort, reading: Reading, template: Template, space: MotionSpace
) -> WrittenReport:
    """Write an atlas and what is drawn from it into the folder `out`; returns where the report lies.

    ``people.json``, how everyone was matched when held out, is personal data; the rest rests on groups.
    """
    pictures = AtlasPictures(atlas, template, space)
    write_gallery(pictures, out)
    _write_json(out / SUMMARY, atlas.summary())
    if atlas.evaluation is not None:
        notes = [*cohort.warnings, *reading.notes]
        _write_json(out / PEOPLE, {"simulated": atlas.simulated, **atlas.evaluation.people_json(), "notes": notes})
    save_atlas(atlas, out / FILE)
    return write_report(atlas, cohort, reading, out, pictures)


def check_folder(out: Path) -> None:
    """Raise InputError where `out` cannot be a folder."""
    if out.exists() and not out.is_dir():
        raise InputError(f"expected a folder for --out, but {out} is a file; name another.")


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())
