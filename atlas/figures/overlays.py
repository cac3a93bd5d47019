"""What the atlas's pictures show: standard faces, differences from the reference group, spread; one head at a time.

An `AtlasPictures` fixes what all groups share: the painter, the scales and their limits. Colour is the size of a
difference and nothing else. How sure it is are lines: a solid one round what is significant after correction for the
number of vertices by the family-wise error, a dashed one by the false discovery rate. Grey stripes cover what is not to
be trusted: where the fit recovers less than half of the variance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any

import numpy as np

from atlas.atlas import Atlas
from atlas.figures.colours import difference_colours, on_surface, spread_colours, symmetric_limit, upper_limit
from atlas.figures.heads import HeadPainter
from atlas.motion import MotionSpace, face_mask
from atlas.overlay import KINDS, MOTION, outward_directions
from reconstruction.template import Template

SIGNIFICANT = 0.05
OUTLINED = 0.1  # share of the colour limit below which a difference is not outlined: nobody would see it
TRUSTED = 0.5  # share of the variance that is recovered, below which an overlay is striped
EXAGGERATION = 2.0  # of the expressions beside the neutral face; printed with them


def _once(draw: Callable[..., Any]) -> Callable[..., Any]:
    """`draw`, remembered: meshes' pictures, sheets and the report show the same heads."""

    @wraps(draw)
    def remembered(self: "AtlasPictures", *arguments: Any) -> Any:
        key = (draw.__name__, *arguments)
        if key not in self.drawn:
            self.drawn[key] = draw(self, *arguments)
        return self.drawn[key]

    return remembered


@dataclass(frozen=True)
class AtlasPictures:
    """Heads of an atlas, (H, W, 3) uint8, each drawn once.

    template, space : those of the atlas
    reliability : {kind: (V,) 0 to 1, NaN where unknown}, see `atlas.biomarkers.vertex_reliability`; empty: no stripes
    """

    atlas: Atlas
    template: Template
    space: MotionSpace
    reliability: Mapping[str, np.ndarray] = field(default_factory=dict)
    painter: HeadPainter = field(init=False)
    drawn: dict[tuple[Any, ...], Any] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "painter", HeadPainter(self.template))

    @property
    def compared(self) -> list[str]:
        """The groups that are not the reference."""
        return [group for group in self.atlas.groups if group != self.atlas.reference]

    @cached_property
    def seen(self) -> np.ndarray:
        """(V,) bool: the face, on which limits rest."""
        return face_mask(self.template)

    @cached_property
    def limits_mm(self) -> dict[str, float]:
        """{kind: limit of all groups' differences}."""
        overlays = self.atlas.overlays
        return {
            kind: symmetric_limit(overlays[group][kind].difference_mm[self.seen] for group in self.compared)
            for kind in KINDS
        }

    @property
    def difference_limit_mm(self) -> float:
        """Of differences of motion."""
        return self.limits_mm[MOTION]

    @cached_property
    def sd_limits_mm(self) -> dict[str, float]:
        """{kind: limit of all groups' standard deviations over people}."""
        overlays = self.atlas.overlays
        return {
            kind: upper_limit(overlays[group][kind].sd_mm[self.seen] for group in self.atlas.groups) for kind in KINDS
        }

    @cached_property
    def motion_limit_mm(self) -> float:
        return upper_limit(self.atlas.overlays[group][MOTION].mean_mm[self.seen] for group in self.atlas.groups)

    @cached_property
    def stimulus_limit_mm(self) -> float:
        """Of all groups' and stimuli's differences outward."""
        shown = ((g, s) for g in self.compared for s in self.atlas.stimuli)
        found = (self.stimulus_difference_mm(group, stimulus) for group, stimulus in shown)
        return symmetric_limit(difference[self.seen] for difference in found if difference is not None)

    @cached_property
    def spread_limit_mm(self) -> dict[str, float]:
        """By what spreads: ``shape`` and ``motion``; on the face."""
        faces = [self.atlas.standard_faces[group][None] for group in self.atlas.groups]
        return {
            "shape": upper_limit(face.shape_spread_mm[self.seen] for face in faces),
            "motion": upper_limit(face.motion_spread_mm[self.seen] for face in faces),
        }

    @cached_property
    def _outward(self) -> np.ndarray:
        return outward_directions(self.template, self.space)

    def vertices(self, group: str) -> np.ndarray:
        """(V, 3) float32, metres, head frame: the group's standard face, not exaggerated."""
        return self.atlas.standard_faces[group][None].expressive(self.template, self.space)

    def difference_colours(self, group: str, kind: str = MOTION) -> np.ndarray:
        """(V, 3) uint8 sRGB: the group relative to the reference group."""
        colours = difference_colours(self.atlas.overlays[group][kind].difference_mm, self.limits_mm[kind])
        return on_surface(self.template, colours)

    def significance(self, group: str, kind: str = MOTION) -> tuple[np.ndarray, np.ndarray]:
        """(V,) twice, 0 to 1: above 0.5 where the difference can be seen, and p_fwe or q is below `SIGNIFICANT`.

        A tenfold p is one unit on this scale, so that a line between two vertices lies where p is just that.
        """
        overlay = self.atlas.overlays[group][kind]
        faint = OUTLINED * self.limits_mm[kind]
        visible = np.abs(overlay.difference_mm) / faint - 1
        fields = (np.minimum(-np.log10(np.maximum(p, 1e-9) / SIGNIFICANT), visible) for p in (overlay.p_fwe, overlay.q))
        first, second = (np.clip(0.5 + f / 2, 0, 1) for f in fields)
        return first, second

    def doubtful(self, kind: str) -> np.ndarray | None:
        """(V,) 0 to 1, above 0.5 where on the face `kind` is not to be trusted; None where nothing is known of it."""
        known = self.reliability.get(kind)
        if known is None:
            return None
        return np.where(self.seen, np.clip(0.5 + 5 * (TRUSTED - np.nan_to_num(known, nan=1.0)), 0, 1), 0)

    @_once
    def standard(self, group: str, view: str = "front") -> np.ndarray:
        """The group's mean identity with its mean expression, not exaggerated."""
        return self.painter.draw(self.vertices(group), view=view)

    @_once
    def difference(self, group: str, view: str = "front", kind: str = MOTION) -> np.ndarray:
        """The group relative to the reference group, with the lines and stripes told at the module's head."""
        colours = self.difference_colours(group, kind)
        solid, dashed = self.significance(group, kind)
        return self.painter.draw(self.vertices(group), colours, view, solid, dashed, self.doubtful(kind))

    @_once
    def motion(self, group: str, view: str = "front") -> np.ndarray:
        """How far every point moves, mm."""
        colours = spread_colours(self.atlas.overlays[group][MOTION].mean_mm, self.motion_limit_mm)
        return self.painter.draw(self.vertices(group), on_surface(self.template, colours), view)

    @_once
    def deviation(self, group: str, view: str = "front", kind: str = MOTION) -> np.ndarray:
        """Standard deviation over the group's people of what the overlay of `kind` shows, mm."""
        colours = spread_colours(self.atlas.overlays[group][kind].sd_mm, self.sd_limits_mm[kind])
        return self.painter.draw(self.vertices(group), on_surface(self.template, colours), view)

    @_once
    def spread(self, group: str, of: str, view: str = "front") -> np.ndarray:
        """How far apart the group's people are, mm; of : ``shape`` or ``motion``."""
        face = self.atlas.standard_faces[group][None]
        spread = face.shape_spread_mm if of == "shape" else face.motion_spread_mm
        colours = spread_colours(spread, self.spread_limit_mm[of])
        return self.painter.draw(self.vertices(group), on_surface(self.template, colours), view)

    @_once
    def neutral(self, group: str, view: str = "front") -> np.ndarray:
        """The group's mean identity without expression."""
        return self.painter.draw(self.atlas.standard_faces[group][None].neutral(self.template), view=view)

    @_once
    def expressive(self, group: str, stimulus: str | None, exaggeration: float = EXAGGERATION) -> np.ndarray | None:
        """The group's mean expression before a stimulus on the reference group's mean identity; None where unseen.

        One identity for all groups: what differs between the pictures is the expression.
        """
        vertices = self._expressive(group, stimulus, exaggeration)
        return None if vertices is None else self.painter.draw(vertices)

    @_once
    def stimulus_difference(self, group: str, stimulus: str, exaggeration: float = EXAGGERATION) -> np.ndarray | None:
        """`expressive`, coloured by how far its mean expression lies outward of the reference group's, mm; the colour
        is not exaggerated. None where either is unseen.
        """
        vertices, difference = (
            self._expressive(group, stimulus, exaggeration), self.stimulus_difference_mm(group, stimulus),
        )  # fmt: skip
        if vertices is None or difference is None:
            return None
        return self.painter.draw(
            vertices, on_surface(self.template, difference_colours(difference, self.stimulus_limit_mm))
        )

    def stimulus_difference_mm(self, group: str, stimulus: str | None) -> np.ndarray | None:
        """(V,) mm: mean expression of the group minus the reference group's, outward; None where either is unseen."""
        own, base = (self.atlas.standard_faces[g].get(stimulus) for g in (group, self.atlas.reference))
        return None if own is None or base is None else self._outward @ (own.motion - base.motion)

    def spread_mm(self, group: str, stimulus: str | None) -> float | None:
        """Root mean square over the face of the distance of a person's mean expression from the group's, mm."""
        face = self.atlas.standard_faces[group].get(stimulus)
        return None if face is None else float(np.sqrt((face.motion_spread_mm[self.seen] ** 2).mean()))

    def _expressive(self, group: str, stimulus: str | None, exaggeration: float) -> np.ndarray | None:
        face = self.atlas.standard_faces[group].get(stimulus)
        shape = self.atlas.standard_faces[self.atlas.reference][None].shape
        return (
            None if face is None else face.expressive(self.template, self.space, exaggeration=exaggeration, shape=shape)
        )
