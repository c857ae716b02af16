"""A burst: several students at once, within a time, from parcels that another machine packed."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch
from test_compress import SHAPE, likeness, some_faces, teacher_of

from arcdoor_train import burst, checkpoint, cli, config, crops, data, onnx_file
from arcdoor_train.compression import closed_form, parcels, statistics
from arcdoor_train.compression.pupil import Learned, Pupil
from arcdoor_train.data import recordio
from arcdoor_train.errors import ConfigError, DataError, DiskError

SCRIPT = Path(__file__).parents[1] / "gpu_doornet.sh"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Crops, a teacher, two configurations and their starts, one parcel more than the crops alone need."""
    place = tmp_path_factory.mktemp("burst")
    faces = data.open_drawn(96, 1, 0)
    names = crops.save(place / "faces" / "someone", [faces.read(n) for n in range(96)])
    (place / "faces" / "other").mkdir()
    for name in names[:2]:
        (place / "faces" / "other" / name).write_bytes((place / "faces" / "someone" / name).read_bytes())
    (place / "faces" / "dataset.toml").write_text(f'alignment = "{data.ALIGNMENT}"\n')
    (place / "held.txt").write_text("".join(f"someone/{name}\n" for name in names[-6:]))
    teacher = teacher_of()
    onnx_file.save(onnx_file.trace(teacher, 17), place / "teacher.onnx")
    inputs = some_faces(48)
    junctions = statistics.observe(teacher, inputs, 32, 1)
    for name, widths in (("large", [12, 16, 24, 24, 32]), ("small", [8, 12, 16, 16, 24])):
        (place / f"{name}.toml").write_text(f"""
[run]
folder = "{place}/{name}"
[data]
sets = [{{ path = "{place}/faces" }}]
held_out = "{place}/held.txt"
augment = {{ noise = 0.2 }}
[optim]
lr = 0.003
clip = 2.0
max_bad_steps = 2
[compress]
widths = {widths}
rank = 12
directions = [8, 8]
ema = 0.9
teacher.path = "{place}/teacher.onnx"
[export]
name = "{name}"
""")
        student = closed_form.build(teacher, junctions, widths, 12, inputs, 1)
        checkpoint.save_model(place / f"{name}.pt", student, config.load(place / f"{name}.toml"))
    return place


def lists(place):
    return [place / "large.toml", place / "small.toml"], [place / "large.pt", place / "small.pt"]


@pytest.fixture(scope="module")
def packed(place):
    return parcels.pack(*lists(place), place / "parcels", most=400_000)


def test_parcels_keep_to_their_size_and_leave_held_out_crops_at_home(place, packed):
    assert len(packed) > 2
    assert all(path.stat().st_size <= 400_000 for path in packed)
    inside = [name for path in packed for name in zipfile.ZipFile(path).namelist()]
    assert sum(name.startswith("someone/") for name in inside) == 90
    assert not set((place / "held.txt").read_text().split()) & set(inside)
    with pytest.raises(DataError, match="a parcel takes 2000"):
        parcels.pack(*lists(place), place / "none", most=2000)
    with pytest.raises(ConfigError, match="one start for each"):
        parcels.pack([place / "large.toml"], [], place / "none")
    with pytest.raises(ConfigError, match="one file name"):
        parcels.pack([place / "large.toml"] * 2, [place / "large.pt", place / "small.pt"], place / "none")


def test_packing_leaves_other_zip_files_of_the_folder_alone(place, packed, tmp_path):
    for name in ("celebahq.zip", "1-of-9.zip", "faces-of-friends.zip"):
        (tmp_path / name).write_bytes(b"months of work")
    made = parcels.pack(*lists(place), tmp_path)
    assert (tmp_path / "celebahq.zip").read_bytes() == b"months of work"
    assert (tmp_path / "faces-of-friends.zip").read_bytes() == b"months of work"
    assert not (tmp_path / "1-of-9.zip").exists()
    # Nor do they hinder the unpacking.
    assert parcels.unpack(tmp_path)[0] == made


def test_a_missing_or_damaged_parcel_is_named(place, packed, tmp_path):
    for path in packed[1:]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(DataError, match="bring along every parcel"):
        parcels.unpack(tmp_path)
    content = bytearray(packed[0].read_bytes())
    content[200] ^= 1
    (tmp_path / packed[0].name).write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        parcels.unpack(tmp_path)


def test_a_parcel_that_is_cut_is_named_and_starts_of_an_earlier_burst_go(place, packed, tmp_path):
    for path in packed:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "files" / "start").mkdir(parents=True)
    (tmp_path / "files" / "start" / "old.pt").touch()
    _, files = parcels.unpack(tmp_path)
    assert sorted(path.name for path in (files / "start").iterdir()) == ["large.pt", "small.pt"]
    cut = tmp_path / packed[1].name
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(DataError, match=rf"{packed[1].name} is damaged"):
        parcels.unpack(tmp_path)
    cut.unlink()
    cut.symlink_to(packed[1].name + ".lost")
    with pytest.raises(DiskError, match="cannot unpack"):
        parcels.unpack(tmp_path)


def of_sets(place, tmp_path, *sets):
    """The burst's configuration on other sets."""
    given = ", ".join(f'{{ path = "{path}", alignment = "{data.ALIGNMENT}" }}' for path in sets)
    text = (place / "large.toml").read_text().replace(f'{{ path = "{place}/faces" }}', given)
    (tmp_path / "large.toml").write_text(text.replace(f'held_out = "{place}/held.txt"', ""))
    return [tmp_path / "large.toml"], [place / "large.pt"], tmp_path / "parcels"


def crops_of(folder, *people, each=1):
    for person in people:
        crops.save(folder / person, crops.random(each))
    return folder


def test_crops_that_would_be_missing_on_the_other_side_are_named(place, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCDOOR_CACHE", str(tmp_path / "cache"))
    one, two = crops_of(tmp_path / "one", "ann", "bob"), crops_of(tmp_path / "two", "bob", "cem")
    assert parcels.pack(*of_sets(place, tmp_path, one))
    with pytest.raises(DataError, match=r"bob/00000\.png is the name of images of two sets"):
        parcels.pack(*of_sets(place, tmp_path, one, two))
    for taken in ("start", "teacher"):
        with pytest.raises(DataError, match=rf"{taken}/00000\.png: the folders"):
            parcels.pack(*of_sets(place, tmp_path, crops_of(tmp_path / f"{taken}-set", taken, "zoe")))
    writer = recordio.Writer(tmp_path / "train.rec", [1, 1])
    for path in sorted(one.rglob("*.png")):
        writer.add(path.read_bytes())
    writer.close()
    with pytest.raises(DataError, match=r"train\.rec:1 is not named NAME/image"):
        parcels.pack(*of_sets(place, tmp_path, tmp_path / "train.rec"))


def test_an_identity_that_is_divided_among_parcels_keeps_its_crops(place, tmp_path):
    configs, starts, folder = of_sets(place, tmp_path, crops_of(tmp_path / "one", "ann", "bob", each=24))
    configs[0].write_text(configs[0].read_text().replace("[data]", "[data]\nmin_images = 24"))
    assert len(parcels.pack(configs, starts, folder, most=400_000)) > 2
    made = burst.Burst(configs, folder, tmp_path / "out", burst.Plan(watch=8, batch=4, workers=0), time.monotonic())
    assert len(made.source) == 48 - 8


def test_a_crop_that_cannot_be_read_is_named_and_the_last_parcels_stay(place, tmp_path, monkeypatch):
    made = parcels.pack(*of_sets(place, tmp_path, crops_of(tmp_path / "one", "ann", "bob")))

    def gone(*_):
        raise OSError("the disk is gone")

    whole = data.open_drawn(2, 1, 0)
    whole.fetch = gone
    monkeypatch.setattr(data, "gather", lambda *_: (whole, []))
    with pytest.raises(DataError, match=r"drawn-0000/0: cannot be read: the disk is gone"):
        parcels.pack(*of_sets(place, tmp_path, tmp_path / "one"))
    assert all(path.is_file() for path in made)


def options(place, out, **more):
    given = {"seconds": 120, "batch": 16, "watch": 16, "workers": 0, "steps": 25, **more}
    return ["burst", "run", "--config", *map(str, lists(place)[0]), "--parcels", str(place / "parcels"), "--out",
            str(out), *(part for name, value in given.items() for part in (f"--{name}", str(value)))]  # fmt: skip


def test_every_student_gets_nearer_to_the_teacher_and_can_be_exported(place, packed, tmp_path, capsys):
    # A look at every step: which steps are looked at must not hang on the machine's pace.
    assert cli.main([*options(place, tmp_path, every=0), "--rate", "small=0.004"]) == 0
    table = capsys.readouterr().out
    assert table.rstrip().endswith((tmp_path / "table.md").read_text().rstrip())
    others = some_faces(32, 7)
    for name in ("large", "small"):
        start, _ = checkpoint.load_model(place / f"{name}.pt")
        tuned, whole = checkpoint.load_model(tmp_path / f"{name}.pt")
        assert likeness(tuned, teacher_of(), others) > likeness(start, teacher_of(), others)
        assert tuned.shape == start.shape
        assert whole.foreign["export"]["name"] == name
        assert f"| {name} | " in table
    looks = [json.loads(line) for line in (tmp_path / "burst.jsonl").read_text().splitlines()]
    assert looks[-1]["seen"] == [400, 400]
    assert cli.main(["export", str(tmp_path / "small.pt"), "--out", str(tmp_path)]) == 0


def test_what_breaks_on_the_way_leaves_the_best_and_the_table(place, packed, tmp_path, monkeypatch, capsys):
    learn, calls = Pupil.learn, []

    def broken(pupil, *args, **more):
        calls.append(pupil)
        if pupil.student.shape.widths[0] == 12:
            return Learned(float("nan"))
        if len(calls) > 8:
            raise RuntimeError("the machine is on fire")
        return learn(pupil, *args, **more)

    monkeypatch.setattr(Pupil, "learn", broken)
    assert cli.main(options(place, tmp_path)) == 0
    said = capsys.readouterr()
    assert "its loss was no number" in said.out
    assert "on fire" in said.err
    assert (tmp_path / "large.pt").is_file()
    assert (tmp_path / "small.pt").is_file()
    # Nothing of it is said to have ended in time.
    ended = [line.split(" | ")[-1] for line in (tmp_path / "table.md").read_text().splitlines()[-2:]]
    assert ended == ["its loss was no number |", "broke: the machine is on fire |"]


def test_a_burst_that_could_save_nothing_says_so_in_its_table(place, packed, tmp_path, monkeypatch, capsys):
    def full(path, *_, **__):
        raise DiskError(f"cannot write {path.name}: the disk | is full")

    monkeypatch.setattr(checkpoint, "save_model", full)
    assert cli.main(options(place, tmp_path)) == 0
    assert not (tmp_path / "large.pt").exists()
    table = (tmp_path / "table.md").read_text()
    assert "| - | 0 |" in table
    assert table.count("broke: cannot write large.pt: the disk / is full |") == 2


def test_a_second_burst_does_not_overwrite_the_first_one_s_networks(place, packed, tmp_path, capsys):
    (tmp_path / "burst.jsonl").write_text("{}\n")
    (tmp_path / "large.pt").write_bytes(b"the first one's best")
    assert cli.main(options(place, tmp_path)) == 2
    assert "name another --out" in capsys.readouterr().err
    assert (tmp_path / "large.pt").read_bytes() == b"the first one's best"


def test_the_time_ends_a_burst(place, packed, tmp_path):
    assert cli.main(options(place, tmp_path, seconds=burst.CLOSING / 2, steps=0)) == 0
    looks = [json.loads(line) for line in (tmp_path / "burst.jsonl").read_text().splitlines()]
    assert looks[-1]["seen"] == [0, 0]


def test_the_script_runs_a_thousandth_of_its_length(place, packed, tmp_path):
    given = {
        "CONFIGS": " ".join(map(str, lists(place)[0])), "PARCELS": str(place / "parcels"), "PYTHON": sys.executable,
        "RATES": "large=1e-3 small=1e-3", "SECONDS_LEFT": "100",
    }  # fmt: skip
    command = [
        "sh",
        SCRIPT,
        "run",
        tmp_path / "out",
        "--steps",
        "5",
        "--batch",
        "16",
        "--watch",
        "16",
        "--workers",
        "0",
    ]
    done = subprocess.run(command, env=os.environ | given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "| small | 0.5 |" in done.stdout
    assert subprocess.run(["sh", SCRIPT, "run"], capture_output=True, check=False).returncode == 2
    assert SHAPE.dimension == checkpoint.load_model(tmp_path / "out" / "large.pt")[0].shape.dimension
    assert torch.isfinite(next(checkpoint.load_model(tmp_path / "out" / "large.pt")[0].parameters())).all()


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("--rate names middle", ["--rate", "middle=1e-3"]),
        ("NAME=RATE", ["--rate", "small=fast"]),
        ("small=inf", ["--rate", "small=inf"]),
        ("small=nan", ["--rate", "small=nan"]),
        ("small=-1", ["--rate", "small=-1"]),
        ("small=0.1", ["--rate", "small=0.1"]),
        ("--batch 0", ["--batch", "0"]),
        ("--watch 0", ["--watch", "0"]),
        ("--workers -1", ["--workers", "-1"]),
        ("--every nan", ["--every", "nan"]),
        ("--steps -1", ["--steps", "-1"]),
        ("give --seconds", ["--seconds", "nan"]),
        ("an --until to come", ["--until", "0"]),
    ],
)
def test_what_makes_no_sense_is_refused(place, packed, tmp_path, capsys, named, given):
    assert cli.main([*options(place, tmp_path / "out"), *given]) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("clip = 2.0", "clip = 2.0\nmomentum = 0.5", r"optim\.momentum"),
        ("clip = 2.0", "clip = 2.0\nprecision = 'fp16'", "fp16"),
        ("lr = 0.003", "lr = 0.1", "AdamW"),
        ("[optim]", "[model]\nbackbone = 'dense-xs'\n[optim]", r"\[model\]"),
    ],
)
def test_what_a_burst_would_not_heed_is_refused(place, packed, tmp_path, old, new, named):
    (tmp_path / "large.toml").write_text((place / "large.toml").read_text().replace(old, new))
    with pytest.raises(ConfigError, match=named):
        burst.run([tmp_path / "large.toml"], place / "parcels", tmp_path / "out", burst.Plan(watch=16), 0.0)
    # At home already, before minutes on a lent machine are spent.
    with pytest.raises(ConfigError, match=named):
        parcels.pack([tmp_path / "large.toml"], [place / "large.pt"], tmp_path / "parcels")
