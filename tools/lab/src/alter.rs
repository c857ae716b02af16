//! What is done to photos and landmarks, so that an evaluation shows what becomes of them.

use arcdoor_core::{Landmarks5, Point};
use arcdoor_frame::{RgbImage, RgbView};
use arcdoor_vision::Channels;
use arcdoor_vision::align::{Similarity, TEMPLATE_SIDE, warp};

/// A copy of a photo, turned clockwise about its middle, enlarged and moved; black beyond it.
pub(crate) fn moved(photo: RgbView<'_>, degrees: f64, scale: f64, [dx, dy]: [f64; 2]) -> RgbImage {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (a, b) = (scale * cos, scale * sin);
    let side = photo.width().max(photo.height());
    let [x, y] = [photo.width(), photo.height()].map(|side| f64::from(side - 1) / 2.0);
    let middle = f64::from(side - 1) / 2.0;
    let along = Similarity { a, b, tx: middle - a * x + b * y + dx, ty: middle - b * x - a * y + dy };
    let plane = (side * side) as usize;
    let mut planes = vec![0.0; 3 * plane];
    warp(photo, &along, &Channels::RGB, side, &mut planes);
    let mut out = RgbImage::with_size(side, side);
    for (index, value) in out.data_mut().iter_mut().enumerate() {
        // `as` keeps within 0..=255.
        *value = planes[index % 3 * plane + index / 3].round() as u8;
    }
    out
}

/// A copy with other brightness, and noise of this standard deviation, in grey levels; the same noise for the same `seed`.
pub(crate) fn lit(photo: RgbView<'_>, brightness: f32, noise: f32, seed: u32) -> RgbImage {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let mut out = moved(photo, 0.0, 1.0, [0.0; 2]);
    for value in out.data_mut() {
        // Four uniform numbers are near enough to a normal one; their deviation is the root of a third.
        let normal = (uniform() + uniform() + uniform() + uniform() - 2.0) * 3.0_f32.sqrt();
        *value = (f32::from(*value) * brightness + normal * noise).round() as u8;
    }
    out
}

/// What hides a part of a face.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cover {
    /// The half on the image's left.
    Half,
    /// From the bridge of the nose down.
    Mask,
    /// Dark glasses.
    Sunglasses,
}

impl Cover {
    /// Its colour where it covers this place of the ArcFace template.
    fn colour(self, p: Point) -> Option<[u8; 3]> {
        let near = |eye: f32| ((p.x - eye) / 15.0).powi(2) + ((p.y - 53.0) / 11.0).powi(2) <= 1.0;
        let bridge = (38.0..=74.0).contains(&p.x) && (47.0..=50.0).contains(&p.y);
        match self {
            Self::Half => {
                ((-10.0..=56.0).contains(&p.x) && (-20.0..=130.0).contains(&p.y)).then_some([120; 3])
            }
            Self::Mask => {
                ((8.0..=104.0).contains(&p.x) && (65.0..=125.0).contains(&p.y)).then_some([170, 200, 220])
            }
            Self::Sunglasses => (near(38.3) || near(73.5) || bridge).then_some([12; 3]),
        }
    }
}

/// A copy in which the face with these landmarks is covered; `None` where they lie on one point.
pub(crate) fn covered(photo: RgbView<'_>, marks: &Landmarks5, cover: Cover) -> Option<RgbImage> {
    let to_template = Similarity::to_template(marks, TEMPLATE_SIDE).ok()?;
    let mut out = moved(photo, 0.0, 1.0, [0.0; 2]);
    let width = out.width() as usize;
    for (index, pixel) in out.data_mut().chunks_exact_mut(3).enumerate() {
        let place = to_template.apply(Point::new((index % width) as f32, (index / width) as f32));
        if let Some(colour) = cover.colour(place) {
            pixel.copy_from_slice(&colour);
        }
    }
    Some(out)
}

/// Landmarks that lie beside the face: moved by `eyes` eye distances into the direction `angle`, in radians, or drawn larger
/// or smaller about their middle.
pub(crate) fn misplaced(marks: &Landmarks5, eyes: f32, angle: f32, scale: f32) -> Landmarks5 {
    let (sin, cos) = angle.sin_cos();
    let by = eyes * marks.eye_distance();
    let mean = |of: fn(&Point) -> f32| marks.0.iter().map(of).sum::<f32>() / 5.0;
    let (x, y) = (mean(|p| p.x), mean(|p| p.y));
    marks.map(|p| Point::new(x + scale * (p.x - x) + by * cos, y + scale * (p.y - y) + by * sin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_vision::align::ARCFACE_112;

    #[test]
    fn a_turn_goes_clockwise_about_the_middle() {
        let mut photo = RgbImage::with_size(3, 3);
        photo.data_mut()[..3].fill(200);
        let turned = moved(photo.view(), 90.0, 1.0, [0.0; 2]);
        assert_eq!((turned.view().pixel(2, 0), turned.view().pixel(0, 0)), ([200; 3], [0; 3]));
    }

    #[test]
    fn a_cover_hides_its_part_alone() {
        let photo = RgbImage::with_size(112, 112);
        let marks = Landmarks5(ARCFACE_112);
        let mask = covered(photo.view(), &marks, Cover::Mask).unwrap();
        assert_eq!((mask.view().pixel(56, 90), mask.view().pixel(38, 51)), ([170, 200, 220], [0; 3]));
        let moved = misplaced(&marks, 0.5, 0.0, 1.0);
        assert!((moved.nose().x - marks.nose().x - 0.5 * marks.eye_distance()).abs() < 1e-3);
    }
}
