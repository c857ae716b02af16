//! Quality of one face: plain measures, each turned into a part of 0..=100, and the gate.
//!
//! The parts follow the components of ISO/IEC 29794-5 that five landmarks and an aligned crop can
//! tell. Quality gates; it never edits a score.

use crate::align::{Similarity, TEMPLATE_SIDE, sample_runs};
use crate::preprocess::grey;
use crate::recognisability::Recognised;
use arcdoor_core::{Face, Landmarks5, Quality, QualityPart, RetryReason};
use arcdoor_frame::RgbView;
use serde::{Deserialize, Serialize};
use surround::surround;

const SIDE: usize = TEMPLATE_SIDE as usize;
/// The face itself within the aligned crop: columns and rows, in pixels.
const FACE: [core::ops::Range<usize>; 2] = [20..92, 16..104];
/// Brings the lesser variance of second differences, along rows or along columns, to about the variance of the Laplacian:
/// within a tenth in the middle of 616 photos of LFW View 1 (the test `light` prints it).
const TO_LAPLACIAN: f32 = 3.5;
/// Nose tip before the plane of the eyes, in eye distances.
const NOSE_DEPTH: f32 = 0.6;
/// In a level face, how far the nose's tip lies down from the eyes, as a share of the distance from eyes to mouth; and
/// how far it stands out, in the same unit.
const NOSE_LEVEL: f32 = 0.56;
const NOSE_PITCH_DEPTH: f32 = 0.43;
/// The face's light as a share of its surround's, at which illumination is 0 and 100. Of 616 press photos (LFW, View 1)
/// the least share is 0.38: dark skin before a white wall is no light from behind.
const BACKLIT: [f32; 2] = [0.10, 0.35];

/// What was measured on one face.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Variance of the aligned grey face's second differences along rows or along columns, whichever is less, times 3.5:
    /// about as large as the variance of its Laplacian, in squared grey levels, and small where the face moved in one direction.
    pub sharpness: f32,
    /// Turn to the side in degrees, positive towards the image's right; from the nose's offset.
    pub yaw_deg: f32,
    /// Nod in degrees, positive downwards; from the nose's height between eyes and mouth.
    pub pitch_deg: f32,
    /// Tilt of the line through the eyes in degrees, positive clockwise.
    pub roll_deg: f32,
    /// Mean grey level of the face, 0..=255.
    pub luma: f32,
    /// Standard deviation of the face's grey levels, 0..=127.5.
    pub contrast: f32,
    /// Share of the face that is black (up to 5) or burnt out (from 250), 0..=1.
    pub clipped: f32,
    /// The darker half's mean grey level over the brighter half's, left against right, 0..=1.
    pub balance: f32,
    /// Median grey level, 0..=255, of a ring left and right of the face and above it. Equal to `luma` where too little is
    /// seen around it.
    pub surround: f32,
    /// Distance between the eyes in frame pixels.
    pub eye_distance_px: f32,
    /// Share of the aligned crop, or of the box where that is more, that lies beyond the frame, 0..=1.
    pub outside: f32,
}

/// A face's quality with the measures it came from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// The parts, 0..=100.
    pub quality: Quality,
    /// What they came from.
    pub measures: Measures,
    /// What the person can do about the recognisability, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<RetryReason>,
}

impl Assessment {
    /// With what the embedding says.
    #[must_use]
    pub fn with(mut self, recognised: Option<Recognised>) -> Self {
        self.quality.recognisability = recognised.map(|recognised| recognised.value);
        self.advice = recognised.map(|recognised| recognised.advice);
        self
    }
}

/// Assesses one face of `frame`. A face without usable landmarks gets 0 in every part but occlusion,
/// which its box tells.
#[must_use]
pub fn assess(frame: RgbView<'_>, face: &Face) -> Assessment {
    let landmarks = face.landmarks.unwrap_or_default();
    let mut measures = Measures { outside: box_outside(frame, face), ..Measures::NONE };
    if let Ok(to_crop) = Similarity::to_template(&landmarks, TEMPLATE_SIDE) {
        measures.pose(&landmarks);
        measures.pixels(frame, &to_crop);
        measures.surround = surround(frame, &face.rect).unwrap_or(measures.luma);
    }
    Assessment { quality: measures.quality(), measures, advice: None }
}

/// Share of the face's box beyond the frame.
fn box_outside(frame: RgbView<'_>, face: &Face) -> f32 {
    let whole = arcdoor_core::Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
    let area = face.rect.area();
    if area > 0.0 { 1.0 - whole.intersection(&face.rect).area() / area } else { 1.0 }
}

impl Measures {
    /// The measures of a face without usable landmarks.
    const NONE: Self = Self {
        sharpness: 0.0,
        yaw_deg: 90.0,
        pitch_deg: 0.0,
        roll_deg: 0.0,
        luma: 0.0,
        contrast: 0.0,
        clipped: 1.0,
        balance: 0.0,
        surround: 0.0,
        eye_distance_px: 0.0,
        outside: 1.0,
    };

    fn pose(&mut self, marks: &Landmarks5) {
        let (left, right) = (marks.left_eye(), marks.right_eye());
        let distance = marks.eye_distance();
        self.eye_distance_px = distance;
        if distance <= 0.0 {
            return;
        }
        let along = [(right.x - left.x) / distance, (right.y - left.y) / distance];
        let from_eyes = |x: f32, y: f32| {
            let (dx, dy) = (x - (left.x + right.x) / 2.0, y - (left.y + right.y) / 2.0);
            [dx * along[0] + dy * along[1], dy * along[0] - dx * along[1]]
        };
        let nose = from_eyes(marks.nose().x, marks.nose().y);
        let (ml, mr) = (marks.mouth_left(), marks.mouth_right());
        let mouth = from_eyes((ml.x + mr.x) / 2.0, (ml.y + mr.y) / 2.0);
        self.roll_deg = libm::atan2f(along[1], along[0]).to_degrees();
        self.yaw_deg = libm::atanf(nose[0] / distance / NOSE_DEPTH).to_degrees();
        self.pitch_deg = if mouth[1] > 0.0 {
            libm::atanf((nose[1] / mouth[1] - NOSE_LEVEL) / NOSE_PITCH_DEPTH).to_degrees()
        } else {
            90.0
        };
    }

    fn pixels(&mut self, frame: RgbView<'_>, to_crop: &Similarity) {
        let mut levels = [0_u8; SIDE * SIDE];
        let mut beyond = 0_u32;
        sample_runs(frame, to_crop, TEMPLATE_SIDE, |index, pixels, inside| {
            for (level, &[r, g, b, _]) in levels[index..].iter_mut().zip(pixels) {
                *level = (grey([r, g, b]) + 0.5) as u8;
            }
            beyond += pixels.len() as u32 - inside;
        });
        self.outside = self.outside.max(beyond as f32 / (SIDE * SIDE) as f32);
        self.sharpness = sharpness(&levels);
        self.light(&levels);
    }

    fn light(&mut self, grey: &[u8; SIDE * SIDE]) {
        let middle = (FACE[0].start + FACE[0].end) / 2;
        let (mut halves, mut squares, mut clipped) = ([0_u32; 2], 0_u32, 0_u32);
        for y in FACE[1].clone() {
            for (half, columns) in [FACE[0].start..middle, middle..FACE[0].end].into_iter().enumerate() {
                for &value in &grey[y * SIDE..][columns] {
                    halves[half] += u32::from(value);
                    // The whole crop of 255 stays within 32 bits.
                    squares += u32::from(value) * u32::from(value);
                    clipped += u32::from(!(6..250).contains(&value));
                }
            }
        }
        let count = (FACE[0].len() * FACE[1].len()) as f32;
        let brighter = halves[0].max(halves[1]).max(1);
        self.luma = (halves[0] + halves[1]) as f32 / count;
        self.contrast = (squares as f32 / count - self.luma * self.luma).max(0.0).sqrt();
        self.clipped = clipped as f32 / count;
        self.balance = halves[0].min(halves[1]) as f32 / brighter as f32;
    }

    /// The face's light as a share of its surround's, 0..=1; 1 where the face is no darker.
    fn lit_share(&self) -> f32 {
        if self.luma < self.surround { self.luma / self.surround } else { 1.0 }
    }

    /// How little the light comes from behind, as a part of illumination.
    fn backlight(&self) -> u8 {
        ramp(self.lit_share(), BACKLIT[0], BACKLIT[1])
    }

    /// The parts. The ramps were set on press photos (LFW, View 1) such that 19 of 20 have every part above 40 (97 of 100 of
    /// 616 photos, as the test `light` prints), and a face blurred by two pixels of the crop or cut by a quarter falls below 25.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let turn = libm::sqrtf(
            square(self.yaw_deg / 50.0) + square(self.pitch_deg / 40.0) + square(self.roll_deg / 60.0),
        );
        let light = [
            ramp(self.luma, 15.0, 60.0),
            ramp(self.luma, 250.0, 190.0),
            ramp(self.contrast, 5.0, 20.0),
            ramp(self.clipped, 0.6, 0.1),
            ramp(self.balance, 0.1, 0.5),
            self.backlight(),
        ];
        Quality {
            sharpness: ramp(self.sharpness.max(1.0).ln(), 5.0_f32.ln(), 300.0_f32.ln()),
            pose: ramp(turn, 1.0, 0.0),
            illumination: light.into_iter().fold(100, u8::min),
            size: ramp(self.eye_distance_px, 0.0, 60.0),
            occlusion: ramp(self.outside, 0.3, 0.0),
            recognisability: None,
        }
    }
}

fn square(value: f32) -> f32 {
    value * value
}

/// 0 at `zero`, 100 at `full`, straight between and level beyond; a NaN is 0.
fn ramp(value: f32, zero: f32, full: f32) -> u8 {
    // `as` takes NaN to 0.
    ((value - zero) / (full - zero) * 100.0).clamp(0.0, 100.0).round() as u8
}

/// See [`Measures::sharpness`].
fn sharpness(grey: &[u8; SIDE * SIDE]) -> f32 {
    // Of the second differences along rows, and along columns.
    let (mut sums, mut squares) = ([0_i64; 2], [0_i64; 2]);
    for y in FACE[1].clone() {
        let row = |y: usize, from: usize| &grey[y * SIDE + from..][..FACE[0].len()];
        let x = FACE[0].start;
        let [above, left, here, right, below] =
            [row(y - 1, x), row(y, x - 1), row(y, x), row(y, x + 1), row(y + 1, x)];
        // A row's sums stay within 32 bits; over them the loop vectorises.
        let (mut row_sums, mut row_squares) = ([0_i32; 2], [0_i32; 2]);
        for i in 0..FACE[0].len() {
            let twice = 2 * i32::from(here[i]);
            let along = i32::from(left[i]) + i32::from(right[i]) - twice;
            let across = i32::from(above[i]) + i32::from(below[i]) - twice;
            row_sums = [row_sums[0] + along, row_sums[1] + across];
            row_squares = [row_squares[0] + along * along, row_squares[1] + across * across];
        }
        for direction in 0..2 {
            sums[direction] += i64::from(row_sums[direction]);
            squares[direction] += i64::from(row_squares[direction]);
        }
    }
    let count = (FACE[0].len() * FACE[1].len()) as f32;
    let variance =
        |direction: usize| squares[direction] as f32 / count - square(sums[direction] as f32 / count);
    TO_LAPLACIAN * variance(0).min(variance(1)).max(0.0)
}

/// The lowest parts that are good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityGate {
    /// Each part's lowest acceptable value.
    pub least: Quality,
}

impl QualityGate {
    /// The gate for enrolment: what is stored once is compared for years.
    #[must_use]
    pub const fn enrol() -> Self {
        Self {
            least: Quality {
                sharpness: 40,
                pose: 45,
                illumination: 40,
                size: 45,
                occlusion: 75,
                recognisability: Some(40),
            },
        }
    }

    /// The gate for recognition: lenient, since a false refusal costs the person at the door a step.
    #[must_use]
    pub const fn recognise() -> Self {
        Self {
            least: Quality {
                sharpness: 20,
                pose: 25,
                illumination: 20,
                size: 30,
                occlusion: 70,
                recognisability: Some(20),
            },
        }
    }

    /// Whether every part that was measured is good enough.
    ///
    /// # Errors
    /// What the person should change first: of the parts that fall short, the first in
    /// [`QualityPart::ALL`].
    pub fn check(&self, assessment: &Assessment) -> Result<(), RetryReason> {
        let short = |part: &QualityPart| match (assessment.quality.part(*part), self.least.part(*part)) {
            (Some(value), Some(least)) => value < least,
            _ => false,
        };
        match QualityPart::ALL.into_iter().find(short) {
            None => Ok(()),
            Some(QualityPart::Occlusion) => Err(RetryReason::FaceCutOff),
            Some(QualityPart::Size) => Err(RetryReason::TooFar),
            Some(QualityPart::Pose) => Err(RetryReason::TurnToCamera),
            Some(QualityPart::Sharpness) => Err(RetryReason::HoldStill),
            // Of all that light is measured by, this fell short most.
            Some(QualityPart::Illumination)
                if assessment.measures.backlight() == assessment.quality.illumination =>
            {
                Err(RetryReason::LightFromBehind)
            }
            Some(QualityPart::Illumination) if assessment.measures.luma < 100.0 => Err(RetryReason::TooDark),
            Some(QualityPart::Illumination) => Err(RetryReason::TooBright),
            Some(QualityPart::Recognisability) => Err(assessment.advice.unwrap_or(RetryReason::NotClear)),
        }
    }
}

mod surround;

#[cfg(test)]
mod tests;
