"""The section ``[compress]``."""

from dataclasses import asdict, dataclass, field, replace

from arcdoor_train import config
from arcdoor_train.backbones.chain import CHAIN
from arcdoor_train.compression.widths import Targets
from arcdoor_train.errors import ConfigError
from arcdoor_train.teachers import Teacher


@dataclass(frozen=True)
class Compress:
    """What is made of which teacher."""

    #: An ONNX file or a pack; the network must be a plain chain of convolutions.
    teacher: Teacher
    #: The outputs of each dense convolution, first to last. Empty: chosen by ``targets``.
    widths: tuple[int, ...] = ()
    targets: Targets = field(default_factory=Targets)
    #: Channels that stand before the linear layer at each place of the last map; 0 leaves that layer in one.
    rank: int = 0
    #: Milliseconds of the teacher's layers, for ``targets.ms``: what `arcdoor pack check --explain --json` prints, or a
    #: TOML file with a list ``us``. ``$NAME`` is taken from the environment.
    table: str = ""
    #: Channels that go at once where widths are chosen. The device's engine computes whole blocks of 16.
    step: int = 16
    #: Crops that the closed form sees, and how many of them for the metric.
    crops: int = 480
    sensitive: int = 128
    #: What to tune on from, in place of the closed form: a checkpoint of ``compress`` (its file or folder), a run, or a
    #: file of ``burst``.
    start: str = ""
    #: Tuning: weight of the embedding's relative square error beside 1 - cosine.
    embedding: float = 0.1
    #: Sides of the maps that are compared, too, and in how many principal directions of the teacher's.
    maps: tuple[int, ...] = (28, 14)
    directions: tuple[int, ...] = (96, 192)
    #: Weight of the maps' errors, at the start and at the end.
    map_weight: float = 0.5
    map_weight_end: float = 0.2
    #: The teacher answers in bf16 whatever ``optim.precision`` is: nearly three times as fast on a CPU that has it
    #: (AVX-512), where the student's depthwise layers are slower in it. SFace's answers keep a cosine of 0.9999.
    half_teacher: bool = False
    #: AdamW's.
    betas: tuple[float, ...] = (0.9, 0.98)
    #: Share that the averaged weights keep in a step; they are what is saved and exported. 0 takes the last weights.
    ema: float = 0.999

    def __post_init__(self) -> None:
        given = bool(self.widths) + bool(self.start) + (self.targets != Targets())
        _check(given == 1, "compress: give either widths, or targets (macs, bytes, ms), or a start")
        _check(not (self.start and self.rank), "compress.start brings its own rank: leave compress.rank out")
        _check(not self.targets.ms or bool(self.table), "compress.targets.ms wants compress.table, the device's times")
        _check(min(self.targets.macs, self.targets.bytes, self.targets.ms) >= 0, "compress.targets: 0 leaves one open")
        _check(all(width >= 1 for width in self.widths), f"compress.widths = {list(self.widths)}: at least 1 each")
        _check(self.rank >= 0 and self.step >= 1, "compress.rank is at least 0, compress.step at least 1")
        _check(
            1 <= self.sensitive <= self.crops,
            f"compress.sensitive = {self.sensitive}: at least 1, and not more than compress.crops = {self.crops}",
        )
        _check(
            len(self.maps) == len(self.directions) and all(count >= 1 for count in self.directions),
            "compress.maps and compress.directions: one number of directions for each map",
        )
        _check(min(self.embedding, self.map_weight, self.map_weight_end) >= 0, "compress: no weight is below 0")
        _check(
            len(self.betas) == 2 and all(0 <= beta < 1 for beta in (*self.betas, self.ema)),
            "compress.betas are two numbers, they and compress.ema at least 0 and below 1",
        )


def described(whole: config.Config, section: Compress, dimension: int) -> config.Config:
    """The configuration as a student's checkpoint keeps it: the network a chain with ``dimension`` outputs, every value
    of the section written out."""
    model = config.Model(backbone=CHAIN, dimension=dimension)
    return replace(whole, model=model, foreign={**whole.foreign, "compress": asdict(section)})


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)
