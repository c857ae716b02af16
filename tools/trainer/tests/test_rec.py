"""``.rec`` sets: what dmlc's writer writes is read, labels are kept, and damage has a name."""

import multiprocessing
import struct
import tracemalloc

import numpy as np
import pytest

from arcdoor_train import config, data
from arcdoor_train.data import rec_index, recordio
from arcdoor_train.errors import DataError

MAGIC = struct.pack("<I", 0xCED7230A)
#: The magic word aligned, twice in a row, at the end, not aligned, and cut off; the header before it has 24 bytes.
IMAGES = [
    b"plain",
    b"1234" + MAGIC + b"rest of it",
    MAGIC + MAGIC + b"x",
    b"12345678" + MAGIC,
    b"1" + MAGIC + b"345",
    b"1234" + MAGIC[:3],
    MAGIC,
    b"12" + MAGIC + b"34" + MAGIC + b"5678" + MAGIC,
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("ARCDOOR_CACHE", str(folder))
    return folder


def write(path, images=IMAGES, counts=(3, 1, 4)):
    path.parent.mkdir(exist_ok=True)
    writer = recordio.Writer(path, list(counts))
    for image in images:
        writer.add(image)
    writer.close()
    return path


def by_dmlc(content):
    """RecordIOWriter::WriteRecord, word by word."""
    out, begin = b"", 0
    for at in range(0, len(content) // 4 * 4, 4):
        if content[at : at + 4] == MAGIC:
            out += MAGIC + struct.pack("<I", (2 if begin else 1) << 29 | (at - begin)) + content[begin:at]
            begin = at + 4
    out += MAGIC + struct.pack("<I", (3 if begin else 0) << 29 | (len(content) - begin)) + content[begin:]
    return out + bytes(-len(content) % 4)


def test_the_writer_writes_what_dmlc_s_does():
    random = np.random.default_rng(1)
    words = [MAGIC, b"abcd", b"x"]
    some = [b"".join(words[n] for n in random.integers(0, 3, size)) for size in range(40)]
    for content in [b"", *IMAGES, *some]:
        written = recordio.parts(content)
        assert written == by_dmlc(content)
        assert recordio.joined(lambda at, size, written=written: written[at : at + size], 0) == content


def test_records_of_several_parts_are_joined(tmp_path):
    found = data.open(write(tmp_path / "set" / "train.rec"), data.ALIGNMENT)
    assert [found.fetch(n) for n in range(len(found))] == IMAGES
    assert found.labels.tolist() == [0, 0, 0, 1, 2, 2, 2, 2]
    assert list(found.keys) == [f"train.rec:{n}" for n in range(1, 9)]


def test_a_header_in_several_parts_has_its_label(tmp_path):
    path = tmp_path / "train.rec"
    records = [struct.pack("<IfQQ", 0, label, 0, 0xCED7230A) + b"image" for label in (1.0, 0.0)]
    records += [struct.pack("<IfQQ3f", 3, 9.0, 0, 0, 1.0, 7.0, 7.0) + b"image"]
    written = [by_dmlc(record) for record in records]
    path.write_bytes(b"".join(written))
    starts = np.cumsum([0, *map(len, written)])
    path.with_suffix(".idx").write_text("".join(f"{n}\t{start}\n" for n, start in enumerate(starts[:3])))
    found = data.open(path, data.ALIGNMENT)
    assert found.labels.tolist() == [1, 0, 1]
    assert [found.fetch(n) for n in range(3)] == [b"image"] * 3


def kept(folder):
    return sorted(path.name for path in folder.glob("*.images-*.npy")) if folder.exists() else []


def test_labels_are_kept_beside_the_set(tmp_path, cache, monkeypatch):
    path = write(tmp_path / "set" / "train.rec")
    first = data.open(path, data.ALIGNMENT)
    before = kept(path.parent)
    assert len(before) == 1
    assert not kept(cache / "labels")
    with monkeypatch.context() as patch:
        patch.setattr(recordio, "labels", lambda *_: pytest.fail("read again"))
        again = data.open(path, data.ALIGNMENT)
    assert again.labels.tolist() == first.labels.tolist()
    assert [again.fetch(n) for n in range(8)] == IMAGES
    write(path, [*IMAGES, b"more"], (3, 1, 5))
    assert len(data.open(path, data.ALIGNMENT)) == 9
    assert len(kept(path.parent)) == 1
    assert kept(path.parent) != before


def test_a_damaged_file_of_labels_is_made_anew(tmp_path):
    path = write(tmp_path / "set" / "train.rec")
    wanted = data.open(path, data.ALIGNMENT).labels.tolist()
    file = path.parent / kept(path.parent)[0]
    for content in (b"", b"no array", file.read_bytes()[:200]):
        file.write_bytes(content)
        assert data.open(path, data.ALIGNMENT).labels.tolist() == wanted


@pytest.mark.parametrize("error", [PermissionError(13, "Read-only file system"), OSError(28, "No space left")])
def test_where_the_set_cannot_be_written_labels_go_to_the_users_cache(error, tmp_path, cache, monkeypatch, capsys):
    path = write(tmp_path / "set" / "train.rec")
    full = [path.parent]
    good = np.save

    def refusing(file, table):
        if any(str(file.name).startswith(str(folder)) for folder in full):
            file.write(b"half of it")
            raise error
        good(file, table)

    monkeypatch.setattr(np, "save", refusing)
    wanted = data.open(path, data.ALIGNMENT).labels.tolist()
    assert len(kept(cache / "labels")) == 1
    assert sorted(file.name for file in path.parent.iterdir()) == ["train.idx", "train.rec"]
    with monkeypatch.context() as patch:
        patch.setattr(recordio, "labels", lambda *_: pytest.fail("read again"))
        assert data.open(path, data.ALIGNMENT).labels.tolist() == wanted
    assert not capsys.readouterr().err
    full.append(cache)
    write(path, [*IMAGES, b"more"], (3, 1, 5))
    assert len(data.open(path, data.ALIGNMENT)) == 9
    assert "can be kept neither" in capsys.readouterr().err
    assert len(list((cache / "labels").iterdir())) == 1


def _open_counted(path, reads):
    good = recordio.labels

    def counted(*arguments):
        with open(reads, "a") as file:
            file.write("read\n")
        return good(*arguments)

    recordio.labels = counted
    assert len(data.open(path, data.ALIGNMENT)) == 8


def test_of_several_processes_one_reads(tmp_path):
    path, reads = write(tmp_path / "set" / "train.rec"), tmp_path / "reads"
    fork = multiprocessing.get_context("fork")
    others = [fork.Process(target=_open_counted, args=(path, reads)) for _ in range(4)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0] * 4
    assert reads.read_text() == "read\n"


def test_images_are_not_held_while_labels_are_read(tmp_path):
    path = write(tmp_path / "train.rec", [bytes(100_000)] * 400, [200, 200])
    tracemalloc.start()
    try:
        found = data.open(path, data.ALIGNMENT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 400
    assert peak < 12_000_000 < path.stat().st_size


def changed(path, name, change):
    """The set with what ``change`` makes of its ``.rec`` or ``.idx``."""
    file = path.with_suffix(name)
    file.write_bytes(change(file.read_bytes()))


def relabelled(content):
    """Every image of identity 1 is one of identity 3."""
    return content.replace(struct.pack("<If", 0, 1.0), struct.pack("<If", 0, 3.0))


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (".rec", lambda rec: rec[: len(rec) // 2], "is cut: it ends at byte"),
        (".rec", lambda rec: rec[:-50], "is cut: it ends at byte"),
        (".rec", lambda rec: rec[: len(rec) // 8 * 4], "copy it again"),
        (".rec", lambda rec: rec[4:], "index belongs to another set"),
        (".rec", lambda _: b"", "is cut"),
        (".rec", relabelled, "labels reach 3, but 1 of them have no image, the first is 1"),
        (".rec", lambda rec: rec.replace(struct.pack("<If", 0, 1.0), struct.pack("<If", 0, 1.5)), "has the label 1.5"),
        (".rec", lambda rec: rec.replace(struct.pack("<If", 0, 1.0), struct.pack("<If", 0, -1.0)), "has the label -1"),
        (".idx", lambda idx: b"\n".join(idx.split(b"\n")[:5]) + b"\n", "lists 4 of the 8 images"),
        (".idx", lambda idx: idx + b"3\t0\n", "lists a record twice"),
        (".idx", lambda idx: b"\n".join(idx.split(b"\n")[1:]), "no record 0"),
        (".idx", lambda idx: idx.replace(b"\t", b" "), "is no index"),
        (".idx", lambda idx: idx.replace(b"\n", b"\t7\n"), "3 columns"),
        (".idx", lambda _: b"", "is empty"),
        (".idx", lambda _: b"\x80\x04\x95 pickled", "is no index"),
    ],
)
def test_damage_has_a_name(name, change, said, tmp_path):
    path = write(tmp_path / "set" / "train.rec")
    changed(path, name, change)
    with pytest.raises(DataError, match=said):
        data.open(path, data.ALIGNMENT)
    assert not kept(path.parent)


def test_an_index_of_another_set_is_refused(tmp_path):
    path = write(tmp_path / "set" / "train.rec")
    other = write(tmp_path / "set" / "other.rec", [image + b"longer" for image in IMAGES])
    path.with_suffix(".idx").write_bytes(other.with_suffix(".idx").read_bytes())
    with pytest.raises(DataError, match="index belongs to another set"):
        data.open(path, data.ALIGNMENT)


def test_a_set_cut_after_its_labels_were_kept_is_refused(tmp_path):
    path = write(tmp_path / "set" / "train.rec")
    data.open(path, data.ALIGNMENT)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match="is cut"):
        data.open(path, data.ALIGNMENT)


def test_a_record_that_goes_wrong_later_is_one_unreadable_image(tmp_path):
    """Labels come from headers, so that damage behind one is met when the image is wanted."""
    path = write(tmp_path / "set" / "train.rec")
    found = data.open(path, data.ALIGNMENT)
    content = path.read_bytes()
    second = content.index(MAGIC + struct.pack("<I", 3 << 29 | len(b"rest of it")))
    path.write_bytes(content[:second] + b"\0\0\0\0" + content[second + 4 :])
    with pytest.raises(DataError, match=r"train\.rec:2: cannot be read: no record goes on at byte"):
        found.read(1)


def test_record_0_of_more_images_than_float32_can_count(tmp_path, monkeypatch):
    """It is rounded there: what is an image decides."""
    monkeypatch.setattr(rec_index, "_EXACT", 2)
    for told in (5.0, 7.0, 9.0, 11.0, 12.0):
        path = write(tmp_path / f"set{told}" / "train.rec")
        exact = struct.pack("<IfQQ2f", 2, 0.0, 0, 0, 9.0, 12.0)
        changed(
            path,
            ".rec",
            lambda rec, told=told, exact=exact: rec.replace(exact, exact[:24] + struct.pack("<2f", told, 12.0)),
        )
        assert len(data.open(path, data.ALIGNMENT)) == 8


def test_sets_are_joined_and_small_identities_left_out(tmp_path):
    paths = [write(tmp_path / name / "train.rec") for name in ("a", "b")]
    whole = config.Data(sets=tuple(config.Set(str(path), data.ALIGNMENT) for path in paths), min_images=2)
    found, notes = data.gather(whole, 1)
    assert notes == ["train.rec: 1 of 3 identities have too few images"] * 2
    assert found.labels.tolist() == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 3, 3]
    assert [found.fetch(n) for n in range(14)] == 2 * (IMAGES[:3] + IMAGES[4:])
    assert list(found.keys) == [found.keys[n] for n in range(14)]
    assert found.keys[3] == "train.rec:5"
