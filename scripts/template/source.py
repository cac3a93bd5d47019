"""The source: the ICT Face Model Light's file, in metres."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction.importers.ict import TEETH, load_model


@dataclass
class Source:
    """The source model in metres; triangles (F, 3); modes (100, V, 3); expressions by name (V, 3)."""

    neutral: np.ndarray
    triangles: np.ndarray
    modes: np.ndarray
    expressions: dict[str, np.ndarray]
    landmarks68: np.ndarray

    @staticmethod
    def read(path: Path) -> "Source":
        model = load_model(path)
        assert model.landmarks68 is not None, "the npz names them"
        return Source(model.neutral, model.triangles, model.modes, model.expressions, model.landmarks68)

    def cut(self, height: float) -> "Source":
        """Without what lies below y = height; the vertices of the cut are appended, so that ids keep their meaning."""
        n = len(self.neutral)
        above = self.neutral[:, 1] > height
        crossing = {}  # edge to appended id
        triangles = []
        for t in self.triangles.tolist():
            if all(above[v] for v in t):
                triangles.append(t)
            elif any(above[v] for v in t):
                polygon = []
                for a, b in zip(t, t[1:] + t[:1], strict=True):
                    if above[a]:
                        polygon.append(a)
                    if above[a] != above[b]:
                        polygon.append(crossing.setdefault((min(a, b), max(a, b)), n + len(crossing)))
                triangles += [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
        a, b = np.array(list(crossing)).T
        part = ((self.neutral[a, 1] - height) / (self.neutral[a, 1] - self.neutral[b, 1]))[:, None]

        def extend(field: np.ndarray) -> np.ndarray:
            return np.concatenate([field, (1 - part) * field[..., a, :] + part * field[..., b, :]], axis=-2)

        expressions = {name: extend(delta) for name, delta in self.expressions.items()}
        return Source(extend(self.neutral), np.array(triangles), extend(self.modes), expressions, self.landmarks68)

    def lower_teeth(self) -> np.ndarray:
        """Ids of the vertices of the teeth that the opening jaw takes along."""
        teeth = np.arange(*TEETH)
        moved = np.linalg.norm(self.expressions["jawOpen"][teeth], axis=1)
        return teeth[moved > 0.5 * moved.max()]
