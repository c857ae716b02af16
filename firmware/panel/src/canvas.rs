//! An image's bytes as a draw target.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

/// R, G, B interleaved, row after row without gaps; pixels beyond it are dropped.
#[derive(Debug)]
pub struct RgbCanvas<'a> {
    pixels: &'a mut [u8],
    size: Size,
}

impl<'a> RgbCanvas<'a> {
    /// A canvas of `width` x `height` pixels; `None` where the bytes are fewer than these.
    #[must_use]
    pub fn new(pixels: &'a mut [u8], width: u32, height: u32) -> Option<Self> {
        let needed = (width as usize).checked_mul(height as usize)?.checked_mul(3)?;
        (needed <= pixels.len()).then_some(Self { pixels, size: Size::new(width, height) })
    }
}

impl OriginDimensions for RgbCanvas<'_> {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for RgbCanvas<'_> {
    type Color = Rgb888;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else { continue };
            if x < self.size.width && y < self.size.height {
                let at = (y as usize * self.size.width as usize + x as usize) * 3;
                self.pixels[at..at + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embedded_graphics::Drawable;
    use embedded_graphics::geometry::Point;

    #[test]
    fn pixels_land_in_their_bytes_and_others_are_dropped() {
        let mut bytes = [0_u8; 2 * 3 * 3];
        let mut canvas = RgbCanvas::new(&mut bytes, 2, 3).unwrap();
        for at in [Point::new(1, 2), Point::new(2, 0), Point::new(0, 3), Point::new(-1, 0)] {
            Pixel(at, Rgb888::new(1, 2, 3)).draw(&mut canvas).unwrap();
        }
        assert_eq!(bytes[15..], [1, 2, 3]);
        assert!(bytes[..15].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn too_few_bytes_are_no_canvas() {
        assert!(RgbCanvas::new(&mut [0; 17], 2, 3).is_none());
        assert!(RgbCanvas::new(&mut [0; 17], u32::MAX, u32::MAX).is_none());
    }
}
