"""Numbers as a report writes them: a true minus sign, no false precision, a dash where nothing is known."""

import math
from collections.abc import Sequence

from atlas.figures.words import listed

SPACE, MINUS, UNKNOWN = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}", "\N{EN DASH}"


def percent(share: float) -> str:
    return f"{100 * share:.0f}{SPACE}%"


def probability(share: float) -> str:
    """Never 0 or 100 %: nothing that is estimated from people is certain."""
    if 0.01 <= share <= 0.99:
        return percent(share)
    return f"<1{SPACE}%" if share < 0.5 else f">99{SPACE}%"


def number(value: float, digits: int = 2) -> str:
    # adding zero takes the sign from what rounds to zero
    return UNKNOWN if not math.isfinite(value) else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 2) -> str:
    return UNKNOWN if not math.isfinite(value) else f"{value:+.{digits}f}".replace("-", MINUS)


def p_value(value: float) -> str:
    if not math.isfinite(value):
        return UNKNOWN
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def digits_for(values: Sequence[float]) -> int:
    """Decimal places that show three digits of the largest of some numbers; none above 100."""
    largest = max((abs(v) for v in values if math.isfinite(v)), default=0.0)
    return 2 if largest == 0 else min(5, max(0, 2 - math.floor(math.log10(largest))))


def count(value: int) -> str:
    return f"{value:,}"


def seconds(value: float) -> str:
    if value < 100:
        return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"
    return f"{value // 60:.0f} min {value % 60:.0f} s"


def shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


FILTERS = {
    "percent": percent,
    "probability": probability,
    "number": number,
    "signed": signed,
    "p_value": p_value,
    "digits_for": digits_for,
    "count": count,
    "seconds": seconds,
    "listed": listed,
    "shortened": shortened,
}
