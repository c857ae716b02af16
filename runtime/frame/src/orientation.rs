//! Which way up an image is.

use crate::image::{CHANNELS, RgbImage};

/// A turn clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// 0 degrees.
    #[default]
    None,
    /// 90 degrees clockwise: width and height change places.
    Quarter,
    /// 180 degrees.
    Half,
    /// 270 degrees clockwise: width and height change places.
    ThreeQuarters,
}

/// How an image is to be shown: mirrored left to right, where asked for, and then turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Whether left and right change places, before the turn.
    pub mirror: bool,
    /// The turn after it.
    pub turn: Turn,
}

impl Turn {
    /// The turn of so many degrees clockwise: 0, 90, 180 or 270; `None` for any other number.
    #[must_use]
    pub const fn from_degrees(degrees: u16) -> Option<Self> {
        Some(match degrees {
            0 => Self::None,
            90 => Self::Quarter,
            180 => Self::Half,
            270 => Self::ThreeQuarters,
            _ => return None,
        })
    }
}

impl Orientation {
    /// The value 1..=8 of the tag Orientation (EXIF 2.32, section 4.6.4); `None` for any other.
    #[must_use]
    pub const fn from_exif(value: u16) -> Option<Self> {
        let (mirror, turn) = match value {
            1 => (false, Turn::None),
            2 => (true, Turn::None),
            3 => (false, Turn::Half),
            4 => (true, Turn::Half),
            5 => (true, Turn::ThreeQuarters),
            6 => (false, Turn::Quarter),
            7 => (true, Turn::Quarter),
            8 => (false, Turn::ThreeQuarters),
            _ => return None,
        };
        Some(Self { mirror, turn })
    }

    /// Mirrors and turns `image`, by way of `scratch`. Allocates only while `scratch` grows.
    pub fn apply(self, image: &mut RgbImage, scratch: &mut RgbImage) {
        if self == Self::default() {
            return;
        }
        let (width, height) = (image.width(), image.height());
        if width == 0 || height == 0 {
            return;
        }
        let sideways = matches!(self.turn, Turn::Quarter | Turn::ThreeQuarters);
        let (out_width, out_height) = if sideways { (height, width) } else { (width, height) };
        scratch.reshape(out_width, out_height);
        let source = image.view();
        let rows = scratch.data_mut().chunks_exact_mut(out_width as usize * CHANNELS);
        for (y, row) in (0_u32..).zip(rows) {
            for (x, pixel) in (0_u32..).zip(row.chunks_exact_mut(CHANNELS)) {
                let (sx, sy) = match self.turn {
                    Turn::None => (x, y),
                    Turn::Quarter => (y, height - 1 - x),
                    Turn::Half => (width - 1 - x, height - 1 - y),
                    Turn::ThreeQuarters => (width - 1 - y, x),
                };
                let sx = if self.mirror { width - 1 - sx } else { sx };
                pixel.copy_from_slice(&source.pixel(sx, sy));
            }
        }
        image.swap(scratch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the top-left pixel of the stored image is shown, per EXIF 2.32's table.
    #[test]
    fn every_orientation_moves_the_first_pixel_where_the_standard_says() {
        let shown: [(u16, u32, u32); 7] =
            [(2, 2, 0), (3, 2, 1), (4, 0, 1), (5, 0, 0), (6, 1, 0), (7, 1, 2), (8, 0, 2)];
        for (value, x, y) in shown {
            let mut image = RgbImage::with_size(3, 2);
            image.data_mut()[..3].fill(255);
            Orientation::from_exif(value).unwrap().apply(&mut image, &mut RgbImage::new());
            assert_eq!(image.view().pixel(x, y), [255; 3], "orientation {value}");
        }
    }

    /// Each pixel of its own value, so that every one is known again.
    #[test]
    fn every_pixel_comes_back_when_it_is_turned_back() {
        let back = [(2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)];
        let mut scratch = RgbImage::new();
        for (there, back) in back {
            let mut image = RgbImage::with_size(5, 3);
            (0_u8..).zip(image.data_mut()).for_each(|(value, byte)| *byte = value);
            let before = image.data_mut().to_vec();
            Orientation::from_exif(there).unwrap().apply(&mut image, &mut scratch);
            assert_ne!(image.data_mut().to_vec(), before, "{there}");
            Orientation::from_exif(back).unwrap().apply(&mut image, &mut scratch);
            assert_eq!((image.width(), image.data_mut().to_vec()), (5, before), "{there}, then {back}");
        }
    }
}
