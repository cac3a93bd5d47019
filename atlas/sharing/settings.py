"""What a user asks a share for, checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from atlas.groups import LEAST_PEOPLE
from atlas.sharing.archive import KINDS
from atlas.sharing.blurring import MEANS, WAYS
from atlas.sharing.contents import LEVELS
from atlas.sharing.privacy import DELTA
from reconstruction.errors import InputError

MOST_REIDENTIFIED = 0.05  # of people, at the level summary, unless another limit is given
UNSTATED = "not stated; ask who gave this to you"
COLUMNS = ("sex", "age", "interval")
AUTO = "auto"


@dataclass(frozen=True)
class Settings:
    """level : one of `LEVELS`
    limit : of the share of people re-identified; None for 5 % at the level summary and none at motion and full
    columns : of `COLUMNS`, what leaves beside the group; None for none at summary and all at motion and full
    fields : name of a set of `atlas.sharing.field_sets`, or names of biomarkers; None to let the audit choose
    blur : ``auto``, or one of `atlas.sharing.blurring.WAYS`
    epsilon, delta : of differential privacy, at the level group; earlier, ledger : see `atlas.sharing.ledger`
    least : people an average rests on
    recipients : public keys; archive : ``zip`` or ``tar``
    keep_key : file for the list of pseudonyms and participants; licence : in words or as an address

    Raises InputError for what cannot be.
    """

    level: str = "summary"
    limit: float | None = None
    columns: tuple[str, ...] | None = None
    fields: tuple[str, ...] | None = None
    blur: str = AUTO
    epsilon: float | None = None
    delta: float = DELTA
    earlier: tuple[Path, ...] = ()
    ledger: Path | None = None
    least: int = LEAST_PEOPLE
    recipients: tuple[str, ...] = ()
    archive: str = "zip"
    keep_key: Path | None = None
    licence: str = UNSTATED

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise InputError(f"expected --level {', '.join(LEVELS)}, got {self.level!r}; choose one of them.")
        if self.archive not in KINDS:
            raise InputError(f"expected --archive {' or '.join(KINDS)}, got {self.archive!r}; choose one of them.")
        if self.limit is not None and not 0 < self.limit <= 1:
            raise InputError(
                f"expected --max-reidentification as a share above 0 and at most 1, got {self.limit:g}; 0.05 is 5 %."
            )
        if self.least < LEAST_PEOPLE:
            raise InputError(
                f"expected --min-people of {LEAST_PEOPLE} or more, got {self.least}: the mean of fewer people would "
                "show them; a higher number is possible."
            )
        if self.epsilon is not None and not 0 < self.epsilon <= 100:
            raise InputError(f"expected --epsilon above 0 and at most 100, got {self.epsilon:g}; 1 is usual.")
        if not 0 < self.delta < 0.01:
            raise InputError(f"expected --delta above 0 and below 0.01, got {self.delta:g}; 1e-5 is usual.")
        unknown = [name for name in self.columns or () if name not in COLUMNS]
        if unknown:
            raise InputError(
                f"expected --columns of {', '.join(COLUMNS)}, got {', '.join(unknown)}: nothing else of "
                "participants.tsv leaves; leave it out."
            )
        if self.blur not in (AUTO, *WAYS):
            raise InputError(f"expected --blur {AUTO}, {' or '.join(WAYS)}, got {self.blur!r}; choose one of them.")
        if self.blur == MEANS and self.columns:
            raise InputError(
                f"expected --columns none with --blur {MEANS}, got {', '.join(self.columns)}: they would tell people "
                "apart whose values are the same; leave one of the two out."
            )
        self._only(("group",), {"--epsilon": self.epsilon, "--earlier": self.earlier})
        self._only(("summary",), {"--fields": self.fields, "--blur": self.blur != AUTO})
        self._only(("group", "summary"), {"--ledger": self.ledger})

    def _only(self, levels: Sequence[str], options: Mapping[str, object]) -> None:
        given = [name for name, value in options.items() if value]
        if given and self.level not in levels:
            raise InputError(
                f"expected {given[0]} with --level {' or '.join(levels)}, got it with --level {self.level}; "
                "leave it out."
            )

    @property
    def most_reidentified(self) -> float | None:
        """The limit that holds."""
        return MOST_REIDENTIFIED if self.limit is None and self.level == "summary" else self.limit

    @property
    def told(self) -> tuple[str, ...]:
        """What leaves of everybody beside the group."""
        if self.columns is not None:
            return self.columns
        return COLUMNS if self.level in ("motion", "full") else ()
