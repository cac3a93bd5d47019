"""The levels motion and full: frames of every recording. They are written on the way, and the audit looks at them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from atlas.phenotype import SESSIONS
from atlas.sharing.attack import AttackResult, reidentify
from atlas.sharing.audit import Audit, Comparison
from atlas.sharing.contents import write_description
from atlas.sharing.occasions import flat, occasions
from atlas.sharing.people import Chosen
from atlas.sharing.prepared import Prepared, Progress
from atlas.sharing.reading import SharedRecording, plan, prepared_template, read_recordings
from atlas.sharing.settings import Settings
from atlas.sharing.summary import Scale
from atlas.sharing.tables import DAYS, days_column, write_table

FIELDS = {
    "motion": ("frames: expression coefficients", "frames: jaw pose", "frames: valid", "frames: relative time"),
    "full": (
        "shape", "frames: expression coefficients", "frames: pose of head, neck, jaw and eyes", "frames: translation",
        "camera matrix", "image size", "frames: quality", "frames: valid", "frames: relative time",
    ),
}  # fmt: skip


def prepare_sequences(
    chosen: Chosen, settings: Settings, template: str, folder: Path, workers: int | None, progress: Progress | None
) -> Prepared:
    """Write the sequences below `folder` and attack them."""
    planned = plan(chosen)
    parted = occasions(chosen.people)
    read = read_recordings(planned, chosen, parted, settings.level, template, folder, workers, progress)
    compared = read.compared
    scale = Scale.of(compared.cube(len(chosen.people), len(planned.stimuli)))
    comparison = Comparison.of(compared, scale, len(planned.stimuli), parted, chosen)
    results = list(comparison.attack())
    if settings.level == "full":
        results += shape_linkage(comparison, prepared_template(template)[0].n_shape)
    fields = (*FIELDS[settings.level], *chosen.fields, "recording: stimulus")
    audit = Audit(
        settings.level, fields, len(chosen.people), tuple(sorted(results, key=lambda r: -r.top1)),
        settings.most_reidentified, parted.description, chosen.simulated,
        {
            "recordings": len(read.recordings),
            "recordings_left_out": planned.left_out + read.unusable,
            "people_left_out": chosen.left_out,
            "treatment": ["frames counted from the first", "provenance reduced to the stage of reconstruction"],
        },
    )  # fmt: skip

    def write(to: Path) -> None:
        write_description(to, settings.level, settings.licence, chosen.simulated)
        if chosen.dated:
            _write_sessions(to, read.recordings, chosen)

    return Prepared(audit, write)


def _write_sessions(folder: Path, recordings: Sequence[SharedRecording], chosen: Chosen) -> None:
    """A sessions table, as BIDS has it, for everyone."""
    for number, person in enumerate(chosen.people):
        days = dict(sorted({r.session: r.days for r in recordings if r.person == number}.items()))
        values = np.array([np.nan if n is None else n for n in days.values()])
        if days:
            write_table(
                folder / person.pseudonym / f"{person.pseudonym}_{SESSIONS}.tsv",
                {"session_id": [f"ses-{n}" for n in days]}, {DAYS: values}, {DAYS: days_column(chosen.step)},
            )  # fmt: skip


def shape_linkage(comparison: Comparison, components: int) -> list[AttackResult]:
    """The attacks on the shape alone, averaged over a person's recordings."""
    gallery, probe = (
        np.nanmean(side[:, :, :components], 1, keepdims=True) for side in (comparison.gallery, comparison.probe)
    )
    found = reidentify(flat(gallery, comparison.kind), flat(probe, comparison.kind), comparison.possible)
    return [AttackResult(f"shape alone, {r.name}", r.top1, r.low, r.high, r.probes, r.candidates) for r in found]
