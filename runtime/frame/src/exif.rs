//! The one EXIF tag that matters here: which way up a picture is.

use crate::image::{CHANNELS, RgbImage};

/// The tag's number, and the types SHORT, which the standard gives it, and LONG, which some programs write
/// (EXIF 2.32, section 4.6).
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
const LONG: u16 = 4;
/// Entries of the first directory that are looked at.
const MAX_ENTRIES: usize = 512;

/// The orientation 1..=8 in a TIFF block (what follows `Exif\0\0`); 1 where there is none.
pub(crate) fn orientation(tiff: &[u8]) -> u8 {
    find(tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff)).unwrap_or(1)
}

fn find(tiff: &[u8]) -> Option<u8> {
    let little = match tiff.get(..4)? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let u32_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let start = u32_at(4)? as usize;
    let entries = usize::from(u16_at(start)?).min(MAX_ENTRIES);
    for entry in 0..entries {
        let at = start + 2 + entry * 12;
        let value = match (u16_at(at)?, u16_at(at + 2)?) {
            (ORIENTATION, SHORT) => u32::from(u16_at(at + 8)?),
            (ORIENTATION, LONG) => u32_at(at + 8)?,
            _ => continue,
        };
        return u8::try_from(value).ok().filter(|value| (1..=8).contains(value));
    }
    None
}

/// Turns a picture the right way up, by way of `scratch`.
pub(crate) fn apply(orientation: u8, image: &mut RgbImage, scratch: &mut RgbImage) {
    if !(2..=8).contains(&orientation) {
        return;
    }
    let (width, height) = (image.width(), image.height());
    let turned = orientation >= 5;
    let (out_width, out_height) = if turned { (height, width) } else { (width, height) };
    scratch.reshape(out_width, out_height);
    let source = image.view();
    let rows = scratch.data_mut().chunks_exact_mut(out_width as usize * CHANNELS);
    for (y, row) in (0_u32..).zip(rows) {
        for (x, pixel) in (0_u32..).zip(row.chunks_exact_mut(CHANNELS)) {
            let (sx, sy) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            pixel.copy_from_slice(&source.pixel(sx, sy));
        }
    }
    image.swap(scratch);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(value: u8) -> Vec<u8> {
        let mut tiff = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        tiff.extend([value, 0, 0]);
        tiff
    }

    #[test]
    fn the_tag_is_found_or_1() {
        assert_eq!(orientation(&tiff(6)), 6);
        assert_eq!(orientation(&tiff(9)), 1);
        assert_eq!(orientation(b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"), 1);
        assert_eq!(orientation(b""), 1);
    }

    #[test]
    fn a_tag_that_is_written_as_a_long_is_heeded() {
        let little = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06";
        let huge = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\x01\0\0\x06";
        assert_eq!([orientation(little), orientation(big), orientation(huge)], [6, 6, 1]);
    }

    /// Where the top-left pixel of the stored picture is shown, per EXIF 2.32's table.
    #[test]
    fn every_orientation_moves_the_first_pixel_where_the_standard_says() {
        let shown: [(u8, u32, u32); 7] =
            [(2, 2, 0), (3, 2, 1), (4, 0, 1), (5, 0, 0), (6, 1, 0), (7, 1, 2), (8, 0, 2)];
        for (value, x, y) in shown {
            let mut image = RgbImage::with_size(3, 2);
            image.data_mut()[..3].fill(255);
            apply(value, &mut image, &mut RgbImage::new());
            assert_eq!(image.view().pixel(x, y), [255; 3], "orientation {value}");
        }
    }
}
