"""A group's standard face as a file for teaching, printing or another program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from atlas.atlas import Atlas
from atlas.export.gltf import Clip, Morph, glb
from atlas.export.layers import face_arrays, face_layers
from atlas.export.mesh import Mesh, check_suffix, write_mesh
from atlas.export.morphs import (
    AT_REST,
    difference_morphs,
    exaggeration,
    motion_weights,
    named_morphs,
    teaching_morphs,
    there_and_back,
)
from atlas.motion import MotionSpace, face_mask
from reconstruction.sequence import STATEMENT
from reconstruction.storage import write_atomically
from reconstruction.template import Template


class Track(Protocol):
    """An average trajectory: time_s (T,) seconds, motion (T, M) of the motion space, people (T,) seen at each time."""

    @property
    def time_s(self) -> np.ndarray: ...
    @property
    def motion(self) -> np.ndarray: ...
    @property
    def people(self) -> np.ndarray: ...


def export_standard_face(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    group: str,
    path: str | Path,
    *,
    trajectories: Mapping[str, Track] | None = None,
    reliability: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write a group's standard face, mean identity with mean expression, not exaggerated; the suffix decides.

    ``.glb`` adds colourings, morph targets and animations, see `standard_glb`; ``.vtp`` the numbers at every vertex,
    see `face_arrays`; ``.obj``, ``.ply``, ``.stl`` and ``.usdz`` hold the face alone.

    template, space : those of the atlas
    trajectories : {stimulus: average trajectory of the group}
    reliability : {overlay kind: (V,) 0 to 1}

    Raises
    ------
    InputError
        The suffix is none of `mesh.SUFFIXES`, or ``.usdz`` is wanted and OpenUSD is not installed.
    """
    path = check_suffix(path)
    if path.suffix.lower() == ".glb":
        write_atomically(path, standard_glb(atlas, template, space, group, trajectories))
        return path
    vertices = atlas.standard_faces[group][None].expressive(template, space)
    about = standard_extras(atlas, template, group)
    return write_mesh(path, Mesh.of(template, vertices, about, arrays=face_arrays(atlas, group, reliability)))


def standard_extras(atlas: Atlas, template: Template, group: str) -> dict[str, Any]:
    """What a file says about the standard face in it."""
    people, kind = atlas.standard_faces[group][None].people, "simulated people" if atlas.simulated else "people"
    return {
        "content": f"standard face of {group}, average of {people} {kind}: mean identity with mean expression",
        "group": group,
        "people": people,
        "reference": atlas.reference,
        "expression_exaggeration": 1,
        "simulated": atlas.simulated,
        "statement": STATEMENT,
        "licence": template.licence,
        "source": template.source,
        "template": template.name,
    }


def standard_glb(
    atlas: Atlas,
    template: Template,
    space: MotionSpace,
    group: str,
    trajectories: Mapping[str, Track] | None = None,
) -> bytes:
    """The standard face as GLB for teaching.

    Morph targets, in this order: towards every other group, the reference first, expression and identity apart; action
    units; `AT_REST`, which takes the mean expression away; every named expression. Animations: the way to every other
    group's expression, exaggerated as the name says, and the average trajectory before every stimulus.
    """
    face = atlas.standard_faces[group][None]
    others = sorted((g for g in atlas.groups if g != group), key=lambda g: (g != atlas.reference, g))
    vertices = face.expressive(template, space)
    differences = difference_morphs(face, {g: atlas.standard_faces[g][None] for g in others}, template, space)
    rest = Morph(AT_REST, face.neutral(template) - vertices)
    morphs = [*differences, *teaching_morphs(template), rest, *named_morphs(template, face.shape)]
    seen, clips = face_mask(template), []
    for number, other in enumerate(others):
        factor = exaggeration(differences[2 * number].deltas, seen)
        name = f"towards {other}, expression, {f'exaggerated {factor} times' if factor > 1 else 'not exaggerated'}"
        clips.append(there_and_back(name, morphs, 2 * number, factor, {"exaggeration": factor}))
    clips += [
        _trajectory(s, track, morphs, space, atlas.simulated) for s, track in sorted((trajectories or {}).items())
    ]
    name = f"standard face of {group}"
    about = standard_extras(atlas, template, group)
    return glb(name, vertices, template.faces, face_layers(atlas, template, group), morphs, clips, about)


def _trajectory(stimulus: str, track: Track, morphs: list[Morph], space: MotionSpace, simulated: bool) -> Clip:
    least, most = int(np.min(track.people)), int(np.max(track.people))
    count = f"{most}" if least == most else f"{least} to {most}"
    people = f"{count} {'simulated people' if simulated else 'people'}"
    note = {"content": f"average trajectory of {people} before {stimulus}", "people": [least, most]}
    return motion_clip(f"{stimulus}, average of {people}", track.time_s, track.motion, morphs, space, note)


def motion_clip(
    name: str,
    time_s: np.ndarray,
    motion: np.ndarray,
    morphs: list[Morph],
    space: MotionSpace,
    note: Mapping[str, Any],
) -> Clip:
    """The motion (T, M) at the seconds time_s (T,) as an animation that starts at 0, on a head at rest."""
    weights = motion_weights(motion, morphs, space)
    weights[:, [morph.name == AT_REST for morph in morphs]] = 1
    return Clip(name, time_s - time_s[0], weights, note)
