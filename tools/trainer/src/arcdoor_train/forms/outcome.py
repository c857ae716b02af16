"""What became of a form: its pack's templates beside onnxruntime's, or the refusal."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from arcdoor_train import crops, device, onnx_file
from arcdoor_train.forms import recipe
from arcdoor_train.forms.form import Form
from arcdoor_train.forms.net import SIDE

CROPS = 4
BUILD_S = 300


@dataclass(frozen=True)
class Outcome:
    """What became of a form."""

    form: Form
    #: Empty where the form was taken.
    refusal: str
    #: Largest difference of unit-length templates from onnxruntime's, by plan and by tract.
    differences: tuple[float, ...]

    @property
    def passed(self) -> bool:
        if self.form.refused:
            return bool(self.refusal) and all(word in self.refusal for word in self.form.refused)
        return not self.refusal and all(found <= self.form.tolerance for found in self.differences)

    def __str__(self) -> str:
        said = self.refusal or ", ".join(f"{found:.1e}" for found in self.differences)
        return f"{'ok  ' if self.passed else 'FAIL'} {self.form.name}: {said}"


def try_form(form: Form, lab: Path) -> Outcome:
    """Builds a pack of the form and compares its templates with onnxruntime's."""
    with tempfile.TemporaryDirectory(prefix="arcdoor-form-") as name:
        place = Path(name)
        folder, pack = place / "source", place / "pack"
        folder.mkdir()
        form.write(folder)
        recipe.write(place / "recipe.toml", folder)
        built = device.call(
            lab, "pack", "build", "--recipe", place / "recipe.toml", "--source", folder, "--out", pack,
            *form.arguments, timeout_s=BUILD_S,
        )  # fmt: skip
        if built.returncode != 0:
            return Outcome(form, " ".join(built.stderr.split()), ())
        images = np.random.default_rng(3).integers(0, 256, (CROPS, SIDE, SIDE, 3), dtype=np.uint8)
        wanted = _reference(form, (pack if form.as_built else folder) / "model.onnx", images)
        found = [
            device.parity(lab, pack, images, wanted, form.tolerance, engine=engine) for engine in ("auto", "tract")
        ]
        return Outcome(form, "", tuple(one.max_difference for one in found))


def _reference(form: Form, file: Path, images: np.ndarray) -> np.ndarray:
    """What onnxruntime makes of the crops, one at a time."""
    runner = onnx_file.session(form.reference() if form.reference else file)
    kind = np.float16 if "16" in runner.get_inputs()[0].type else np.float32
    planes = crops.to_input(images).astype(kind)
    return onnx_file.run(runner, np.split(planes, len(planes))).astype(np.float32)
