//! Where things stand on a screen, as shares of its size.
//!
//! How large must letters be? A capital of 1/200 of the distance is seen under 17 minutes of arc: above the 16 that
//! ISO 9241-303 asks for at least, and just below the 20 to 22 that it recommends. A capital of the headline is
//! therefore at least 1/9 of the screen's shorter side: 10 mm, for two metres, on the shorter side of a 7-inch panel
//! of 5:3. Smaller panels are read from nearer; docs/panel.md lists how near.

use crate::area::Area;
use crate::letters;
use crate::style::ScreenSize;

/// Sizes in pixels that every screen of one size shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) margin: i32,
    pub(crate) gap: i32,
    pub(crate) headline_em: i32,
    pub(crate) detail_em: i32,
}

impl Layout {
    pub(crate) const fn of(size: ScreenSize) -> Self {
        let short = size.short();
        let headline_em = (short * 4 + 24) / 25;
        Self { margin: short / 16, gap: short / 28, headline_em, detail_em: headline_em * 3 / 5 }
    }

    pub(crate) const fn headline_line(&self) -> i32 {
        self.headline_em * 23 / 20
    }

    pub(crate) const fn detail_line(&self) -> i32 {
        self.detail_em * 5 / 4
    }
}

/// Height of a capital in the headline, in pixels.
#[must_use]
pub const fn headline_capital_px(size: ScreenSize) -> i32 {
    letters::capital_px(Layout::of(size).headline_em)
}

/// The keypad: the right half of a wide screen, or what the headline and the dots leave of a tall one.
pub(crate) const fn keypad(size: ScreenSize) -> Area {
    let layout = Layout::of(size);
    let (w, h) = (size.width(), size.height());
    let edge = layout.margin / 2;
    if size.is_wide() {
        let wide = w * 11 / 20;
        return Area::new(w - wide - edge, edge, wide, h - 2 * edge);
    }
    let top = edge + layout.headline_line() + dots_line(size) + edge;
    Area::new(edge, top, w - 2 * edge, h - top - edge)
}

/// Height of the row of a PIN's dots.
pub(crate) const fn dots_line(size: ScreenSize) -> i32 {
    size.short() / 12
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels, a usual diagonal in inches, and from how many metres the headline is to be read.
    const PANELS: [(u32, u32, f64, f64); 4] =
        [(240, 240, 1.54, 0.6), (320, 480, 3.5, 1.0), (800, 480, 7.0, 2.0), (1280, 800, 10.1, 2.0)];

    #[test]
    fn headlines_are_not_too_small_for_the_distance() {
        for (width, height, inches, metres) in PANELS {
            let size = ScreenSize::new(width, height).unwrap();
            let pixel_mm = inches * 25.4 / f64::from(width * width + height * height).sqrt();
            let capital_mm = f64::from(headline_capital_px(size)) * pixel_mm;
            assert!(capital_mm >= metres * 1000.0 / 200.0, "{width} x {height}: {capital_mm} mm");
        }
    }
}
