//! Which way up a picture is.

use crate::image::{CHANNELS, RgbImage};

/// A turn clockwise, in degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rotation {
    /// No turn.
    #[default]
    None,
    /// A quarter to the right.
    By90,
    /// Upside down.
    By180,
    /// A quarter to the left.
    By270,
}

impl Rotation {
    /// The turn by 0, 90, 180 or 270 degrees clockwise; `None` for other angles.
    #[must_use]
    pub const fn from_degrees(degrees: u16) -> Option<Self> {
        match degrees {
            0 => Some(Self::None),
            90 => Some(Self::By90),
            180 => Some(Self::By180),
            270 => Some(Self::By270),
            _ => None,
        }
    }
}

/// What is to be done to a picture so that it stands upright: first the turn, then, where it is mirrored, left
/// and right change places. These are the eight orientations of EXIF.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orientation {
    /// The turn.
    pub rotation: Rotation,
    /// Whether left and right change places after the turn.
    pub mirrored: bool,
}

impl Orientation {
    /// A picture that is right as it is.
    pub const UPRIGHT: Self = Self { rotation: Rotation::None, mirrored: false };

    /// What EXIF means by 1..=8 (EXIF 2.32, section 4.6.4, tag 0x0112); `None` for other values.
    #[must_use]
    pub const fn from_exif(value: u32) -> Option<Self> {
        let (rotation, mirrored) = match value {
            1 => (Rotation::None, false),
            2 => (Rotation::None, true),
            3 => (Rotation::By180, false),
            4 => (Rotation::By180, true),
            5 => (Rotation::By90, true),
            6 => (Rotation::By90, false),
            7 => (Rotation::By270, true),
            8 => (Rotation::By270, false),
            _ => return None,
        };
        Some(Self { rotation, mirrored })
    }

    /// Turns a picture the right way up, by way of `scratch`, with which it exchanges its memory: nothing is
    /// allocated where both have held pictures of this size.
    pub fn apply(self, image: &mut RgbImage, scratch: &mut RgbImage) {
        let (width, height) = (image.width() as usize, image.height() as usize);
        if self == Self::UPRIGHT || width * height == 0 {
            return;
        }
        let (start, right, down) = self.walk(width as isize, height as isize);
        match self.rotation {
            Rotation::None | Rotation::By180 => scratch.reshape(image.width(), image.height()),
            Rotation::By90 | Rotation::By270 => scratch.reshape(image.height(), image.width()),
        }
        let row = scratch.width() as usize * CHANNELS;
        let source = image.data_mut();
        for (y, row) in (0..).zip(scratch.data_mut().chunks_exact_mut(row)) {
            let mut at = start + y * down;
            for pixel in row.chunks_exact_mut(CHANNELS) {
                let from = at as usize * CHANNELS;
                pixel.copy_from_slice(&source[from..from + CHANNELS]);
                at += right;
            }
        }
        image.swap(scratch);
    }

    /// Which pixel of a picture comes to the top left, and the steps from pixel to pixel that are one to the
    /// right and one down in the turned picture. Pixels are counted row by row.
    const fn walk(self, width: isize, height: isize) -> (isize, isize, isize) {
        let (top_right, bottom_left, last) = (width - 1, width * (height - 1), width * height - 1);
        match (self.rotation, self.mirrored) {
            (Rotation::None, false) => (0, 1, width),
            (Rotation::None, true) => (top_right, -1, width),
            (Rotation::By180, false) => (last, -1, -width),
            (Rotation::By180, true) => (bottom_left, 1, -width),
            (Rotation::By90, false) => (bottom_left, -width, 1),
            (Rotation::By90, true) => (0, width, 1),
            (Rotation::By270, false) => (top_right, width, -1),
            (Rotation::By270, true) => (last, -width, -1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 2 3
    /// 4 5 6
    fn numbers() -> RgbImage {
        let mut image = RgbImage::with_size(3, 2);
        for (number, pixel) in (1..).zip(image.data_mut().chunks_exact_mut(CHANNELS)) {
            pixel.fill(number);
        }
        image
    }

    fn shown(image: &RgbImage) -> Vec<Vec<u8>> {
        let row = |y| image.view().row(y).iter().step_by(CHANNELS).copied().collect();
        (0..image.height()).map(row).collect()
    }

    #[test]
    fn every_value_of_exif_shows_rows_and_columns_where_the_standard_says() {
        let all: [&[&[u8]]; 8] = [
            &[&[1, 2, 3], &[4, 5, 6]],
            &[&[3, 2, 1], &[6, 5, 4]],
            &[&[6, 5, 4], &[3, 2, 1]],
            &[&[4, 5, 6], &[1, 2, 3]],
            &[&[1, 4], &[2, 5], &[3, 6]],
            &[&[4, 1], &[5, 2], &[6, 3]],
            &[&[6, 3], &[5, 2], &[4, 1]],
            &[&[3, 6], &[2, 5], &[1, 4]],
        ];
        for (value, wanted) in (1..).zip(all) {
            let mut image = numbers();
            Orientation::from_exif(value).unwrap().apply(&mut image, &mut RgbImage::new());
            assert_eq!(shown(&image), wanted, "orientation {value}");
        }
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(9), None);
    }

    #[test]
    fn a_turn_is_clockwise_and_the_mirror_comes_after_it() {
        let mut image = numbers();
        let rotation = Rotation::from_degrees(90).unwrap();
        Orientation { rotation, mirrored: true }.apply(&mut image, &mut RgbImage::new());
        assert_eq!(shown(&image), [[1, 4], [2, 5], [3, 6]]);
        assert_eq!(Rotation::from_degrees(45), None);
    }

    #[test]
    fn turning_frame_after_frame_allocates_for_the_first_one_alone() {
        let rotation = Rotation::By90;
        let (mut image, mut scratch) = (RgbImage::with_size(64, 48), RgbImage::new());
        let mut turn = || {
            image.reshape(64, 48);
            Orientation { rotation, mirrored: false }.apply(&mut image, &mut scratch);
        };
        turn();
        let ((), allocated) = arcdoor_allocations::during_here(|| (0..10).for_each(|_| turn()));
        assert_eq!(allocated.count, 0);
    }

    #[test]
    fn an_empty_picture_stays_empty() {
        let mut image = RgbImage::new();
        Orientation { rotation: Rotation::By90, mirrored: true }.apply(&mut image, &mut RgbImage::new());
        assert_eq!(image, RgbImage::new());
    }
}
