"""Findings about a cohort's recordings: each is read once."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atlas.aggregation import FEW_FRAMES, MIN_FRAMES, digest_of
from atlas.bids.names import follows_bids
from atlas.cohort import Recording, person_of
from atlas.inspection.finding import Finding
from reconstruction.errors import InputError
from reconstruction.sequence import load


@dataclass(frozen=True)
class Read:
    """What is known of one recording after reading it; `damage` says why it cannot be read, and then nothing else is.

    name : its path below the cohort's folder
    """

    person: str
    recording: Recording
    name: str
    damage: str = ""
    digest: str = ""
    template: str = ""
    stage: str = ""
    version: str = ""
    frames: int = 0
    used: int = 0
    verdict: str = ""
    simulated: bool = False


def read_recordings(
    folder: Path, found: Mapping[str, Sequence[Recording]], progress: Callable[[int, int], None] | None
) -> list[Read]:
    """Every recording of `found`, read; videos are not looked into."""
    jobs = [(person, recording) for person, of in sorted(found.items()) for recording in of]
    out = []
    for number, (person, recording) in enumerate(jobs, start=1):
        out.append(_read(folder, person, recording))
        if progress:
            progress(number, len(jobs))
    return out


def check_recordings(folder: Path, reads: Sequence[Read]) -> Iterator[Finding]:
    """Findings about single recordings, and about all of them together."""
    parameters = [r for r in reads if not r.recording.is_video]
    whole = [r for r in parameters if not r.damage]
    if damaged := [f"{r.name} ({r.damage})" for r in parameters if r.damage]:
        remedy = "Copy them from a backup, or reconstruct the recordings again."
        yield Finding("error", "damaged", "Parameter files cannot be read", remedy, tuple(damaged))
    yield from _mixtures(whole)
    yield from _doubles(whole)
    yield from _lengths(whole)
    yield from _names(folder, reads, parameters)


def _mixtures(whole: Sequence[Read]) -> Iterator[Finding]:
    several = (
        ("error", "mixed-templates", "template", "Parameters belong to several templates", "Reconstruct with one."),
        ("warning", "mixed-stages", "stage", "Parameters come from several qualities of reconstruction",
         "Reconstruct all with the same --quality: what one sees less would look like a difference between people."),
        ("note", "mixed-versions", "version", "Parameters were written by several versions of face-atlas",
         "Reconstruct anew what matters, if the changelog says that numbers changed."),
    )  # fmt: skip
    for level, code, attribute, what, remedy in several:
        counts = Counter(getattr(r, attribute) for r in whole if getattr(r, attribute))
        if len(counts) > 1:
            yield Finding(level, code, what, remedy, tuple(f"{n} of {name}" for name, n in counts.most_common()))
    simulated = sum(r.simulated for r in whole)
    if 0 < simulated < len(whole):
        what = f"{simulated} of {len(whole)} recordings are of simulated people"
        yield Finding("warning", "mixed-simulated", what, "Keep people who exist and simulated ones in cohorts apart.")


def _doubles(whole: Sequence[Read]) -> Iterator[Finding]:
    alike: dict[str, list[Read]] = {}
    for read in whole:
        alike.setdefault(read.digest, []).append(read)
    same = [reads for reads in alike.values() if len(reads) > 1]
    across = [" = ".join(r.name for r in reads) for reads in same if len({r.person for r in reads}) > 1]
    if across:
        remedy = "Find out whose it is, and remove the others: one person would count as two."
        yield Finding("error", "double-across", "The same recording lies with several people", remedy, tuple(across))
    within = [" = ".join(r.name for r in reads) for reads in same if len({r.person for r in reads}) == 1]
    if within:
        what = "A person has the same recording several times"
        yield Finding("warning", "double-within", what, "Remove the copies: they count several times.", tuple(within))


def _lengths(whole: Sequence[Read]) -> Iterator[Finding]:
    short = tuple(f"{r.name} ({r.used} of {r.frames})" for r in whole if r.used < MIN_FRAMES)
    if short:
        what = f"Recordings have fewer than {MIN_FRAMES} usable frames and are left out"
        yield Finding("warning", "too-short", what, "Record longer, or better: see the verdict in the .json.", short)
    few = tuple(f"{r.name} ({r.used} of {r.frames})" for r in whole if MIN_FRAMES <= r.used < FEW_FRAMES)
    if few:
        what = f"Recordings have fewer than {FEW_FRAMES} usable frames, and their spread is uncertain"
        yield Finding("warning", "few-frames", what, "Record 15 seconds or more.", few)
    unusable = tuple(r.name for r in whole if r.verdict == "not usable" and r.used >= MIN_FRAMES)
    if unusable:
        remedy = "Leave them out or record again; the .json beside them says why."
        yield Finding("warning", "bad-recording", "Recordings are 'not usable' by their own verdict", remedy, unusable)


def _names(folder: Path, reads: Sequence[Read], parameters: Sequence[Read]) -> Iterator[Finding]:
    paths = {r.name: Path(r.name) for r in reads}
    if nameless := tuple(r.name for r in reads if r.recording.stimulus is None):
        remedy = "Put task-<stimulus> into the names: the stimuli of a person would be one."
        yield Finding("warning", "no-stimulus", "Names of recordings tell no stimulus", remedy, nameless)
    named = {name: person_of(Path("/", path.name)) for name, path in paths.items()}
    if other := tuple(name for name, person in named.items() if person not in (None, paths[name].parts[0])):
        remedy = "Find out whose it is: it counts for the folder's."
        yield Finding(
            "warning", "other-person", "Recordings are called as somebody else than their folder", remedy, other
        )
    if loose := tuple(r.name for r in parameters if not follows_bids(Path(r.name))):
        remedy = "They are read all the same; face-atlas cohort tidy copies them under names that do."
        yield Finding("note", "name-not-bids", "Names of parameter files do not follow BIDS", remedy, loose)
    root = folder.resolve()
    leaving = tuple(r.name for r in reads if not r.recording.path.resolve().is_relative_to(root))
    if leaving:
        remedy = "Copy the files instead: face-atlas forget removes a link, not what it points to."
        yield Finding("warning", "leaving-link", "Links lead out of the cohort's folder", remedy, leaving)
    if videos := tuple(r.name for r in reads if r.recording.is_video):
        what = f"{len(videos)} recordings are videos"
        yield Finding("note", "videos", what, "face-atlas build reconstructs them first.")


def _reason(sentence: str, path: Path) -> str:
    """What is wrong, of a sentence 'expected ..., but PATH is ...; do ...'."""
    return sentence.split(", but ", 1)[-1].split("; ")[0].replace(f"{path} ", "").replace(str(path), path.name)


def _read(folder: Path, person: str, recording: Recording) -> Read:
    name = recording.path.relative_to(folder).as_posix()
    if recording.is_video:
        return Read(person, recording, name)
    try:
        sequence = load(recording.path)
        verdict = sequence.verdict.verdict
    except InputError as error:
        return Read(person, recording, name, damage=_reason(str(error), recording.path))
    except Exception as error:  # a file made to break its reader is one more finding, not the end of the others
        return Read(person, recording, name, damage=f"{type(error).__name__}: {error}")
    provenance = sequence.provenance if isinstance(sequence.provenance, dict) else {}
    return Read(
        person,
        recording,
        name,
        digest=digest_of(sequence),
        template=f"{sequence.template} {sequence.template_sha256[:8]}",
        stage=sequence.stage,
        version=str(provenance.get("software", "")),
        frames=len(sequence),
        used=int(sequence.valid.sum()),
        verdict=verdict,
        simulated=sequence.simulated,
    )
