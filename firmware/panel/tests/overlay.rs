//! Marks on a small target that fails the test when it is asked for a pixel beyond itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use arcdoor_core::{Landmarks5, Point, Rect};
use arcdoor_panel::{FaceMark, MarkKind, draw_overlay};
use common::Canvas;
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};

fn mark(rect: Rect, label: &str, kind: MarkKind) -> FaceMark<'_> {
    FaceMark { rect, landmarks: None, label, kind }
}

#[test]
fn corners_of_the_box_carry_the_decisions_colour() {
    for kind in [MarkKind::Granted, MarkKind::Denied, MarkKind::Retry] {
        let mut canvas = Canvas::of(64, 48);
        draw_overlay(&mut canvas, &[mark(Rect::new(10.0, 8.0, 20.0, 30.0), "", kind)]).unwrap();
        for (x, y) in [(10, 8), (30, 8), (10, 38), (30, 38)] {
            assert_eq!(canvas.at(x, y), Some(kind.colour()), "({x}, {y})");
        }
        assert_eq!(canvas.at(20, 20), None, "the face itself stays free");
        assert_eq!(canvas.at(9, 8), Some(Rgb888::BLACK), "the ring outside");
        assert_eq!(canvas.at(8, 8), None);
    }
}

#[test]
fn landmarks_lie_where_they_were_found() {
    let mut canvas = Canvas::of(64, 48);
    let points = [(20.0, 16.0), (30.0, 16.0), (25.0, 22.0), (21.0, 28.0), (29.0, 28.0)];
    let landmarks = Some(Landmarks5(points.map(|(x, y)| Point::new(x, y))));
    let face = FaceMark { landmarks, ..mark(Rect::new(10.0, 8.0, 30.0, 30.0), "", MarkKind::Granted) };
    draw_overlay(&mut canvas, &[face]).unwrap();
    for (x, y) in points {
        assert_eq!(canvas.at(x as u32, y as u32), Some(MarkKind::Granted.colour()));
    }
}

#[test]
fn a_label_has_dark_text_on_its_own_ground_above_the_box() {
    let mut canvas = Canvas::of(200, 100);
    draw_overlay(&mut canvas, &[mark(Rect::new(20.0, 40.0, 60.0, 50.0), "Ada", MarkKind::Granted)]).unwrap();
    assert_eq!(canvas.at(20, 25), Some(MarkKind::Granted.colour()), "the ground's corner");
    let dark = (20..42)
        .flat_map(|x| (25..38).map(move |y| (x, y)))
        .filter(|&(x, y)| canvas.at(x, y) == Some(Rgb888::BLACK))
        .count();
    assert!(dark > 20, "{dark} pixels of text");
}

#[test]
fn a_label_without_room_above_or_to_the_right_stays_in_the_frame() {
    let mut canvas = Canvas::of(120, 60);
    let faces = [mark(Rect::new(100.0, 0.0, 18.0, 30.0), "Grace Hopper", MarkKind::Denied)];
    draw_overlay(&mut canvas, &faces).unwrap();
    // 12 letters of 6 pixels and 2 of margin at each side end at the right edge.
    assert_eq!(canvas.at(119, 0), Some(MarkKind::Denied.colour()));
    assert_eq!(canvas.at(44, 0), Some(MarkKind::Denied.colour()));
    assert_eq!(canvas.at(43, 0), None);
}

#[test]
fn strokes_and_text_grow_with_the_frame() {
    let drawn = |width: u32, height: u32| {
        let mut canvas = Canvas::of(width, height);
        let rect =
            Rect::new(width as f32 / 4.0, height as f32 / 2.0, width as f32 / 4.0, height as f32 / 4.0);
        draw_overlay(&mut canvas, &[mark(rect, "Ada", MarkKind::Retry)]).unwrap();
        canvas.count(MarkKind::Retry.colour()) as f64 / f64::from(width * height)
    };
    let (small, large) = (drawn(640, 480), drawn(2560, 1920));
    assert!((small / large - 1.0).abs() < 0.2, "{small} of the small frame, {large} of the large one");
}

#[test]
fn boxes_beyond_the_frame_or_without_sense_draw_only_what_is_inside() {
    let odd = [
        Rect::new(-20.0, -20.0, 30.0, 30.0),
        Rect::new(50.0, 40.0, 500.0, 500.0),
        Rect::new(1e9, -1e9, 1e9, 1e9),
        Rect::new(f32::NAN, f32::INFINITY, f32::MAX, 3.0),
        Rect::new(5.0, 5.0, 0.0, 0.0),
        Rect { x: f32::NEG_INFINITY, y: f32::MIN, w: f32::NAN, h: f32::INFINITY },
    ];
    for (width, height) in [(64, 48), (1, 1), (3, 200)] {
        for rect in odd {
            let mut canvas = Canvas::of(width, height);
            let far = Point::new(-1e30, f32::NAN);
            let landmarks = Some(Landmarks5([far; 5]));
            let face =
                FaceMark { landmarks, ..mark(rect, "long label with \u{6f22} and \u{e9}", MarkKind::Denied) };
            draw_overlay(&mut canvas, &[face]).unwrap();
        }
    }
    let mut canvas = Canvas::of(64, 48);
    draw_overlay(&mut canvas, &[mark(odd[0], "", MarkKind::Denied)]).unwrap();
    assert_eq!(canvas.at(10, 10), Some(MarkKind::Denied.colour()));
    assert_eq!(canvas.at(0, 0), None);
}

#[test]
fn an_empty_target_takes_nothing() {
    let faces = [mark(Rect::new(0.0, 0.0, 9.0, 9.0), "a", MarkKind::Granted)];
    draw_overlay(&mut Canvas::of(0, 0), &faces).unwrap();
}
