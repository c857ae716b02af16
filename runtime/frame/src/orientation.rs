//! Which way up a picture is.

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

/// How a picture is to be shown: mirrored left to right, where asked for, and then turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Whether left and right change places, before the turn.
    pub mirror: bool,
    /// The turn after it.
    pub turn: Turn,
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
