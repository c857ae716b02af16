"""What a section of the report found, for its file and for the rules of the verdict."""

from dataclasses import asdict, dataclass, field
from typing import Any

from arcdoor_train.leakage.judges import DOOR, Success
from arcdoor_train.leakage.share import Figure


@dataclass(frozen=True)
class Attack:
    """One attack, and how often its result passes."""

    name: str
    success: tuple[Success, ...]
    #: Of what was made, a template or a picture's, to the true template, by the attacked network.
    cosine: Figure | None = None

    def door(self) -> Success:
        """At the door's first threshold."""
        return next(one for one in self.success if one.judge == DOOR)

    @property
    def above_chance(self) -> bool:
        """Whether it passes for another photo of the person oftener than it does for strangers, beyond chance."""
        return self.door().type_two.low > self.door().strangers

    @property
    def of_the_photo(self) -> bool:
        """Whether it passes for the photo itself oftener than for strangers, beyond chance."""
        return self.door().type_one.low > self.door().strangers

    @property
    def rank(self) -> tuple[float, float, float]:
        """The higher, the better for the thief: type II first."""
        return self.door().type_two.value, self.door().type_one.value, self.cosine.value if self.cosine else 0.0


@dataclass(frozen=True)
class Found:
    """One section."""

    section: str
    attacks: tuple[Attack, ...] = ()
    figures: dict[str, Figure] = field(default_factory=dict)
    #: What was looked up and not measured.
    facts: dict[str, str] = field(default_factory=dict)

    def attack(self, name: str) -> Attack | None:
        """By its name."""
        return next((one for one in self.attacks if one.name == name), None)

    def table(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)

    @classmethod
    def of(cls, table: dict[str, Any]) -> "Found":
        """From ``table``. Raises ``KeyError``, ``TypeError``."""
        attacks = []
        for one in table["attacks"]:
            success = [
                Success(**{**row, "type_one": Figure(**row["type_one"]), "type_two": Figure(**row["type_two"])})
                for row in one["success"]
            ]
            cosine = one["cosine"] and Figure(**one["cosine"])
            attacks.append(Attack(one["name"], tuple(success), cosine))
        figures = {name: Figure(**figure) for name, figure in table["figures"].items()}
        return cls(table["section"], tuple(attacks), figures, table["facts"])
