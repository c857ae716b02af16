"""Networks of OpenVINO's Open Model Zoo (.xml beside .bin) as networks of PyTorch, operator by operator. It reads what
convolutional networks in float are made of, and OpenVINO is not needed for it.

Such a file comes from others: what it says is held against limits, and against itself, before anything is computed or
allocated by it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from arcdoor_train.errors import DataError, NotPlainError

#: Bytes of the two files, layers, how deep elements lie in each other, values of all tensors for one image, and
#: multiplications of a pass: several times what the zoo's face networks have.
MOST_XML, MOST_BIN, MOST_LAYERS, MOST_DEEP, MOST_VALUES, MOST_MACS = 1 << 23, 1 << 28, 4096, 16, 1 << 26, 1 << 34
_VERSIONS = ("10", "11")
_KINDS = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}
_AGAIN = "fetch the model's .xml and .bin again (FP32 or FP16), both of one version"


@dataclass(frozen=True)
class Layer:
    """One of the file's layers, as it stands there."""

    name: str
    kind: str
    given: dict[str, str]
    #: What its output is said to be; nothing of a result.
    shape: tuple[int, ...]
    #: The layers that it takes, in the order of its ports.
    takes: tuple[str, ...]


def read(path: Path) -> "Network":
    """The network of ``path`` (.xml), in ``eval`` mode and fixed. Raises ``DataError`` where the files are no such
    network, or one beyond the limits, ``NotPlainError`` for an operator that is not known here."""
    layers = _layers(_tree(_bytes(path, MOST_XML), path), path)
    network = Network(layers, _bytes(path.with_suffix(".bin"), MOST_BIN), path)
    network.to_known_shapes(path)
    return network.eval().requires_grad_(False)


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(most + 1)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error}; an OpenVINO network is an .xml with its .bin beside it"
        ) from error
    if len(found) > most:
        raise DataError(f"{path} has more than {most} bytes: no face network is so large; check what it is")
    return found


def _tree(content: bytes, path: Path) -> ElementTree.Element:
    """The document, without entities of its own: a few lines of those can name more text than memory holds."""
    builder, parser, deep = ElementTree.TreeBuilder(), expat.ParserCreate(), 0

    def begin(tag: str, given: dict[str, str]) -> None:
        nonlocal deep
        deep += 1
        if deep > MOST_DEEP:
            raise DataError(f"{path}: elements lie deeper than {MOST_DEEP} in each other: {_AGAIN}")
        builder.start(tag, given)

    def end(tag: str) -> None:
        nonlocal deep
        deep -= 1
        builder.end(tag)

    def declared(*_given: Any) -> None:
        raise DataError(f"{path} declares a document type or entities, which no OpenVINO network does: {_AGAIN}")

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = declared
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:
        raise DataError(f"{path} is no XML: {error}; {_AGAIN}") from error


def _layers(root: ElementTree.Element, path: Path) -> list[Layer]:
    """In the order in which each takes from those before it alone."""
    found, edges = root.findall("layers/layer"), root.findall("edges/edge")
    if root.tag != "net" or root.get("version") not in _VERSIONS or not found:
        raise DataError(f"{path} is no OpenVINO network of version {' or '.join(_VERSIONS)}: {_AGAIN}")
    if len(found) > MOST_LAYERS or len(edges) > 4 * MOST_LAYERS:
        raise DataError(f"{path} has {len(found)} layers; {MOST_LAYERS} are the most that are read")
    ports: dict[str, dict[int, str]] = {}
    for edge in edges:
        port, into = _number(edge.get("to-port"), path), ports.setdefault(edge.get("to-layer", ""), {})
        if port in into:
            raise DataError(f"{path}: two edges end at one port of layer {edge.get('to-layer')}: {_AGAIN}")
        into[port] = edge.get("from-layer", "")
    layers = {}
    for element in found:
        name = element.get("id", "")
        into = ports.get(name, {})
        if name in layers:
            raise DataError(f"{path} has two layers {name}: {_AGAIN}")
        layers[name] = _layer(element, tuple(into[port] for port in sorted(into)), path)
    values = sum(math.prod(layer.shape) for layer in layers.values())
    if values > MOST_VALUES:
        raise DataError(f"{path} has {values} values in its tensors; {MOST_VALUES} are the most that are read")
    return _sorted(layers, path)


def _layer(element: ElementTree.Element, takes: tuple[str, ...], path: Path) -> Layer:
    name, kind = element.get("id", ""), element.get("type", "")
    if kind not in _TAKES or element.get("version", "opset1") != "opset1":
        raise NotPlainError(
            f"{path}, layer {name}: {kind} of {element.get('version')} is not known here; of opset1 known are "
            f"{', '.join(_TAKES)}. Convert the network to ONNX with its authors' tools, and name that file"
        )
    if len(takes) != _TAKES[kind]:
        raise DataError(f"{path}, layer {name}: {kind} takes {_TAKES[kind]} inputs, not {len(takes)}: {_AGAIN}")
    outputs = element.findall("output/port")
    if len(outputs) != (0 if kind == "Result" else 1):
        raise DataError(f"{path}, layer {name}: {kind} with {len(outputs)} outputs is not read: {_AGAIN}")
    data = element.find("data")
    shape = tuple(_number(dim.text, path) for dim in (outputs[0].findall("dim") if outputs else ()))
    _bounded(shape, name, path)
    return Layer(name, kind, dict(data.attrib) if data is not None else {}, shape, takes)


def _sorted(layers: dict[str, Layer], path: Path) -> list[Layer]:
    done: dict[str, Layer] = {}
    left = dict(layers)
    while left:
        ready = [layer for layer in left.values() if all(name in done for name in layer.takes)]
        if not ready:
            raise DataError(
                f"{path}: layer {next(iter(left))} and others take what nothing gives, or themselves: {_AGAIN}"
            )
        for layer in ready:
            done[layer.name] = left.pop(layer.name)
    return list(done.values())


def _number(text: str | None, path: Path) -> int:
    if not text or len(text) > 12 or not text.strip().isascii() or not text.strip().isdigit():
        raise DataError(f"{path}: {text!r} stands where a number from 0 on is wanted: {_AGAIN}")
    return int(text)


def _numbers(text: str | None, path: Path) -> tuple[int, ...]:
    return tuple(_number(part.strip(), path) for part in (text or "").split(",")) if text else ()


def _bounded(shape: tuple[int, ...], name: str, path: Path) -> None:
    if len(shape) > 5 or any(size < 1 for size in shape) or math.prod(shape) > MOST_VALUES:
        raise DataError(
            f"{path}, layer {name}: a tensor of {' x '.join(map(str, shape))} values; up to five axes of 1 or more and "
            f"{MOST_VALUES} values in all are read. {_AGAIN.capitalize()}"
        )


class Network(nn.Module):
    """The layers of a file in their order; it takes (n, channels, rows, columns) as the file says, and gives what its
    result takes."""

    def __init__(self, layers: list[Layer], stored: bytes, path: Path) -> None:
        super().__init__()
        #: Channels, rows and columns of its input.
        self.takes = _entry(layers, path)
        self.layers: list[Layer] = []
        self._places: dict[str, str] = {}
        self._rules: dict[str, Rule] = {}
        for layer in layers:
            if layer.kind == "Const":
                self._places[layer.name] = f"constant_{len(self._places)}"
                self.register_buffer(self._places[layer.name], _constant(layer, stored, path))
            elif layer.kind == "Convert":
                _only(layer, path, destination_type="f32")
            if layer.kind not in ("Const", "Parameter"):
                self.layers.append(layer)
                self._rules[layer.name] = _RULES[layer.kind](layer, path)
        self._entry = next(layer.name for layer in layers if layer.kind == "Parameter")
        self._result = next(layer.takes[0] for layer in layers if layer.kind == "Result")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._values(x)[self._result]

    def _values(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        values = {self._entry: x}
        for layer in self.layers:
            if layer.kind != "Result":
                inputs = [values[name] if name in values else getattr(self, self._places[name]) for name in layer.takes]
                values[layer.name] = self._rules[layer.name](*inputs)
        return values

    def to_known_shapes(self, path: Path) -> None:
        """Raises ``DataError`` where a layer would give another shape than the file says, which the limits are held
        against, or all take too long. Nothing is computed for it."""
        shapes, macs = {self._entry: (1, *self.takes)}, 0
        for layer in self.layers:
            inputs = [shapes.get(name) or tuple(getattr(self, self._places[name]).shape) for name in layer.takes]
            try:
                found = inputs[0] if layer.kind == "Result" else self._rules[layer.name].shape(*inputs)
            except (ValueError, IndexError) as error:
                raise DataError(f"{path}, layer {layer.name}: {layer.kind} cannot be: {error}; {_AGAIN}") from error
            if layer.kind != "Result" and found != layer.shape:
                raise DataError(
                    f"{path}, layer {layer.name}: {layer.kind} gives {found} where the file says {layer.shape}: "
                    f"{_AGAIN}"
                )
            if isinstance(self._rules[layer.name], _Convolution):
                macs += math.prod(found[2:]) * math.prod(inputs[1])
            shapes[layer.name] = found
        if self._result not in shapes or shapes[self._result][0] != 1:
            raise DataError(f"{path}: its result is none of one image: {_AGAIN}")
        if macs > MOST_MACS:
            raise DataError(f"{path} takes {macs:.1e} multiplications for one image; {MOST_MACS:.1e} are the most")


def _entry(layers: list[Layer], path: Path) -> tuple[int, int, int]:
    entries = [layer for layer in layers if layer.kind == "Parameter"]
    results = [layer for layer in layers if layer.kind == "Result"]
    if len(entries) != 1 or len(results) != 1 or results[0].takes[0] == entries[0].name:
        raise DataError(
            f"{path} has {len(entries)} inputs and {len(results)} results; one network of one image is wanted"
        )
    shape = entries[0].shape
    if len(shape) != 4 or shape[0] != 1 or _numbers(entries[0].given.get("shape"), path) != shape:
        raise DataError(f"{path} takes {shape}; one image (1, channels, rows, columns) is wanted: {_AGAIN}")
    _only(entries[0], path, element_type="f32")
    return shape[1:]


def _constant(layer: Layer, stored: bytes, path: Path) -> torch.Tensor:
    given, shape = layer.given, _numbers(layer.given.get("shape"), path)
    kind = _KINDS.get(given.get("element_type", ""))
    if kind is None:
        raise NotPlainError(
            f"{path}, layer {layer.name}: values of {given.get('element_type')}; take the model's FP32 or FP16 files"
        )
    _bounded(shape, layer.name, path)
    offset, size = (_number(given.get(name), path) for name in ("offset", "size"))
    if size != math.prod(shape) * kind.itemsize or shape != layer.shape:
        raise DataError(f"{path}, layer {layer.name}: {size} bytes are no {shape} of {given['element_type']}: {_AGAIN}")
    if offset + size > len(stored):
        raise DataError(
            f"{path}, layer {layer.name}: its values end at byte {offset + size} of a .bin of {len(stored)}: {_AGAIN}"
        )
    values = np.frombuffer(stored, kind, math.prod(shape), offset).astype(np.float32).reshape(shape)
    if not np.isfinite(values).all():
        raise DataError(f"{path}, layer {layer.name}: not every stored value is finite: {_AGAIN}")
    return torch.from_numpy(values)


def _only(layer: Layer, path: Path, **wanted: str) -> None:
    """Raises ``NotPlainError`` where a layer is asked for what is not done here."""
    for name, value in wanted.items():
        key = name.replace("exclude_pad", "exclude-pad")
        if layer.given.get(key, value) != value:
            raise NotPlainError(
                f"{path}, layer {layer.name}: {layer.kind} with {key} = {layer.given[key]!r}; only {value!r} is read. "
                "Convert the network to ONNX, and name that file"
            )


Shape = tuple[int, ...]


class Rule:
    """What a layer does to the tensors that it takes, and what shape comes of theirs; ``shape`` raises ``ValueError``
    where it cannot be. This one gives what it takes."""

    def __init__(self, layer: Layer, path: Path) -> None:
        """Raises ``DataError``, ``NotPlainError``."""

    def shape(self, x: Shape) -> Shape:
        """Of one image."""
        return x

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x


class _Sigmoid(Rule):
    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(x)


class _Broadcast(Rule):
    def __init__(self, layer: Layer, path: Path) -> None:
        _only(layer, path, auto_broadcast="numpy")
        self._of = torch.add if layer.kind == "Add" else torch.mul

    def shape(self, first: Shape, second: Shape) -> Shape:
        return np.broadcast_shapes(first, second)

    def __call__(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        return self._of(first, second)


class _PRelu(Rule):
    def shape(self, x: Shape, slope: Shape) -> Shape:
        if (len(slope) == 1 and slope[0] not in (1, x[1])) or np.broadcast_shapes(x, self._stood(x, slope)) != x:
            raise ValueError(f"slopes {slope} for maps {x}")
        return x

    @staticmethod
    def _stood(x: Shape, slope: Shape) -> Shape:
        """One number for each channel stands along the second axis."""
        return (1, *slope, *[1] * (len(x) - 2)) if len(slope) == 1 else slope

    def __call__(self, x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x, slope.reshape(self._stood(x.shape, slope.shape)) * x)


class _Window:
    """How far a window reaches, by what steps it moves, and how many zeros lie before and behind a map."""

    def __init__(self, layer: Layer, path: Path) -> None:
        _only(layer, path, auto_pad="explicit", rounding_type="floor")
        self.strides, self.pads = (_pair(layer, name, path) for name in ("strides", "pads_begin"))
        if _numbers(layer.given.get("pads_end"), path) != self.pads:
            raise NotPlainError(f"{path}, layer {layer.name}: it pads its ends unlike; convert the network to ONNX")

    def over(self, x: Shape, reach: Shape) -> Shape:
        """Rows and columns that come of ``x`` (1, channels, rows, columns)."""
        if len(x) != 4:
            raise ValueError(f"{x} are no maps")
        each = zip(x[2:], self.pads, reach, self.strides, strict=True)
        found = tuple((size + 2 * pad - wide) // stride + 1 for size, pad, wide, stride in each)
        if min(found) < 1:
            raise ValueError(f"a window of {reach} is larger than maps {x}")
        return found


def _pair(layer: Layer, name: str, path: Path) -> Shape:
    found = _numbers(layer.given.get(name), path)
    if len(found) != 2 or max(found) > 512 or (name[:4] != "pads" and min(found) < 1):
        raise DataError(f"{path}, layer {layer.name}: {name} = {layer.given.get(name)!r}: two numbers up to 512")
    return found


class _Convolution(Rule):
    def __init__(self, layer: Layer, path: Path) -> None:
        self._window, self._dilations = _Window(layer, path), _pair(layer, "dilations", path)
        self._grouped = layer.kind == "GroupConvolution"

    def shape(self, x: Shape, weight: Shape) -> Shape:
        groups, *rest = weight if self._grouped else (1, *weight)
        if len(rest) != 4 or len(x) != 4 or groups * rest[1] != x[1]:
            raise ValueError(f"weights {weight} for maps {x}")
        reach = tuple(step * (size - 1) + 1 for step, size in zip(self._dilations, rest[2:], strict=True))
        return (x[0], groups * rest[0], *self._window.over(x, reach))

    def __call__(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        groups = len(weight) if self._grouped else 1
        weight = weight.flatten(0, 1) if self._grouped else weight
        return functional.conv2d(x, weight, None, self._window.strides, self._window.pads, self._dilations, groups)


class _Pool(Rule):
    def __init__(self, layer: Layer, path: Path) -> None:
        self._window, self._kernel = _Window(layer, path), _pair(layer, "kernel", path)
        self._most = layer.kind == "MaxPool"
        if not self._most:
            _only(layer, path, exclude_pad="true")

    def shape(self, x: Shape) -> Shape:
        if any(2 * pad > size for pad, size in zip(self._window.pads, self._kernel, strict=True)):
            raise ValueError("more than half of a window lies beyond the edge")
        return (*x[:2], *self._window.over(x, self._kernel))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        if self._most:
            return functional.max_pool2d(x, self._kernel, self._window.strides, self._window.pads)
        return functional.avg_pool2d(x, self._kernel, self._window.strides, self._window.pads, count_include_pad=False)


_TAKES = {
    "Parameter": 0, "Const": 0, "Convert": 1, "Add": 2, "Multiply": 2, "Convolution": 2, "GroupConvolution": 2,
    "PReLU": 2, "AvgPool": 1, "MaxPool": 1, "Sigmoid": 1, "Result": 1,
}  # fmt: skip
_RULES: dict[str, Callable[[Layer, Path], Rule]] = {
    "Convert": Rule, "Add": _Broadcast, "Multiply": _Broadcast, "Convolution": _Convolution,
    "GroupConvolution": _Convolution, "PReLU": _PRelu, "AvgPool": _Pool, "MaxPool": _Pool, "Sigmoid": _Sigmoid,
    "Result": Rule,
}  # fmt: skip
