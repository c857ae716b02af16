//! Damage that lies before the face.

use arcdoor_frame::RgbImage;

use super::colour::Rgb;

/// Centres of the eyes in the ArcFace template, pixels.
const EYES: [[f32; 2]; 2] = [[38.3, 51.7], [73.5, 51.5]];
/// Corners of a mask, from the left ear over the nose to the right one, and back along the chin.
const MASK: [[f32; 2]; 6] =
    [[18.0, 66.0], [56.0, 60.0], [94.0, 66.0], [88.0, 96.0], [56.0, 112.0], [24.0, 96.0]];

/// Paints each pixel that `colour` has one for.
pub(super) fn paint(crop: &mut RgbImage, colour: impl Fn(f32, f32) -> Option<Rgb>) {
    let width = crop.width();
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        if let Some(colour) = colour((index as u32 % width) as f32, (index as u32 / width) as f32) {
            pixel.copy_from_slice(&colour);
        }
    }
}

/// Whether a mask over mouth and nose covers a place, whose edge lies `rise` pixels higher than halfway down the nose.
pub(super) fn is_mask(x: f32, y: f32, rise: f32) -> bool {
    is_within(&MASK, x, y + rise)
}

/// Whether lenses of these half axes, a bridge or two bows cover a place.
pub(super) fn is_glasses(x: f32, y: f32, wide: f32, high: f32) -> bool {
    let lens = |eye: &[f32; 2]| ((x - eye[0]) / wide).powi(2) + ((y - eye[1]) / high).powi(2) <= 1.0;
    let is_bow =
        (y - 48.0).abs() <= 1.5 && !(EYES[0][0]..EYES[1][0]).contains(&x) && (6.0..106.0).contains(&x);
    let is_bridge = (y - 50.0).abs() <= 1.5 && (EYES[0][0]..EYES[1][0]).contains(&x);
    EYES.iter().any(lens) || is_bow || is_bridge
}

/// Whether a hood that leaves an ellipse of these half axes covers a place.
pub(super) fn is_hood(x: f32, y: f32, wide: f32, high: f32) -> bool {
    ((x - 56.0) / wide).powi(2) + ((y - 66.0) / high).powi(2) > 1.0
}

/// Whether a cap or hair covers a place that reaches down to `row` in the middle, and `sides` pixels further at the sides.
pub(super) fn is_cap(x: f32, y: f32, row: f32, sides: f32) -> bool {
    y < row + sides * ((x - 56.0) / 56.0).powi(2)
}

/// Whether a point lies within a polygon: a ray from it crosses an odd number of edges.
fn is_within(corners: &[[f32; 2]], x: f32, y: f32) -> bool {
    let next = corners.iter().cycle().skip(1);
    let crosses = |(a, b): &(&[f32; 2], &[f32; 2])| {
        (a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]
    };
    corners.iter().zip(next).filter(crosses).count() % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_covers_the_mouth_and_glasses_the_eyes() {
        let [mouth, eye, nose, bridge] = [(56.0, 90.0), (38.0, 52.0), (56.0, 40.0), (56.0, 50.0)];
        assert_eq!([mouth, eye, nose].map(|(x, y)| is_mask(x, y, 0.0)), [true, false, false]);
        assert_eq!([mouth, eye, bridge].map(|(x, y)| is_glasses(x, y, 15.0, 11.0)), [false, true, true]);
        assert_eq!([(2.0, 2.0), mouth].map(|(x, y)| is_hood(x, y, 30.0, 40.0)), [true, false]);
        assert_eq!([nose, eye, (2.0, 60.0)].map(|(x, y)| is_cap(x, y, 44.0, 24.0)), [true, false, true]);
    }
}
