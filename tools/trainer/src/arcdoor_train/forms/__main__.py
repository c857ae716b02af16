"""``python -m arcdoor_train.forms``: tries every form, or those with one of the given words in their names."""

import sys
import warnings

from arcdoor_train import device
from arcdoor_train.forms import forms
from arcdoor_train.forms.outcome import try_form


def main() -> int:
    lab = device.find()
    if lab is None:
        raise SystemExit(device.ABSENT)
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:]
    for word in wanted:
        if not any(word in form.name for form in forms()):
            raise SystemExit(f"no form's name has {word!r} in it; without words all are tried")
    failed = 0
    for form in forms():
        if wanted and not any(word in form.name for word in wanted):
            continue
        try:
            outcome = try_form(form, lab)
        except Exception as error:
            print(f"FAIL {form.name}: {error}")
            failed += 1
            continue
        print(outcome)
        failed += not outcome.passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
