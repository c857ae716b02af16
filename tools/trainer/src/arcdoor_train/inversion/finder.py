"""Networks that find the five points of a face in a picture which they had no part in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from arcdoor_train import crops, omz, onnx_file
from arcdoor_train.data.sets import SIDE
from arcdoor_train.errors import DataError
from arcdoor_train.teachers import digest

#: A face is found from this score on.
LEAST = 0.6
_STRIDES = (8, 16, 32)
#: Pixels of edge around a picture, since faces in crops are cut tight; and the side of the whole, a multiple of 32. All
#: of 120 crops of LFW have a face then.
_ROUND, _WHOLE = 56, SIDE + 112


@dataclass(frozen=True)
class Found:
    """What was found in pictures, in their pixels."""

    #: (n, 5, 2); NaN where there is no face.
    marks: np.ndarray
    #: (n,) 0 where there is none.
    scores: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """(n,) whether there is a face."""
        return np.isfinite(self.marks[:, 0, 0])


class Finder:
    """YuNet in onnxruntime, as OpenCV Zoo publishes it (BGR, 0..255); or a network that finds points in a face's square
    (``omz.Marks``), which finds a face in anything."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        if not path.is_file():
            raise DataError(f"there is no network at {path}: name YuNet's ONNX file, or an .xml of OpenVINO's")
        self.digest, self.name = digest(path), path.stem
        self._marks = omz.Marks(path) if path.suffix == omz.ENDING else None
        self._session = None if self._marks else onnx_file.session(path, threads)
        if self._session is not None:
            self._outputs = _outputs(self._session, path)

    def __call__(self, pictures: np.ndarray) -> Found:
        """Of (n, 112, 112, 3) uint8, the likeliest face of each."""
        if self._marks is not None:
            with torch.no_grad():
                found = self._marks(torch.from_numpy(crops.to_input(pictures))).double().numpy() * SIDE
            return Found(found, np.ones(len(found)))
        each = [self._one(picture) for picture in pictures]
        return Found(np.stack([marks for marks, _ in each]), np.array([score for _, score in each]))

    def _one(self, picture: np.ndarray) -> tuple[np.ndarray, float]:
        whole = np.pad(picture, ((_ROUND, _ROUND), (_ROUND, _ROUND), (0, 0)), mode="edge")
        pixels = np.ascontiguousarray(whole[..., ::-1].transpose(2, 0, 1)[None], dtype=np.float32)
        values = dict(zip(self._outputs, self._session.run(self._outputs, {self._entry: pixels}), strict=True))
        marks, score = _likeliest(values)
        if score < LEAST:
            return np.full((5, 2), np.nan), 0.0
        return marks - _ROUND, score

    @property
    def _entry(self) -> str:
        return self._session.get_inputs()[0].name


def _outputs(session: object, path: Path) -> list[str]:
    wanted = [f"{part}_{stride}" for stride in _STRIDES for part in ("cls", "obj", "kps")]
    missing = set(wanted) - {output.name for output in session.get_outputs()}
    entry = session.get_inputs()[0].shape
    if missing or len(entry) != 4 or any(isinstance(side, int) and side != _WHOLE for side in entry[2:]):
        raise DataError(
            f"{path} is no YuNet of any size ({', '.join(sorted(missing)) or entry}): name one with free "
            "sides, such as detectors/yunet_s_dynamic.onnx"
        )
    return wanted


def _likeliest(values: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """(5, 2) in the network's pixels, and the score, of the cell that is surest."""
    best, marks = -1.0, np.zeros((5, 2))
    for stride in _STRIDES:
        sure, there = (np.clip(values[f"{part}_{stride}"].reshape(-1), 0, 1) for part in ("cls", "obj"))
        scores = np.sqrt(sure * there)
        cell = int(scores.argmax())
        if scores[cell] > best:
            best = float(scores[cell])
            row, column = divmod(cell, _WHOLE // stride)
            offsets = values[f"kps_{stride}"].reshape(-1, 5, 2)[cell].astype(float)
            marks = (offsets + np.array([column, row])) * stride
    return marks, best
