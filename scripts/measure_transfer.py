"""How well parameters carry over from one template to another and back: simulated people, whose true mesh is known.

    python scripts/measure_transfer.py OTHER.template.safetensors [--people 12] [--seconds 4]

Printed beside what there is without a fit: coefficients carried over by name, the mean face, no motion. Distances
are between corresponding places of the face, in millimetres, root mean square; ranges are over people.
"""

import argparse
from dataclasses import replace

import numpy as np

from atlas.biomarkers.action_units import mean_action_units
from atlas.exchange.correspondence import Correspondence, correspond
from atlas.exchange.transfer import transfer
from atlas.motion import face_mask
from atlas.simulation import simulate_people, simulate_recording
from atlas.simulation.recording import STIMULI
from reconstruction.sequence import FaceSequence
from reconstruction.template import Template, load_template


def rms(apart: np.ndarray, weights: np.ndarray) -> float:
    """Millimetres, of (..., K, 3) metres."""
    return 1000 * float(np.sqrt((apart**2).sum(-1) @ weights).mean())


def by_name(sequence: FaceSequence, target: Template) -> FaceSequence:
    """What copying does: expressions and joints of the same names, the mean shape."""
    expression = np.zeros((len(sequence), target.n_expression), np.float32)
    pose = np.zeros((len(sequence), target.n_joints, 3), np.float32)
    for i, name in enumerate(target.expression_names):
        if name in sequence.expression_names:
            expression[:, i] = sequence.expression[:, sequence.expression_names.index(name)]
    for i, name in enumerate(target.joint_names):
        if name in sequence.joint_names:
            pose[:, i] = sequence.pose[:, sequence.joint_names.index(name)]
    shape = np.zeros(target.n_shape, np.float32)
    return replace(
        sequence, template=target.name, template_sha256=target.sha256, expression_names=target.expression_names,
        joint_names=target.joint_names, shape=shape, expression=expression, pose=pose,
    )  # fmt: skip


def distances(
    truth: FaceSequence, source: Template, made: FaceSequence, target: Template, places: Correspondence
) -> tuple[float, float]:
    """Of neutral faces, laid upon one another, and of the motion from neutral."""
    own, other = places.source(truth.neutral(source)), places.target(made.neutral(target))
    share = places.weights
    apart = (own - share @ own) @ places.turn.T - (other - share @ other)
    there = (places.source(truth.vertices(source)) - own) @ places.turn.T
    here = places.target(made.vertices(target)) - other
    return rms(apart, share), rms(there - here, share)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=4)
    arguments = parser.parse_args()
    source, target = load_template(), load_template(arguments.other)
    there, back = correspond(source, target), correspond(target, source)
    face = face_mask(source)
    even = np.full(face.sum(), 1 / face.sum())
    rows: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        rows.setdefault(name, []).append(value)

    for number, person in enumerate(simulate_people(arguments.people, "default", template=source)):
        stimulus = STIMULI[number % len(STIMULI)]
        truth = simulate_recording(person, stimulus, arguments.seconds, 10, 0, source)
        made = transfer(truth, source, target, there).sequence
        same = transfer(made, target, source, back).sequence
        mean = replace(by_name(truth, target), expression=np.zeros_like(made.expression), pose=0 * made.pose)
        for name, sequence in (("fitted", made), ("by name", by_name(truth, target)), ("mean face, no motion", mean)):
            neutral, motion = distances(truth, source, sequence, target, there)
            note(f"there, {name}: neutral mm", neutral)
            note(f"there, {name}: motion mm", motion)
        own, came = truth.vertices(source)[:, face], same.vertices(source)[:, face]
        rest, rest_came = truth.neutral(source)[face], same.neutral(source)[face]
        note("there and back: neutral mm", rms(rest - rest_came, even))
        note("there and back: motion mm", rms((own - rest) - (came - rest_came), even))
        note("there and back: shape coefficients, r", float(np.corrcoef(truth.shape, same.shape)[0, 1]))
        moves = truth.expression.std(0) > 0.02
        note(
            "there and back: expressions that move, median r",
            float(
                np.median(
                    [np.corrcoef(truth.expression[:, i], same.expression[:, i])[0, 1] for i in np.flatnonzero(moves)]
                )
            ),
        )
        a, b = mean_action_units(truth), mean_action_units(same)
        note("there and back: mean action units, largest difference of 5", max(abs(a[code] - b[code]) for code in a))
    print(f"{arguments.people} simulated people, {source.name} to {target.name}; places {len(there.weights)}")
    for name, values in rows.items():
        print(f"{name:60s} {np.mean(values):6.2f}  ({np.min(values):.2f} to {np.max(values):.2f})")


if __name__ == "__main__":
    main()
