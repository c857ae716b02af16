//! Portraits on a frame.

use std::ops::Range;

use arcdoor_frame::{Resizer, RgbImage, RgbView};

/// Lays a portrait on a frame, scaled to `side` pixels both ways, its upper left corner at `left` and `top`; what
/// reaches beyond the frame is cut.
pub fn paste(frame: &mut RgbImage, portrait: RgbView<'_>, left: i32, top: i32, side: u32) {
    let mut small = RgbImage::with_size(side, side);
    Resizer::new().resize(portrait, &mut small).unwrap();
    let (columns, rows) = (seen(left, side, frame.width()), seen(top, side, frame.height()));
    if columns.is_empty() {
        return;
    }
    for y in rows {
        let row = &small.view().row(y)[columns.start as usize * 3..columns.end as usize * 3];
        let x = (left + columns.start as i32) as usize;
        let start = ((top + y as i32) as usize * frame.width() as usize + x) * 3;
        frame.data_mut()[start..][..row.len()].copy_from_slice(row);
    }
}

/// Of `side` pixels that begin at `from`, those within `length`.
fn seen(from: i32, side: u32, length: u32) -> Range<u32> {
    let clip = |at: i64| at.clamp(0, i64::from(side)) as u32;
    clip(-i64::from(from))..clip(i64::from(length) - i64::from(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_beyond_the_frame_is_cut_at_each_of_its_sides() {
        let mut portrait = RgbImage::with_size(8, 8);
        portrait.data_mut().fill(255);
        let corners = [(-5, -6, 3 * 2), (8, 7, 2 * 3), (1, 1, 8 * 8), (-8, 0, 0), (10, 0, 0), (0, 12, 0)];
        for (left, top, pixels) in corners {
            let mut frame = RgbImage::with_size(10, 10);
            paste(&mut frame, portrait.view(), left, top, 8);
            let white = frame.data_mut().iter().filter(|value| **value == 255).count();
            assert_eq!(white, pixels * 3, "{left}, {top}");
        }
    }
}
