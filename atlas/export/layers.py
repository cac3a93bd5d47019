"""An atlas's numbers at every vertex of a standard face: as arrays with their units, and as colourings of the mesh."""

from collections.abc import Mapping

import numpy as np

from atlas.atlas import Atlas
from atlas.export.gltf import Layer, outline
from atlas.figures.colours import (
    DIFFERENCE_MAP,
    SPREAD_MAP,
    difference_colours,
    on_surface,
    spread_colours,
    symmetric_limit,
    upper_limit,
)
from atlas.motion import face_mask
from atlas.overlay import MOTION, OUTWARD
from reconstruction.template import Template

SIGNIFICANT = 0.05  # family-wise error


def face_arrays(atlas: Atlas, group: str, reliability: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """(V,) float32 by name: of every kind of overlay the group's mean, its spread over people, the difference from the
    reference group with its interval, effect size and p values; the spread of identity and mean expression.

    reliability : {kind: (V,) 0 to 1}, how well the template recovers it, where that is known
    """
    face = atlas.standard_faces[group][None]
    out: dict[str, np.ndarray] = {}
    for kind, overlay in atlas.overlays[group].items():
        fields = ("mean_mm", "sd_mm", "difference_mm", "low_mm", "high_mm", "effect", "p", "p_fwe", "q")
        out |= {f"{kind}_{name}": getattr(overlay, name) for name in fields}
        if reliability and kind in reliability:
            out[f"{kind}_reliability"] = reliability[kind]
    return out | {"identity_spread_mm": face.shape_spread_mm, "expression_spread_mm": face.motion_spread_mm}


def face_layers(atlas: Atlas, template: Template, group: str) -> list[Layer]:
    """Colourings of a group's standard face: the template's own, then what the atlas says of the group.

    Motion and mean place against the reference group, or, of the reference group itself, how much it moves; the spread
    of the mean expression over people. Every group has the same limits; a layer's name tells what a colour means. A
    line runs about vertices whose difference is significant by the family-wise error.
    """
    seen, own = face_mask(template), atlas.overlays[group]
    layers = [Layer("standard face", template.colours, lit=True)]
    if group == atlas.reference:
        limit = upper_limit(atlas.overlays[g][MOTION].mean_mm[seen] for g in atlas.groups)
        colours = spread_colours(own[MOTION].mean_mm, limit)
        layers.append(_layer(template, f"motion, mm (dark green: {limit:g})", colours, SPREAD_MAP, 0, limit))
    else:
        for kind, what in ((MOTION, "motion"), (OUTWARD, "mean place outward")):
            limit = symmetric_limit(atlas.overlays[g][kind].difference_mm[seen] for g in atlas.groups)
            sure = own[kind].p_fwe < SIGNIFICANT
            legend = (
                f"red: {limit:g}, blue: −{limit:g}; {'line' if sure[seen].any() else 'nowhere'}: corrected p < 0.05"
            )
            name = f"{what}, {group} minus {atlas.reference}, mm ({legend})"
            colours = difference_colours(own[kind].difference_mm, limit)
            layers.append(_layer(template, name, colours, DIFFERENCE_MAP, -limit, limit, sure))
    limit = upper_limit(atlas.standard_faces[g][None].motion_spread_mm[seen] for g in atlas.groups)
    colours = spread_colours(atlas.standard_faces[group][None].motion_spread_mm, limit)
    name = f"spread of mean expression over people, mm (dark green: {limit:g})"
    return [*layers, _layer(template, name, colours, SPREAD_MAP, 0, limit)]


def _layer(
    template: Template,
    name: str,
    colours: np.ndarray,
    colour_map: str,
    low: float,
    high: float,
    sure: np.ndarray | None = None,
) -> Layer:
    skin = template.faces[template.skin[template.faces].all(1)]
    line = None if sure is None else outline(skin, sure)
    note = {"colour_map": colour_map, "low_mm": low, "high_mm": high}
    return Layer(name, on_surface(template, colours), line=line, note=note)
