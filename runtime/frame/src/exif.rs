//! The one EXIF tag that matters here: which way up an image is.

use crate::orientation::Orientation;

/// The tag's number, and the types SHORT, which the standard gives it, and LONG, which some programs write
/// (EXIF 2.32, section 4.6).
const ORIENTATION: u16 = 0x0112;
const SHORT: u16 = 3;
const LONG: u16 = 4;
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
        return Orientation::from_exif(u16::try_from(value).ok()?);
    }
    None
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

    #[test]
    fn a_tag_that_is_written_as_a_long_is_heeded() {
        let little = b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06";
        let huge = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\x01\0\0\x06";
        let turned = Orientation::from_exif(6).unwrap();
        let found = [orientation(little), orientation(big), orientation(huge)];
        assert_eq!(found, [turned, turned, Orientation::default()]);
    }
}
