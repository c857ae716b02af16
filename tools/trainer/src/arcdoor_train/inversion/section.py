"""The section ``[invert]``: what is attacked, with what, and who judges."""

from dataclasses import dataclass

from arcdoor_train.config import Config, refuse_other_sections
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import ConfigError
from arcdoor_train.inversion.cover import KINDS, NOTHING
from arcdoor_train.teachers import Teacher

#: What ``Aim.labels`` says of crops whose names are labels.
UTKFACE = "utkface"


@dataclass(frozen=True)
class Aim:
    """Whose pictures are drawn: one of these alone."""

    #: Identities of the attacked run, by the names in its ``identities.txt``: the closed set.
    classes: tuple[str, ...] = ()
    #: So many of its identities, drawn by ``run.seed``.
    drawn: int = 0
    #: A table of embeddings by the attacked network, ``.npy`` or LFR's feature file: the open set.
    templates: str = ""
    #: Aligned crops (a folder or .zip, a folder a person), of each of which the attacked network makes a template: the
    #: open set with photos to compare with. ``most`` of them, evenly spaced; 0 takes all.
    crops: str = ""
    most: int = 0
    #: A file with a name of ``crops`` a line: templates are made of these alone, the others are photos to compare with.
    listed: str = ""
    #: What is drawn over a crop before its template is made, of ``cover.KINDS``: each target is drawn once with each.
    #: Judges compare with the uncovered crop.
    covered: tuple[str, ...] = (NOTHING,)
    #: Groups that ``--measure`` tells apart: a table with tabs, whose first column names targets or their folders and
    #: whose others say what each is; or "utkface", whose names say age, gender and race, each photo of somebody else.
    labels: str = ""
    #: A network that finds five points, YuNet's ONNX file or an .xml of OpenVINO's: ``--measure`` tells photos of faces
    #: that look ahead from others.
    pose_by: str = ""

    def __post_init__(self) -> None:
        given = [bool(self.classes), self.drawn > 0, bool(self.templates), bool(self.crops)]
        if sum(given) != 1 or self.drawn < 0 or self.most < 0:
            raise ConfigError("[invert.target] wants one of classes, drawn, templates and crops")
        unknown = [kind for kind in self.covered if kind not in KINDS]
        if unknown or not self.covered or len(set(self.covered)) < len(self.covered):
            raise ConfigError(f"invert.target.covered = {list(self.covered)}: each once, of {', '.join(KINDS)}")
        if not self.crops and (self.listed or self.covered != (NOTHING,) or self.pose_by or self.labels == UTKFACE):
            raise ConfigError(
                f'invert.target: listed, covered, pose_by and labels = "{UTKFACE}" are of crops, and none are named'
            )


@dataclass(frozen=True)
class Steer:
    """The section ``[invert.steer]``: which way the faces look, in degrees as the device measures them, and where they
    lie in the picture."""

    #: A network that finds five points and has a gradient: the .xml of OpenVINO's landmarks-regression-retail-0009.
    landmarks: str
    #: Another one, which takes no part: YuNet's ONNX file. ``--measure`` asks it which way the faces look.
    measured_by: str = ""
    #: Each with each: positive towards the picture's right, and downwards.
    yaw: tuple[float, ...] = (0.0,)
    pitch: tuple[float, ...] = (0.0,)
    #: Of the face beside its size in an aligned crop, about the crop's five points, and pixels to the right and down.
    scale: float = 1.0
    place: tuple[float, ...] = (0.0, 0.0)
    #: Of the squared pixels between found and asked points.
    weight: float = 10.0
    #: Aligned crops of many people (a folder or .zip): pictures begin as the mean of those that look as asked, with so
    #: much noise over it, and move along their eigenfaces, in Adam's steps of ``rate`` deviations, beside the pixels.
    #: Nothing: they begin as noise alone.
    faces: str = ""
    noise: float = 0.02
    rate: float = 0.15

    def __post_init__(self) -> None:
        checks = {
            f"yaw = {list(self.yaw)}: one or more, within 60 degrees": bool(self.yaw)
            and max(map(abs, self.yaw)) <= 60
            and len(set(self.yaw)) == len(self.yaw),
            f"pitch = {list(self.pitch)}: one or more, within 45 degrees": bool(self.pitch)
            and max(map(abs, self.pitch)) <= 45
            and len(set(self.pitch)) == len(self.pitch),
            f"scale = {self.scale}: 0.4..1.5": 0.4 <= self.scale <= 1.5,
            f"place = {list(self.place)}: two numbers of pixels, within {SIDE // 4}": len(self.place) == 2
            and max(map(abs, self.place)) <= SIDE // 4,
            f"weight = {self.weight}: above 0": self.weight > 0,
            f"noise = {self.noise}: 0..1": 0 <= self.noise <= 1,
            f"rate = {self.rate}: above 0": self.rate > 0,
        }
        for message, holds in checks.items():
            if not holds:
                raise ConfigError(f"invert.steer.{message}")

    def poses(self) -> list[tuple[float, float]]:
        """Yaw and pitch of each, in order."""
        return [(yaw, pitch) for yaw in self.yaw for pitch in self.pitch]


@dataclass(frozen=True)
class Invert:
    """The section ``[invert]``. Its defaults are the paper's (arXiv 1801.07698v4), but for flips, jitter and the start
    at fewer pixels, which are 0 or off there."""

    model: Teacher
    target: Aim
    #: Networks that take no part, and say how alike the pictures are.
    judges: tuple[Teacher, ...] = ()
    #: Which way the faces look; nothing leaves it to the attacked network.
    steer: Steer | None = None
    #: Pictures that are drawn at once; the statistics of BatchNorm's inputs are taken over these.
    batch: int = 256
    steps: int = 20_000
    lr: float = 0.25
    #: How the rate falls: not at all, or along half a cosine to 0.
    schedule: str = "constant"
    #: Weights of the loss that says who it is, of BatchNorm's statistics, of the total variation and of the pixels'
    #: length.
    identity: float = 1.0
    prior: float = 0.05
    variation: float = 1e-3
    energy: float = 1e-4
    #: Whether BatchNorm of embeddings, which have no map, counts too: its statistics are those of all people of the
    #: training, which a batch of a few cannot have.
    prior_flat: bool = True
    #: The share of a step's pictures that are mirrored, and how many pixels each may be moved.
    flip: float = 0.0
    jitter: int = 0
    #: Rows of the picture, ascending: each size begins as the one before, enlarged. The network takes 112 in any case.
    sides: tuple[int, ...] = (SIDE,)
    #: The share of the steps that all sides but the last take together.
    start: float = 0.3
    #: Times that each picture is drawn from other noise; the one that the attacked network likes best stays.
    restarts: int = 1
    #: Steps after which the pictures of the first start are kept as they are then, for ``--measure``.
    looks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        weights = (self.identity, self.prior, self.variation, self.energy)
        checks = {
            f"batch = {self.batch}, steps = {self.steps}, restarts = {self.restarts}: each is 1 or more": min(
                self.batch, self.steps, self.restarts
            )
            >= 1,
            f"lr = {self.lr}: must be above 0": self.lr > 0,
            f"schedule = {self.schedule!r}: 'constant' or 'cosine'": self.schedule in ("constant", "cosine"),
            "the weights identity, prior, variation and energy are 0 or more, identity above 0": self.identity > 0
            and min(weights) >= 0,
            f"flip = {self.flip}, start = {self.start}: shares lie in 0..1": 0 <= self.flip <= 1
            and 0 <= self.start < 1,
            f"jitter = {self.jitter}: pixels, 0..{SIDE // 4}": 0 <= self.jitter <= SIDE // 4,
            f"sides = {list(self.sides)}: they ascend, from 7 to {SIDE} rows": bool(self.sides)
            and list(self.sides) == sorted(set(self.sides))
            and self.sides[0] >= 7
            and self.sides[-1] <= SIDE,
            f"looks = {list(self.looks)}: steps between 1 and {self.steps}": all(
                1 <= look <= self.steps for look in self.looks
            ),
        }
        for message, holds in checks.items():
            if not holds:
                raise ConfigError(f"invert.{message}")

    def side(self, step: int) -> int:
        """Rows of the picture in a step."""
        early = len(self.sides) - 1
        each = self.steps * self.start / early if early else 0.0
        return self.sides[min(int(step / each), early) if each else early]


def refuse(whole: Config) -> None:
    """Raises ``ConfigError`` for sections that the command does not heed: the attacked run has its own."""
    refuse_other_sections(
        whole, "invert", "the attacked network brings", "it names the network that is attacked, and the target"
    )
