//! A touch means the key that is drawn there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_panel::{Key, KeyOrder, Keypad, Language, Light, Style, UiState};
use common::Canvas;
use common::states::{SIZES, shuffled, size};
use std::collections::BTreeMap;

const STYLE: Style = Style { language: Language::English, light: Light::Day };

fn points((width, height): (u32, u32)) -> impl Iterator<Item = [u32; 2]> {
    (0..height).flat_map(move |y| (0..width).map(move |x| [x, y]))
}

#[test]
fn every_key_can_be_touched_and_fingers_do_not_hit_two() {
    for dimensions in SIZES {
        let pad = Keypad::new(size(dimensions), shuffled());
        let mut touched: BTreeMap<String, usize> = BTreeMap::new();
        for key in points(dimensions).filter_map(|at| pad.key_at(at)) {
            *touched.entry(format!("{key:?}")).or_default() += 1;
        }
        assert_eq!(touched.len(), 12, "{touched:?}");
        let (least, most) = (touched.values().min().unwrap(), touched.values().max().unwrap());
        assert!(least * 10 >= most * 9, "{touched:?}");
        for beside in [[u32::MAX, 0], [u32::MAX; 2], [0, 0]] {
            assert_eq!(pad.key_at(beside), None);
        }
    }
}

#[test]
fn a_touch_means_the_digit_that_is_drawn_there() {
    for dimensions in SIZES {
        let size = size(dimensions);
        let screen = |order| Canvas::screen(&UiState::Pin { order, entered: 0 }, STYLE, size);
        let (usual, other) = (screen(KeyOrder::USUAL), screen(shuffled()));
        let (usual_pad, other_pad) = (Keypad::new(size, KeyOrder::USUAL), Keypad::new(size, shuffled()));
        let mut redrawn = Vec::new();
        for (at, point) in points(dimensions).enumerate() {
            let (was, is) = (usual_pad.key_at(point), other_pad.key_at(point));
            if usual.pixels[at] != other.pixels[at] {
                assert_ne!(was, is, "{point:?} looks otherwise and means the same");
                redrawn.extend(is.filter(|key| !redrawn.contains(key)));
            }
        }
        // The order under test leaves no digit but 2 in its usual place.
        let moved = (0..10).filter(|digit| *digit != 2).all(|digit| redrawn.contains(&Key::Digit(digit)));
        assert!(moved, "{redrawn:?} alone look otherwise");
    }
}

#[test]
fn an_order_that_lacks_a_digit_is_refused() {
    let error = KeyOrder::new([1, 2, 3, 4, 5, 6, 7, 8, 8, 0]).unwrap_err();
    assert_eq!(error.to_string(), "an order of keys names each digit from 0 to 9 once; 9 is missing");
    assert!(KeyOrder::new([10, 1, 2, 3, 4, 5, 6, 7, 8, 9]).is_err());
}
