"""What of faces a template's shape space cannot say: no real face lies in it.

A calibration on people whose shapes the template holds exactly would trust points and features too much. Its people
have smooth bumps besides, of which what the template can express is taken out, so that their true shape stays theirs.
"""

from dataclasses import replace

import numpy as np

from reconstruction.chart import front
from reconstruction.template import Template

BUMPS = 80
SIZES = (0.008, 0.03)  # metres, standard deviation of a bump, as unlike as these
RMS = 0.0012  # metres over the face, before the template's part is taken out; of the embedded one's a third is left


def with_residual_shape(template: Template, seed: int = 0) -> Template:
    """The template with `BUMPS` further columns of `shapedirs`, (V, 3, S + BUMPS), metres for one standard deviation.

    They are orthogonal to the template's own over the skin.
    """
    rng, v, skin = np.random.default_rng(seed), template.v_template.astype(float), template.skin
    face = front(template)
    places = v[rng.choice(np.flatnonzero(face), BUMPS)]
    size = np.exp(rng.uniform(np.log(SIZES[0]), np.log(SIZES[1]), BUMPS))
    height = np.exp(-0.5 * ((v[:, None] - places) ** 2).sum(2) / size**2)
    bumps = height[:, None] * rng.normal(size=(3, BUMPS))
    bumps *= RMS / np.sqrt((bumps[face] ** 2).sum((1, 2)).mean())
    own = template.shapedirs.astype(float)
    part = np.linalg.lstsq(own[skin].reshape(-1, own.shape[2]), bumps[skin].reshape(-1, BUMPS), rcond=None)[0]
    return replace(template, shapedirs=np.concatenate([own, bumps - own @ part], 2).astype(np.float32))
