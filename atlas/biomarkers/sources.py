"""Where biomarkers come from: files with their person, group and stimulus, and what was measured of each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atlas.biomarkers.face_parts import SUBJECT
from atlas.biomarkers.quantity import Quantity
from atlas.biomarkers.recording import FaceParts, face_parts, reactivity, recording_biomarkers
from atlas.biomarkers.table import derived
from atlas.biomarkers.tool_biomarkers import tool_biomarkers
from atlas.biomarkers.tool_table import read_tool_table
from atlas.cohort import stimulus_of
from atlas.participants import MISSING, read_participants
from reconstruction.errors import InputError, why_left_out
from reconstruction.sequence import SUFFIX, SUFFIXES, load, stem_of
from reconstruction.template import Template, load_template

TABLE_SUFFIX = ".csv"
_Found = tuple[tuple[Quantity, ...], np.ndarray, bool, str, tuple[str, ...]]  # ..., simulated, stage, warnings
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """A file of parameters or of another tool's table; `group` is empty where it is not known."""

    path: Path
    person: str
    group: str
    stimulus: str

    @property
    def is_table(self) -> bool:
        return self.path.suffix.lower() == TABLE_SUFFIX


@dataclass(frozen=True)
class MeasuredRecording:
    """biomarkers : (Q,); simulated : the person does not exist; stage : `FaceSequence.stage`, or the tool"""

    source: Source
    biomarkers: np.ndarray
    simulated: bool
    stage: str

    @property
    def stimulus(self) -> str:
        return self.source.stimulus


@dataclass(frozen=True)
class MeasuredPerson:
    id: str
    group: str
    recordings: tuple[MeasuredRecording, ...]


@dataclass(frozen=True)
class MeasuredRecordings:
    """R recordings of one tool.

    quantities : Q of them; template : of parameters, or None; tool : name of the template or of the tool
    """

    quantities: tuple[Quantity, ...]
    recordings: tuple[MeasuredRecording, ...]
    template: Template | None
    parts: FaceParts | None
    tool: str
    warnings: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        return any(recording.simulated for recording in self.recordings)

    @property
    def people(self) -> tuple[MeasuredPerson, ...]:
        """By id; a loose file is a person."""
        out: dict[str, list[MeasuredRecording]] = {}
        for recording in self.recordings:
            out.setdefault(recording.source.person, []).append(recording)
        return tuple(MeasuredPerson(i, found[0].source.group, tuple(found)) for i, found in sorted(out.items()))


def find_sources(inputs: Sequence[Path]) -> tuple[list[Source], list[str]]:
    """Files of cohort folders and loose files, and what was odd.

    Raises
    ------
    InputError
        An input is missing, a folder without participants.tsv or without files, a video, or given twice.
    """
    sources: list[Source] = []
    warnings: list[str] = []
    for path in inputs:
        if path.is_dir():
            sources += _of_cohort(path, warnings)
        elif path.name.endswith(SUFFIXES) or path.suffix.lower() == TABLE_SUFFIX:
            stem = stem_of(path).removesuffix(TABLE_SUFFIX)
            sources.append(Source(path, stem, "", stimulus_of(path) or UNKNOWN))
        else:
            raise InputError(
                f"expected a cohort folder, a {SUFFIX} file or a {TABLE_SUFFIX} table, got {path}; reconstruct videos "
                "first: face-atlas reconstruct"
            )
    names = [source.path for source in sources]
    if repeated := sorted({str(path) for path in names if names.count(path) > 1}):
        raise InputError(f"expected every file once, but {repeated[0]} is given twice; leave one out.")
    loose = [source.person for source in sources if not source.group]
    if repeated := sorted({name for name in loose if loose.count(name) > 1}):
        raise InputError(
            f"expected loose files of different names, one row each, but {repeated[0]} is there twice; rename one or "
            "put them into a cohort folder."
        )
    return sources, warnings


def measure_sources(
    sources: Sequence[Source],
    *,
    template: Template | None = None,
    fps: float | None = None,
    onset_s: float | None = None,
    sides: str = SUBJECT,
    organ_sums: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> MeasuredRecordings:
    """Biomarkers of every file.

    template : of parameters; the one that the first file names, unless given
    fps : of tables that do not say their frame rate
    onset_s : seconds at which a stimulus begins: biomarkers are those after it less those before
    sides, organ_sums : how organs are named and shared, see `face_parts.organs`

    A file of a cohort that cannot be used is left out with a warning.

    Raises
    ------
    InputError
        Files of several tools or templates, a loose file that cannot be used, no file that can, or an onset with
        tables.
    """
    if onset_s is not None and any(source.is_table for source in sources):
        raise InputError(f"expected parameter files for an onset, but got {TABLE_SUFFIX} tables; leave --onset out.")
    if len({source.is_table for source in sources}) > 1:
        raise InputError(
            f"expected {SUFFIX} files or {TABLE_SUFFIX} tables, got both, and their numbers do not compare; measure "
            "them apart."
        )
    measured: list[tuple[Source, dict[str, float], bool, str]] = []
    known: dict[str, Quantity] = {}
    warnings: list[str] = []
    tools: set[str] = set()
    ready = _Ready(template, fps, onset_s, sides, organ_sums)
    for number, source in enumerate(sources):
        try:
            quantities, vector, simulated, stage, said = (
                ready.table(source) if source.is_table else ready.parameters(source)
            )
        except InputError as error:
            if not source.group:
                raise
            warnings.append(why_left_out(source.path, error))
            continue
        warnings += said
        tools.add(stage if source.is_table else ready.template.name if ready.template else "")
        known |= {quantity.name: quantity for quantity in quantities if quantity.name not in known}
        measured.append((source, dict(zip((q.name for q in quantities), vector, strict=True)), simulated, stage))
        if progress:
            progress(number + 1, len(sources))
    if not measured:
        raise InputError(f"expected files that can be used, but there is none; the first: {warnings[-1]}")
    if len(tools) > 1:
        raise InputError(f"expected tables of one tool, got {' and '.join(sorted(tools))}; measure them apart.")
    recordings = tuple(
        MeasuredRecording(source, np.array([found.get(name, np.nan) for name in known]), simulated, stage)
        for source, found, simulated, stage in measured
    )
    return MeasuredRecordings(
        tuple(known.values()), recordings, ready.template, ready.parts, "".join(tools), tuple(warnings)
    )


@dataclass
class _Ready:
    """What measuring needs, the template made ready when the first parameters name it."""

    template: Template | None
    fps: float | None
    onset_s: float | None
    sides: str
    organ_sums: bool
    parts: FaceParts | None = None

    def table(self, source: Source) -> _Found:
        table = read_tool_table(source.path, self.fps)
        quantities, vector = tool_biomarkers(table, sides=self.sides, organ_sums=self.organ_sums)
        return quantities, vector, False, table.tool, table.warnings

    def parameters(self, source: Source) -> _Found:
        sequence = load(source.path)
        if self.template is None:
            sequence.check_known()
            self.template = load_template(sequence.template)
        if self.parts is None:
            self.parts = face_parts(self.template, sides=self.sides, organ_sums=self.organ_sums)
        sequence.check_template(self.template)
        simulated, stage = sequence.simulated, sequence.stage
        if self.onset_s is None:
            return self.parts.quantities, recording_biomarkers(sequence, self.parts), simulated, stage, ()
        changes = tuple(derived(q, "_reactivity", "after the onset less before") for q in self.parts.quantities)
        return changes, reactivity(sequence, self.onset_s, self.parts), simulated, stage, ()


def _of_cohort(folder: Path, warnings: list[str]) -> list[Source]:
    """Parameter files, or else tables, in the ``sub-*`` folders of people with a group."""
    table = folder / "participants.tsv"
    if not table.is_file():
        raise InputError(
            f"expected a cohort folder with participants.tsv, but {table} does not exist; write that table."
        )
    rows = read_participants(table, warnings)
    out = []
    for identity, row in sorted(rows.items()):
        files = sorted(path for path in (folder / identity).glob("**/*") if path.is_file())
        found = [path for path in files if path.name.endswith(SUFFIXES)]
        found = found or [path for path in files if path.suffix.lower() == TABLE_SUFFIX]
        if not found:
            warnings.append(f"{identity} has no parameter file or table and was left out")
        group = row["group"] if row["group"].lower() not in MISSING else "n/a"
        out += [Source(path, identity, group, stimulus_of(path) or UNKNOWN) for path in found]
    if not out:
        raise InputError(
            f"expected {SUFFIX} files or {TABLE_SUFFIX} tables below {folder}/sub-*, but there are none; reconstruct "
            "the videos first: face-atlas reconstruct"
        )
    return out
