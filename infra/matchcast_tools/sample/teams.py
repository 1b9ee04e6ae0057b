"""The clubs of the sample league: towns that no map shows."""

from __future__ import annotations

from dataclasses import dataclass

_ALDERMARK = (
    "Aldermouth", "Ashcombe", "Barrowick", "Brackenford", "Caldstone", "Coppergate", "Dunmarrow", "Eastmere",
    "Fallowby", "Farrowdale", "Glenhollow", "Harkwell", "Hazelby", "Ironbridge Vale", "Kestrel Bay", "Larkhaven",
    "Millstead", "Northwyke", "Oakhurst Town", "Pellingham", "Quarrydown", "Ravenscar Hill", "Saltmarsh", "Thornley",
    "Underhill", "Westerby", "Wrenfield", "Yarrowton",
)  # fmt: skip
_BRENNIA = (
    "Altvar", "Borgesund", "Dravik", "Ekelholm", "Fjordal", "Grenvik", "Halsmark", "Isholm", "Kvernes", "Lindesund",
    "Morstad", "Nordvall", "Rosvik", "Skarhamn",
)  # fmt: skip
_CORVANA = (
    "Almoreda", "Bastiva", "Caldoro", "Dorvena", "Estrevia", "Florenza Mar", "Galvares", "Ibarosa", "Lunareda",
    "Montaverde", "Porto Vela", "Santoria",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SampleDivision:
    """The clubs that a division draws from, its share of them by strength, and how often a pair meets."""

    pool: tuple[str, ...]
    places: slice
    meetings: int
    goals: tuple[float, float]


SAMPLE_TEAMS: dict[str, SampleDivision] = {
    "AM1": SampleDivision(_ALDERMARK, slice(0, 16), 2, (1.52, 1.17)),
    "AM2": SampleDivision(_ALDERMARK, slice(16, 28), 2, (1.44, 1.14)),
    "BN1": SampleDivision(_BRENNIA, slice(0, 14), 2, (1.63, 1.30)),
    "CV1": SampleDivision(_CORVANA, slice(0, 12), 4, (1.40, 1.02)),
}
"""Two divisions of Aldermark share their clubs: the strongest of a season play in the first. `goals` are those
that two average clubs score at home and away."""
