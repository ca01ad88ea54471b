"""What a row of the table is: a name, a budget, and the numbers that were measured for it.

A *sample* is one measurement of one contender, a *series* all samples of one contender in the order of
the rounds. Samples of the same round were taken next to each other, so ratios are taken round by round
and their median is judged: a machine that gets slower half-way slows both sides of a pair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cellbench.bench import Bench

__all__ = ["Budget", "Experiment", "Outcome", "Row", "Sample", "Series", "Unit", "interleave", "together"]

Unit = Literal["s", "bytes", "per second", "bytes per second"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement.

    Args:
        value: the figure itself, in the row's unit: seconds, bytes, or things per second.
        cpu_s: CPU seconds (user and system, all processes involved) for the same work, when that makes sense.
        facts: more figures worth keeping in the JSON file, such as the memory of single processes.
    """

    value: float
    cpu_s: float | None = None
    facts: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Series:
    """All samples of one contender, one per round."""

    samples: tuple[Sample, ...]

    @property
    def values(self) -> list[float]:
        """The samples' figures, in the order of the rounds."""
        return [sample.value for sample in self.samples]

    @property
    def median(self) -> float:
        """The median of the figures."""
        return median(self.values)

    @property
    def cpu_s(self) -> float | None:
        """The median CPU seconds, or None where they were not measured."""
        known = [sample.cpu_s for sample in self.samples if sample.cpu_s is not None]
        return median(known) if known else None

    def ratios_to(self, other: Series) -> list[float]:
        """This series divided by another one, round by round."""
        return [a / b for a, b in zip(self.values, other.values, strict=True) if b]


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of DESIGN §9 on a row's figure, on its ratio to the peer, or on its difference from the peer.

    Args:
        subject: what is limited.
        limit: the limit, in the row's unit (a ratio has none).
        at_least: whether the limit is a floor instead of a ceiling.
    """

    subject: Literal["value", "ratio", "difference"]
    limit: float
    at_least: bool = False

    def is_met_by(self, figure: float) -> bool:
        """Tell whether a measured figure keeps this budget."""
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table before anything is measured.

    Args:
        name: short and stable; what `--rows` matches.
        title: what is compared, for people.
        unit: the unit of the figures.
        budgets: every limit that the row has to keep; empty for rows that are there for orientation.
        peer: who the second column is.
        shows: what is said of the two: how many times as much, or how much more.
    """

    name: str
    title: str
    unit: Unit = "s"
    budgets: tuple[Budget, ...] = ()
    peer: str = ""
    shows: Literal["ratio", "difference"] = "ratio"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row with its numbers, or with the reason why there are none.

    Args:
        row: the row.
        ours: our series, or None when the row could not be measured.
        peer: the peer's series, or None when the row has no peer.
        remark: a sentence for the reader; the reason when `ours` is None.
    """

    row: Row
    ours: Series | None
    peer: Series | None = None
    remark: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours divided by the peer, per round; empty without a peer."""
        return self.ours.ratios_to(self.peer) if self.ours and self.peer else []

    @property
    def differences(self) -> list[float]:
        """Ours less the peer, per round; empty without a peer."""
        if not (self.ours and self.peer):
            return []
        return [ours - peer for ours, peer in zip(self.ours.values, self.peer.values, strict=True)]

    @property
    def cpu_ratio(self) -> float | None:
        """The ratio of the median CPU times, or None where one is unknown."""
        if not (self.ours and self.peer and self.ours.cpu_s and self.peer.cpu_s):
            return None
        return self.ours.cpu_s / self.peer.cpu_s

    def figure(self, budget: Budget) -> float | None:
        """Find the figure that a budget is about, or None when it was not measured."""
        if self.ours is None:
            return None
        if budget.subject == "value":
            return self.ours.median
        figures = self.ratios if budget.subject == "ratio" else self.differences
        return median(figures) if figures else None

    @property
    def is_met(self) -> bool | None:
        """Whether every budget is kept; None for a row without budgets or without numbers."""
        figures = [(budget, self.figure(budget)) for budget in self.row.budgets]
        if not figures or any(figure is None for _, figure in figures):
            return None
        return all(budget.is_met_by(figure) for budget, figure in figures if figure is not None)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A measurement that fills one or more rows.

    Args:
        rows: the rows it fills, in order.
        measure: takes the bench and returns one outcome per row.
    """

    rows: tuple[Row, ...]
    measure: Callable[[Bench], list[Outcome]]


def interleave(
    contenders: Mapping[str, Callable[[], Sample]], *, rounds: int, warmups: int = 1
) -> dict[str, Series]:
    """Measure several contenders A B C A B C ..., after `warmups` rounds that are thrown away."""
    taken: dict[str, list[Sample]] = {name: [] for name in contenders}
    for round_number in range(warmups + rounds):
        for name, measure in contenders.items():
            sample = measure()
            if round_number >= warmups:
                taken[name].append(sample)
    return {name: Series(tuple(samples)) for name, samples in taken.items()}


def together(
    measure: Callable[[], Mapping[str, Sample]], *, rounds: int, warmups: int = 1
) -> dict[str, Series]:
    """Measure contenders that take turns inside one probe: one sample of each for every run of it."""
    taken: dict[str, list[Sample]] = {}
    for round_number in range(warmups + rounds):
        for name, sample in measure().items():
            if round_number >= warmups:
                taken.setdefault(name, []).append(sample)
    return {name: Series(tuple(samples)) for name, samples in taken.items()}
