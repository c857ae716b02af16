//! One row of pixels, on which filled outlines are blended with smooth edges.

use crate::style::MOST_SIDE_PX;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

/// Parts of a pixel in a [`Dot`]'s coordinates.
pub(crate) const PX: i32 = 256;
/// A pixel's whole area as `sums` count it: 256 parts of height, and twice 256 parts of width.
const WHOLE: i32 = PX * PX * 2;
const MOST: usize = MOST_SIDE_PX as usize;

/// A place on the screen, in 1/256 pixel from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dot {
    pub(crate) x: i32,
    pub(crate) y: i32,
}

impl Dot {
    pub(crate) const fn px(x: i32, y: i32) -> Self {
        Self { x: x * PX, y: y * PX }
    }
}

/// Closed outlines are given edge by edge; the signed area right of the edges, summed from the left, is how much of
/// each pixel they cover. Exact for outlines that do not cross themselves.
pub(crate) struct Row {
    left: i32,
    top: i32,
    width: usize,
    sums: [i32; MOST + 2],
    cover: [u16; MOST],
    colours: [Rgb888; MOST],
    /// Columns from the first that an edge touched, to behind the last that may be covered.
    touched: (usize, usize),
    covered: (usize, usize),
}

const NOTHING: (usize, usize) = (usize::MAX, 0);

impl Row {
    pub(crate) const fn new(left_px: i32, width_px: usize) -> Self {
        Self {
            left: left_px * PX,
            top: 0,
            width: if width_px > MOST { MOST } else { width_px },
            sums: [0; MOST + 2],
            cover: [0; MOST],
            colours: [Rgb888::BLACK; MOST],
            touched: NOTHING,
            covered: NOTHING,
        }
    }

    /// Begins the row `y_px` with nothing but `ground`.
    pub(crate) fn begin(&mut self, y_px: i32, ground: Rgb888) {
        self.top = y_px * PX;
        self.colours[..self.width].fill(ground);
    }

    pub(crate) fn colours(&self) -> &[Rgb888] {
        &self.colours[..self.width]
    }

    /// Whether the row lies wholly above or below what reaches so far from `y`, in 1/256 pixel.
    pub(crate) const fn misses(&self, y: i32, reach: i32) -> bool {
        y + reach < self.top || y - reach > self.top + PX
    }

    /// One edge of a closed outline; what lies beside the row is cut off.
    pub(crate) fn edge(&mut self, from: Dot, to: Dot) {
        let (sign, upper, lower) = if from.y <= to.y { (1, from, to) } else { (-1, to, from) };
        let (y0, y1) = (upper.y.max(self.top), lower.y.min(self.top + PX));
        if y0 >= y1 {
            return;
        }
        let end = self.width as i32 * PX;
        let x_at = |y: i32| {
            let along = i64::from(lower.x - upper.x) * i64::from(y - upper.y) / i64::from(lower.y - upper.y);
            (upper.x + along as i32 - self.left).clamp(0, end)
        };
        let (a, b) = (x_at(y0), x_at(y1));
        self.span(a.min(b), a.max(b), y1 - y0, sign);
    }

    /// An edge that goes down by `height` between two columns, shared out among those that it crosses.
    fn span(&mut self, left: i32, right: i32, height: i32, sign: i32) {
        let (mut x, mut done) = (left, 0);
        loop {
            let column = x / PX;
            let next = ((column + 1) * PX).min(right);
            let until = if next == right { height } else { height * (next - left) / (right - left) };
            let (part, inside) = (sign * (until - done), x + next - 2 * column * PX);
            self.sums[column as usize] += part * (2 * PX - inside);
            self.sums[column as usize + 1] += part * inside;
            (x, done) = (next, until);
            if next == right {
                break;
            }
        }
        let (first, last) = self.touched;
        self.touched = (first.min((left / PX) as usize), last.max((right / PX) as usize + 2));
    }

    /// Ends one outline, or several that do not meet. Where outlines of one shape overlap, the larger share counts.
    pub(crate) fn close(&mut self) {
        let (first, last) = core::mem::replace(&mut self.touched, NOTHING);
        if first >= last {
            return;
        }
        let mut sum = 0;
        for column in first..last.min(self.width) {
            sum += self.sums[column];
            let share = (sum.abs().min(WHOLE) / (WHOLE / PX)) as u16;
            self.cover[column] = self.cover[column].max(share);
        }
        self.sums[first..last.min(MOST + 2)].fill(0);
        self.covered = (self.covered.0.min(first), self.covered.1.max(last.min(self.width)));
    }

    /// Colours what the outlines since the last call cover.
    pub(crate) fn ink(&mut self, ink: Rgb888) {
        let (first, last) = core::mem::replace(&mut self.covered, NOTHING);
        for column in first..last {
            let share = i32::from(core::mem::take(&mut self.cover[column]));
            let under = self.colours[column];
            let mix = |under: u8, over: u8| {
                let (under, over) = (i32::from(under), i32::from(over));
                (under + ((over - under) * share + PX / 2).div_euclid(PX)) as u8
            };
            self.colours[column] =
                Rgb888::new(mix(under.r(), ink.r()), mix(under.g(), ink.g()), mix(under.b(), ink.b()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(row: &mut Row, corners: [(i32, i32); 4]) {
        for at in 0..4 {
            let dot = |(x, y): (i32, i32)| Dot { x, y };
            row.edge(dot(corners[at]), dot(corners[(at + 1) % 4]));
        }
        row.close();
    }

    fn reds(row: &Row) -> Vec<u8> {
        row.colours().iter().map(|colour| colour.r()).collect()
    }

    extern crate std;
    use std::vec::Vec;

    #[test]
    fn an_edge_within_a_pixel_colours_its_share() {
        let mut row = Row::new(0, 4);
        row.begin(0, Rgb888::BLACK);
        // From x = 0.5 to 2.25, over the row's lower half.
        square(&mut row, [(128, 128), (576, 128), (576, 300), (128, 300)]);
        row.ink(Rgb888::WHITE);
        assert_eq!(reds(&row), [64, 128, 32, 0]);
    }

    #[test]
    fn outlines_that_overlap_are_not_counted_twice() {
        let mut row = Row::new(0, 3);
        row.begin(0, Rgb888::BLACK);
        for _ in 0..2 {
            square(&mut row, [(0, 0), (384, 0), (384, 256), (0, 256)]);
        }
        row.ink(Rgb888::WHITE);
        assert_eq!(reds(&row), [255, 128, 0]);
    }

    #[test]
    fn what_lies_beside_the_row_covers_what_is_right_of_it_alone() {
        let mut row = Row::new(10, 3);
        row.begin(5, Rgb888::BLACK);
        square(&mut row, [(0, 0), (11 * PX, 0), (11 * PX, 99 * PX), (0, 99 * PX)]);
        square(&mut row, [(12 * PX, 0), (99 * PX, 0), (99 * PX, 99 * PX), (12 * PX, 99 * PX)]);
        row.ink(Rgb888::WHITE);
        assert_eq!(reds(&row), [255, 0, 255]);
        row.begin(6, Rgb888::BLACK);
        row.ink(Rgb888::WHITE);
        assert_eq!(reds(&row), [0, 0, 0], "nothing of a row is left in the next");
    }
}
