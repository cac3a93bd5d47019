"""``face-atlas demo``: the whole path on simulated people, from video to matches, in a few minutes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atlas.cli.command_line import command_line
from atlas.cli.console import make_console, tell_notes
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from rich.console import Console

    from atlas.demo import DemoFolder, Settings
    from reconstruction.sequence import FaceSequence
    from reconstruction.template import Template

MARGIN = 24  # pixels round a head that is shown
FRAMES_SHOWN = ("happiness", "sadness")  # stimuli whose strongest frame of one person a group is shown


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demonstration makes.")] = Path("outputs/demo"),
) -> None:
    """Simulate people as videos, reconstruct them, build an atlas, match people kept out of it, write a report.

    Everyone in it is simulated. What is finished stays: run it again and it goes on.
    """
    from atlas.demo import Settings

    run_demo(out, Settings())


def run_demo(out: Path, settings: "Settings", workers: int | None = None) -> Path:
    """The demonstration with other settings; returns the report's path.

    workers : processes side by side; as many as there are processors, four at most, by default. The result does not
        depend on it
    """
    import sys

    from atlas.cli.build import build
    from atlas.demo import DemoFolder, read_timings, simulate_videos, write_timings
    from reconstruction.storage import check_folder

    check_folder(out)
    folder = DemoFolder(out)
    console = make_console()
    timings = read_timings(folder)

    def took(stage: str, since: float, told: str, *, anew: bool = True) -> None:
        if anew or stage not in timings:
            timings[stage] = (perf_counter() - since, told)
            write_timings(folder, timings, settings)

    console.print("Everyone in this demonstration is simulated; nobody of them exists.")
    frames = round(settings.seconds * settings.fps) * len(settings.stimuli)
    begun = perf_counter()
    with _progress(console) as show:
        made = [
            simulate_videos(
                where, n, settings, seed, workers, lambda stage, done, of: show("1/4 simulate videos", done, of)
            )
            for where, n, seed in (
                (folder.cohort, settings.people, settings.seed),
                (folder.held_out, settings.held_out, settings.seed + 1),
            )
        ]
    everyone = settings.people + settings.held_out
    recordings = everyone * len(settings.stimuli)
    told = f"{recordings} videos of {everyone} people, {recordings * settings.seconds / 60:.0f} minutes of film"
    took("simulate videos", begun, told, anew=all(made))

    begun = perf_counter()
    jobs = _jobs(folder)
    with _progress(console) as show:
        fresh = _reconstruct_all(jobs, settings.seed, workers, lambda i, n: show("2/4 reconstruct", i, n))
    took("reconstruct", begun, f"{frames * everyone:,} frames to parameters", anew=fresh == len(jobs))

    begun = perf_counter()
    console.print("3/4 build the atlas")
    build(folder.cohort, folder.atlas, permutations=settings.permutations, seed=settings.seed)
    took("build the atlas", begun, f"{settings.people} people; {settings.permutations} shuffles for the p value")

    begun = perf_counter()
    console.print("4/4 match the people kept out, write the report")
    matches, true_groups = _match_held_out(folder)
    took("match", begun, f"{len(matches)} people kept out of the atlas")

    begun = perf_counter()
    report = _report(folder, matches, true_groups, timings)
    took("report", begun, "pictures and page, with the recovery of the known truth")
    right = sum(max(m["similarities"], key=m["similarities"].get) == true_groups[m["person"]] for m in matches)
    command = sys.argv[0] if sys.argv[0].endswith("face-atlas") else "face-atlas"
    console.print(
        f"{right} of {len(matches)} people kept out came nearest to their own group's face (simulated people).\n"
        f"report: {report}\n"
        f"a video of your own: {command} match {folder.atlas} VIDEO.mp4"
    )
    return report


@contextmanager
def _progress(console: "Console") -> Iterator[Callable[[str, int, int], None]]:
    with recording_bar(console) as bar:
        task = bar.add_task("", total=None)
        yield lambda stage, done, of: bar.update(task, description=stage, completed=done, total=of or None)


def _jobs(folder: "DemoFolder") -> list[tuple[Path, Path]]:
    """Every video with the parameter file it becomes."""
    from reconstruction.sequence import SUFFIX

    places = ((folder.cohort, folder.parameters), (folder.held_out, folder.held_out_parameters))
    return [
        (video, parameters / video.parent.name / f"{video.stem}{SUFFIX}")
        for videos, parameters in places
        for video in sorted(videos.glob("sub-*/*.mp4"))
    ]


def _reconstruct_all(
    jobs: list[tuple[Path, Path]], seed: int, workers: int | None, progress: Callable[[int, int], None]
) -> int:
    """Reconstruct what is not there yet, in processes side by side; returns how many were done anew."""
    from atlas.parallel import run_all

    todo = [(video, target, seed) for video, target in jobs if not _is_current(target)]
    before = len(jobs) - len(todo)
    progress(before, len(jobs))
    run_all(reconstruct_one, todo, workers, lambda done, _: progress(before + done, len(jobs)))
    return len(todo)


def reconstruct_one(video: Path, target: Path, seed: int) -> None:
    """A simulated person's video to its parameter file."""
    from reconstruction.pipeline import reconstruct
    from reconstruction.sequence import save

    save(reconstruct(video, seed=seed, simulated=True), target)


def _is_current(target: Path) -> bool:
    """Whether a parameter file is there and was made as the demonstration makes it today."""
    from reconstruction.calibration import load_calibration
    from reconstruction.errors import InputError
    from reconstruction.sequence import load
    from reconstruction.template import load_template

    if not target.is_file():
        return False
    template = load_template()
    try:
        sequence = load(target)
    except InputError:
        return False
    today = {"calibration": load_calibration(template).provenance, "quality": "full"}
    same = all(sequence.provenance.get(name) == value for name, value in today.items())
    return sequence.template_sha256 == template.sha256 and same


def _match_held_out(folder: "DemoFolder") -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Matches of the people kept out, by all their recordings, written to ``matches.json``; and their true groups."""
    import json

    from atlas.atlas_file import load_atlas
    from atlas.new_recordings import match_all, measured
    from atlas.participants import read_participants
    from reconstruction.sequence import STATEMENT, SUFFIX, load
    from reconstruction.storage import write_atomically

    inputs = sorted(folder.held_out_parameters.glob(f"sub-*/*{SUFFIX}"))
    atlas = load_atlas(folder.atlas)
    _, people = match_all(atlas, measured(atlas, inputs, [load(path) for path in inputs]))
    matches = [made.to_json() for made in people]
    rows = read_participants(folder.held_out / "participants.tsv", [])
    document = {"statement": STATEMENT, "simulated": True, "people": matches}
    write_atomically(folder.out / "matches.json", (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode())
    return matches, {person: row["group"] for person, row in rows.items()}


def _report(
    folder: "DemoFolder",
    matches: list[dict[str, Any]],
    true_groups: dict[str, str],
    timings: dict[str, tuple[float, str]],
) -> Path:
    from atlas.atlas_file import FILE, load_atlas
    from atlas.biomarkers.recording import face_parts, recording_biomarkers
    from atlas.biomarkers.table import biomarker_table
    from atlas.cohort import load_cohort
    from atlas.demo import recovery
    from atlas.motion import motion_space
    from atlas.reading import read_cohort
    from atlas.report import DemoExtras, write_report
    from reconstruction.sequence import BIDS_SUFFIX, load
    from reconstruction.template import load_template

    cohort = load_cohort(folder.cohort, folder.parameters)
    template = load_template()
    truth = folder.cohort / "truth"
    pairs = [
        [(load(truth / person.id / f"{r.stem}{BIDS_SUFFIX}"), load(r.path)) for r in person.recordings]
        for person in cohort.people
    ]
    extras = DemoExtras(
        timings=[(stage, seconds, told) for stage, (seconds, told) in timings.items() if stage != "report"],
        frames=_frames(folder, {p.id: p.group for p in cohort.people}, template),
        recovery=recovery(pairs),
        commands=[
            f"face-atlas simulate --video --people {len(cohort.people)} --out people",
            "face-atlas build people --out atlas",
            "face-atlas match atlas VIDEO.mp4",
        ],
    )
    atlas = load_atlas(folder.atlas)
    parts = face_parts(template, motion_space(template))
    reading = read_cohort(cohort, template, parts.space, biomarkers=lambda s: recording_biomarkers(s, parts))
    table = biomarker_table(reading.people, parts.quantities)
    written = write_report(
        atlas,
        cohort,
        reading,
        folder.out,
        statistics=atlas.statistics,
        biomarkers=table,
        command=command_line("demo", out=folder.out),
        atlas_file=folder.atlas / FILE,
        matches=matches,
        true_groups=true_groups,
        demo=extras,
    )
    tell_notes(make_console(), written.notes)
    return written.html


def _frames(folder: "DemoFolder", groups: dict[str, str], template: "Template") -> list[tuple[bytes, str]]:
    """The strongest frame of a few recordings of the first person of every group, bare and with the mesh over it."""
    import numpy as np

    from atlas.figures import png
    from reconstruction.camera import project
    from reconstruction.overlay_video import draw_overlay
    from reconstruction.rendering import Renderer
    from reconstruction.sequence import SUFFIX, load
    from reconstruction.video import open_video

    shown = []
    for group in sorted(set(groups.values())):
        person = min(p for p in groups if groups[p] == group)
        for stimulus in FRAMES_SHOWN:
            stem = f"{person}_task-{stimulus}"
            video = folder.cohort / person / f"{stem}.mp4"
            parameters = folder.parameters / person / f"{stem}{SUFFIX}"
            if not (video.is_file() and parameters.is_file()):
                continue
            sequence = load(parameters)
            i = _strongest(sequence)
            rgb = next(frame for n, (_, _, frame) in enumerate(open_video(video)) if n == i)
            vertices = sequence.vertices(template, slice(i, i + 1))[0]
            renderer = Renderer(*sequence.image_size)
            drawn = draw_overlay(
                rgb, vertices, template, sequence.camera_matrix, sequence.camera_from_head[i], renderer
            )
            points = project(vertices, sequence.camera_matrix, sequence.camera_from_head[i])
            low, high = np.floor(points.min(0)).astype(int), np.ceil(points.max(0)).astype(int)
            x, y = (slice(max(0, a - MARGIN), b + MARGIN) for a, b in zip(low, high, strict=True))
            both = np.concatenate([rgb[y, x], drawn[y, x]], 1)
            shown.append(
                (png(both), f"simulated person of group {group}, {stimulus}: video, and reconstruction over it")
            )
    return shown


def _strongest(sequence: "FaceSequence") -> int:
    """The frame whose expression is furthest from the recording's median, blinks aside."""
    import numpy as np

    kept = [i for i, name in enumerate(sequence.expression_names) if not name.startswith("eyeBlink")]
    closed = [i for i, name in enumerate(sequence.expression_names) if name.startswith("eyeBlink")]
    expression = sequence.expression
    away = np.abs(expression[:, kept] - np.median(expression[sequence.valid][:, kept], axis=0)).sum(1)
    eyes_open = expression[:, closed].max(1, initial=0) < 0.5
    usable = sequence.valid & eyes_open if (sequence.valid & eyes_open).any() else sequence.valid
    return int(np.argmax(np.where(usable, away, -1)))
