"""The section ``[leak]``: whose photos, how strong the thieves are, and who judges."""

from dataclasses import dataclass, field

from arcdoor_train.config import Config, refuse_other_sections
from arcdoor_train.errors import ConfigError
from arcdoor_train.teachers import Teacher


@dataclass(frozen=True)
class People:
    """Photos of people, several of each."""

    #: Aligned crops: a folder or .zip, a folder a person.
    crops: str
    #: LFW's list of pairs: only people whom it names. Nothing takes all.
    listed: str = ""
    #: People, evenly spaced among those with two photos or more; 0 takes all.
    most: int = 100
    #: Photos of each, at most: of the first its template is made, and the others are type II's.
    photos: int = 3

    def __post_init__(self) -> None:
        if self.photos < 2 or self.most < 0:
            raise ConfigError(f"leak: photos = {self.photos}, most = {self.most}: 2 or more photos, 0 or more people")


@dataclass(frozen=True)
class Members:
    """Who the network was tuned on, and who was not, of one set."""

    crops: str
    #: Files with a name of ``crops`` a line.
    members: str
    outsiders: str
    #: Of each at most; 0 takes all.
    most: int = 0


@dataclass(frozen=True)
class Decoding:
    """The learned decoder."""

    #: Crops that it is trained on: folders or .zip. Never those of the people above.
    crops: tuple[str, ...]
    most: int = 8000
    #: Rows of its picture, 4 times a power of 2; and channels of its last map but one.
    side: int = 64
    width: int = 16
    epochs: int = 6
    batch: int = 32
    lr: float = 2e-3
    #: Steps between two that ask the attacked network as well, pictures of such a step, and the weight of its word.
    ask_every: int = 10
    ask: int = 16
    weight: float = 1.0
    #: Passes to adapt to another kind of template.
    adapted: int = 2

    def __post_init__(self) -> None:
        times = self.side // 4
        if self.side < 8 or times * 4 != self.side or times & (times - 1):
            raise ConfigError(f"leak.decoder.side = {self.side}: 8, 16, 32, 64 or 128")
        if min(self.epochs, self.batch, self.ask_every, self.ask, self.width, self.most, self.adapted) < 1:
            raise ConfigError("leak.decoder: every number is 1 or more")
        if self.lr <= 0 or self.weight < 0 or not self.crops:
            raise ConfigError("leak.decoder: lr is above 0, weight 0 or more, and crops names a folder or .zip")


@dataclass(frozen=True)
class Descent:
    """Gradient inversion."""

    #: People whose templates are attacked so, evenly spaced.
    people: int = 24
    steps: int = 60
    #: Steps from the decoder's picture on.
    refined: int = 30
    lr: float = 0.1
    refined_lr: float = 0.02
    sides: tuple[int, ...] = (28, 56, 112)
    #: Weight of statistics re-estimated from public crops, and of the total variation.
    prior: float = 5.0
    variation: float = 1e-3

    def __post_init__(self) -> None:
        if min(self.people, self.steps, self.refined) < 1 or min(self.lr, self.refined_lr) <= 0:
            raise ConfigError("leak.gradient: people, steps and refined are 1 or more, rates above 0")
        if not self.sides or list(self.sides) != sorted(set(self.sides)) or self.sides[-1] > 112 or self.sides[0] < 7:
            raise ConfigError(f"leak.gradient.sides = {list(self.sides)}: they ascend, from 7 to 112 rows")


@dataclass(frozen=True)
class Other(Teacher):
    """A network that takes no part, and judges."""

    #: What a reader must know of it.
    note: str = ""
    #: Without its file it is left out, and the report says so.
    optional: bool = False
    #: The attacked network was fitted to its answers: so a thief may ask how well they agree on a crop.
    taught: bool = False


@dataclass(frozen=True)
class Leak:
    """The section ``[leak]``."""

    gallery: People
    #: Other people of the gallery, of whom the thief has photos.
    known: People
    decoder: Decoding
    gradient: Descent = field(default_factory=Descent)
    members: Members | None = None
    judges: tuple[Other, ...] = ()
    #: Known pairs of a template and its stored form.
    pairs: tuple[int, ...] = (1, 32, 128, 512)
    #: Of the people to be linked, how many the thief knows already.
    seeds: int = 10
    #: Public crops that a thief re-estimates statistics from.
    statistics: int = 256
    #: The share of strangers that a door lets in, for the second of its thresholds.
    fpir: float = 0.01
    #: Templates of the gallery behind that door.
    templates: int = 1000

    def __post_init__(self) -> None:
        if not self.pairs or min(*self.pairs, self.templates) < 1 or min(self.statistics, self.seeds) < 0:
            raise ConfigError("leak: pairs and templates are 1 or more, statistics and seeds 0 or more")
        if not 0 < self.fpir < 1:
            raise ConfigError(f"leak.fpir = {self.fpir}: a share within 0..1")


def refuse(whole: Config) -> None:
    """Raises ``ConfigError`` for sections that the command does not heed, and where there is none for it."""
    refuse_other_sections(whole, "leak", "the pack brings", "it names the photos, as configs/leak.toml does")
