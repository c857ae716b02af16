"""Every form in which the field writes ONNX files is computed as onnxruntime computes it, or refused by name."""

import pytest

from arcdoor_train import device, forms
from arcdoor_train.forms import __main__ as command
from arcdoor_train.forms import outcome


@pytest.mark.parametrize("form", list(forms.forms()), ids=lambda form: form.name)
def test_a_form_is_computed_as_onnxruntime_computes_it(form):
    lab = device.find()
    if lab is None:
        pytest.skip(device.ABSENT)
    found = outcome.try_form(form, lab)
    assert found.passed, str(found)


def test_a_word_of_no_form_s_name_tries_nothing_and_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "lab").touch()
    monkeypatch.setenv("ARCDOOR_LAB", str(tmp_path / "lab"))
    monkeypatch.setattr("sys.argv", ["forms", "batch", "int9"])
    with pytest.raises(SystemExit, match="'int9'"):
        command.main()
