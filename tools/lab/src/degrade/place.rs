//! Damage that moves pixels: what wrong landmarks do.

use arcdoor_frame::RgbImage;

/// Turns about the middle, degrees clockwise.
pub(super) fn turn(crop: &mut RgbImage, degrees: f32) {
    let (sin, cos) = degrees.to_radians().sin_cos();
    about_middle(crop, |x, y| [cos * x + sin * y, cos * y - sin * x]);
}

/// As [`map`], from positions and to positions that are counted from the middle.
pub(super) fn about_middle(crop: &mut RgbImage, from: impl Fn(f32, f32) -> [f32; 2]) {
    let middle = [(crop.width() - 1) as f32 / 2.0, (crop.height() - 1) as f32 / 2.0];
    map(crop, |x, y| {
        let [x, y] = from(x - middle[0], y - middle[1]);
        [x + middle[0], y + middle[1]]
    });
}

/// Puts at each position the pixel that `from` says, between the four around it; beyond the edge, the edge's.
pub(super) fn map(crop: &mut RgbImage, from: impl Fn(f32, f32) -> [f32; 2]) {
    let (width, height) = (crop.width(), crop.height());
    let source = crop.clone();
    let view = source.view();
    let last = [(width - 1) as f32, (height - 1) as f32];
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        let [x, y] = from((index as u32 % width) as f32, (index as u32 / width) as f32);
        let [x, y] = [x.clamp(0.0, last[0]), y.clamp(0.0, last[1])];
        let (left, top) = (x as u32, y as u32);
        let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
        let (fx, fy) = (x - left as f32, y - top as f32);
        let corners =
            [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| view.pixel(x, y));
        for (channel, value) in pixel.iter_mut().enumerate() {
            let [a, b, c, d] = corners.map(|corner| f32::from(corner[channel]));
            let (above, below) = (a + (b - a) * fx, c + (d - c) * fx);
            *value = (above + (below - above) * fy).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each pixel of its own grey.
    fn counted() -> RgbImage {
        let mut image = RgbImage::with_size(5, 5);
        image.data_mut().chunks_exact_mut(3).zip(0_u8..).for_each(|(pixel, value)| pixel.fill(value));
        image
    }

    #[test]
    fn a_half_turn_turns_the_pixels_round() {
        let mut image = counted();
        turn(&mut image, 180.0);
        let greys: Vec<u8> = image.data_mut().chunks_exact(3).map(|pixel| pixel[0]).collect();
        assert_eq!(greys, (0..25).rev().collect::<Vec<u8>>());
    }

    #[test]
    fn a_quarter_turn_is_clockwise() {
        let mut image = counted();
        turn(&mut image, 90.0);
        assert_eq!(image.view().pixel(4, 0), [0; 3], "what was left above is right above");
    }

    #[test]
    fn what_comes_from_beyond_the_edge_is_the_edge() {
        let mut image = counted();
        map(&mut image, |x, y| [x - 2.0, y]);
        assert_eq!([0, 1, 2, 3].map(|x| image.view().pixel(x, 0)[0]), [0, 0, 0, 1]);
    }
}
