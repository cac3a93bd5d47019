"""A simulated cohort as a folder: participants.tsv, notes, and the recordings, as parameters or as videos."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from atlas.bids.derivative import write_description
from atlas.bids.names import recording_path
from atlas.parallel import run_all
from atlas.simulation.effects import REFERENCE_GROUP, Effects, load_effects
from atlas.simulation.people import Person, simulate_people
from atlas.simulation.recording import IMAGE_SIZE, STIMULI, check_recording, simulate_recording
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, save, stem_of
from reconstruction.storage import whole_folder, write_json
from reconstruction.template import DEFAULT, load_template

TRUTH = "truth"  # below the cohort, beside the people: the parameters the videos were made from
COLUMNS = ("participant_id", "group", "age", "sex", "simulated")


def simulate(
    out: str | Path,
    people: int = 30,
    seconds: float = 20.0,
    effects: Effects | str | Path | None = "default",
    video: bool = False,
    seed: int = 0,
    *,
    fps: float = 25.0,
    stimuli: Sequence[str] = STIMULI,
    sessions: int = 1,
    template: str = DEFAULT,
    workers: int | None = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write a cohort of simulated people to the folder `out`, whole or not at all.

    The same arguments give the same bytes.

    people : how many in all, spread evenly over the groups (those of the effects and HC)
    seconds : of every recording, one for each person, session and stimulus
    sessions : days on which everyone is recorded, in folders ``ses-1`` and so on where there are several; see
        `atlas.simulation.people` for what a day changes
    video : write each recording as an MP4 and the parameters it was made from below ``truth/``, where a cohort's reader
        does not look; without it, the parameters are the recordings
    workers : processes side by side; None for as many as there are processors, four at most
    progress : called with what is done, how many and out of how many

    Raises
    ------
    InputError
        An argument is out of range, the effects cannot be used, or `out` exists and is not an empty folder.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"expected a new or empty folder, but {out} holds something; choose another or remove it.")
    planted = load_effects(effects)
    stimuli = tuple(dict.fromkeys(stimuli))
    if not stimuli:
        raise InputError(f"expected at least one stimulus of {', '.join(STIMULI)}, got none; name one.")
    for stimulus in stimuli:
        check_recording(stimulus, seconds, fps, seed)
    head = load_template(template)
    if not 1 <= sessions <= 99:
        raise InputError(f"expected between 1 and 99 sessions, got {sessions}; choose another number.")
    days = range(1, sessions + 1) if sessions > 1 else (0,)
    persons = [person for day in days for person in simulate_people(people, planted, seed, head, day)]

    with whole_folder(out) as writing:
        jobs = [(writing, p, s, seconds, fps, seed, template, video) for p in persons for s in stimuli]
        run_all(
            write_recording, jobs, workers, (lambda done, of: progress("simulating", done, of)) if progress else None
        )
        settings = {"people": people, "seconds": seconds, "fps": fps, "stimuli": stimuli, "seed": seed, "video": video}
        settings |= {"sessions": sessions} if sessions > 1 else {}
        _write_notes(writing, persons[:people], planted, settings)
    return out


def write_recording(
    folder: Path, person: Person, stimulus: str, seconds: float, fps: float, seed: int, template: str, video: bool
) -> None:
    """One recording of a cohort: its parameters, or its video with the parameters below ``truth/``."""
    head = _template(template)
    sequence = simulate_recording(person, stimulus, seconds, fps, seed, head)
    where = recording_path(person.id, str(person.session) if person.session else None, stimulus)
    if not video:
        save(sequence, folder / where)
        return
    # pictures need OpenGL; parameters do not
    from atlas.simulation.film import write_film
    from reconstruction.rendering import Renderer

    write_film(
        folder / where.with_name(f"{stem_of(where)}.mp4"), sequence, person, head, Renderer(IMAGE_SIZE, IMAGE_SIZE)
    )
    save(sequence, folder / TRUTH / where)


_template = lru_cache(maxsize=4)(load_template)


def _write_notes(
    folder: Path, persons: Sequence[Person], planted: dict[str, dict[str, float]], settings: dict[str, object]
) -> None:
    rows = [(p.id, p.group, str(p.age), p.sex, "yes") for p in persons]
    table = "".join("\t".join(row) + "\n" for row in (COLUMNS, *rows))
    (folder / "participants.tsv").write_text(table, "utf-8")
    groups = [*planted, REFERENCE_GROUP]
    write_json(
        folder / "participants.json",
        {
            "Description": "simulated people",
            "participant_id": {"Description": "a simulated person"},
            "group": {
                "Description": "group of a simulated person; nobody was diagnosed",
                "Levels": {group: f"simulated people of group {group}" for group in groups},
            },
            "age": {"Description": "age of a simulated person", "Units": "year"},
            "sex": {"Description": "sex of a simulated person", "Levels": {"F": "female", "M": "male"}},
            "simulated": {"Description": "the person does not exist", "Levels": {"yes": "simulated"}},
        },
    )
    write_description(folder, "Simulated people", "face-atlas simulate")
    write_json(
        folder / "simulation.json",
        {
            "simulated": True,
            "statement": STATEMENT,
            "settings": settings,
            "effects": {"reference": REFERENCE_GROUP, "unit": "person-level standard deviations", "planted": planted},
        },
    )
    where = f"The parameters the videos were made from are below {TRUTH}/.\n" if settings["video"] else ""
    (folder / "README.md").write_text(
        f"# Simulated people\n\nEveryone in this folder is simulated: these {len(persons)} people do not exist. The "
        "differences planted between the groups are listed in simulation.json; they were made up and say nothing about "
        f"patients.\n{where}\n{STATEMENT.capitalize()}.\n",
        "utf-8",
    )
