"""Options that several commands share."""

from typing import Annotated

import typer


def named(text: str | None) -> tuple[str, ...]:
    """The names in a comma-separated list; none of 'none'."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip() and part.strip() != "none")


Quality = Annotated[
    str,
    typer.Option(
        help="How videos are reconstructed: 'full', or 'fast': landmarks only, several times faster, sees fine "
        "movements less."
    ),
]

Features = Annotated[
    str,
    typer.Option(
        help="What is matched: 'expression', what a face does; 'shape', who it is: identity, which must not stand for "
        "a diagnosis; or 'both'."
    ),
]
