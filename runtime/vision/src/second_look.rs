//! A second look at a face that was found: brought upright by its landmarks, is it a face that stands upright, with its
//! landmarks where they are said to be?
//!
//! YuNet finds faces that lie on their side or stand on their head, and often gives them the landmarks of upright ones;
//! so it does with faces that are half covered. Of the parts of quality, recognisability alone shows it, and a pack need not
//! have a measure of that; its template is nobody's.

use crate::align::{Similarity, TEMPLATE_SIDE, sample_runs};
use crate::detect::{DetectSettings, Detector, Landmarker};
use crate::error::VisionError;
use crate::seetaface::SeetaFace;
use arcdoor_core::{Faces, Landmarks5, Rect, RetryReason};
use arcdoor_frame::{RgbImage, RgbView};

/// Side of the square that the face is warped into, in pixels: the template in its middle, half its side around it.
const SIDE: u32 = 2 * TEMPLATE_SIDE;
/// From the square's edge to the template's, in pixels.
const MARGIN: f32 = TEMPLATE_SIDE as f32 / 2.0;
/// Where an upright face lies in the square, as YuNet draws its box: roughly, it only has to overlap.
const FACE: Rect = Rect::new(74.0, 64.0, 76.0, 98.0);
/// Farthest that the landmarks may lie from where they were said to be, on average, in eye distances: 99.5 % of the faces of
/// LFW's View 1, DevTrain, that the gate of enrolment takes lie within 0.132, and none beyond 0.15 (`arcdoor-lab eval
/// second-looks`).
const MOST_OFF: f32 = 0.18;
/// What SeetaFace looks for in the square: a face of half the template's side or more.
const FRONTAL: DetectSettings = DetectSettings { min_face_px: 56, region: None, min_score: 0.7 };
/// Least overlap (intersection over union) of a face that SeetaFace finds with where one should be.
const MIN_IOU: f32 = 0.3;

/// What the second look found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondLook {
    /// Mean distance of the landmarks that are found now from where they were said to be, in eye distances; `None` where
    /// no face is found there.
    pub off: Option<f32>,
    /// Whether SeetaFace finds a face there.
    pub frontal: Frontal,
}

impl SecondLook {
    /// Whether an upright face stands where its landmarks were said to be.
    ///
    /// # Errors
    /// What the person can do, where none is seen there.
    pub fn check(&self) -> Result<(), RetryReason> {
        if !self.off.is_some_and(|off| off <= MOST_OFF) {
            return Err(RetryReason::HoldUpright);
        }
        // Where the pack has a measure of recognisability, a face that lies or stands on its head was refused by it before.
        if self.frontal == Frontal::NotSeen { Err(RetryReason::Covered) } else { Ok(()) }
    }
}

/// What SeetaFace, which knows upright, frontal and uncovered faces alone, says of the face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frontal {
    /// It was not asked.
    NotAsked,
    /// It sees none there.
    NotSeen,
    /// It sees one.
    Seen,
}

/// Looks a second time. What that needs is loaded with the first look: most frames are looked at once.
pub struct SecondLooker {
    asks_seetaface: bool,
    seetaface: Option<SeetaFace>,
    square: RgbImage,
    faces: Faces,
}

impl SecondLooker {
    /// `asks_seetaface`: SeetaFace, which knows upright frontal faces alone, is asked as well.
    #[must_use]
    pub const fn new(asks_seetaface: bool) -> Self {
        Self { asks_seetaface, seetaface: None, square: RgbImage::new(), faces: Faces::new() }
    }

    /// Looks at the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, or a network fails or cannot be loaded.
    pub fn look(
        &mut self,
        landmarker: &mut dyn Landmarker,
        frame: RgbView<'_>,
        landmarks: &Landmarks5,
    ) -> Result<SecondLook, VisionError> {
        let said = self.warp(frame, landmarks)?;
        let found = landmarker.landmarks(self.square.view(), &FACE)?;
        let off = found.map(|found| off(&found, &said));
        if !self.asks_seetaface {
            return Ok(SecondLook { off, frontal: Frontal::NotAsked });
        }
        let seetaface = match &mut self.seetaface {
            Some(seetaface) => seetaface,
            none => none.insert(SeetaFace::new()?),
        };
        seetaface.detect(self.square.view(), &FRONTAL, &mut self.faces)?;
        let is_there = self.faces.iter().any(|face| face.rect.iou(&FACE) >= MIN_IOU);
        let frontal = if is_there { Frontal::Seen } else { Frontal::NotSeen };
        Ok(SecondLook { off, frontal })
    }

    /// Brings the face upright: its landmarks lie nearest where the template has them, in the middle of the square. Returns
    /// where they lie there.
    fn warp(&mut self, frame: RgbView<'_>, landmarks: &Landmarks5) -> Result<Landmarks5, VisionError> {
        let to_crop = Similarity::to_template(landmarks, TEMPLATE_SIDE)?;
        let margin = f64::from(MARGIN);
        let to_square = Similarity { tx: to_crop.tx + margin, ty: to_crop.ty + margin, ..to_crop };
        self.square.reshape(SIDE, SIDE);
        let square = self.square.data_mut();
        sample_runs(frame, &to_square, SIDE, |index, pixels, _| {
            for (out, pixel) in square[index * 3..].chunks_exact_mut(3).zip(pixels) {
                for (out, value) in out.iter_mut().zip(pixel) {
                    // `as` keeps within 0..=255.
                    *out = (value + 0.5) as u8;
                }
            }
        });
        Ok(landmarks.map(|point| to_square.apply(point)))
    }
}

/// See [`SecondLook::off`].
fn off(found: &Landmarks5, said: &Landmarks5) -> f32 {
    let distances = found.0.iter().zip(&said.0).map(|(a, b)| libm::hypotf(a.x - b.x, a.y - b.y));
    distances.sum::<f32>() / 5.0 / said.eye_distance()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_found_or_is_no_number_is_not_upright_and_who_is_not_seen_is_covered() {
        let check = |off, frontal| SecondLook { off, frontal }.check();
        for off in [None, Some(f32::NAN), Some(MOST_OFF + 0.01)] {
            assert_eq!(check(off, Frontal::Seen), Err(RetryReason::HoldUpright), "{off:?}");
        }
        assert_eq!(check(Some(0.0), Frontal::NotSeen), Err(RetryReason::Covered));
        assert_eq!(
            [Frontal::Seen, Frontal::NotAsked].map(|frontal| check(Some(MOST_OFF), frontal)),
            [Ok(()); 2]
        );
    }
}
