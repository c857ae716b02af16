//! Damage to whole photos, and to landmarks: what becomes of them on the whole way.

use arcdoor_calib::Random;
use arcdoor_core::{Landmarks5, Point};
use arcdoor_frame::{RgbImage, RgbView};
use arcdoor_vision::Channels;
use arcdoor_vision::align::{Similarity, TEMPLATE_SIDE, warp};

use super::damage::Damage;
use super::{cover, light};

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

/// A copy with other brightness, and noise of this standard deviation, in levels.
pub(crate) fn lit(photo: RgbView<'_>, brightness: f32, noise: f32, random: &mut Random) -> RgbImage {
    let mut out = moved(photo, 0.0, 1.0, [0.0; 2]);
    light::levels(&mut out, |x| x * brightness);
    light::noise(&mut out, noise, random);
    out
}

/// A copy in which something lies before the face with these landmarks; `None` where they lie on one point.
pub(crate) fn covered(photo: RgbView<'_>, marks: &Landmarks5, cover: Damage) -> Option<RgbImage> {
    let to_template = Similarity::to_template(marks, TEMPLATE_SIDE).ok()?;
    let mut out = moved(photo, 0.0, 1.0, [0.0; 2]);
    cover::paint(&mut out, |x, y| {
        let place = to_template.apply(Point::new(x, y));
        cover.colour_at(place.x, place.y)
    });
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
        let mask = covered(photo.view(), &marks, Damage::Mask([9; 3], 0.0)).unwrap();
        assert_eq!((mask.view().pixel(56, 90), mask.view().pixel(38, 51)), ([9; 3], [0; 3]));
        let moved = misplaced(&marks, 0.5, 0.0, 1.0);
        assert!((moved.nose().x - marks.nose().x - 0.5 * marks.eye_distance()).abs() < 1e-3);
    }
}
