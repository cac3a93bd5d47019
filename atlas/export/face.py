"""One person's recording as a file other programs read."""

from pathlib import Path

from atlas.export.arrays import arrays_of, detail_arrays, write_arrays_npz
from atlas.export.gltf import Layer, glb
from atlas.export.mesh import SUFFIXES as MESH_SUFFIXES
from atlas.export.mesh import Mesh, check_suffix, write_mesh
from atlas.export.morphs import named_morphs
from atlas.export.standard import motion_clip
from atlas.motion import motion_space
from reconstruction.detail_map import DetailMap, detailed_mesh
from reconstruction.errors import InputError
from reconstruction.sequence import STATEMENT, FaceSequence
from reconstruction.storage import write_atomically
from reconstruction.template import Template

SUFFIXES = (".npz", *MESH_SUFFIXES)


def export_face(
    sequence: FaceSequence,
    template: Template,
    path: str | Path,
    detail: DetailMap | None = None,
    *,
    animate: bool = False,
) -> Path:
    """Write ``.npz`` (all frames, see `arrays_of`) or one of `mesh.SUFFIXES` (the person's neutral face); with wrinkles
    where `detail` is given, on a finer mesh, in ``.npz`` beside the rest.

    animate : ``.glb`` with the named expressions as morph targets and the recording as their animation; the head stays
        still, and from one trustworthy frame to the next the face moves straight

    Raises
    ------
    InputError
        The suffix is another one, the parameters belong to another template, or what does not go together is wanted.
    """
    path = check_suffix(path, SUFFIXES)
    if animate and (path.suffix.lower() != ".glb" or detail is not None):
        raise InputError(
            f"expected a .glb without wrinkles to animate, got {path.name}{' with wrinkles' if detail else ''}; "
            "name a .glb and leave --detail out."
        )
    if path.suffix.lower() == ".npz":
        arrays = arrays_of(sequence, template)
        if detail is not None:
            arrays |= detail_arrays(sequence, template, detail)
        return write_arrays_npz(path, arrays)
    extras = {
        "content": "neutral face of one person" + (", simulated" if sequence.simulated else ""),
        "licence": template.licence,
        "source": template.source,
        "statement": STATEMENT,
        "template": template.name,
        "simulated": sequence.simulated,
    }
    if animate:
        write_atomically(path, _animated(sequence, template, extras))
        return path
    if detail is not None:
        extras["detail"] = detail.finding
        return write_mesh(path, Mesh(*detailed_mesh(detail, template, sequence.neutral(template)), extras=extras))
    return write_mesh(path, Mesh.of(template, sequence.neutral(template), extras))


def _animated(sequence: FaceSequence, template: Template, extras: dict[str, object]) -> bytes:
    neutral = sequence.neutral(template)
    if not sequence.valid.any():
        raise InputError("expected a frame with a trustworthy face to animate, but the recording has none; film again.")
    morphs, space = named_morphs(template, sequence.shape), motion_space(template)
    note = {"frames": len(sequence), "frames_left_out": int((~sequence.valid).sum())}
    motion = space.vectors(sequence)[sequence.valid]
    clip = motion_clip("recording", sequence.time_s[sequence.valid], motion, morphs, space, note)
    layers = [Layer("face", template.colours, lit=True)]
    return glb("face", neutral, template.faces, layers, morphs, [clip], extras)
