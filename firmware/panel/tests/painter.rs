//! What is drawn where only something changed, and what is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{DenyReason, RetryReason};
use arcdoor_panel::{Language, Light, Painter, Style, UiState};
use common::Canvas;
use common::states::{SIZES, shuffled, size, states};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::Rgb888;
use proptest::prelude::*;

const STYLE: Style = Style { language: Language::English, light: Light::Day };

fn any_style() -> impl Strategy<Value = Style> {
    let language = prop::sample::select(&Language::ALL[..]);
    (language, prop::sample::select(&Light::ALL[..])).prop_map(|(language, light)| Style { language, light })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_changed_drawn_on_the_old_screen_is_the_new_screen_and_no_pixel_is_drawn_twice(
        dimensions in prop::sample::select(&SIZES[..3]),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any_style()), 2..8),
        keeps_style: bool,
    ) {
        let (size, states) = (size(dimensions), states());
        let mut painter = Painter::new(size);
        let mut canvas = Canvas::new(size);
        for (index, style) in &steps {
            let style = if keeps_style { steps[0].1 } else { *style };
            let state = index.get(&states).1;
            canvas.forget();
            let before = canvas.pixels.clone();
            let dirty = painter.paint(&state, style, &mut canvas).unwrap();
            let is_told = |x: u32, y: u32| {
                dirty.iter().any(|d| (d.x..d.x + d.width).contains(&x) && (d.y..d.y + d.height).contains(&y))
            };
            let places = (0..dimensions.1).flat_map(|y| (0..dimensions.0).map(move |x| (x, y)));
            let changed = places.zip(before.iter().zip(&canvas.pixels)).filter(|(_, (old, new))| old != new);
            for ((x, y), _) in changed {
                prop_assert!(is_told(x, y), "{state:?}: {x}, {y} changed, and nobody was told");
            }
            prop_assert!(!canvas.twice, "{state:?} flickers: a pixel is drawn twice");
            prop_assert!(canvas.pixels == Canvas::screen(&state, style, size).pixels, "{state:?}");
        }
    }
}

#[test]
fn nothing_is_drawn_where_nothing_changed() {
    for (name, state) in states() {
        let mut canvas = Canvas::new(size(SIZES[0]));
        let mut painter = Painter::new(size(SIZES[0]));
        painter.paint(&state, STYLE, &mut canvas).unwrap();
        canvas.forget();
        painter.paint(&state, STYLE, &mut canvas).unwrap();
        assert_eq!(canvas.drawn, 0, "{name}");
    }
}

#[test]
fn a_digit_of_a_pin_redraws_no_key() {
    let mut canvas = Canvas::new(size(SIZES[2]));
    let mut painter = Painter::new(size(SIZES[2]));
    let pin = |entered| UiState::Pin { order: shuffled(), entered };
    painter.paint(&pin(3), STYLE, &mut canvas).unwrap();
    canvas.forget();
    let dirty = painter.paint(&pin(4), STYLE, &mut canvas).unwrap();
    let told: u32 = dirty.iter().map(|area| area.width * area.height).sum();
    assert!(told < 800 * 480 / 50, "{told} pixels");
    assert!(canvas.drawn < 800 * 480 / 50, "{} pixels", canvas.drawn);
}

/// Fails once, after some pixels.
struct Broken {
    canvas: Canvas,
    left: Option<usize>,
}

impl OriginDimensions for Broken {
    fn size(&self) -> Size {
        Size::new(self.canvas.width, self.canvas.height)
    }
}

impl DrawTarget for Broken {
    type Color = Rgb888;
    type Error = &'static str;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for pixel in pixels {
            match self.left {
                Some(0) => return Err("the bus is gone"),
                Some(left) => self.left = Some(left - 1),
                None => {}
            }
            self.canvas.draw_iter([pixel]).unwrap();
        }
        Ok(())
    }
}

#[test]
fn a_screen_that_failed_half_way_is_drawn_whole_the_next_time() {
    let size = size(SIZES[0]);
    let mut target = Broken { canvas: Canvas::new(size), left: None };
    let mut painter = Painter::new(size);
    painter.paint(&UiState::Idle, STYLE, &mut target).unwrap();
    target.left = Some(1000);
    let next = UiState::Approach(RetryReason::TooFar);
    assert!(painter.paint(&next, STYLE, &mut target).is_err());
    target.left = None;
    painter.paint(&next, STYLE, &mut target).unwrap();
    assert!(target.canvas.pixels == Canvas::screen(&next, STYLE, size).pixels);
}

#[test]
fn a_denial_does_not_tell_why() {
    use DenyReason as D;
    let screen =
        |reason: DenyReason| Canvas::screen(&UiState::Denied(reason.into()), STYLE, size(SIZES[0])).pixels;
    let one = screen(D::NoMatch);
    for reason in [D::NobodyEnrolled, D::Ambiguous, D::NotThisPerson, D::TooFewAgree] {
        assert!(screen(reason) == one, "{reason:?}");
    }
    assert!(screen(D::LockedOut) != one, "who is locked out must know that it helps to wait");
}
