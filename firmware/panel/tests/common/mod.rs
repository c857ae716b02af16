//! A target that fails the test when it is asked for a pixel beyond itself.
#![allow(dead_code, reason = "no test file uses all of it")]

pub(crate) mod states;

use arcdoor_panel::{ScreenSize, Style, UiState, draw_screen};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::primitives::{PointsIter, Rectangle};

#[derive(Clone, PartialEq)]
pub(crate) struct Canvas {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<Rgb888>,
    /// Pixels drawn since `forget`.
    pub(crate) drawn: usize,
    hit: Vec<bool>,
    /// A pixel was drawn a second time since then.
    pub(crate) twice: bool,
}

impl Canvas {
    pub(crate) fn new(size: ScreenSize) -> Self {
        let Size { width, height } = size.size();
        Self::of(width, height)
    }

    pub(crate) fn of(width: u32, height: u32) -> Self {
        // A colour of no palette.
        let count = (width * height) as usize;
        let (pixels, hit) = (vec![Rgb888::MAGENTA; count], vec![false; count]);
        Self { width, height, pixels, drawn: 0, hit, twice: false }
    }

    /// What was drawn there.
    pub(crate) fn at(&self, x: u32, y: u32) -> Option<Rgb888> {
        Some(self.pixels[(y * self.width + x) as usize]).filter(|colour| *colour != Rgb888::MAGENTA)
    }

    pub(crate) fn count(&self, colour: Rgb888) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }

    pub(crate) fn forget(&mut self) {
        (self.drawn, self.twice) = (0, false);
        self.hit.fill(false);
    }

    pub(crate) fn screen(state: &UiState, style: Style, size: ScreenSize) -> Self {
        let mut canvas = Self::new(size);
        draw_screen(state, style, size, &mut canvas).unwrap();
        canvas
    }

    pub(crate) fn bytes(&self) -> impl Iterator<Item = u8> {
        self.pixels.iter().flat_map(|colour| [colour.r(), colour.g(), colour.b()])
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            let (x, y) = (u32::try_from(at.x).unwrap(), u32::try_from(at.y).unwrap());
            assert!(x < self.width && y < self.height, "({x}, {y}) lies beyond the target");
            let at = (y * self.width + x) as usize;
            self.pixels[at] = colour;
            self.drawn += 1;
            self.twice |= std::mem::replace(&mut self.hit[at], true);
        }
        Ok(())
    }

    fn fill_contiguous<I: IntoIterator<Item = Rgb888>>(
        &mut self,
        area: &Rectangle,
        colours: I,
    ) -> Result<(), Self::Error> {
        let mut colours = colours.into_iter();
        for at in area.points() {
            let colour = colours.next().expect("a colour for each pixel of the area");
            self.draw_iter([Pixel(at, colour)])?;
        }
        assert!(colours.next().is_none(), "no more colours than pixels");
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Self::Error> {
        self.draw_iter(area.points().map(|at| Pixel(at, colour)))
    }
}
