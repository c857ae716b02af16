"""ONNX files as the field writes them, each built into a pack by ``arcdoor-lab`` and compared with onnxruntime on both
of the device's engines. ``docs/packs.md`` has a row for each form."""

from collections.abc import Iterator

from arcdoor_train.forms import external_data, halves, int8, operator_sets, shapes
from arcdoor_train.forms.form import Form, to
from arcdoor_train.forms.net import plain


def forms() -> Iterator[Form]:
    """Every form that is tried."""
    yield Form("as this project's trainer writes it", to(lambda: plain().model()))
    for family in (external_data, shapes, operator_sets, halves, int8):
        yield from family.forms()
