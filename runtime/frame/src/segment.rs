//! The segments of a JPEG (ITU-T T.81, annex B).

/// Start of image, end of image, start of scan: the byte behind 0xff.
pub(crate) const SOI: u8 = 0xd8;
pub(crate) const EOI: u8 = 0xd9;
pub(crate) const SOS: u8 = 0xda;

/// A marker with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    /// The byte behind 0xff.
    pub(crate) marker: u8,
    /// What the segment holds, without its length; of a marker without a length, nothing.
    pub(crate) payload: &'a [u8],
    /// The segment as it stands in the file, with the image data behind it, up to the next marker.
    pub(crate) bytes: &'a [u8],
}

/// Goes through a JPEG's segments, up to the end of the image or to a segment that is cut off.
#[derive(Debug)]
pub(crate) struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Segments<'a> {
    pub(crate) const fn new(jpeg: &'a [u8]) -> Self {
        Self { rest: jpeg }
    }
}

/// Where the next marker is. Stuffed zeros, fill bytes and restarts belong to the image data.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 1 | 0xd0..=0xd7 | 0xff))
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let from = self.rest.get(next_marker(self.rest)?..)?;
        self.rest = &[];
        let marker = *from.get(1)?;
        if marker == EOI {
            return Some(Segment { marker, payload: &[], bytes: from.get(..2)? });
        }
        let end = match (marker, from) {
            (SOI, _) => 2,
            (_, [_, _, high, low, ..]) => 2 + usize::from(u16::from_be_bytes([*high, *low])).max(2),
            _ => return None,
        };
        let payload = from.get(4.min(end)..end)?;
        let length = end + next_marker(&from[end..]).unwrap_or(from.len() - end);
        let (bytes, rest) = from.split_at(length);
        self.rest = rest;
        Some(Segment { marker, payload, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers(jpeg: &[u8]) -> Vec<u8> {
        Segments::new(jpeg).map(|segment| segment.marker).collect()
    }

    #[test]
    fn segments_come_in_order_up_to_the_end_of_the_image() {
        let jpeg =
            b"\xff\xd8\xff\xd8\xff\xe1\0\x04ab\xff\xda\0\x02\x01\xff\0\xff\xd0\x02\xff\xff\xd9\xff\xd8";
        assert_eq!(markers(jpeg), [SOI, SOI, 0xe1, SOS, EOI]);
        let all: Vec<_> = Segments::new(jpeg).collect();
        assert_eq!(all[2].payload, b"ab");
        assert_eq!(all[3].bytes, b"\xff\xda\0\x02\x01\xff\0\xff\xd0\x02\xff");
    }

    #[test]
    fn a_segment_that_is_cut_off_ends_them() {
        assert_eq!(markers(b"\xff\xd8\xff\xe1\0\x05ab"), [SOI]);
        assert_eq!(markers(b"\xff\xd8\xff\xe1\0"), [SOI]);
        assert_eq!(markers(b"\xff\xd8\xff"), [SOI]);
        assert_eq!(markers(b"\xff\xd8\xff\xda\0\0\x07"), [SOI, SOS], "a length below its own two bytes");
        assert!(markers(b"none").is_empty());
    }
}
