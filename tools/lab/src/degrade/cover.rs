//! Damage that lies before the face.

use arcdoor_frame::RgbImage;

use super::colour::Rgb;

/// Centres of the eyes in the ArcFace template, pixels.
const EYES: [[f32; 2]; 2] = [[38.3, 51.7], [73.5, 51.5]];
/// Corners of a mask, from the left ear over the nose to the right one, and back along the chin.
const MASK: [[f32; 2]; 6] =
    [[18.0, 66.0], [56.0, 60.0], [94.0, 66.0], [88.0, 96.0], [56.0, 112.0], [24.0, 96.0]];

/// Paints where `covers` says so.
pub(super) fn fill(crop: &mut RgbImage, colour: Rgb, covers: impl Fn(f32, f32) -> bool) {
    let width = crop.width();
    for (index, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
        if covers((index as u32 % width) as f32, (index as u32 / width) as f32) {
            pixel.copy_from_slice(&colour);
        }
    }
}

/// A mask over mouth and nose whose edge lies `rise` pixels higher than halfway down the nose.
pub(super) fn mask(crop: &mut RgbImage, colour: Rgb, rise: f32) {
    fill(crop, colour, |x, y| is_within(&MASK, x, y + rise));
}

/// Lenses of these half axes, a bridge and two bows.
pub(super) fn glasses(crop: &mut RgbImage, colour: Rgb, wide: f32, high: f32) {
    fill(crop, colour, |x, y| {
        let lens = |eye: &[f32; 2]| ((x - eye[0]) / wide).powi(2) + ((y - eye[1]) / high).powi(2) <= 1.0;
        let is_bow =
            (y - 48.0).abs() <= 1.5 && !(EYES[0][0]..EYES[1][0]).contains(&x) && (6.0..106.0).contains(&x);
        let is_bridge = (y - 50.0).abs() <= 1.5 && (EYES[0][0]..EYES[1][0]).contains(&x);
        EYES.iter().any(lens) || is_bow || is_bridge
    });
}

/// Everything but an ellipse of these half axes.
pub(super) fn hood(crop: &mut RgbImage, colour: Rgb, wide: f32, high: f32) {
    fill(crop, colour, |x, y| ((x - 56.0) / wide).powi(2) + ((y - 66.0) / high).powi(2) > 1.0);
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
        let colour_at = |paint: fn(&mut RgbImage), x, y| {
            let mut crop = RgbImage::with_size(112, 112);
            paint(&mut crop);
            crop.view().pixel(x, y)
        };
        let mask: fn(&mut RgbImage) = |crop| mask(crop, [9; 3], 0.0);
        assert_eq!(
            [colour_at(mask, 56, 90), colour_at(mask, 38, 52), colour_at(mask, 56, 40)],
            [[9; 3], [0; 3], [0; 3]]
        );
        let glasses: fn(&mut RgbImage) = |crop| glasses(crop, [9; 3], 15.0, 11.0);
        assert_eq!(
            [colour_at(glasses, 38, 52), colour_at(glasses, 56, 90), colour_at(glasses, 56, 50)],
            [[9; 3], [0; 3], [9; 3]]
        );
    }
}
