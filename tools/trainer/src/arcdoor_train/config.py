"""Configuration: TOML parsed into frozen dataclasses. An unknown key is refused with the nearest known name.

``load`` reads what training needs. Sections of other commands (``[export]``, ``[distil]``, ...) are kept as they
are; the module that owns one parses it with ``section``.
"""

import dataclasses
import difflib
import math
import os
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from arcdoor_train.errors import ConfigError

T = TypeVar("T")

#: Sections that other commands own.
FOREIGN_SECTIONS = ("export", "qat", "distil", "compress", "invert", "leak")

HeadKind = Literal["softmax", "norm-softmax", "margin", "adaface", "magface", "triplet", "tuplet"]
#: Kinds that compare the images of a micro-batch with each other and have no class centres.
METRIC = ("triplet", "tuplet")
#: AdamW moves a weight by about its rate in a step: above this every weight changes by more than it is in a few steps.
MOST_ADAMW = 0.02


@dataclass(frozen=True)
class Run:
    """Where a run lives and what makes it repeatable."""

    folder: str = "runs/default"
    seed: int = 1
    #: ``auto`` takes a GPU where there is one.
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: CPU threads of one process; 0 leaves torch's own choice.
    threads: int = 0
    #: Steps between two lines of metrics.jsonl.
    log_every: int = 20
    #: Minutes between two checkpoints; one is also written after every epoch.
    checkpoint_minutes: float = 15.0
    #: Steps between two checkpoints; 0 leaves it to the minutes.
    checkpoint_steps: int = 0
    #: How many checkpoints stay.
    keep: int = 2
    #: Bit-exact on a GPU too, at the price of slower convolutions.
    deterministic: bool = True
    #: Also writes the metrics for TensorBoard, into the run's ``tensorboard/``; it must be installed.
    tensorboard: bool = False


@dataclass(frozen=True)
class Set:
    """One set of aligned crops."""

    #: A folder of identities, a .zip, a .tar, or an insightface .rec; ``$NAME`` is taken from the environment.
    path: str
    #: Declares the crops' alignment where the set itself does not (no ``dataset.toml``).
    alignment: str = ""
    #: Stands before its images' and identities' names, for sets whose images have the same names as another's.
    name: str = ""
    #: A file whose line n is the id string of label n: a .rec holds numbers alone. Empty takes the set's own names.
    identities: str = ""
    #: A list that ``clean`` wrote of this set alone; images that it does not name are left out. Empty takes all.
    list: str = ""

    def __post_init__(self) -> None:
        _check("/" not in self.name, f"data.sets: name = {self.name!r}: what follows it begins at the first /")


@dataclass(frozen=True)
class Drawn:
    """A set of face-like images drawn by the trainer itself, for trying things out."""

    identities: int = 0
    images: int = 0


@dataclass(frozen=True)
class Augment:
    """Augmentation for doors: the share of the images that each one meets, 0 to 1."""

    flip: float = 0.5
    low_light: float = 0.0
    motion_blur: float = 0.0
    noise: float = 0.0
    jpeg: float = 0.0
    down_scale: float = 0.0
    occlusion: float = 0.0
    grey: float = 0.0
    #: AdaFace's three, each 0.2 there: a part of the face alone, fewer pixels, and another brightness, contrast and
    #: saturation.
    crop: float = 0.0
    rescale: float = 0.0
    photometric: float = 0.0

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            share = getattr(self, item.name)
            _check(0.0 <= share <= 1.0, f"data.augment.{item.name} = {share}: a share lies in 0..1")


@dataclass(frozen=True)
class Data:
    """What is trained on."""

    sets: tuple[Set, ...] = ()
    drawn: Drawn = field(default_factory=Drawn)
    #: A list of images and labels that ``clean`` or ``merge`` wrote of these sets; it alone is taken. Empty takes all.
    list: str = ""
    #: A list of images, a name a line, that are never trained on, such as ``hold-out`` writes. Empty holds none out.
    held_out: str = ""
    #: Identities with fewer images are left out, and counted.
    min_images: int = 1
    #: Draws micro-batches of P identities with this many images of each (P x K; P = micro_batch / K), for losses that
    #: compare images with each other. Identities are drawn alike, whatever number of images they have; an epoch is as
    #: many steps as without. 0 takes the images in random order, each once an epoch.
    per_identity: int = 0
    #: Processes that decode and augment; 0 does it in the training process.
    workers: int = 2
    #: Megabytes of decoded crops that stay in memory, shared by the workers (37.6 kB each); the rest is decoded anew.
    keep_mb: int = 0
    #: Seconds that a batch may take before the workers count as stuck.
    timeout_s: float = 300.0
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        _check(self.keep_mb >= 0, f"data.keep_mb = {self.keep_mb}: 0 keeps none")
        _check(
            self.per_identity == 0 or self.per_identity >= 2,
            f"data.per_identity = {self.per_identity}: at least 2 images of an identity make a pair; 0 draws at random",
        )


@dataclass(frozen=True)
class Model:
    """The backbone."""

    backbone: str = "dense-s"
    dimension: int = 512
    dropout: float = 0.0
    #: A run, a checkpoint or a ``model.pt`` whose weights the network begins with; of another ``dimension`` all but the
    #: last layer's. ``backbone`` is the same, ``chain`` for what ``compress`` made. Empty draws the network.
    init: str = ""

    def __post_init__(self) -> None:
        _check(1 <= self.dimension <= 4096, f"model.dimension = {self.dimension}: choose 1..4096")
        _check(0.0 <= self.dropout < 1.0, f"model.dropout = {self.dropout}: choose 0 <= dropout < 1")


@dataclass(frozen=True)
class Head:
    """The loss. ``margin`` is s * (cos(m1 * theta + m2) - m3) over K sub-centres:
    SphereFace (m1, 0, 0), ArcFace (1, m2, 0), CosFace (1, 0, m3). ``triplet`` and ``tuplet`` compare images with each
    other; they need ``data.per_identity``, and so does a weight for ``triplet`` beside another kind."""

    kind: HeadKind = "margin"
    scale: float = 64.0
    m1: float = 1.0
    m2: float = 0.5
    m3: float = 0.0
    centres: int = 1
    pooling: Literal["max", "softmax"] = "max"
    #: Weight of the sub-centre regulariser, which pulls an identity's sub-centres together.
    centre_pull: float = 0.0
    intra: float = 0.0
    inter: float = 0.0
    triplet: float = 0.0
    #: Radians; of the kind ``triplet`` too.
    triplet_margin: float = 0.35
    #: AdaFace: the margin's size, the share of the norm's deviation, and the running averages' pace, a step.
    ada_margin: float = 0.4
    ada_h: float = 0.333
    ada_momentum: float = 0.01
    #: MagFace: the norms between which the margin grows, and the norm regulariser's weight.
    mag_low: float = 10.0
    mag_high: float = 110.0
    mag_margin_low: float = 0.45
    mag_margin_high: float = 0.8
    mag_pull: float = 35.0
    #: Share of the classes met in one step (Partial FC); 1 meets all.
    sample: float = 1.0
    #: Cosines to other identities' centres that are above this count as 0: one person under two labels is not pushed
    #: away from herself (arcface_torch's inter-class filtering, 0.4 there). 0 leaves all.
    filter: float = 0.0
    #: Divide the class centres among the processes.
    sharded: bool = False
    #: What the class centres begin with, beside the network of ``model.init``. ``run``: its own centres, those of a run
    #: of ``train``, for identities that have the same names there; the others' are drawn. ``means``: the mean of its
    #: features of each identity's images, one pass over the set on the CPU. Without it all are drawn.
    init: Literal["", "run", "means"] = ""

    def __post_init__(self) -> None:
        _check(self.scale > 0, f"head.scale = {self.scale}: must be above 0")
        _check(self.centres >= 1, f"head.centres = {self.centres}: at least 1")
        _check(self.m1 > 0, f"head.m1 = {self.m1}: must be above 0; 1 means no multiplicative margin")
        # Past 2.33 the guard beyond pi - m2 would lift the target: cos(m2) + m2 * sin(m2) < 1.
        _check(0 <= self.m2 <= 2.0, f"head.m2 = {self.m2}: radians, 0 <= m2 <= 2")
        _check(0.0 < self.sample <= 1.0, f"head.sample = {self.sample}: a share in (0, 1]")
        _check(0.0 <= self.filter < 1.0, f"head.filter = {self.filter}: a cosine, 0 <= filter < 1")
        additions = self.intra or self.inter or self.triplet or self.centre_pull
        partial = self.sharded or self.sample < 1.0
        _check(
            not (partial and additions),
            "head: intra, inter, triplet and centre_pull need every class on every process; "
            "leave sharded and sample at their defaults or the additions at 0",
        )
        _check(
            not (partial and self.kind == "softmax"),
            "head: plain softmax has no sharded form; use norm-softmax or margin",
        )
        _check(
            self.kind not in METRIC or not (partial or additions),
            f"head.kind = {self.kind!r} has no class centres: leave out sharded, sample, intra, inter, "
            "centre_pull, and triplet as an addition",
        )
        _check(
            not self.filter or self.kind not in ("softmax", *METRIC),
            f"head.filter: head.kind = {self.kind!r} knows no cosines to class centres; leave it out",
        )
        angular = self.kind not in ("softmax", "norm-softmax", *METRIC)
        _check(
            angular or self.centres == 1,
            f"head.centres = {self.centres}: sub-centres go with margin, adaface and magface",
        )


@dataclass(frozen=True)
class Optim:
    """The optimiser and its schedule."""

    #: SGD with momentum, or AdamW, whose rate is some 1e-3 and whose weight decay about 0.1.
    kind: Literal["sgd", "adamw"] = "sgd"
    epochs: int = 12
    #: Images in a step, over all processes.
    batch: int = 512
    #: Images in one forward pass, whatever the number of processes: BatchNorm's statistics come from these.
    #: 0 makes it the whole share of a process (the result then depends on the number of processes).
    micro_batch: int = 0
    batch_norm: Literal["micro", "sync"] = "micro"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    #: Whether BatchNorm's weights and biases decay, too; AdaFace's authors leave them out.
    decay_norms: bool = True
    schedule: Literal["steps", "cosine", "poly"] = "steps"
    #: Epochs after which the rate is divided by 10 (``steps``).
    milestones: tuple[float, ...] = ()
    warmup_epochs: float = 0.0
    #: The largest norm of the backbone's gradient, the head's apart; 0 does not clip.
    clip: float = 5.0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    #: Sends gradients as bf16 between processes.
    compress: bool = False
    channels_last: bool = True
    compile: bool = False
    #: Computes the blocks' maps anew in the backward pass in place of keeping them: less memory, one more forward pass.
    recompute: bool = False
    #: Steps in a row whose loss or gradient is no number before the run stops.
    max_bad_steps: int = 10

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, f"optim.epochs = {self.epochs}: at least 1")
        _check(self.batch >= 1, f"optim.batch = {self.batch}: at least 1")
        _check(self.lr > 0, f"optim.lr = {self.lr}: must be above 0")
        _check(
            self.kind == "sgd" or (self.lr <= MOST_ADAMW and self.momentum == Optim.momentum),
            f"optim.kind = 'adamw': it moves a weight by about optim.lr = {self.lr} in a step, so choose some 1e-3; it "
            "knows no optim.momentum",
        )
        _check(
            not (self.recompute and self.batch_norm == "sync"),
            "optim.recompute would move SyncBatchNorm's averages twice a step: use batch_norm = 'micro'",
        )
        _check(
            self.micro_batch >= 0 and (not self.micro_batch or self.batch % self.micro_batch == 0),
            f"optim.micro_batch = {self.micro_batch}: must divide optim.batch = {self.batch}",
        )
        _check(
            list(self.milestones) == sorted(self.milestones),
            f"optim.milestones = {list(self.milestones)}: must ascend",
        )


@dataclass(frozen=True)
class Judged:
    """A set that the network is verified on while it is trained."""

    #: An insightface ``.bin`` (``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``), or a folder or .zip of aligned crops;
    #: ``$NAME`` is taken from the environment.
    path: str
    #: Its name among the metrics; the file's where empty.
    name: str = ""
    #: Of crops: a list of pairs with folds, as LFW's. Without it every crop meets every other, a folder a person.
    pairs: str = ""


@dataclass(frozen=True)
class Verification:
    """What is looked at during training; nothing that is trained depends on it."""

    sets: tuple[Judged, ...] = ()
    #: Steps between two looks; one is also taken before the first step and after the last. 0 looks after each epoch.
    every: int = 2000

    def __post_init__(self) -> None:
        _check(self.every >= 0, f"verification.every = {self.every}: 0 looks after each epoch")
        names = [one.name or Path(one.path).stem for one in self.sets]
        for name in names:
            _check(names.count(name) == 1, f"verification.sets: two are called {name!r}; give one another name")


@dataclass(frozen=True)
class Config:
    """A whole configuration file."""

    run: Run = field(default_factory=Run)
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    head: Head = field(default_factory=Head)
    optim: Optim = field(default_factory=Optim)
    verification: Verification = field(default_factory=Verification)
    #: Sections of other commands, unparsed: see ``section``.
    foreign: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wanted = f"head.kind = {self.head.kind!r}" if self.head.kind in METRIC else "head.triplet"
        _check(
            self.data.per_identity >= 2 or not (self.head.kind in METRIC or self.head.triplet),
            f"{wanted} compares images of one identity, which images drawn at random hardly have: 64 of MS1MV3 "
            "hold 0.02 such pairs. Set data.per_identity, such as 4",
        )
        _check(
            not self.head.init or (bool(self.model.init) and self.head.kind not in METRIC),
            "head.init takes the class centres of model.init: name that, and a head.kind that has centres",
        )
        one = self.head.centres == 1 and self.head.kind != "softmax"
        _check(
            self.head.init != "means" or (one and not (self.head.sharded or self.head.sample < 1.0)),
            "head.init = 'means' gives each identity one centre of length 1: leave out head.centres, sharded, "
            "sample and head.kind = 'softmax'",
        )
        each, micro = self.data.per_identity, self.optim.micro_batch or self.optim.batch
        _check(
            not each or (micro % each == 0 and micro >= 2 * each),
            f"data.per_identity = {each}: a micro-batch of {micro} images holds no whole number of identities with "
            "that many images, two at least; change optim.micro_batch or it",
        )


def load(path: str | Path) -> Config:
    """Reads a TOML file. Raises ``ConfigError`` for a missing file, bad TOML, unknown keys, wrong types or
    values out of range."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    try:
        return parse(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse(text: str) -> Config:
    """``load`` for text in hand."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"no TOML: {error}") from error
    return from_table(table)


def from_table(table: dict[str, Any]) -> Config:
    """``load`` for a parsed table, such as a checkpoint keeps."""
    own = {key: value for key, value in table.items() if key not in FOREIGN_SECTIONS and key != "foreign"}
    foreign = {key: table[key] for key in FOREIGN_SECTIONS if key in table}
    foreign |= table.get("foreign", {}) if "foreign" in table else {}
    known = [item.name for item in dataclasses.fields(Config) if item.name != "foreign"]
    for key in own:
        if key not in known:
            raise ConfigError(_unknown(f"section [{key}]", key, [*known, *FOREIGN_SECTIONS]))
    config = _build(Config, own, "")
    return dataclasses.replace(config, foreign=foreign)


def section(config: Config, name: str, kind: type[T]) -> T:
    """The section ``[name]`` as the dataclass ``kind``; its defaults where the file has none."""
    if name not in FOREIGN_SECTIONS:
        raise ValueError(f"{name} is not among the foreign sections {FOREIGN_SECTIONS}")
    return _build(kind, config.foreign.get(name, {}), name)


def to_table(config: Config) -> dict[str, Any]:
    """Plain tables and lists: what ``from_table`` takes, and what a checkpoint keeps."""
    table = dataclasses.asdict(config)
    foreign = table.pop("foreign")
    return _plain({**table, **foreign})


def to_toml(config: Config) -> str:
    """The configuration as a TOML file, every value written out."""
    lines: list[str] = []
    for name, table in to_table(config).items():
        _emit(lines, name, table)
    return "\n".join(lines).strip() + "\n"


def refuse_unheeded(given: Optim, names: tuple[str, ...], who: str) -> None:
    """Raises ``ConfigError`` for a value of ``[optim]`` that the command ``who`` would not heed."""
    usual = Optim()
    for name in names:
        if getattr(given, name) != getattr(usual, name):
            raise ConfigError(f"optim.{name} = {getattr(given, name)}: {who} does not know it; leave it out")


def refuse_other_sections(whole: Config, own: str, brings: str, says: str) -> None:
    """Raises ``ConfigError`` for sections that the command of the section ``own`` does not heed, since what it works on
    ``brings`` them itself, and where ``own``, which ``says`` what it works on, is missing."""
    usual = Config()
    for name in ("data", "model", "head", "optim", "verification"):
        if getattr(whole, name) != getattr(usual, name):
            raise ConfigError(f"[{name}]: {own} does not know it; {brings} its own. Leave it out")
    for name in whole.foreign:
        if name != own:
            raise ConfigError(f"[{name}]: {own} does not know it; leave it out")
    if own not in whole.foreign:
        raise ConfigError(f"there is no section [{own}]: {says}")


def expand(path: str) -> Path:
    """A path with ``$NAME`` and ``~`` replaced. Raises ``ConfigError`` where the variable is not set."""
    expanded = os.path.expanduser(os.path.expandvars(path))
    if "$" in expanded:
        raise ConfigError(f"{path}: set the environment variable that it names (export ARCDOOR_DATA=...)")
    return Path(expanded)


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise ConfigError(message)


def _unknown(what: str, key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
    return f"unknown {what}{hint}"


def _build(kind: type[T], table: Any, where: str) -> T:
    if not isinstance(table, dict):
        raise ConfigError(f"{where} = {table!r}: a table is wanted here")
    hints = typing.get_type_hints(kind)
    known = [item.name for item in dataclasses.fields(kind)]
    values = {}
    for key, value in table.items():
        place = f"{where}.{key}" if where else key
        if key not in known:
            raise ConfigError(_unknown(f"key {place}", key, known))
        values[key] = _convert(hints[key], value, place)
    required = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
    ]
    for name in required:
        if name not in values:
            raise ConfigError(f"{where}.{name} is missing")
    return kind(**values)


def _convert(kind: Any, value: Any, place: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, place)
    origin = typing.get_origin(kind)
    if origin is Literal:
        choices = typing.get_args(kind)
        if value not in choices:
            near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{place} = {value!r}: one of {', '.join(map(repr, choices))}{hint}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{place} = {value!r}: a list is wanted here")
        inner = typing.get_args(kind)[0]
        return tuple(_convert(inner, item, f"{place}[{n}]") for n, item in enumerate(value))
    if origin in (typing.Union, types.UnionType):
        inner = next(choice for choice in typing.get_args(kind) if choice is not type(None))
        return None if value is None else _convert(inner, value, place)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is float and isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{place} = {value!r}: a finite number is wanted here")
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{place} = {value!r}: {kind.__name__} is wanted here")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _emit(lines: list[str], name: str, table: dict[str, Any]) -> None:
    lines.append(f"[{name}]")
    nested = []
    for key, value in table.items():
        tables = isinstance(value, list) and value and isinstance(value[0], dict)
        if isinstance(value, dict) or tables:
            nested.append((key, value))
        elif value is not None:
            lines.append(f"{key} = {_literal(value)}")
    lines.append("")
    for key, value in nested:
        if isinstance(value, dict):
            _emit(lines, f"{name}.{key}", value)
            continue
        for item in value:
            lines.append(f"[[{name}.{key}]]")
            lines.extend(f"{inner} = {_literal(content)}" for inner, content in item.items())
            lines.append("")


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'
    if isinstance(value, list):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    return repr(value)
