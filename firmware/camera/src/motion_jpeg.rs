//! The picture within what a camera calls a frame of motion JPEG.

/// Start of image (ITU-T T.81, table B.1).
const SOI: [u8; 2] = [0xff, 0xd8];

/// The bytes from the picture's start on. Some cameras send bytes before it, and some send the marker of its
/// start twice; what follows its end, the decoder leaves alone. Without a start, `bytes` as they are, which the
/// decoder then refuses by name.
pub(crate) fn picture(bytes: &[u8]) -> &[u8] {
    // A marker or a fill byte follows the start of a true picture; two bytes alone also occur by chance.
    let Some(start) = bytes.windows(3).position(|at| at == [0xff, 0xd8, 0xff]) else { return bytes };
    let mut found = &bytes[start..];
    while let Some(rest) = found.strip_prefix(&SOI).filter(|rest| rest.starts_with(&SOI)) {
        found = rest;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: [u8; 6] = [0xff, 0xd8, 0xff, 0xdb, 0xff, 0xd9];

    #[test]
    fn bytes_before_the_picture_and_a_second_start_cost_no_frame() {
        assert_eq!(picture(&PICTURE), PICTURE);
        assert_eq!(picture(&[&[0, 0xff, 0xd8, 7][..], &PICTURE].concat()), PICTURE);
        assert_eq!(picture(&[&SOI[..], &PICTURE].concat()), PICTURE);
        assert_eq!(picture(&[&[9][..], &SOI, &SOI, &PICTURE].concat()), PICTURE);
    }

    #[test]
    fn what_holds_no_picture_is_passed_on_and_never_panics() {
        for bytes in [&[][..], &[0xff], &SOI, &[1, 2, 3, 4]] {
            assert_eq!(picture(bytes), bytes);
        }
    }
}
