//! One thing on a screen, within its own area, whose pixels are each drawn once.

use crate::area::Area;
use crate::keypad::Key;
use crate::letters;
use crate::palette::Palette;
use crate::pen::{GRID, Pen};
use crate::row::{Dot, Row};
use crate::state::Percent;
use crate::symbol::Symbol;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::Rgb888;

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// One line of text, from the area's left edge on.
    Line { text: &'static str, em_px: i32, muted: bool },
    /// A symbol in a square.
    Symbol(Symbol),
    /// A key of the keypad.
    Key(Key),
    /// One step of an enrolment, or one digit of a PIN.
    Dot { full: bool },
    /// How far an update is.
    Bar(Percent),
}

/// A figure in its area. Equal elements look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) area: Area,
    pub(crate) inks: Palette,
    pub(crate) figure: Figure,
}

static DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

impl Element {
    /// Draws every pixel of the area, from its first row to its last.
    pub(crate) fn draw<T: DrawTarget<Color = Rgb888>>(&self, target: &mut T) -> Result<(), T::Error> {
        let Area { x, y, w, h } = self.area;
        if w == 0 || h == 0 {
            return Ok(());
        }
        let mut row = Row::new(x, w as usize);
        let (mut next, mut column) = (y, w as usize);
        let pixels = core::iter::from_fn(|| {
            if column == w as usize {
                if next == y + h {
                    return None;
                }
                row.begin(next, self.inks.ground);
                self.draw_on(&mut row);
                (next, column) = (next + 1, 0);
            }
            column += 1;
            row.colours().get(column - 1).copied()
        });
        target.fill_contiguous(&self.area.rectangle(), pixels)
    }

    fn draw_on(&self, row: &mut Row) {
        let (Area { x, y, w, h }, inks) = (self.area, &self.inks);
        match self.figure {
            Figure::Line { text, em_px, muted } => {
                // Capitals stand in the middle of the line.
                let baseline = y + (h + letters::capital_px(em_px)) / 2;
                letters::trace(row, text, Dot::px(x, baseline), em_px);
                row.ink(if muted { inks.muted } else { inks.text });
            }
            Figure::Symbol(symbol) => symbol.draw(&mut Pen::new(row, x, y, w), inks),
            Figure::Key(key) => self.draw_key(row, key),
            Figure::Dot { full } => {
                let mut pen = Pen::new(row, x, y, w);
                if full {
                    pen.disc(inks.accent, (100, 100), 88);
                } else {
                    pen.ring(inks.muted, (100, 100), 70, 70, 32);
                }
            }
            Figure::Bar(percent) => {
                // The grid's side is the bar's length.
                let high = h * GRID / w;
                let mut pen = Pen::new(row, x, y, w);
                pen.plate(inks.field, (0, 0), (GRID, high), high / 2);
                let long = (GRID - high) * i32::from(percent.get()) / 100 + high;
                pen.plate(inks.accent, (0, 0), (long, high), high / 2);
            }
        }
    }

    fn draw_key(&self, row: &mut Row, key: Key) {
        let (Area { x, y, w, h }, inks) = (self.area, &self.inks);
        let ground = if key == Key::Enter { inks.accent } else { inks.field };
        // The grid's side is the key's longer one.
        let side = w.max(h);
        let (wide, high) = (w * GRID / side, h * GRID / side);
        let round = wide.min(high) / 5;
        Pen::new(row, x, y, side).plate(ground, (0, 0), (wide, high), round);
        let small = h.min(w) * 3 / 5;
        let mut pen = Pen::new(row, x + (w - small) / 2, y + (h - small) / 2, small);
        match key {
            Key::Enter => pen.path(inks.on_accent, &[(36, 106), (84, 152), (168, 56)], 24),
            Key::Erase => {
                pen.path(inks.text, &[(66, 44), (176, 44), (176, 156), (66, 156), (14, 100), (66, 44)], 16);
                pen.path(inks.text, &[(88, 76), (136, 124)], 16);
                pen.path(inks.text, &[(136, 76), (88, 124)], 16);
            }
            Key::Digit(digit) => {
                let text = DIGITS.get(usize::from(digit)).copied().unwrap_or_default();
                let em_px = h.min(w) * 3 / 5;
                let left = x + (w - letters::width_px(text, em_px)) / 2;
                letters::trace(row, text, Dot::px(left, y + (h + letters::capital_px(em_px)) / 2), em_px);
                row.ink(inks.text);
            }
        }
    }
}
