"""``face-atlas simulate``: a cohort of people who do not exist."""

from pathlib import Path
from typing import Annotated

import typer

from atlas.cli.console import make_console
from atlas.cli.progress import recording_bar


def simulate(
    out: Annotated[Path, typer.Option(help="Folder of the cohort; must be new or empty.", show_default=False)],
    people: Annotated[
        int, typer.Option(help="How many people in all, spread evenly over the groups.", show_default=False)
    ],
    seconds: Annotated[float, typer.Option(help="Length of every recording.")] = 20.0,
    video: Annotated[bool, typer.Option("--video", help="Render videos; their parameters go to truth/.")] = False,
    effects: Annotated[
        str, typer.Option(help="YAML file of group effects (group: {name: d}), 'default' or 'none'.")
    ] = "default",
    stimuli: Annotated[
        str, typer.Option(help="Comma-separated; one recording of each for every person.")
    ] = "happiness,anger,sadness,fear,neutral",
    sessions: Annotated[
        int, typer.Option(help="Days on which everyone is recorded; their levels differ a little from day to day.")
    ] = 1,
    fps: Annotated[float, typer.Option(help="Frames per second.")] = 25.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people.")] = 0,
) -> None:
    """Simulate people with a diagnosis: parameter files, or rendered videos as well.

    Effects are differences to HC in person-level standard deviations of an action unit (AU12) or a measure (blink_rate,
    blink_duration, head_speed, gaze_dispersion). The default ones are invented for demonstration.
    """
    from atlas.simulation.cohort_folder import simulate as write_cohort

    console = make_console()
    with recording_bar(console) as bar:
        task = bar.add_task("simulating", total=None)
        folder = write_cohort(
            out,
            people,
            seconds,
            effects,
            video,
            seed,
            fps=fps,
            stimuli=[name.strip() for name in stimuli.split(",") if name.strip()],
            sessions=sessions,
            progress=lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total),
        )
    kind = "videos, true parameters in truth/" if video else "parameter files"
    times = f" in {sessions} sessions" if sessions > 1 else ""
    console.print(f"{folder}: {people} simulated people{times}, {kind}. Next: face-atlas build {folder} --out ATLAS")
