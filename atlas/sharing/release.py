"""A cohort's share: who leaves is chosen, recordings are read, the audit looks at what would leave, and only then it is
written.
"""

import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from atlas.cohort import Cohort, load_cohort
from atlas.custody import record
from atlas.sharing.archive import read_recipients, write_archive
from atlas.sharing.audit import Audit
from atlas.sharing.contents import (
    AUDIT,
    sha256_of,
    write_manifest,
    write_participants,
    write_readme,
)
from atlas.sharing.croissant import write_croissant
from atlas.sharing.group_share import prepare_averages
from atlas.sharing.people import Chosen, choose_people
from atlas.sharing.prepared import Prepared, Progress
from atlas.sharing.reading import template_of
from atlas.sharing.sequence_share import prepare_sequences
from atlas.sharing.settings import Settings
from atlas.sharing.summary_share import prepare_summary
from reconstruction import __version__
from reconstruction.errors import InputError, Refused
from reconstruction.storage import WRITING, write_atomically, write_json

SHARE = "share"


@dataclass(frozen=True)
class Shared:
    """path : of the archive; audit : what it says; notes : odd things of the cohort, which may name people"""

    path: Path
    audit: Audit
    notes: tuple[str, ...]


def share(
    cohort: str | Path,
    out: str | Path,
    settings: Settings | None = None,
    *,
    parameters: str | Path | None = None,
    template: str | None = None,
    seed: int | None = None,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> Shared:
    """Write ``share.zip`` and ``audit.json`` into the new or empty folder `out`.

    The same input, settings and seed give the same bytes, but for the noise of differential privacy.

    parameters : folder of reconstructed videos' parameters, as `face-atlas build` leaves it
    template : name or file, by default that of the parameters
    seed : of pseudonyms, order and noise; who knows it can undo all three. None for a secret one that nobody knows
    workers : processes side by side where there are many recordings; None for as many as there are processors, four at
        most. More than one needs a program that can be imported without being run
    progress : called with (what is done, how many, out of how many)

    Raises
    ------
    InputError
        Something given cannot be used; nothing was written.
    Refused
        The audit refuses: ``audit.json`` says why, and nothing else was written.
    """
    settings, out = settings or Settings(), Path(out)
    _check_out(out, settings)
    recipients = read_recipients(settings.recipients)
    people = load_cohort(cohort, parameters, least=0)
    if people.videos:
        raise InputError(
            f"expected parameters of every recording, but {len(people.videos)} are videos; reconstruct them first "
            "(face-atlas build) and name the folder of their parameters with --parameters."
        )
    streams = np.random.SeedSequence(secrets.randbits(128) if seed is None else seed).spawn(2)
    naming, blurring = (np.random.default_rng(stream) for stream in streams)
    chosen = choose_people(
        people, naming, consent_needed=settings.level == "full", columns=settings.told,
        most_told=None if settings.most_reidentified is None else settings.most_reidentified / 2,
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=out, prefix=WRITING))
    try:
        prepared = _prepare(
            people, chosen, settings, template or template_of(chosen), staging, blurring, workers, progress
        )
        audit = prepared.audit
        write_json(out / AUDIT, audit.to_json())
        audit.check()
        _fill(staging, prepared, chosen, settings)
        if progress:
            progress("packing", 0, 0)
        _private(prepared, chosen, settings)
        path = write_archive(staging, out / f"{SHARE}.{settings.archive}", recipients)
    except Refused:
        raise
    except BaseException:
        (out / AUDIT).unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
    return Shared(path, audit, (*people.warnings, *_recorded(people.folder, path, audit)))


def _prepare(
    cohort: Cohort, chosen: Chosen, settings: Settings, template: str, staging: Path, rng: np.random.Generator,
    workers: int | None, progress: Progress | None,
) -> Prepared:  # fmt: skip
    if settings.level == "group":
        return prepare_averages(cohort, chosen, settings, template, staging, progress)
    if settings.level == "summary":
        return prepare_summary(cohort, chosen, settings, template, staging, rng, workers, progress)
    return prepare_sequences(chosen, settings, template, staging, workers, progress)


def _fill(staging: Path, prepared: Prepared, chosen: Chosen, settings: Settings) -> None:
    """Everything of the share below `staging`."""
    prepared.write(staging)
    if settings.level != "group":
        write_participants(staging, chosen)
    write_json(staging / AUDIT, prepared.audit.to_json())
    write_readme(staging, prepared.audit, settings.licence, prepared.notes)
    write_croissant(staging, prepared.audit, settings.licence)
    write_manifest(staging)


def _check_out(out: Path, settings: Settings) -> None:
    if out.exists() and (not out.is_dir() or {path.name for path in out.iterdir()} - {AUDIT}):  # of a refusal
        raise InputError(f"expected a new or empty folder for --out, but {out} holds something; choose another.")
    for name, file in (("--keep-key", settings.keep_key), ("--ledger", settings.ledger)):
        if file is None:
            continue
        if file.is_dir() or out.resolve() in file.resolve().parents:
            raise InputError(
                f"expected a file outside the share's folder for {name}, got {file}; it must not be passed on with it."
            )


def _private(prepared: Prepared, chosen: Chosen, settings: Settings) -> None:
    """Write what the owner keeps: the ledger, before a release is there that it does not know, and the key."""
    try:
        prepared.finish()
        if settings.keep_key is not None:
            rows = ["pseudonym\tparticipant_id", *(f"{p.pseudonym}\t{p.source.id}" for p in chosen.people)]
            write_atomically(settings.keep_key, ("\n".join(rows) + "\n").encode())
            settings.keep_key.chmod(0o600)
    except OSError as error:
        raise InputError(
            f"expected places for the ledger and the key that can be written to, but {error.filename} cannot "
            f"({error.strerror}); name others with --ledger and --keep-key."
        ) from error


def _recorded(cohort: Path, path: Path, audit: Audit) -> tuple[str, ...]:
    """Enter the share in the audit log of the cohort's folder; what to say where that cannot be written to."""
    best = audit.results[0] if audit.results else None
    try:
        record(
            cohort, "share", software=__version__, level=audit.level, simulated=audit.simulated, people=audit.people,
            top1=round(best.top1, 4) if best else None, limit=audit.limit, epsilon=audit.details.get("epsilon"),
            archive_sha256=sha256_of(path),
        )  # fmt: skip
    except OSError as error:
        return (f"the share was not entered in the cohort's audit log, which cannot be written to ({error.strerror})",)
    return ()
