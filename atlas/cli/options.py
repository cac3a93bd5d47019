"""Options that several commands share."""

from typing import Annotated

import typer

Quality = Annotated[
    str,
    typer.Option(
        help="How videos are reconstructed: 'full', or 'fast': landmarks only, several times faster, sees fine "
        "movements less."
    ),
]
