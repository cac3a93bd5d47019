"""croissant.json: the share for machines, in MLCommons' Croissant 1.0 with the fields of its responsible-AI extension.

Tables of everybody become record sets with a field for every column; all files are listed with their hashes.
"""

import csv
from pathlib import Path
from typing import Any

from atlas.sharing.audit import Audit
from atlas.sharing.contents import CROISSANT, LEVELS, dataset_name, sha256_of
from reconstruction import __version__
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_json

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FORMATS = {
    ".tsv": "text/tab-separated-values",
    ".json": "application/json",
    ".md": "text/markdown",
    ".safetensors": "application/octet-stream",
}
_TEXTS = ("participant_id", "group", "sex", "age", "simulated", "session", "task", "run", "quantity", "stimulus")


def write_croissant(folder: Path, audit: Audit, licence: str) -> None:
    """Describe every file below `folder`; the manifest comes after it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CROISSANT)
    write_json(
        folder / CROISSANT,
        {
            "@context": _CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
            "name": dataset_name(audit.level, audit.simulated),
            "description": f"{LEVELS[audit.level].capitalize()}. {STATEMENT.capitalize()}.",
            "license": licence,
            "url": "https://schema.org/Dataset",  # the share lies nowhere but where its owner puts it
            "version": "1.0.0",
            "isLiveDataset": False,
            **_responsible(audit),
            "distribution": [_file(folder, path) for path in files],
            "recordSet": [_records(path) for path in files if path.suffix == ".tsv" and path.parent == folder],
        },
    )


def _responsible(audit: Audit) -> dict[str, Any]:
    best = audit.results[0] if audit.results else None
    who = "Simulated people, who do not exist" if audit.simulated else "People of a study's cohort"
    risk = (
        f"re-identified by the best attack of the release audit: {best.top1:.1%} of {best.candidates} people (95 % "
        f"interval {best.low:.1%} to {best.high:.1%}; chance {1 / best.candidates:.1%})"
        if best
        else "nothing of a single person is in it"
    )
    return {
        "rai:dataCollection": f"{who}, recorded on video and reconstructed as parameters of a 3D face model with "
        f"digital-face-atlas {__version__}; no picture is in the data.",
        "rai:dataCollectionType": ["Observations"] if not audit.simulated else ["Simulation"],
        "rai:dataPreprocessingProtocol": [LEVELS[audit.level], *(str(f) for f in audit.details.get("treatment", []))],
        "rai:machineAnnotationTools": ["digital-face-atlas"],
        "rai:dataUseCases": "Research on and teaching of facial expression in groups of people; not diagnosis, not "
        "identification, no decision about a person.",
        "rai:dataLimitations": "Parameters are estimates whose reliability differs from movement to movement; what was "
        f"blurred is less sure than it was measured. {STATEMENT.capitalize()}.",
        "rai:dataBiases": "A study's cohort is no sample of a population; the face model and the landmark detector may "
        "fit some faces better than others.",
        "rai:personalSensitiveInformation": [
            "group, which may be a diagnosis",
            *(f"{name} (coarsened)" for name in ("sex", "age") if f"participants: {name}" in audit.fields),
            f"pseudonymous, not anonymous; {risk}" if best else risk,
        ],
        "rai:dataSocialImpact": "Faces can identify people and groups can stigmatise them: do not re-identify, do not "
        "take a group's average for a person.",
        "rai:dataReleaseMaintenancePlan": "Each release has pseudonyms of its own; who leaves the study is left out of "
        "the next one.",
    }


def _file(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": _FORMATS.get(path.suffix, "application/octet-stream"),
        "sha256": sha256_of(path),
    }


def _records(path: Path) -> dict[str, Any]:
    with path.open(encoding="utf-8") as stream:
        columns = next(csv.reader(stream, delimiter="\t"))
    table = path.stem
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{table}/{column}",
                "name": f"{table}/{column}",
                "dataType": "sc:Text" if column in _TEXTS else "sc:Float",
                "source": {"fileObject": {"@id": path.name}, "extract": {"column": column}},
            }
            for column in columns
        ],
    }
