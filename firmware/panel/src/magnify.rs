//! A draw target that shows each pixel as a square.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::primitives::Rectangle;

/// Draws on `target` with every pixel as a square of `factor` pixels, from `origin` on. What lies
/// beyond the target is dropped.
pub(crate) struct Magnified<'a, T> {
    pub(crate) target: &'a mut T,
    pub(crate) origin: Point,
    pub(crate) factor: u32,
}

impl<T: DrawTarget> Magnified<'_, T> {
    fn square(&self, at: Point) -> Rectangle {
        let factor = i32::try_from(self.factor).unwrap_or(1);
        let corner = Point::new(
            self.origin.x.saturating_add(at.x.saturating_mul(factor)),
            self.origin.y.saturating_add(at.y.saturating_mul(factor)),
        );
        Rectangle::new(corner, Size::new_equal(self.factor)).intersection(&self.target.bounding_box())
    }
}

impl<T: DrawTarget> Dimensions for Magnified<'_, T> {
    fn bounding_box(&self) -> Rectangle {
        Rectangle::new(Point::zero(), self.target.bounding_box().size / self.factor.max(1))
    }
}

impl<T: DrawTarget> DrawTarget for Magnified<'_, T> {
    type Color = T::Color;
    type Error = T::Error;

    fn draw_iter<I: IntoIterator<Item = Pixel<T::Color>>>(&mut self, pixels: I) -> Result<(), T::Error> {
        pixels.into_iter().try_for_each(|Pixel(at, colour)| {
            let square = self.square(at);
            if square.is_zero_sized() { Ok(()) } else { self.target.fill_solid(&square, colour) }
        })
    }
}
