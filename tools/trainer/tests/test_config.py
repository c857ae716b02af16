"""Configuration: what is refused, and how."""

import re

import pytest

from arcdoor_train import config
from arcdoor_train.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[optim]\nbatchs = 3", "did you mean batch?"),
        ("[optm]\nbatch = 3", "did you mean optim?"),
        ("[data.augment]\nmotion_blurr = 0.1", "did you mean motion_blur?"),
        ("[optim]\nbatch = '3'", "int is wanted"),
        ("[optim]\nbatch = true", "int is wanted"),
        ("[optim]\nlr = inf", "finite"),
        ("[optim]\nlr = 0.0", "above 0"),
        ("[optim]\nbatch = 10\nmicro_batch = 4", "must divide"),
        ("[optim]\nmilestones = [3, 2]", "ascend"),
        ("[optim]\nkind = 'adamw'", "choose some 1e-3"),
        ("[optim]\nkind = 'adamw'\nlr = 1e-3\nmomentum = 0.8", "no optim.momentum"),
        ("[optim]\nrecompute = true\nbatch_norm = 'sync'", "averages twice"),
        ("[head]\nfilter = 1.0", "0 <= filter < 1"),
        ("[head]\nkind = 'softmax'\nfilter = 0.4", "no cosines"),
        ("[head]\nkind = 'arcfac'", "one of"),
        ("[head]\nsample = 0.1\nintra = 1.0", "every class"),
        ("[head]\nkind = 'softmax'\nsharded = true", "no sharded form"),
        ("[head]\nkind = 'norm-softmax'\ncentres = 3", "sub-centres go with"),
        ("[head]\nkind = 'triplet'", "64 of MS1MV3 hold 0.02 such pairs"),
        ("[head]\nkind = 'tuplet'", "head.kind = 'tuplet' compares images of one identity"),
        ("[head]\ntriplet = 1.0", "head.triplet compares images of one identity"),
        ("[data]\nper_identity = 4\n[head]\nkind = 'triplet'\nsharded = true", "has no class centres"),
        ("[data]\nper_identity = 4\n[head]\nkind = 'tuplet'\nintra = 1.0", "has no class centres"),
        ("[data]\nper_identity = 4\n[head]\nkind = 'triplet'\ncentres = 3", "sub-centres go with"),
        ("[data]\nper_identity = 1", "make a pair"),
        ("[data]\nper_identity = 3\n[optim]\nmicro_batch = 64", "no whole number of identities"),
        ("[data]\nper_identity = 64\n[optim]\nmicro_batch = 64", "two at least"),
        ("[data.augment]\njpeg = 1.5", "0..1"),
        ("[[data.sets]]\nalignment = 'x'", "data.sets[0].path is missing"),
        ("[[data.sets]]\npath = 'x'\nname = 'a/b'", "begins at the first /"),
        ("data = 3", "a table is wanted"),
        ("[data", "no TOML"),
    ],
)
def test_refused(text, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        config.parse(text)


def test_round_trip():
    text = """
    [run]
    folder = "runs/a \\"b\\""
    [[data.sets]]
    path = "x.zip"
    alignment = "arcface-112"
    [optim]
    milestones = [1, 2.5]
    [export]
    at_end = true
    """
    first = config.parse(text)
    assert config.parse(config.to_toml(first)) == first
    assert config.from_table(config.to_table(first)) == first
    assert first.foreign == {"export": {"at_end": True}}


def test_environment_in_paths(monkeypatch):
    monkeypatch.delenv("ARCDOOR_NOWHERE", raising=False)
    with pytest.raises(ConfigError, match="set the environment variable"):
        config.expand("$ARCDOOR_NOWHERE/train")
    monkeypatch.setenv("ARCDOOR_NOWHERE", "/there")
    assert str(config.expand("$ARCDOOR_NOWHERE/train")) == "/there/train"
