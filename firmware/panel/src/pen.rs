//! Shapes on a grid of 200 units a side, drawn on a row of pixels.

use crate::row::{Dot, PX, Row};
use embedded_graphics::pixelcolor::Rgb888;

/// Units in a grid's side.
pub(crate) const GRID: i32 = 200;
/// A circle is drawn with so many corners: at 300 pixels of radius they lie 0.1 pixel off.
const TURN: usize = 128;
/// sin(90 degrees * k / 32) in 1/16384.
const SINE: [i32; TURN / 4 + 1] = [
    0, 804, 1606, 2404, 3196, 3981, 4756, 5520, 6270, 7005, 7723, 8423, 9102, 9760, 10_394, 11_003, 11_585,
    12_140, 12_665, 13_160, 13_623, 14_053, 14_449, 14_811, 15_137, 15_426, 15_679, 15_893, 16_069, 16_207,
    16_305, 16_364, 16_384,
];

/// Sine of the angle `at`, in 1/128 turn, in 1/16384.
const fn sine(at: usize) -> i32 {
    let (at, quarter) = (at % TURN, TURN / 4);
    match at / quarter {
        0 => SINE[at],
        1 => SINE[2 * quarter - at],
        2 => -SINE[at - 2 * quarter],
        _ => -SINE[4 * quarter - at],
    }
}

/// A place on the grid.
pub(crate) type Spot = (i32, i32);

/// Draws on one row. Shapes are given in the grid's units and drawn one over the other.
pub(crate) struct Pen<'a> {
    row: &'a mut Row,
    origin: Dot,
    side_px: i32,
}

impl<'a> Pen<'a> {
    /// A grid that begins at `x_px`, `y_px` and is `side_px` wide and high.
    pub(crate) const fn new(row: &'a mut Row, x_px: i32, y_px: i32, side_px: i32) -> Self {
        Self { row, origin: Dot::px(x_px, y_px), side_px }
    }

    fn long(&self, units: i32) -> i32 {
        units * self.side_px * PX / GRID
    }

    fn dot(&self, (x, y): Spot) -> Dot {
        Dot { x: self.origin.x + self.long(x), y: self.origin.y + self.long(y) }
    }

    fn outline(&mut self, mut dots: impl Iterator<Item = Dot>) {
        let Some(first) = dots.next() else { return };
        let last = dots.fold(first, |from, to| {
            self.row.edge(from, to);
            to
        });
        self.row.edge(last, first);
    }

    /// Corners of an ellipse from the angle `from` to `to`, in 1/128 turn clockwise from the right.
    fn bend(at: Dot, rx: i32, ry: i32, from: usize, to: usize) -> impl DoubleEndedIterator<Item = Dot> {
        (from..=to).map(move |angle| Dot {
            x: at.x + rx * (sine(angle + TURN / 4) / 4) / 4096,
            y: at.y + ry * (sine(angle) / 4) / 4096,
        })
    }

    /// A whole ellipse, filled.
    fn round(&mut self, at: Dot, rx: i32, ry: i32) {
        if !self.row.misses(at.y, ry) {
            self.outline(Self::bend(at, rx, ry, 0, TURN - 1));
            self.row.close();
        }
    }

    /// A filled ellipse.
    pub(crate) fn ellipse(&mut self, ink: Rgb888, at: Spot, rx: i32, ry: i32) {
        self.round(self.dot(at), self.long(rx), self.long(ry));
        self.row.ink(ink);
    }

    /// A filled circle.
    pub(crate) fn disc(&mut self, ink: Rgb888, at: Spot, r: i32) {
        self.ellipse(ink, at, r, r);
    }

    /// An ellipse's line, `width` wide, with `rx` and `ry` in its middle.
    pub(crate) fn ring(&mut self, ink: Rgb888, at: Spot, rx: i32, ry: i32, width: i32) {
        let (at, rx, ry, half) = (self.dot(at), self.long(rx), self.long(ry), self.long(width) / 2);
        if self.row.misses(at.y, ry + half) {
            return;
        }
        self.outline(Self::bend(at, rx + half, ry + half, 0, TURN - 1));
        self.outline(Self::bend(at, rx - half, ry - half, 0, TURN - 1).rev());
        self.row.close();
        self.row.ink(ink);
    }

    /// A part of such a line, with round ends, between two angles in 1/128 turn clockwise from the right.
    pub(crate) fn arc(&mut self, ink: Rgb888, at: Spot, r: i32, width: i32, from: usize, to: usize) {
        let (at, r, half) = (self.dot(at), self.long(r), self.long(width) / 2);
        let outer = Self::bend(at, r + half, r + half, from, to);
        self.outline(outer.chain(Self::bend(at, r - half, r - half, from, to).rev()));
        self.row.close();
        for end in [from, to] {
            for tip in Self::bend(at, r, r, end, end) {
                self.round(tip, half, half);
            }
        }
        self.row.ink(ink);
    }

    /// A line through `spots`, with round ends and corners.
    pub(crate) fn path(&mut self, ink: Rgb888, spots: &[Spot], width: i32) {
        self.stroke(spots, width);
        self.row.ink(ink);
    }

    /// A closed shape whose corners are rounded by a line `width` wide around it.
    pub(crate) fn shape(&mut self, ink: Rgb888, spots: &[Spot], width: i32) {
        self.fill(spots);
        self.stroke(spots, width);
        if let [first, .., last] = spots {
            self.stroke(&[*last, *first], width);
        }
        self.row.ink(ink);
    }

    fn fill(&mut self, spots: &[Spot]) {
        for (at, spot) in spots.iter().enumerate() {
            let next = spots[(at + 1) % spots.len()];
            self.row.edge(self.dot(*spot), self.dot(next));
        }
        self.row.close();
    }

    fn stroke(&mut self, spots: &[Spot], width: i32) {
        let half = self.long(width) / 2;
        for spot in spots {
            self.round(self.dot(*spot), half, half);
        }
        for pair in spots.windows(2) {
            let (a, b) = (self.dot(pair[0]), self.dot(pair[1]));
            let (dx, dy) = (i64::from(b.x - a.x), i64::from(b.y - a.y));
            let length = (dx * dx + dy * dy).isqrt().max(1);
            let across = |part: i64| (part * i64::from(half) / length) as i32;
            let (nx, ny) = (across(-dy), across(dx));
            let corner = |dot: Dot, side: i32| Dot { x: dot.x + side * nx, y: dot.y + side * ny };
            self.outline([corner(a, 1), corner(b, 1), corner(b, -1), corner(a, -1)].into_iter());
            self.row.close();
        }
    }

    /// A rectangle with round corners of radius `r`.
    pub(crate) fn plate(&mut self, ink: Rgb888, (x, y): Spot, (w, h): Spot, r: i32) {
        let r = r.min(w / 2).min(h / 2);
        let long = self.long(r);
        let quarter = TURN / 4;
        let corners = [(x + w - r, y + h - r), (x + r, y + h - r), (x + r, y + r), (x + w - r, y + r)];
        let corners = corners.map(|corner| self.dot(corner));
        let bend = |at: usize| Self::bend(corners[at], long, long, at * quarter, (at + 1) * quarter);
        let dots = bend(0).chain(bend(1)).chain(bend(2)).chain(bend(3));
        self.outline(dots);
        self.row.close();
        self.row.ink(ink);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_sine() {
        for at in 0..2 * TURN {
            let exact = (at as f64 / TURN as f64 * core::f64::consts::TAU).sin() * 16384.0;
            assert!((f64::from(sine(at)) - exact).abs() < 1.0, "{at}");
        }
    }
}
