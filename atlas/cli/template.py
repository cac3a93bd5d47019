"""``face-atlas template``: the head models there are, one looked at, one of others brought in, one calibrated."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconstruction.template import Template

FEWEST_PEOPLE = 20
STAGES = {"photograph": "people photographed", "skin": "skin: people filmed", "trial": "reliability: people filmed"}
SPARE_FRAMES = 2  # frames beside a first of every person that a calibration needs for every motion parameter

template = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Head models: list, look at, import and calibrate them."
)


@template.command("list")
def list_templates(
    places: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH...]", help="Template files, or folders of them.", show_default="this folder"),
    ] = None,
) -> None:
    """List the embedded templates and those in files, with their calibrations."""
    from reconstruction.template import SUFFIX, embedded_templates, load_template

    files = []
    for place in places or [Path()]:
        files += sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]
    rows: list[tuple[str, ...]] = [("template", "vertices", "shape", "expressions", "calibrated", "licence")]
    for name in [*embedded_templates(), *map(str, files)]:
        head = load_template(name)
        sizes = (f"{n:,}" for n in (len(head.v_template), head.n_shape, head.n_expression))
        rows.append((name, *sizes, "yes" if _calibrations(head) else "no", head.licence.split(";")[0]))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@template.command("info")
def info(
    template: Annotated[str, typer.Argument(help="A template by name or file.", show_default=False)],
    picture: Annotated[
        Path | None, typer.Option(help="Also draw the neutral head and its embedded points to this .png.")
    ] = None,
    reliability: Annotated[
        Path | None, typer.Option(help="Also draw how well every movement is recovered to this .png.")
    ] = None,
) -> None:
    """Tell what a template holds, its licence and source, which calibrations of it are found, and how well its
    movements are recovered with the one that is used by itself.
    """
    from atlas.cli.reliability import print_reliability, write_reliability
    from reconstruction.calibration import load_calibration
    from reconstruction.errors import InputError
    from reconstruction.template import load_template

    for option, path in (("picture", picture), ("reliability", reliability)):
        if path is not None and path.suffix.lower() != ".png":
            raise InputError(f"expected a --{option} that ends in .png, got {path}; rename it.")
    head = load_template(template)
    kind = "0 neutral to 1 full" if head.bounded else "components, standard deviations"
    shown = ", ".join(head.expression_names[:4]) + (", ..." if head.n_expression > 4 else "")
    for key, value in (
        ("name", head.name),
        ("vertices, triangles", f"{len(head.v_template):,}, {len(head.faces):,}"),
        ("shape components", str(head.n_shape)),
        ("expressions", f"{head.n_expression} ({kind}): {shown}"),
        ("joints", ", ".join(head.joint_names)),
        ("detector points", f"{head.visible478.sum()} of 478"),
        ("parts", ", ".join(part for part in head.part_names if head.part(part).any())),
        ("licence", head.licence),
        ("source", head.source),
        ("source's sha256", head.source_sha256),
        ("sha256", head.sha256),
        ("calibrations", ", ".join(_calibrations(head)) or "none; make one: face-atlas template calibrate"),
    ):
        typer.echo(f"{key:20s} {value}")
    if picture is not None:
        _write_picture(head, picture)
        typer.echo(f"picture: {picture}")
    try:
        calibration = load_calibration(head)
    except InputError:
        if reliability is not None:
            raise
        return
    print_reliability(head, calibration)
    if reliability is not None:
        write_reliability(head, calibration, reliability)
        typer.echo(f"reliability: {reliability}")


@template.command("import")
def import_model(
    source: Annotated[
        Path,
        typer.Argument(
            help="A FLAME .pkl, ICT-FaceKit's folder FaceXModel or its .npz, or a GNM Head .npz.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="The template file, NAME.template.safetensors.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="What to call it.", show_default="that of the source")] = None,
    shape: Annotated[
        int | None, typer.Option(help="Shape components to keep, those that move most.", show_default="all")
    ] = None,
    expression: Annotated[int | None, typer.Option(help="The same for expressions.", show_default="all")] = None,
) -> None:
    """Import a head model of others once: no code in it is run, and its licence goes with it.

    The source's licence holds for the file that is made: most of FLAME's may not be passed on.
    """
    from reconstruction.errors import InputError
    from reconstruction.importers import import_template
    from reconstruction.template import SUFFIX, save_template

    if not out.name.endswith(SUFFIX):
        raise InputError(f"expected a file name for --out that ends in {SUFFIX}, got {out.name}; rename it.")
    head = import_template(source, name=name, n_shape=shape, n_expression=expression)
    save_template(head, out)
    typer.echo(
        f"{out} ({out.stat().st_size / 1e6:.1f} MB): {head.n_shape} shape components, {head.n_expression} expressions, "
        f"{head.visible478.sum()} of 478 detector points\nlicence: {head.licence}"
    )


@template.command("calibrate")
def calibrate(
    template: Annotated[str, typer.Argument(help="A template by name or file.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option(
            help="NAME.calibration.safetensors; found by itself beside NAME.template.safetensors.", show_default=False
        ),
    ],
    people: Annotated[int, typer.Option(help="Random people of the template to render.", min=1)] = 1600,
    frames: Annotated[int, typer.Option(help="Frames of each.", min=2)] = 8,
    films: Annotated[
        int, typer.Option(help="Further people, filmed, by whom the reliability is told; 0 for none.", min=0)
    ] = 60,
    jobs: Annotated[int, typer.Option(help="Processes side by side.", min=1)] = 2,
    detector: Annotated[
        Path | None,
        typer.Option(metavar="FILE.task", help="Learn MediaPipe's Face Landmarker instead.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same calibration.", min=0)] = 0,
) -> None:
    """Calibrate a template: learn from renders of it what the landmark detector's points say about its parameters.

    About 0.15 seconds a frame and processor, and 6 seconds a film. The more people, the truer: 1600 of 8 frames are
    what atlas-head was calibrated with.
    """
    import numpy as np

    from atlas.cli.results import stage_bar
    from reconstruction.calibration import SUFFIX, beside, save_calibration
    from reconstruction.detectors import choose_detector
    from reconstruction.errors import InputError
    from reconstruction.motion import motion_names
    from reconstruction.template import load_template
    from reconstruction.training import calibrate as learn

    if not out.name.endswith(SUFFIX):
        raise InputError(f"expected a file name for --out that ends in {SUFFIX}, got {out.name}; rename it.")
    head = load_template(template)
    names = motion_names(head)
    needed = max(FEWEST_PEOPLE, -(-SPARE_FRAMES * len(names) // (frames - 1)))
    if people < needed:
        raise InputError(
            f"expected at least {needed} people of {frames} frames for the {len(names)} motion parameters of "
            f"{head.name}, got {people}; render more people or frames."
        )
    chosen = choose_detector(detector)
    with stage_bar() as bar:
        made = learn(
            head, people, frames, seed, jobs, lambda stage, done, of: bar(STAGES[stage], done, of), chosen, films
        )
    save_calibration(made, out)
    r, whom = made.reliability, "on people left out, of landmarks alone"
    if made.measured:
        r = np.nan_to_num([one.r for one in made.measured.every("full")])
        whom = f"on films of {made.measured.people} other people"
    best = ", ".join(f"{names[i]} {r[i]:.2f}" for i in np.argsort(-r)[:5])
    typer.echo(
        f"{out}: {made.provenance['frames_found']} frames of {people} people; median correlation of a motion parameter "
        f"with the truth {whom} {np.median(r):.2f} (best: {best})"
    )
    if head.path and out.resolve() != beside(head.path).resolve():
        typer.echo(f"pass it: face-atlas reconstruct ... --template {template} --calibration {out}")


def _calibrations(template: "Template") -> list[str]:
    """The calibrations of a template: in its file's folder, or shipped with it."""
    from reconstruction.calibration import SUFFIX, load_calibration
    from reconstruction.errors import InputError

    places = sorted(Path(template.path).parent.glob(f"*{SUFFIX}")) if template.path else [None]
    found = []
    for place in places:
        try:
            made = load_calibration(template, place)
        except InputError:  # another template's
            continue
        about = made.provenance
        found.append(f"{place.name if place else 'embedded'} ({about.get('people')} people, {about.get('detector')})")
    return found


def _write_picture(template: "Template", path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    from reconstruction.detector_points import picture
    from reconstruction.storage import write_atomically

    content = BytesIO()
    Image.fromarray(picture(template)).save(content, "PNG")
    write_atomically(path, content.getvalue())
