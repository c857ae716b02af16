use super::*;
use arcdoor_models::ChannelOrder;
use nalgebra::{Matrix2, Vector2};
use proptest::prelude::*;

/// Umeyama (1991), equations 40 to 42, by SVD.
fn umeyama(from: &[Point; 5], to: &[Point; 5]) -> (Matrix2<f64>, Vector2<f64>) {
    let vector = |p: &Point| Vector2::new(f64::from(p.x), f64::from(p.y));
    let centre = |points: &[Point; 5]| points.iter().map(vector).sum::<Vector2<f64>>() / 5.0;
    let (p0, q0) = (centre(from), centre(to));
    let mut covariance = Matrix2::zeros();
    let mut variance = 0.0;
    for (p, q) in from.iter().zip(to) {
        let (p, q) = (vector(p) - p0, vector(q) - q0);
        covariance += q * p.transpose() / 5.0;
        variance += p.norm_squared() / 5.0;
    }
    let svd = covariance.svd(true, true);
    let (u, v_t) = (svd.u.unwrap(), svd.v_t.unwrap());
    let sign = if (u * v_t).determinant() < 0.0 { -1.0 } else { 1.0 };
    // nalgebra sorts singular values in descending order, so the sign belongs to the second.
    let flip = Matrix2::new(1.0, 0.0, 0.0, sign);
    let rotation = u * flip * v_t;
    let scale = (svd.singular_values[0] + sign * svd.singular_values[1]) / variance;
    let linear = rotation * scale;
    (linear, q0 - linear * p0)
}

fn points() -> impl Strategy<Value = [Point; 5]> {
    prop::array::uniform5((0.0_f32..500.0, 0.0_f32..500.0).prop_map(|(x, y)| Point::new(x, y)))
}

proptest! {
    #[test]
    fn the_closed_form_is_umeyamas(from in points(), to in points()) {
        let found = Similarity::between(&from, &to);
        let (linear, shift) = umeyama(&from, &to);
        // Point sets that are nearly mirrored have no clear rotation.
        prop_assume!(linear[(0, 0)].hypot(linear[(1, 0)]) > 1e-3);
        let found = found.unwrap();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs());
        prop_assert!(close(found.a, linear[(0, 0)]) && close(found.b, linear[(1, 0)]));
        prop_assert!(close(found.tx, shift.x) && close(found.ty, shift.y));
    }

    #[test]
    fn a_similarity_is_found_again_and_undone(
        from in points(), angle in -3.0_f64..3.0, scale in 0.1_f64..5.0, tx in -99.0_f64..99.0
    ) {
        let truth = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty: -tx };
        let to = from.map(|p| truth.apply(p));
        let spread = from.iter().map(|p| (p.x - from[0].x).abs() + (p.y - from[0].y).abs()).sum::<f32>();
        prop_assume!(spread > 10.0);
        let found = Similarity::between(&from, &to).unwrap();
        for (p, q) in from.iter().zip(&to) {
            let (there, back) = (found.apply(*p), found.inverse().apply(*q));
            prop_assert!((there.x - q.x).abs() < 0.05 && (there.y - q.y).abs() < 0.05);
            prop_assert!((back.x - p.x).abs() < 0.05 && (back.y - p.y).abs() < 0.05);
        }
    }
}

#[test]
fn landmarks_on_one_point_or_without_value_have_no_similarity() {
    assert_eq!(Similarity::between(&[Point::new(3.0, 4.0); 5], &ARCFACE_112), None);
    assert_eq!(Similarity::between(&ARCFACE_112, &[Point::new(3.0, 4.0); 5]), None);
    let mut broken = ARCFACE_112;
    broken[2].x = f32::NAN;
    assert_eq!(Similarity::between(&broken, &ARCFACE_112), None);
    assert!(Similarity::to_template(&Landmarks5::default(), 112).is_err());
}

const PATTERN: [u32; 2] = [160, 120];

/// A smooth image of three different channels, the same in the script that made `OPENCV`.
fn pattern() -> Vec<u8> {
    let mut data = Vec::new();
    for y in 0..PATTERN[1] {
        for x in 0..PATTERN[0] {
            data.push(((x * x / 40 + 3 * y) % 256) as u8);
            data.push(((5 * x + y * y / 30) % 256) as u8);
            data.push(((x * y / 16 + 40) % 256) as u8);
        }
    }
    data
}

/// Landmarks of which the crop reaches beyond the pattern's left and lower edges.
const MARKS: [Point; 5] = [
    Point::new(31.5, 52.25),
    Point::new(60.75, 44.0),
    Point::new(50.0, 66.5),
    Point::new(43.0, 84.5),
    Point::new(68.25, 77.0),
];

include!("opencv.rs");

#[test]
fn the_warp_is_opencvs() {
    let data = pattern();
    let frame = RgbView::new(&data, PATTERN[0], PATTERN[1], PATTERN[0] as usize * 3).unwrap();
    let to_crop = Similarity::to_template(&Landmarks5(MARKS), 112).unwrap();
    for (found, expected) in [to_crop.a, to_crop.b, to_crop.tx, to_crop.ty].iter().zip(OPENCV_MATRIX) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
    let channels = Channels::uniform(ChannelOrder::Bgr, 0.0, 1.0);
    let mut out = vec![0.0; 3 * 112 * 112];
    warp(frame, &to_crop, &channels, 112, &mut out);
    for &(x, y, bgr) in &OPENCV {
        for (channel, expected) in bgr.iter().enumerate() {
            let found = out[channel * 112 * 112 + y * 112 + x];
            // OpenCV rounds positions to 1/32 pixel; the pattern's slope is up to 10 a pixel.
            assert!((found - expected).abs() < 0.5, "({x}, {y}) {channel}: {found} {expected}");
        }
    }
}

#[test]
fn mean_and_scale_apply_to_the_border_too() {
    let data = [200; 3 * 4 * 4];
    let frame = RgbView::new(&data, 4, 4, 12).unwrap();
    let shifted = Similarity { a: 1.0, b: 0.0, tx: 2.0, ty: 0.0 };
    let channels = Channels::uniform(ChannelOrder::Rgb, 100.0, 0.5);
    let mut out = [0.0; 48];
    warp(frame, &shifted, &channels, 4, &mut out);
    assert_eq!(out[..4], [-50.0, -50.0, 50.0, 50.0]);
}
