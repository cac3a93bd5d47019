"""A listed cohort's parameters: videos reconstructed, and the template that all of them are of."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atlas.cohort import Cohort
    from reconstruction.template import Template


def parameters_of(
    cohort: "Cohort",
    folder: Path,
    *,
    template: str | None,
    quality: str,
    seed: int,
    least: int,
    show: Callable[[str, int, int], None],
) -> tuple["Cohort", "Template"]:
    """The cohort with parameter files alone, those of videos made in `folder`; its template is that named, or that of
    the first recording.

    least : see `atlas.cohort.load_cohort`; show : called with (what is done, frames done, frames)
    """
    from atlas.cohort import reconstruct_videos
    from reconstruction.pipeline import reconstruct
    from reconstruction.sequence import load
    from reconstruction.template import DEFAULT, load_template

    if cohort.videos:
        cohort = reconstruct_videos(
            cohort,
            folder,
            lambda video, progress: reconstruct(
                video, template=template or DEFAULT, quality=quality, seed=seed, progress=progress
            ),
            least=least,
            progress=lambda i, n, stem, stage, frame, frames: show(f"{i + 1}/{n} {stem}: {stage}", frame, frames),
        )
    if template is not None:
        return cohort, load_template(template)
    first = load(cohort.people[0].recordings[0].path)
    first.check_known()
    return cohort, load_template(first.template)
