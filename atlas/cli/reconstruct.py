"""``face-atlas reconstruct``: recordings to parameter files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atlas.cli.console import make_console
from atlas.cli.options import Quality
from atlas.cli.progress import recording_bar

if TYPE_CHECKING:
    from reconstruction.sequence import FaceSequence

_OURS = (".overlay.webm", ".quality.png", ".detail.png")  # results, no recordings


def reconstruct(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="INPUT...", help="Videos, pictures, or folders of them.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Folder for the parameter files.", show_default=False)],
    template: Annotated[str, typer.Option(help="A template by name or file.")] = "atlas-head",
    calibration: Annotated[
        Path | None, typer.Option(help="The template's calibration.", show_default="the one beside its file")
    ] = None,
    fps: Annotated[str, typer.Option(help="Frames per second to use, or 'native' for all.")] = "native",
    quality: Quality = "full",
    face: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Where there are several people: the n-th from the left, in the first frame that shows at least two "
            "and that many. The largest face unless given.",
            show_default=False,
        ),
    ] = None,
    focal_px: Annotated[
        float | None,
        typer.Option(help="The camera's focal length in pixels; estimated unless given.", show_default=False),
    ] = None,
    fov_deg: Annotated[
        float | None, typer.Option(help="Or its horizontal field of view in degrees.", show_default=False)
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.task", help="MediaPipe's Face Landmarker instead of the bundled detector.", show_default=False
        ),
    ] = None,
    overlay: Annotated[bool, typer.Option("--overlay", help="Also write the mesh drawn over the recording.")] = False,
    detail: Annotated[
        bool, typer.Option("--detail", help="Also write the person's wrinkles, NAME.detail.safetensors, for export.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Do recordings anew that are already done.")] = False,
) -> None:
    """Reconstruct the face of every recording: writes NAME.face.safetensors, NAME.face.json and NAME.quality.png.

    Recordings whose parameter file is already there are skipped, so that an interrupted run can be taken up again. One
    that cannot be used is named at the end, with status 2; the others are finished all the same.
    """
    from reconstruction.errors import InputError
    from reconstruction.video import open_video

    console = make_console()
    recordings = find_recordings(inputs)
    targets = _targets(recordings, out)
    bad: list[str] = []
    usable = []
    for recording in recordings:  # cheap looks first: a typing error should not wait behind an hour of work
        try:
            open_video(recording, fps)
            usable.append(recording)
        except InputError as error:
            bad.append(str(error))
    if usable:
        from atlas.figures.quality_strip import quality_strip
        from reconstruction.calibration import load_calibration
        from reconstruction.detail import estimate_detail
        from reconstruction.detail_map import detail_path, load_detail, save_detail
        from reconstruction.detectors import choose_detector
        from reconstruction.overlay_video import write_overlay
        from reconstruction.pipeline import reconstruct as reconstruct_recording
        from reconstruction.sequence import load, save
        from reconstruction.storage import write_atomically
        from reconstruction.template import load_template

        faces = load_template(template)
        chosen = choose_detector(detector)
        calibrated = load_calibration(faces, calibration, chosen)
        rows: list[tuple[str, FaceSequence, str]] = []
        findings: dict[str, str] = {}
        with recording_bar(console) as bar:
            whole = bar.add_task("recordings", total=len(usable), visible=len(usable) > 1)
            part = bar.add_task("", total=None)

            def show(stage: str, done: int, total: int) -> None:
                bar.update(part, description=f"{recording.name}: {stage}", completed=done, total=total or None)

            for recording in usable:
                target = targets[recording]
                film, strip = (
                    target.with_name(target.name.removesuffix(".face.safetensors") + ending)
                    for ending in (".overlay.webm", ".quality.png")
                )
                try:
                    done_before = target.is_file() and not force
                    if done_before:
                        sequence = load(target)
                    else:
                        sequence = reconstruct_recording(
                            recording,
                            template=faces,
                            calibration=calibrated,
                            detector=chosen,
                            fps=fps,
                            face=face,
                            focal_px=focal_px,
                            fov_deg=fov_deg,
                            quality=quality,
                            seed=seed,
                            simulated=shows_simulated(recording),
                            scratch=next(folder for folder in target.parents if folder.is_dir()),
                            progress=show,
                        )
                        save(sequence, target)
                    if not (done_before and strip.is_file()):
                        write_atomically(strip, quality_strip(sequence, strip.name.removesuffix(".quality.png")))
                    if overlay and not (done_before and film.is_file()):
                        write_overlay(recording, sequence, faces, film, fps=fps, progress=show)
                    if detail:
                        skin = detail_path(target)
                        if done_before and skin.is_file():
                            found = load_detail(skin)
                        else:
                            found = estimate_detail(recording, faces, sequence, fps=fps, progress=show)
                            save_detail(found, skin)
                        findings[recording.name] = found.finding
                    rows.append((recording.name, sequence, "already done" if done_before else str(target)))
                except InputError as error:
                    bad.append(str(error))
                bar.advance(whole)
        _summarise(rows)
        for name, finding in findings.items():
            make_console(stderr=False).print(f"{name}: {finding}")
    if bad:
        for sentence in bad[:-1]:
            console.print(f"face-atlas: {sentence}")
        raise InputError(bad[-1])


def find_recordings(inputs: list[Path]) -> list[Path]:
    """The recordings named, and those in the folders named, in order and once each."""
    from reconstruction.errors import InputError
    from reconstruction.video import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    suffixes = VIDEO_SUFFIXES + IMAGE_SUFFIXES
    found: dict[Path, None] = {}
    for path in inputs:
        if not path.is_dir():
            found[path] = None
            continue
        inside = sorted(
            p
            for p in path.rglob("*")
            if p.suffix.lower() in suffixes and not p.name.endswith(_OURS) and not p.name.startswith(".")
        )
        if not inside:
            raise InputError(
                f"expected recordings ({', '.join(suffixes)}) in the folder {path}, but there are none; check the path."
            )
        found |= dict.fromkeys(inside)
    return list(found)


def shows_simulated(recording: Path) -> bool:
    """Whether the ``participants.tsv`` above the recording calls its person simulated."""
    import csv

    folder = recording.resolve().parent
    table = next((f / "participants.tsv" for f in folder.parents if (f / "participants.tsv").is_file()), None)
    if table is None:
        return False
    with table.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        return any(row.get("participant_id") == folder.name and row.get("simulated") == "yes" for row in rows)


def _targets(recordings: list[Path], out: Path) -> dict[Path, Path]:
    """The parameter file of every recording; below its ``sub-*`` folder where it lies in one."""
    from reconstruction.errors import InputError
    from reconstruction.storage import check_folder

    check_folder(out)
    targets: dict[Path, Path] = {}
    taken: dict[Path, Path] = {}
    for recording in recordings:
        person = recording.resolve().parent.name
        folder = out / person if person.startswith("sub-") else out
        target = folder / f"{recording.stem}.face.safetensors"
        if target in taken:
            raise InputError(
                f"expected recordings with different names, but {taken[target]} and {recording} would both become "
                f"{target}; rename one or reconstruct them into different folders."
            )
        targets[recording] = taken[target] = target
    return targets


def _summarise(rows: "list[tuple[str, FaceSequence, str]]") -> None:
    """One line a recording on stdout: frames, used, left out and why, verdict; what to do about those not good."""
    from rich.table import Table

    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("recording", "frames", "used", "left out", "verdict", "parameters"):
        table.add_column(heading, justify="right" if heading in ("frames", "used") else "left", overflow="fold")
    for name, sequence, written in rows:
        summary = sequence.summary()
        left_out = ", ".join(f"{count} {reason}" for reason, count in summary["frames_left_out"].items())
        table.add_row(
            name,
            str(summary["frames"]),
            str(summary["frames_used"]),
            left_out or "none",
            sequence.verdict.verdict,
            written,
        )
    console = make_console(stderr=False)
    console.print(table)
    for name, sequence, _ in rows:
        verdict, noted = sequence.verdict, sequence.provenance
        if several := noted.get("frames_with_several_faces"):
            followed = noted["face"] if noted["face"] == "largest" else f"number {noted['face']} from the left"
            console.print(f"{name} shows several faces in {several} frames; followed: {followed}")
        if verdict.verdict != "good":
            console.print(f"{name} is {verdict.verdict}:")
            for reason, advice in zip(verdict.reasons, verdict.advice, strict=True):
                console.print(f"  {reason}: {advice}")
