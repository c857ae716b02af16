"""Makes letters.bin: the outlines of the characters that the panel's words use, as polygons.

    npm pack pretendard@1.3.9
    tar xzf pretendard-1.3.9.tgz package/dist/public/static/alternative/Pretendard-SemiBold.ttf
    python3 -m venv v && v/bin/pip install fonttools==4.68.0
    v/bin/python letters/make.py package/dist/public/static/alternative/Pretendard-SemiBold.ttf

Run it in firmware/panel after a change of words; the test `no_word_lacks_a_letter` says when. The same font and words
give the same bytes.

Numbers are little-endian. A count (u16); for each character in order: character (u16), advance (u16), offset of its
outline in the file (u32); then the outlines: contours (u8), and for each contour: points (u16), and their x and y
(i16). Units are 1/1024 em, y goes down, the baseline is 0.
"""

import hashlib
import pathlib
import re
import struct
import sys

from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

SHA256 = "5e1c548732af70873103066c16e1369b9a8a871f0b38c321a1d5bc73e43cea2d"
EM = 1024
# How far a polygon may lie from its curve, in 1/1024 em: a seventh of a pixel at the largest letters (128 px).
TOLERANCE = 1.2
ROOM = pathlib.Path(__file__).resolve().parent.parent


def characters():
    """All characters within quotes in the words' sources, and the keys' digits."""
    found = set("0123456789")
    for source in (ROOM / "src/words").glob("*.rs"):
        if source.name == "mod.rs":
            continue
        for line in source.read_text(encoding="utf-8").splitlines():
            if not line.lstrip().startswith("//"):
                found.update("".join(re.findall(r'"([^"]*)"', line)))
    return sorted(found)


def contours(glyphs, name):
    """Closed polygons in the font's units."""
    pen = DecomposingRecordingPen(glyphs, skipMissingComponents=False)
    glyphs[name].draw(pen)
    polygon, scale = [], EM / UNITS
    for verb, points in pen.value:
        if verb == "moveTo":
            polygon = [points[0]]
        elif verb == "lineTo":
            polygon.append(points[0])
        elif verb == "qCurveTo":
            if points[-1] is None:
                raise SystemExit(f"{name}: a contour without a point on it")
            controls, end = list(points[:-1]), points[-1]
            for at, control in enumerate(controls):
                last = at + 1 == len(controls)
                to = end if last else tuple((a + b) / 2 for a, b in zip(control, controls[at + 1]))
                polygon += curve(polygon[-1], control, to, scale)
        elif verb == "closePath":
            yield [(round(x * scale), round(-y * scale)) for x, y in polygon]
        else:
            raise SystemExit(f"{name}: {verb} is no part of a TrueType outline")


def curve(start, control, end, scale):
    """A quadratic curve as chords, none farther from it than TOLERANCE."""
    bend = max(abs(a - 2 * b + c) for a, b, c in zip(start, control, end)) * scale
    steps = max(1, round((bend / (4 * TOLERANCE)) ** 0.5 + 0.5))
    for step in range(1, steps + 1):
        t = step / steps
        yield tuple((1 - t) ** 2 * a + 2 * t * (1 - t) * b + t * t * c for a, b, c in zip(start, control, end))


path = pathlib.Path(sys.argv[1])
if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
    raise SystemExit(f"{path} is not the file that this was made from; see the head of make.py")
font = TTFont(path)
UNITS, glyphs, names = font["head"].unitsPerEm, font.getGlyphSet(), font.getBestCmap()
wanted = characters()
missing = [c for c in wanted if ord(c) not in names]
if missing:
    raise SystemExit(f"the font has no {missing}")
index, outlines = b"", b""
start = 2 + 8 * len(wanted)
for character in wanted:
    name = names[ord(character)]
    index += struct.pack("<HHI", ord(character), round(glyphs[name].width * EM / UNITS), start + len(outlines))
    shapes = []
    for polygon in contours(glyphs, name):
        points = [p for at, p in enumerate(polygon) if p != polygon[at - 1]]
        if len(points) > 2:
            shapes.append(points)
    outlines += struct.pack("<B", len(shapes))
    for points in shapes:
        outlines += struct.pack("<H", len(points)) + b"".join(struct.pack("<hh", *p) for p in points)
data = struct.pack("<H", len(wanted)) + index + outlines
(ROOM / "letters/letters.bin").write_bytes(data)
print(f"{len(wanted)} characters, {len(data)} bytes")
