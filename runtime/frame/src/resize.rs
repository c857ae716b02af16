//! Scaling.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions};

use crate::error::FrameError;
use crate::image::{RgbImage, RgbView};

/// Scales pictures; keeps its scratch memory between calls.
#[derive(Default)]
pub struct Resizer {
    inner: fast_image_resize::Resizer,
    packed: Vec<U8x3>,
}

impl Resizer {
    /// A scaler without scratch memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Scales `src` to the size that `dst` has: bilinear, over all source pixels that a target pixel
    /// covers, so that shrinking does not alias.
    ///
    /// # Errors
    /// When a side is 0.
    pub fn resize(&mut self, src: RgbView<'_>, dst: &mut RgbImage) -> Result<(), FrameError> {
        let (from, to) = ([src.width(), src.height()], [dst.width(), dst.height()]);
        if from.contains(&0) || to.contains(&0) {
            return Err(FrameError::Resize { from, to });
        }
        if from == to {
            copy(src, dst);
            return Ok(());
        }
        let failed = || FrameError::Resize { from, to };
        self.packed.clear();
        for y in 0..from[1] {
            self.packed.extend(src.row(y).chunks_exact(3).map(|p| U8x3::new([p[0], p[1], p[2]])));
        }
        let source = TypedImageRef::new(from[0], from[1], &self.packed).map_err(|_| failed())?;
        let mut target =
            TypedImage::<U8x3>::from_buffer(to[0], to[1], dst.data_mut()).map_err(|_| failed())?;
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.inner.resize_typed(&source, &mut target, &options).map_err(|_| failed())
    }
}

fn copy(src: RgbView<'_>, dst: &mut RgbImage) {
    let row = src.width() as usize * 3;
    for (y, out) in (0..src.height()).zip(dst.data_mut().chunks_exact_mut(row)) {
        out.copy_from_slice(src.row(y));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shrinking_averages_and_keeps_a_gradient() {
        let mut image = RgbImage::with_size(64, 32);
        for (i, pixel) in image.data_mut().chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&[(i % 64 * 4) as u8, 90, 200]);
        }
        let mut small = RgbImage::with_size(16, 8);
        Resizer::new().resize(image.view(), &mut small).unwrap();
        for x in 1..15 {
            let [r, g, b] = small.view().pixel(x, 4);
            assert!(r.abs_diff((x * 16 + 6) as u8) <= 2, "{r} at {x}");
            assert_eq!((g, b), (90, 200));
        }
    }

    #[test]
    fn a_strided_crop_is_scaled_like_a_packed_one() {
        let mut image = RgbImage::with_size(20, 10);
        image.data_mut().iter_mut().enumerate().for_each(|(i, v)| *v = (i * 7 % 251) as u8);
        let crop = image.view().crop(3, 2, 12, 6).unwrap();
        let mut packed = RgbImage::with_size(12, 6);
        Resizer::new().resize(crop, &mut packed).unwrap();
        let (mut a, mut b) = (RgbImage::with_size(6, 3), RgbImage::with_size(6, 3));
        Resizer::new().resize(crop, &mut a).unwrap();
        Resizer::new().resize(packed.view(), &mut b).unwrap();
        assert_eq!(a, b);
    }

    #[test]
    fn an_empty_side_is_refused() {
        let image = RgbImage::with_size(2, 2);
        assert!(Resizer::new().resize(image.view(), &mut RgbImage::new()).is_err());
        assert!(Resizer::new().resize(RgbImage::new().view(), &mut RgbImage::with_size(2, 2)).is_err());
    }
}
