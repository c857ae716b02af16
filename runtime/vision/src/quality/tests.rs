use super::*;
use crate::align::ARCFACE_112;
use arcdoor_core::{Point, Rect};

const FRAME: u32 = 300;

/// A frame of waves, `period` pixels long in both directions, of grey 128 +- 60.
fn stripes(period: u32) -> Vec<u8> {
    waves([period, period])
}

/// A frame of waves of so many pixels along rows and along columns; 0: none.
fn waves(periods: [u32; 2]) -> Vec<u8> {
    let mut data = Vec::new();
    for y in 0..FRAME {
        for x in 0..FRAME {
            let wave = |at: u32, period: u32| match period {
                0 => 0.0,
                period => (at as f32 / period as f32 * core::f32::consts::TAU).sin(),
            };
            data.extend([(128.0 + 30.0 * (wave(x, periods[0]) + wave(y, periods[1]))) as u8; 3]);
        }
    }
    data
}

/// A face at the template's own size, moved by (dx, dy).
fn face_at(dx: f32, dy: f32) -> Face {
    let marks = Landmarks5(ARCFACE_112).map(|p| Point::new(p.x + dx, p.y + dy));
    Face { rect: Rect::new(dx + 16.0, dy + 8.0, 80.0, 104.0), score: 0.9, landmarks: Some(marks) }
}

fn of(data: &[u8], face: &Face) -> Assessment {
    assess(RgbView::new(data, FRAME, FRAME, FRAME as usize * 3).unwrap(), face)
}

#[test]
fn a_frontal_sharp_face_within_the_frame_passes_both_gates() {
    let found = of(&stripes(8), &face_at(90.0, 90.0));
    assert_eq!(QualityGate::enrol().check(&found), Ok(()), "{found:?}");
    assert_eq!(QualityGate::recognise().check(&found), Ok(()));
    assert_eq!(found.quality.occlusion, 100);
}

#[test]
fn a_cut_face_is_told_to_move_into_the_frame() {
    for (dx, dy) in [(-30.0, 90.0), (220.0, 90.0), (90.0, -30.0), (90.0, 220.0)] {
        let found = of(&stripes(8), &face_at(dx, dy));
        assert_eq!(QualityGate::recognise().check(&found), Err(RetryReason::FaceCutOff));
    }
}

#[test]
fn slow_stripes_are_blurred_and_black_is_too_dark_and_white_too_bright() {
    let face = face_at(90.0, 90.0);
    let gate = QualityGate::recognise();
    assert_eq!(gate.check(&of(&stripes(60), &face)), Err(RetryReason::HoldStill));
    let flat = |value| vec![value; (FRAME * FRAME * 3) as usize];
    assert_eq!(gate.check(&of(&flat(4), &face)), Err(RetryReason::TooDark));
    assert_eq!(gate.check(&of(&flat(254), &face)), Err(RetryReason::TooBright));
}

#[test]
fn what_is_sharp_in_one_direction_alone_has_moved() {
    for periods in [[0, 8], [8, 0], [8, 60]] {
        let found = of(&waves(periods), &face_at(90.0, 90.0));
        assert_eq!(QualityGate::recognise().check(&found), Err(RetryReason::HoldStill), "{periods:?}");
    }
}

#[test]
fn a_small_face_is_too_far() {
    let mut face = face_at(0.0, 0.0);
    face.landmarks = face.landmarks.map(|m| m.map(|p| Point::new(p.x * 0.3 + 100.0, p.y * 0.3 + 100.0)));
    face.rect = Rect::new(100.0, 100.0, 34.0, 34.0);
    assert_eq!(QualityGate::recognise().check(&of(&stripes(8), &face)), Err(RetryReason::TooFar));
}

#[test]
fn angles_follow_the_nose_and_the_eyes() {
    let data = stripes(8);
    let turned = |shift: f32, nod: f32| {
        let mut face = face_at(90.0, 90.0);
        if let Some(marks) = &mut face.landmarks {
            marks.0[2].x += shift;
            marks.0[2].y += nod;
        }
        of(&data, &face)
    };
    assert!(turned(0.0, 2.7).measures.yaw_deg.abs() < 1.0 && turned(0.0, 2.7).measures.pitch_deg.abs() < 2.0);
    assert!((turned(21.1, 0.0).measures.yaw_deg - 45.0).abs() < 1.5);
    assert!(turned(-21.1, 0.0).measures.yaw_deg < -43.0);
    assert!(turned(0.0, 12.0).measures.pitch_deg > 15.0 && turned(0.0, -12.0).measures.pitch_deg < -15.0);
    assert_eq!(QualityGate::recognise().check(&turned(25.0, 0.0)), Err(RetryReason::TurnToCamera));

    let mut tilted = face_at(90.0, 90.0);
    let (sin, cos) = 20.0_f32.to_radians().sin_cos();
    tilted.landmarks = tilted.landmarks.map(|m| {
        m.map(|p| {
            let (x, y) = (p.x - 150.0, p.y - 150.0);
            Point::new(150.0 + cos * x - sin * y, 150.0 + sin * x + cos * y)
        })
    });
    let measures = of(&data, &tilted).measures;
    assert!((measures.roll_deg - 20.0).abs() < 0.5 && measures.yaw_deg.abs() < 1.0, "{measures:?}");
}

#[test]
fn light_from_one_side_lowers_illumination() {
    let mut data = stripes(8);
    for row in data.chunks_exact_mut(FRAME as usize * 3) {
        row[..146 * 3].iter_mut().for_each(|v| *v /= 12);
    }
    let found = of(&data, &face_at(90.0, 90.0));
    assert!(found.measures.balance < 0.15, "{found:?}");
    assert!(found.quality.illumination < 20);
}

/// Stripes whose face, with its hair, has a share of its light, before a surround of one grey.
fn lit(share: f32, surround: u8) -> Vec<u8> {
    let mut data = stripes(8);
    for (index, pixel) in data.chunks_exact_mut(3).enumerate() {
        let (x, y) = (index as u32 % FRAME, index as u32 / FRAME);
        if (95..200).contains(&x) && y >= 75 {
            pixel.iter_mut().for_each(|value| *value = (f32::from(*value) * share) as u8);
        } else {
            pixel.fill(surround);
        }
    }
    data
}

#[test]
fn light_from_behind_is_not_called_a_dark_room_nor_the_other_way_round() {
    let face = face_at(90.0, 90.0);
    let says = |share, surround| QualityGate::enrol().check(&of(&lit(share, surround), &face));
    assert_eq!(says(0.25, 255), Err(RetryReason::LightFromBehind));
    assert_eq!(says(0.15, 40), Err(RetryReason::TooDark), "a dark face in a dark room");
    assert_eq!(says(1.0, 255), Ok(()), "a white wall");
    assert_eq!(says(0.6, 255), Ok(()), "dark skin before a white wall");
    let bright = of(&vec![254; (FRAME * FRAME * 3) as usize], &face);
    assert_eq!(QualityGate::recognise().check(&bright), Err(RetryReason::TooBright));
    let mut flat = lit(0.0, 255);
    flat.iter_mut().filter(|value| **value == 0).for_each(|value| *value = 75);
    let found = of(&flat, &face);
    assert!(found.measures.lit_share() < BACKLIT[1], "{found:?}");
    assert_eq!(QualityGate::enrol().check(&found), Err(RetryReason::TooDark), "no contrast is worse");
}

#[test]
fn a_face_that_fills_the_frame_has_no_surround_and_is_judged_by_itself() {
    let data = stripes(8);
    let mut face = face_at(90.0, 90.0);
    face.rect = Rect::new(0.0, 0.0, 300.0, 300.0);
    let found = of(&data, &face);
    assert_eq!(found.measures.surround, found.measures.luma);
    for odd in [f32::NAN, f32::INFINITY, -1e30, 1e30] {
        face.rect = Rect::new(odd, 10.0, 80.0, 80.0);
        let found = of(&data, &face);
        assert_eq!(found.measures.surround, found.measures.luma, "{odd}");
    }
}

#[test]
fn a_lamp_or_hair_beside_the_face_is_no_light_from_behind() {
    let mut data = lit(0.25, 40);
    for row in data.chunks_exact_mut(FRAME as usize * 3).take(90) {
        row[100 * 3..140 * 3].fill(255);
    }
    let found = of(&data, &face_at(90.0, 90.0));
    assert!(found.measures.surround < 60.0, "{found:?}");
}

#[test]
fn without_landmarks_nothing_passes() {
    let mut face = face_at(90.0, 90.0);
    face.landmarks = None;
    let found = of(&stripes(8), &face);
    assert_eq!(
        found.quality,
        Quality { sharpness: 0, pose: 0, illumination: 0, size: 0, occlusion: 100, recognisability: None }
    );
    face.landmarks = Some(Landmarks5([Point::new(f32::NAN, 0.0); 5]));
    assert_eq!(of(&stripes(8), &face).quality.overall(), 0);
}
