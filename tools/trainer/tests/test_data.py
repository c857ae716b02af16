"""Data: every store gives the same images; damage is counted; order and augmentation depend on seeds alone."""

import io
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from arcdoor_train import config, data
from arcdoor_train.data import sets
from arcdoor_train.data.augment import MORE_STEPS, STEPS, augment
from arcdoor_train.data.batches import ByIdentity, order
from arcdoor_train.errors import ConfigError, DataError

DECLARED = f'alignment = "{data.ALIGNMENT}"\n'


def png(value, side=112):
    buffer = io.BytesIO()
    Image.fromarray(np.full((side, side, 3), value, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


FILES = {f"{name}/{n}.png": png(10 * i + n) for i, name in enumerate(["ada", "bob", "eve"]) for n in range(3)}


def folder(path, files=None, declared=DECLARED):
    for name, content in (files or FILES).items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    if declared:
        (path / "dataset.toml").write_text(declared)
    return path


def record(label, content, number):
    if isinstance(label, list):
        head = struct.pack("<IfQQ", len(label), 0.0, number, 0) + struct.pack(f"<{len(label)}f", *label)
    else:
        head = struct.pack("<IfQQ", 0, label, number, 0)
    body = head + content
    return struct.pack("<II", 0xCED7230A, len(body)) + body + b"\0" * (-len(body) % 4)


def rec(path):
    out, index = b"", []
    rows = [([10.0, 13.0], b"")] + [(float(n // 3), content) for n, content in enumerate(FILES.values())]
    rows += [([1.0 + 3 * n, 4.0 + 3 * n], b"") for n in range(3)]
    for number, (label, content) in enumerate(rows):
        index.append(f"{number}\t{len(out)}")
        out += record(label, content, number)
    path.write_bytes(out)
    path.with_suffix(".idx").write_text("\n".join(index) + "\n")
    path.with_name(path.stem + ".dataset.toml").write_text(DECLARED)
    return path


def store(kind, path):
    if kind == "folder":
        return folder(path / "set")
    if kind == "rec":
        return rec(path / "train.rec")
    file = path / f"set.{kind.split('-')[0]}"
    content = {**FILES, "dataset.toml": DECLARED.encode()}
    if kind == "tar":
        with tarfile.open(file, "w") as archive:
            for name, value in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
        return file
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if kind == "zip-deflated" else zipfile.ZIP_STORED) as archive:
        for name, value in content.items():
            archive.writestr(name, value)
    return file


@pytest.mark.parametrize("kind", ["folder", "zip", "zip-deflated", "tar", "rec"])
def test_every_store_gives_the_same(kind, tmp_path):
    found = data.open(store(kind, tmp_path))
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [int(found.read(n)[5, 5, 0]) for n in range(9)] == [0, 1, 2, 10, 11, 12, 20, 21, 22]


@pytest.mark.parametrize(
    ("declared", "said"), [("", "does not say"), ('alignment = "loose"', "fails there"), ("alignment = ", "no TOML")]
)
def test_no_other_alignment_is_accepted(declared, said, tmp_path):
    with pytest.raises(DataError, match=said):
        data.open(folder(tmp_path / "set", declared=declared))


def test_a_declaration_cannot_be_overruled(tmp_path):
    folder(tmp_path / "a", declared="")
    assert len(data.open(tmp_path / "a", data.ALIGNMENT)) == 9
    with pytest.raises(DataError, match="the configuration says"):
        data.open(folder(tmp_path / "b", declared='alignment = "loose"'), data.ALIGNMENT)


def wanted(path, **more):
    return config.Data(sets=(config.Set(str(path), data.ALIGNMENT),), **({"workers": 0} | more))


def test_one_class_is_refused(tmp_path):
    path = folder(tmp_path / "set", {"ada/1.png": png(1)}, "")
    with pytest.raises(DataError, match="at least 2"):
        data.gather(wanted(path), 1)


def test_an_empty_identity_and_a_small_one_are_left_out(tmp_path):
    path = folder(tmp_path / "set", {**FILES, "sue/1.png": png(9)}, "")
    (path / "nobody").mkdir()
    found, notes = data.gather(wanted(path, min_images=2), 1)
    assert len(found.identities) == 3
    assert notes == ["set: 1 of 4 identities have too few images"]


@pytest.mark.parametrize("damage", [b"", b"no image", png(3)[:60], png(3, 64)])
def test_corrupt_images_are_listed_and_replaced(damage, tmp_path):
    path = folder(tmp_path / "set", {**FILES, "bob/1.png": damage}, "")
    found, _ = data.gather(wanted(path), 1)
    skips, labels = [], []
    for images, some, skipped in data.Batches(found, wanted(path), 1, 3, 1):
        skips += skipped
        labels += some.tolist()
        assert images.shape == (3, 112, 112, 3)
        assert 11 not in images.numpy()
    assert [key for key, _ in skips] == ["bob/1.png"]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_an_identity_without_any_readable_image_is_an_error(tmp_path):
    path = folder(tmp_path / "set", {**FILES, **{f"bob/{n}.png": b"x" for n in range(3)}}, "")
    found, _ = data.gather(wanted(path), 1)
    with pytest.raises(DataError, match="bob can be read"):
        list(data.Batches(found, wanted(path), 1, 3, 1))


def test_labels_out_of_range(tmp_path):
    found, _ = data.gather(wanted(folder(tmp_path / "set", declared="")), 1)
    found.labels[3] = 7
    with pytest.raises(DataError, match="from 0 to 7"):
        data.Batches(found, wanted(tmp_path), 1, 3, 1)
    found.labels[3] = -1
    with pytest.raises(DataError, match="from -1"):
        data.Batches(found, wanted(tmp_path), 1, 3, 1)


def test_damaged_shards(tmp_path):
    path = rec(tmp_path / "train.rec")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="damaged"):
        data.open(path)
    broken = tmp_path / "a.zip"
    broken.write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="damaged"):
        data.open(broken, data.ALIGNMENT)
    with pytest.raises(DataError, match="no data set"):
        data.open(tmp_path / "absent")
    with pytest.raises(ConfigError):
        data.open("$ARCDOOR_NO_SUCH_VARIABLE/x")


def batches(found, workers, part=0, parts=1, start=0):
    shares = config.Augment(**dict.fromkeys(["flip", "low_light", "motion_blur", "noise", "jpeg", "grey"], 0.5))
    settings = config.Data(workers=workers, augment=shares)
    return [
        (i.numpy(), k.numpy())
        for i, k, _ in data.Batches(found, settings, 5, 4, 2, start=start, part=part, parts=parts)
    ]


def test_workers_and_processes_change_nothing():
    found = data.open_drawn(3, 4, 1)
    alone = batches(found, 0)
    assert len(alone) == 6
    for other in (batches(found, 2),):
        assert all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(alone, other, strict=True))
    halves = [batches(found, 0, part, 2) for part in range(2)]
    for whole, first, second in zip(alone, *halves, strict=True):
        assert np.array_equal(whole[0], np.concatenate([first[0], second[0]]))
    later = batches(found, 0, start=4)
    assert all(np.array_equal(a[0], b[0]) for a, b in zip(alone[4:], later, strict=True))


def test_epochs_differ_and_are_permutations():
    assert sorted(order(1, 0, 50)) == list(range(50))
    assert order(1, 0, 50).tolist() != order(1, 1, 50).tolist()


@pytest.mark.parametrize("name", [name for name, _ in STEPS + MORE_STEPS])
def test_each_augmentation_changes_the_image_and_repeats(name):
    image = data.open_drawn(2, 1, 1).read(1)
    shares = config.Augment(**{"flip": 0.0, name: 1.0})
    kept = image.copy()
    for seed in range(5):
        first = augment(image, shares, np.random.default_rng(seed))
        again = augment(image, shares, np.random.default_rng(seed))
        assert first.shape == image.shape
        assert first.dtype == np.uint8
        assert np.array_equal(first, again)
        assert not np.array_equal(first, image)
    assert np.array_equal(image, kept)


def test_grey_is_grey_and_dark_is_dark():
    image = data.open_drawn(2, 1, 1).read(1)
    grey = augment(image, config.Augment(flip=0.0, grey=1.0), np.random.default_rng(1))
    assert (grey[..., 0] == grey[..., 2]).all()
    dark = [augment(image, config.Augment(flip=0.0, low_light=1.0), np.random.default_rng(n)).mean() for n in range(9)]
    assert max(dark) < image.mean()


def test_adafaces_augmentations():
    image = np.maximum(data.open_drawn(2, 1, 1).read(1), 1)

    def each(name):
        shares = config.Augment(**{"flip": 0.0, name: 1.0})
        return [augment(image, shares, np.random.default_rng(seed)) for seed in range(20)]

    kept = [(cut != 0).any(2) for cut in each("crop")]
    for cut, mask in zip(each("crop"), kept, strict=True):
        assert np.array_equal(cut[mask], image[mask])
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert (
            mask.sum()
            == len(rows) * len(columns)
            == np.ptp([*rows, rows[-1] + 1]) * np.ptp([*columns, columns[-1] + 1])
        )
        assert 0.15 * mask.size < mask.sum()
    assert np.mean(kept) == pytest.approx(0.6, abs=0.15)

    def detail(crop):
        return np.abs(np.diff(crop.astype(int), axis=1)).mean()

    assert np.mean([detail(small) for small in each("rescale")]) < detail(image)
    light = [crop.mean() / image.mean() for crop in each("photometric")]
    assert min(light) < 0.8
    assert max(light) > 1.1


def test_augmentations_that_are_not_wanted_draw_nothing():
    """Runs of earlier configurations go on as they began: their images do not depend on later steps."""
    image = data.open_drawn(2, 1, 1).read(1)
    shares = config.Augment(flip=0.5, noise=0.5)
    random, by_hand = np.random.default_rng(3), np.random.default_rng(3)
    found = augment(image, shares, random)
    for name, step in STEPS:
        if by_hand.random() < getattr(shares, name):
            image = step(image, by_hand)
    assert np.array_equal(found, image)
    assert random.bit_generator.state == by_hand.bit_generator.state


def by_identity(found, workers=0, part=0, parts=1, start=0, batch=24, micro=12, each=3):
    wanted = config.Data(workers=workers, per_identity=each, augment=config.Augment(flip=0.5, noise=0.5))
    some = data.Batches(found, wanted, 5, batch, 3, start=start, part=part, parts=parts, micro=micro)
    return [(images.numpy(), labels.numpy()) for images, labels, _ in some]


def same(first, second):
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_micro_batches_of_p_identities_with_k_images():
    found = data.open_drawn(6, 5, 1)
    alone = by_identity(found)
    assert len(alone) == 3
    groups = [labels[at : at + 12] for _, labels in alone for at in (0, 12)]
    assert all(sorted(np.unique(group, return_counts=True)[1]) == [3, 3, 3, 3] for group in groups)
    assert len({tuple(group) for group in groups}) == len(groups)
    assert same(alone, by_identity(found, workers=2))
    assert same(alone[1:], by_identity(found, start=1))
    halves = [by_identity(found, part=part, parts=2) for part in range(2)]
    joined = [tuple(np.concatenate(both) for both in zip(*pair, strict=True)) for pair in zip(*halves, strict=True)]
    assert same(alone, joined)


def test_an_identity_gives_other_images_while_it_has_some():
    found = data.open_drawn(3, 4, 1)
    found.labels = np.array([0] * 2 + [1] * 5 + [2] * 5)
    people = ByIdentity(found)
    for seed in range(9):
        drawn = people.draw(np.random.default_rng(seed), 3, 3)
        for label in range(3):
            mine = drawn[found.labels[drawn] == label]
            assert len(mine) == 3
            assert len(set(mine.tolist())) == (2 if label == 0 else 3)


def test_identities_that_make_no_pairs_are_refused():
    found = data.open_drawn(4, 8, 1)
    with pytest.raises(DataError, match="wants 8 identities in a micro-batch of 24, but there are 4"):
        by_identity(found, micro=24)
    found.labels = np.array([0] * 10 + [1] * 10 + [2] * 11 + [3])
    with pytest.raises(DataError, match=r"1 of 4 identities have one image.*min_images = 2"):
        by_identity(found)


@pytest.mark.parametrize("workers", [0, 2])
def test_kept_images_are_not_read_again_and_never_torn(workers, tmp_path):
    path = folder(tmp_path / "set", {f"p{n}/{k}.png": png(10 * n + k) for n in range(4) for k in range(4)})
    whole = wanted(path, keep_mb=1, workers=workers)
    source, _ = data.gather(whole, 1)
    reads = tmp_path / "reads"
    plain = source.fetch

    def counted(index):
        with open(reads, "a") as file:
            file.write(f"{index}\n")
        return plain(index)

    source.fetch = counted
    found = [images.numpy().copy() for images, _, _ in data.Batches(source, whole, 1, 4, 3)]
    other, _ = data.gather(wanted(path), 1)
    expected = [images.numpy() for images, _, _ in data.Batches(other, wanted(path), 1, 4, 3)]
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    counts = np.bincount(np.array(reads.read_text().split(), int), minlength=16)
    # Two workers may want one image before either has kept it; neither reads it again in a later epoch.
    assert set(counts.tolist()) <= set(range(1, max(workers, 1) + 1)), counts
    before = reads.read_text()
    again = [images.numpy() for images, _, _ in data.Batches(source, whole, 1, 4, 3)]
    assert all(np.array_equal(a, b) for a, b in zip(again, expected, strict=True))
    assert reads.read_text() == before, "what workers kept is there for those who come after them"


def test_what_has_no_room_is_decoded_each_time():
    kept = sets.Kept(100, 1)
    image = np.full((112, 112, 3), 7, np.uint8)
    for index in (0, 25, 26, 99):
        kept.put(index, image)
    assert [kept.get(index) is not None for index in (0, 1, 25, 26, 99)] == [True, False, True, False, False]
    assert kept.room * image.size <= 1_000_000


def a_list(path, rows, *sets):
    """Writes a list of ``sets`` with these rows."""
    origin = data.gather(config.Data(sets=tuple(config.Set(str(one)) for one in sets), workers=0), 1)[0].origin
    path.write_text(f"# arcdoor-train list 1 {origin}\n{rows}")
    return str(path)


GOOD = "eve/1.png\t0\t0.9\tset/eve\nada/0.png\t1\t0.8\tset/ada\nada/2.png\t1\t0.8\tset/ada\n"


def test_a_list_keeps_and_renumbers(tmp_path):
    path = folder(tmp_path / "set")
    kept = a_list(tmp_path / "kept.tsv", GOOD, path)
    found, notes = data.gather(wanted(path, list=kept), 1)
    assert (found.labels.tolist(), found.identities) == ([0, 1, 1], ["set/eve", "set/ada"])
    assert [int(found.read(n)[5, 5, 0]) for n in range(3)] == [21, 0, 2]
    assert found.moved.tolist() == [False] * 3
    assert "keeps 3 of 9 images, 2 identities" in notes[-1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eve/9.png\t0\t1\teve\nada/0.png\t1\t1\tada\n", r"names eve/9\.png, which is not among the images"),
        ("eve/1.png\n", "as a list of"),
        ("eve/1.png\tx\t1\teve\n", "as a list of"),
        ("eve/1.png\t0\t1\teve\nada/0.png\t2\t1\tada\n", "without gaps"),
        ("eve/1.png\t-1\t1\teve\nada/0.png\t0\t1\tada\n", "without gaps"),
        ("eve/1.png\t0\t1\teve\n", "at least two"),
        ("", "at least two"),
        ("eve/1.png\t0\t1\teve\neve/1.png\t1\t1\tada\n", r"names eve/1\.png twice"),
    ],
)
def test_a_list_that_does_not_fit_is_refused(text, said, tmp_path):
    path = folder(tmp_path / "set")
    with pytest.raises(DataError, match=said):
        data.gather(wanted(path, list=a_list(tmp_path / "kept.tsv", text, path)), 1)


def test_a_list_of_other_sets_is_refused(tmp_path):
    """Names alone do not tell: those of every ``train.rec`` are the same."""
    path, other = folder(tmp_path / "set"), folder(tmp_path / "other", {**FILES, "eve/7.png": png(9)})
    kept = a_list(tmp_path / "kept.tsv", GOOD, other)
    with pytest.raises(DataError, match="made of other sets"):
        data.gather(wanted(path, list=kept), 1)
    (path / "ada/1.png").unlink()
    with pytest.raises(DataError, match="or of another state of them"):
        data.gather(wanted(path, list=a_list(tmp_path / "kept.tsv", GOOD, folder(tmp_path / "whole"))), 1)
    (tmp_path / "kept.tsv").write_text(GOOD)
    with pytest.raises(DataError, match="does not say of which sets"):
        data.gather(wanted(path, list=kept), 1)
    with pytest.raises(DataError, match="cannot read"):
        data.gather(wanted(path, list=str(tmp_path / "none.tsv")), 1)


def test_a_list_is_refused_where_names_are_ambiguous_until_sets_are_named(tmp_path):
    paths = [folder(tmp_path / "a" / "set"), folder(tmp_path / "b" / "set")]
    kept = a_list(tmp_path / "kept.tsv", GOOD, *paths)
    both = config.Data(sets=tuple(config.Set(str(path)) for path in paths), list=kept, workers=0)
    with pytest.raises(DataError, match="ambiguous: give one of the sets another"):
        data.gather(both, 1)
    named = config.Data(sets=(both.sets[0], config.Set(str(paths[1]), name="b")), list=kept, workers=0)
    assert data.gather(named, 1)[0].identities == ["set/eve", "set/ada"]


def test_each_set_has_a_list_of_its_own(tmp_path):
    paths = [folder(tmp_path / "a" / "set"), folder(tmp_path / "b" / "set")]
    kept = a_list(tmp_path / "kept.tsv", GOOD, paths[0])
    sets = (config.Set(str(paths[0]), list=kept), config.Set(str(paths[1]), name="b"))
    found, notes = data.gather(config.Data(sets=sets, workers=0), 1)
    assert notes == [f"{kept} keeps 3 of 9 images, 2 identities"]
    assert found.identities == ["set/eve", "set/ada", "b/ada", "b/bob", "b/eve"]
    assert [found.keys[n] for n in range(4)] == ["eve/1.png", "ada/0.png", "ada/2.png", "b/ada/0.png"]
    assert found.labels.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]


def test_id_strings_for_the_labels_of_a_rec(tmp_path):
    path = rec(tmp_path / "train.rec")
    (tmp_path / "ids.txt").write_text("m.0a\nm.0b\nm.0c\n")
    one = config.Set(str(path), identities=str(tmp_path / "ids.txt"))
    assert data.gather(config.Data(sets=(one,)), 1)[0].identities == [f"train.rec/m.0{name}" for name in "abc"]
    (tmp_path / "ids.txt").write_text("m.0a\nm.0b\n")
    with pytest.raises(DataError, match=r"2 lines, train\.rec has 3 identities"):
        data.gather(config.Data(sets=(one,)), 1)
