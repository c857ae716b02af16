//! A screen as a list of elements that do not overlap.

use crate::area::Area;
use crate::element::{Element, Figure};
use crate::keypad::{Keypad, MOST_DIGITS};
use crate::layout::{self, Layout};
use crate::letters;
use crate::lines::{self, wrap};
use crate::palette::Palette;
use crate::state::UiState;
use crate::style::{ScreenSize, Style};
use crate::symbol::Symbol;
use crate::words::Words;
use heapless::Vec;

/// Most elements of a screen: the keypad's keys, dots and headline.
pub(crate) const MOST_ELEMENTS: usize = 12 + MOST_DIGITS as usize + lines::MOST;

/// One state on one screen.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) inks: Palette,
    pub(crate) elements: Vec<Element, MOST_ELEMENTS>,
}

impl Scene {
    pub(crate) fn of(state: &UiState, style: Style, size: ScreenSize) -> Self {
        let inks = Palette::of(state, style.light);
        let mut scene = Self { inks, elements: Vec::new() };
        let words = Words::of(state, style.language);
        match state {
            UiState::Pin { order, entered } => {
                scene.headline_and_dots(&words, *entered, size);
                for (area, key) in Keypad::new(size, *order).keys() {
                    scene.add(area, Figure::Key(key));
                }
            }
            _ => scene.symbol_and_block(state, &Block::of(state, &words, size), size),
        }
        scene
    }

    fn add(&mut self, area: Area, figure: Figure) {
        // A test draws every screen and counts what is on it: there is room.
        let _full = self.elements.push(Element { area, inks: self.inks, figure });
    }

    /// The symbol on the left of its words on a wide screen, above them on a tall one.
    fn symbol_and_block(&mut self, state: &UiState, block: &Block, size: ScreenSize) {
        let layout = Layout::of(size);
        let (w, h) = (size.width(), size.height());
        let symbol = Symbol::of(state);
        if size.is_wide() {
            let side = wide_symbol(size);
            let left = layout.margin * 3 / 2;
            let x = left + side + layout.margin * 3 / 2;
            if let Some(symbol) = symbol {
                self.add(Area::new(left, (h - side) / 2, side, side), Figure::Symbol(symbol));
            }
            self.block(block, &layout, (x, false), (h - block.height(&layout)) / 2);
            return;
        }
        let high = block.height(&layout);
        // Where the words leave little room, the symbol has it, and margins are narrow.
        let narrow = size.short() / 24;
        let side = (h - high - 3 * narrow).min(w * 3 / 5);
        let between = (h - high - side) / 4;
        let between = between.clamp(narrow, 2 * layout.margin);
        let top = (h - high - between - side) / 2;
        if let Some(symbol) = symbol {
            self.add(Area::new((w - side) / 2, top, side, side), Figure::Symbol(symbol));
        }
        self.block(block, &layout, (w / 2, true), top + side + between);
    }

    /// Words from `y` on: from `x` on, or centred on it.
    fn block(&mut self, block: &Block, layout: &Layout, (x, centred): (i32, bool), mut y: i32) {
        let place = |wide: i32| if centred { x - wide / 2 } else { x };
        let mut lines = |lines: &[&'static str], em_px: i32, high: i32, muted: bool| {
            for text in lines {
                let wide = letters::width_px(text, em_px);
                self.add(Area::new(place(wide), y, wide, high), Figure::Line { text, em_px, muted });
                y += high;
            }
            y += layout.gap;
        };
        lines(&block.headline, layout.headline_em, layout.headline_line(), false);
        if !block.detail.is_empty() {
            lines(&block.detail, layout.detail_em, layout.detail_line(), true);
        }
        y += layout.gap;
        match block.extra {
            Extra::Nothing => {}
            Extra::Steps { taken, needed } => {
                let (side, pitch) = (layout.headline_em / 3, layout.headline_em / 2);
                let left = place(pitch * (needed - 1) + side);
                for step in 0..needed {
                    let area = Area::new(left + step * pitch, y, side, side);
                    self.add(area, Figure::Dot { full: step < taken });
                }
            }
            Extra::Bar(percent) => {
                let (wide, high) = (block.width, layout.headline_em / 4);
                self.add(Area::new(place(wide), y, wide, high), Figure::Bar(percent));
            }
        }
    }

    fn headline_and_dots(&mut self, words: &Words, entered: u8, size: ScreenSize) {
        let layout = Layout::of(size);
        let (em_px, high) = (layout.headline_em, layout.headline_line());
        let line = layout::dots_line(size);
        let wide = letters::width_px(words.headline, em_px);
        let pad = layout::keypad(size);
        let (middle, top) = if size.is_wide() {
            (pad.x / 2, (size.height() - high - layout.gap - line) / 2)
        } else {
            (size.width() / 2, layout.margin / 2)
        };
        let area = Area::new(middle - wide / 2, top, wide, high);
        self.add(area, Figure::Line { text: words.headline, em_px, muted: false });
        let entered = i32::from(entered.min(MOST_DIGITS));
        let pitch = (2 * middle - layout.margin) / i32::from(MOST_DIGITS);
        let side = (pitch * 3 / 4).min(line * 2 / 3);
        let y = top + high + (line - side) / 2 + if size.is_wide() { layout.gap } else { 0 };
        let left = middle - (entered * pitch - (pitch - side)) / 2;
        for step in 0..entered {
            self.add(Area::new(left + step * pitch, y, side, side), Figure::Dot { full: true });
        }
    }
}

/// Side of the symbol on a wide screen.
const fn wide_symbol(size: ScreenSize) -> i32 {
    let (by_width, by_height) = (size.width() * 29 / 100, size.height() * 3 / 5);
    if by_width < by_height { by_width } else { by_height }
}

/// What stands below the words.
enum Extra {
    Nothing,
    Steps { taken: i32, needed: i32 },
    Bar(crate::state::Percent),
}

/// Words that are broken into lines, and what stands below them.
struct Block {
    headline: Vec<&'static str, { lines::MOST }>,
    detail: Vec<&'static str, { lines::MOST }>,
    extra: Extra,
    width: i32,
}

impl Block {
    fn of(state: &UiState, words: &Words, size: ScreenSize) -> Self {
        let layout = Layout::of(size);
        let width = text_width(size);
        let extra = match state {
            UiState::Enrolment { progress, .. } => {
                Extra::Steps { taken: progress.taken().into(), needed: progress.needed().into() }
            }
            UiState::Update(percent) => Extra::Bar(*percent),
            _ => Extra::Nothing,
        };
        // A test wraps all words on all sizes: they fit.
        let fit = |text, em_px| wrap(text, em_px, width).unwrap_or_default();
        let headline = fit(words.headline, layout.headline_em);
        let detail = words.detail.map(|text| fit(text, layout.detail_em)).unwrap_or_default();
        Self { headline, detail, extra, width }
    }

    fn height(&self, layout: &Layout) -> i32 {
        let lines = |count: usize, high: i32| count as i32 * high;
        let headline = lines(self.headline.len(), layout.headline_line());
        let detail = match self.detail.len() {
            0 => 0,
            count => layout.gap + lines(count, layout.detail_line()),
        };
        let extra = match self.extra {
            Extra::Nothing => 0,
            Extra::Steps { .. } => 2 * layout.gap + layout.headline_em / 3,
            Extra::Bar(_) => 2 * layout.gap + layout.headline_em / 4,
        };
        headline + detail + extra
    }
}

/// How wide a line of words may be.
pub(crate) const fn text_width(size: ScreenSize) -> i32 {
    let margin = Layout::of(size).margin;
    if size.is_wide() { size.width() - wide_symbol(size) - margin * 4 } else { size.width() - 2 * margin }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::{SIZES, size, states};
    use crate::style::{Language, Light};
    use proptest::prelude::*;

    fn check(size: ScreenSize, language: Language) {
        let (short, screen) = (size.short(), Area::new(0, 0, size.width(), size.height()));
        for (name, state) in states() {
            let style = Style { language, light: Light::Day };
            let scene = Scene::of(&state, style, size);
            let what = std::format!("{name} in {language:?} on {size:?}");
            let words = Words::of(&state, language);
            let mut headline = false;
            for (at, element) in scene.elements.iter().enumerate() {
                let area = element.area;
                assert_eq!(
                    area.intersection(screen),
                    Some(area),
                    "{what}: {element:?} lies beyond the screen"
                );
                for other in &scene.elements[..at] {
                    assert_eq!(area.intersection(other.area), None, "{what}: {element:?} lies on {other:?}");
                }
                match element.figure {
                    // 1 / 9 of the shorter side for a capital: see the head of layout.rs.
                    Figure::Line { em_px, muted: false, text } => {
                        headline |= words.headline.starts_with(text);
                        assert!(em_px * 724 * 9 >= short * 1024, "{what}: {text} is too small");
                    }
                    Figure::Line { em_px, muted: true, text } => {
                        assert!(em_px * 724 * 16 >= short * 1024, "{what}: {text} is too small");
                    }
                    Figure::Symbol(_) => assert!(area.w * 5 >= short, "{what}: a symbol of {} px", area.w),
                    Figure::Key(_) => assert!(area.w.min(area.h) * 8 >= short, "{what}: a key of {area:?}"),
                    Figure::Dot { .. } | Figure::Bar(_) => assert!(area.h > 3, "{what}: {area:?}"),
                }
            }
            assert!(headline, "{what}: the headline does not fit");
            let fits = |text| wrap(text, Layout::of(size).detail_em, text_width(size)).is_some();
            assert!(words.detail.is_none_or(fits), "{what}: the detail does not fit");
            assert!(!scene.elements.is_full() || matches!(state, UiState::Pin { .. }), "{what}: too full");
        }
    }

    extern crate std;

    #[test]
    fn every_text_fits_and_nothing_overlaps_on_the_usual_sizes() {
        for dimensions in SIZES {
            for language in Language::ALL {
                check(size(dimensions), language);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_text_fits_and_nothing_overlaps_on_any_size(
            short in 240_u32..=1920,
            share in 100_u32..=200,
            upright: bool,
            language in prop::sample::select(&Language::ALL[..]),
        ) {
            let long = (short * share / 100).min(1920);
            let (width, height) = if upright { (short, long) } else { (long, short) };
            check(ScreenSize::new(width, height).unwrap(), language);
        }
    }
}
