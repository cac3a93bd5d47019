"""The formats there are: which a file or folder is of, how it is read as a face sequence, how one is written."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atlas.biomarkers.tool_table import MOST_HEADER
from atlas.exchange.arrays import names_in, read_npy
from atlas.exchange.deca import deca_arrays, is_deca, mat_files, read_deca
from atlas.exchange.emoface import is_emoca, is_emoface, read_emoca, read_emoface, write_emoca, write_emoface
from atlas.exchange.fex import read_fex
from atlas.exchange.flame import FlameCodes, from_sequence, to_sequence
from atlas.exchange.mica import FILE as IDENTITY
from atlas.exchange.mica import read_mica, write_mica
from atlas.exchange.openface import read_openface, write_openface
from atlas.exchange.parquet import read_parquet, tsv_to_parquet, write_parquet
from atlas.exchange.timing import FILE as TIMING
from atlas.exchange.timing import Timing, said_simulated
from atlas.exchange.vhap import is_vhap, read_vhap, vhap_arrays
from atlas.export import write_arrays_npz
from reconstruction.errors import InputError
from reconstruction.sequence import SUFFIX, SUFFIXES, FaceSequence, load, save
from reconstruction.template import Template, embedded_templates, load_template

FACE, TABLE = "face", "biomarkers"
_FLAME: dict[str, Callable[[Path, float | None], FlameCodes]] = {
    "emoface": read_emoface,
    "emoca": read_emoca,
    "deca": read_deca,
    "vhap": read_vhap,
    "mica": lambda path, fps: read_mica(path),
}
READ = (FACE, *_FLAME, "openface", "fex", "parquet", TABLE)
WRITTEN = {  # what is added to a recording's name
    FACE: SUFFIX, "emoface": "", "emoca": "", "deca": ".npz", "vhap": ".npz", "mica": "", "openface": ".csv",
    "parquet": ".parquet",
}  # fmt: skip
_ENDINGS = (*SUFFIXES, ".npz", ".mat", ".csv", ".parquet")


@dataclass(frozen=True)
class Source:
    """A recording to be converted; name : where it goes below the output folder, without an ending"""

    path: Path
    format: str
    name: str


def find_sources(inputs: Sequence[Path], given: str | None = None) -> list[Source]:
    """The recordings in files and folders; of a folder that is no recording itself those below it.

    given : the format of all, instead of what they look like

    Raises
    ------
    InputError
        An input is missing or of no known format, holds nothing, or two would be written to one place.
    """
    if given is not None and given not in READ:
        raise InputError(f"expected --from {', '.join(READ[:-1])} or {READ[-1]}, got {given!r}; or leave it out.")
    sources: list[Source] = []
    recordings = [path for path in inputs if path.suffix != ".json"]
    beside = {place for path in recordings for place in (_beside(path), path.with_suffix(".json"))}
    for path in inputs:
        if path in beside:  # written with the recording, and named with it by a shell's *
            continue
        if not path.exists():
            raise InputError(f"expected a file or folder, but {path} does not exist; check the path.")
        found = given or recognise(path)
        if found is not None:
            sources.append(Source(path, found, _stem(path)))
            continue
        below = _below(path) if path.is_dir() else []
        if not below:
            raise InputError(
                f"expected parameters of {', '.join(READ)}, but {path} looks like none of them; name its format with "
                "--from."
            )
        sources += below
    names = [source.name for source in sources]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(
            f"expected recordings of different names, one output each, but {repeated[0]} is there twice; convert them "
            "apart."
        )
    return sources


def recognise(path: Path) -> str | None:
    """The format of a file or folder by what is in it; None where it is none."""
    if path.is_dir():
        if (path / IDENTITY).is_file():
            return "mica"
        if is_emoface(path):
            return "emoface"
        if is_emoca(path):
            return "emoca"
        return "deca" if not (path / "participants.tsv").is_file() and mat_files(path) else None
    if path.name.endswith(SUFFIXES):
        return FACE
    suffix = path.suffix.lower()
    if path.name == IDENTITY:
        return "mica"
    if suffix == ".npy":
        read_npy(path)  # says what is wrong with a pickled dict
        return None
    if suffix in (".npz", ".mat", ".pkl", ".pickle"):
        names = names_in(path)
        return "vhap" if is_vhap(names) else "deca" if is_deca(names) or not names else None
    if suffix == ".csv":
        columns = _columns(path)
        return "fex" if "FaceScore" in columns else "openface" if {"confidence", "success"} <= columns else None
    return {".parquet": "parquet", ".tsv": TABLE}.get(suffix)


def read(source: Source, template: Template | None = None, fps: float | None = None) -> tuple[FaceSequence, list[str]]:
    """A recording as a face sequence, and what was lost or odd.

    template : the model that the parameters belong to; of tables of other tools the one that shows them, the embedded
        one unless given
    fps : frames per second, where the format does not tell or tells it wrongly

    Raises
    ------
    InputError
        The recording is damaged, hostile or of another format.
    """
    path = source.path
    if source.format == FACE:
        return load(path), []
    if source.format == "parquet":
        return read_parquet(path), []
    if source.format in _FLAME:
        codes = _FLAME[source.format](path, fps)
        return to_sequence(codes, source.format, template), list(codes.notes)
    if source.format in ("openface", "fex"):
        reader = read_openface if source.format == "openface" else read_fex
        sequence, notes = reader(path, template or load_template(), fps)
        return replace(sequence, simulated=said_simulated(_beside(path))), notes
    raise InputError(
        f"expected parameters, but {path} is a table of {source.format}; only --to parquet is there for it."
    )


def write(
    sequence: FaceSequence, wanted: str, place: Path, template: Template | None = None, meshes: bool = False
) -> tuple[Path, list[str]]:
    """Write a recording in the format `wanted`; `place` is the output without its ending. Returns what was written, and
    what the format does not hold.

    template : the sequence's; an embedded one is found by itself
    meshes : vertices too, in the formats that have them

    Raises
    ------
    InputError
        The format cannot hold the sequence, or the template is needed and not known.
    """
    out = place.with_name(place.name + WRITTEN[wanted])
    if wanted == FACE:
        return save(sequence, out), []
    if wanted == "parquet":
        write_parquet(sequence, out)
        return out, []
    template = template or _own(sequence)
    if wanted == "openface":
        if template is None:
            raise InputError(
                f"expected the template {sequence.template} for landmarks and pose, but it was not given; name its "
                "file with --template."
            )
        notes = write_openface(sequence, template, out)
        Timing.of(sequence).write(_beside(out))
        return out, notes
    codes = from_sequence(sequence, template, placed=wanted in ("deca", "vhap"))
    if meshes and template is not None:
        sequence.check_template(template)
    if wanted in ("deca", "vhap"):
        arrays, notes = deca_arrays(codes) if wanted == "deca" else vhap_arrays(codes)
        write_arrays_npz(out, arrays)
        codes.timing.write(_beside(out))
    elif wanted == "mica":
        notes = write_mica(codes, out, template if meshes else None)
    else:
        notes = (write_emoface if wanted == "emoface" else write_emoca)(codes, out, template, meshes)
    return out, [*notes, "standard errors, quality and reasons left out"]


def to_table(source: Source, place: Path) -> tuple[Path, int]:
    """A table of biomarkers as Parquet, and its number of rows."""
    out = place.with_name(place.name + WRITTEN["parquet"])
    return out, tsv_to_parquet(source.path, out)


def _own(sequence: FaceSequence) -> Template | None:
    """The embedded template that a sequence is of."""
    if sequence.template not in embedded_templates():
        return None
    template = load_template(sequence.template)
    return template if template.sha256 == sequence.template_sha256 else None


def _below(folder: Path) -> list[Source]:
    """Recordings in the folders below one, named by where they lie."""
    found: list[Source] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        known = recognise(path) if path.is_dir() or path.name.endswith(_ENDINGS) else None
        if known is not None:
            found.append(Source(path, known, _stem(path)))
        elif path.is_dir() and not path.is_symlink():
            found += [replace(one, name=f"{path.name}/{one.name}") for one in _below(path)]
    return found


def _stem(path: Path) -> str:
    name = path.resolve().name if path.is_dir() else path.name
    ending = next((e for e in (*_ENDINGS, ".npy", ".tsv") if name.endswith(e)), "")
    return name.removesuffix(ending) if not path.is_dir() else name


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name.removesuffix(path.suffix)}.{TIMING}")


def _columns(path: Path) -> set[str]:
    with path.open("rb") as file:
        line = file.readline(MOST_HEADER).decode("utf-8-sig", "replace")
    try:
        return {name.strip() for name in next(csv.reader([line]), [])}
    except csv.Error:
        return set()
