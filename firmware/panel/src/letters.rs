//! The letters of the panel's words as outlines, so that they are smooth at every size. `letters/make.py` makes the
//! file and says how it is laid out.

use crate::row::{Dot, Row};

/// Pretendard SemiBold 1.3.9, as far as the words need it: 43 KB for 199 characters.
static FILE: &[u8] = include_bytes!("../letters/letters.bin");
/// Units in an em.
const EM: i32 = 1024;
/// A capital's height, in units: the font's own `sCapHeight`. Hangul stands a little higher.
const CAPITAL: i32 = 724;
/// Bytes of one character in the index.
const ENTRY: usize = 8;

/// A capital's height in pixels, at `em_px` pixels an em.
#[must_use]
pub(crate) const fn capital_px(em_px: i32) -> i32 {
    em_px * CAPITAL / EM
}

struct Glyph {
    advance: i32,
    outline: &'static [u8],
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn glyph(letter: char) -> Option<Glyph> {
    let code = u16::try_from(u32::from(letter)).ok()?;
    let index = FILE.get(2..2 + ENTRY * usize::from(number(FILE, 0)?))?;
    let (entries, _) = index.as_chunks::<ENTRY>();
    let at = entries.binary_search_by_key(&code, |entry| u16::from_le_bytes([entry[0], entry[1]])).ok()?;
    let [_, _, low, high, offset @ ..] = entries[at];
    let outline = FILE.get(u32::from_le_bytes(offset) as usize..)?;
    Some(Glyph { advance: u16::from_le_bytes([low, high]).into(), outline })
}

/// Whether there is an outline for `letter`.
#[cfg(test)]
pub(crate) fn has(letter: char) -> bool {
    glyph(letter).is_some_and(|glyph| letter == ' ' || glyph.outline[0] > 0)
}

/// How wide `text` is, in pixels, rounded up.
pub(crate) fn width_px(text: &str, em_px: i32) -> i32 {
    let units: i32 = text.chars().filter_map(glyph).map(|glyph| glyph.advance).sum();
    (units * em_px + EM - 1) / EM
}

/// Adds the outlines of `text` to `row`; `at` is where its baseline begins. Letters that are missing are left out.
pub(crate) fn trace(row: &mut Row, text: &str, at: Dot, em_px: i32) {
    let mut pen = 0;
    for glyph in text.chars().filter_map(glyph) {
        // Units to 1/256 px: em_px * 256 / 1024.
        let place = |x: i16, y: i16| Dot {
            x: at.x + (pen + i32::from(x)) * em_px / 4,
            y: at.y + i32::from(y) * em_px / 4,
        };
        let _whole = contours(glyph.outline, |from, to| row.edge(place(from.0, from.1), place(to.0, to.1)));
        pen += glyph.advance;
    }
    row.close();
}

/// Every edge of an outline; `None` where the file ends too early.
fn contours(outline: &[u8], mut edge: impl FnMut((i16, i16), (i16, i16))) -> Option<()> {
    let (count, mut rest) = outline.split_first()?;
    for _ in 0..*count {
        let points = usize::from(number(rest, 0)?);
        let (these, behind) = rest.get(2..)?.split_at_checked(points * 4)?;
        let (points, _) = these.as_chunks::<4>();
        let point = |[a, b, c, d]: [u8; 4]| (i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d]));
        let mut from = point(*points.last()?);
        for to in points.iter().map(|bytes| point(*bytes)) {
            edge(from, to);
            from = to;
        }
        rest = behind;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outline_in_the_file_is_whole() {
        let (entries, _) = FILE[2..2 + ENTRY * usize::from(number(FILE, 0).unwrap())].as_chunks::<ENTRY>();
        for entry in entries {
            let letter = char::from_u32(u16::from_le_bytes([entry[0], entry[1]]).into()).unwrap();
            let glyph = glyph(letter).unwrap();
            contours(glyph.outline, |_, _| ()).unwrap();
            assert!(glyph.advance > 0, "{letter}");
        }
    }

    #[test]
    fn an_outline_cut_short_is_no_outline() {
        let whole = [1, 1, 0, 5, 0, 6, 0];
        assert!(contours(&whole, |_, _| ()).is_some());
        for end in 0..whole.len() {
            assert!(contours(&whole[..end], |_, _| ()).is_none(), "{end} bytes");
        }
    }

    #[test]
    fn a_capital_is_as_high_as_the_size_says() {
        let (mut top, mut bottom) = (i16::MAX, i16::MIN);
        contours(glyph('H').unwrap().outline, |_, (_, y)| (top, bottom) = (top.min(y), bottom.max(y)));
        assert_eq!((i32::from(top), bottom), (-CAPITAL, 0));
    }
}
