//! The one EXIF tag that matters here: which way up a picture is.

use crate::image::RgbImage;
use crate::orientation::Orientation;

/// The tag's number, and the type SHORT (EXIF 2.32, section 4.6).
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
/// Entries of the first directory that are looked at.
const MAX_ENTRIES: usize = 512;

/// The orientation in a TIFF block (what follows `Exif\0\0`); upright where there is none.
pub(crate) fn orientation(tiff: &[u8]) -> Orientation {
    find(tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff)).unwrap_or_default()
}

fn find(tiff: &[u8]) -> Option<Orientation> {
    let little = match tiff.get(..4)? {
        [b'I', b'I', 42, 0] => true,
        [b'M', b'M', 0, 42] => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let offset: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let start = if little { u32::from_le_bytes(offset) } else { u32::from_be_bytes(offset) } as usize;
    let entries = usize::from(u16_at(start)?).min(MAX_ENTRIES);
    for entry in 0..entries {
        let at = start + 2 + entry * 12;
        if u16_at(at)? == ORIENTATION && u16_at(at + 2)? == SHORT {
            return Orientation::from_exif(u16_at(at + 8)?);
        }
    }
    None
}

/// Turns a picture the right way up, by way of `scratch`.
pub(crate) fn apply(orientation: Orientation, image: &mut RgbImage, scratch: &mut RgbImage) {
    orientation.apply(image, scratch);
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
    fn the_tag_is_found_or_upright() {
        assert_eq!(orientation(&tiff(6)), Orientation::from_exif(6).unwrap());
        assert_eq!(orientation(&tiff(9)), Orientation::default());
        assert_eq!(orientation(b"Exif\0\0MM\0\x2a\xff\xff\xff\xff"), Orientation::default());
        assert_eq!(orientation(b""), Orientation::default());
    }

    /// Where the top-left pixel of the stored picture is shown, per EXIF 2.32's table.
    #[test]
    fn every_orientation_moves_the_first_pixel_where_the_standard_says() {
        let shown: [(u16, u32, u32); 7] =
            [(2, 2, 0), (3, 2, 1), (4, 0, 1), (5, 0, 0), (6, 1, 0), (7, 1, 2), (8, 0, 2)];
        for (value, x, y) in shown {
            let mut image = RgbImage::with_size(3, 2);
            image.data_mut()[..3].fill(255);
            apply(Orientation::from_exif(value).unwrap(), &mut image, &mut RgbImage::new());
            assert_eq!(image.view().pixel(x, y), [255; 3], "orientation {value}");
        }
    }
}
