"""The device's engine, through ``arcdoor-lab parity``: the binary that the boards' runtime is built from."""

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train import crops, feature_file
from arcdoor_train.errors import DataError, TrainError

#: What to do where the binary is missing.
ABSENT = (
    "arcdoor-lab is not built, so the device's engine was NOT checked: "
    "`cargo build --release --workspace --bin arcdoor-lab`, or set ARCDOOR_LAB"
)
TIMEOUT_S = 600


@dataclass(frozen=True)
class Parity:
    """The device's engine against reference features; differences of unit-length features."""

    engine: str
    crops: int
    max_difference: float
    least_cosine: float
    median_ms: float
    passed: bool


def find() -> Path | None:
    """``ARCDOOR_LAB``, else ``target/release/arcdoor-lab`` of the repository this file lies in."""
    named = os.environ.get("ARCDOOR_LAB")
    if named:
        if not Path(named).is_file():
            raise DataError(f"ARCDOOR_LAB={named}: there is no such file")
        return Path(named)
    for folder in Path(__file__).resolve().parents:
        built = folder / "target" / "release" / "arcdoor-lab"
        if built.is_file():
            return built
    return None


def parity(
    lab: Path,
    onnx_file: Path,
    pictures: np.ndarray,
    reference: np.ndarray,
    max_difference: float = 1e-5,
    least_cosine: float = 0.99999,
    engine: str = "auto",
) -> Parity:
    """Runs ``onnx_file`` on (n, 112, 112, 3) uint8 crops and compares with ``reference`` (n, d). ``engine``: ``auto``
    (as the device does: the plan where it can run the file, else tract), ``plan`` or ``tract``. The answer says
    whether it is within tolerance; ``TrainError`` is raised where the engine cannot run the file at all."""
    with tempfile.TemporaryDirectory(prefix="arcdoor-parity-") as folder:
        place = Path(folder)
        names = crops.save(place / "crops", pictures)
        (place / "list.txt").write_text("\n".join(names) + "\n")
        feature_file.write(place / "reference.bin", reference)
        command = [
            str(lab), "parity", "--json",
            "--onnx", str(onnx_file),
            "--crops", str(place / "crops"),
            "--list", str(place / "list.txt"),
            "--reference", str(place / "reference.bin"),
            "--count", str(len(names)),
            "--max-difference", str(max_difference),
            "--least-cosine", str(least_cosine),
            "--engine", engine,
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise TrainError(f"arcdoor-lab parity: {error}") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise TrainError(f"the device's engine cannot run {onnx_file}: {done.stderr.strip() or 'no answer'}")
    answer = json.loads(lines[-1])
    return Parity(
        answer["engine"],
        answer["crops"],
        answer["max_difference"],
        answer["least_cosine"],
        answer["median_ms"],
        answer["passed"] and done.returncode == 0,
    )
