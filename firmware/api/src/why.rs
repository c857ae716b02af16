//! What a decision rests on, so that it can be explained afterwards. Subjects' numbers alone.

use arcdoor_core::{Basis, CalibrationId, Candidate, ModelId, Quality, QualityPart};
use serde::{Deserialize, Serialize};

/// What somebody showed to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A face.
    #[default]
    Face,
}

/// How far recognition came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// No face that may be decided about was seen.
    Nobody,
    /// A face was seen, and not well enough to be compared.
    Unclear,
    /// A face was compared, and nothing could be decided yet.
    Compared,
    /// It was decided.
    Decided,
}

/// A part of the quality, 0 to 100, and the least that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gated(pub u8, pub u8);

/// The quality of the face that was decided about, each part with its gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatedQuality {
    /// See [`QualityPart::Sharpness`].
    pub sharpness: Gated,
    /// See [`QualityPart::Pose`].
    pub pose: Gated,
    /// See [`QualityPart::Illumination`].
    pub illumination: Gated,
    /// See [`QualityPart::Size`].
    pub size: Gated,
    /// See [`QualityPart::Occlusion`].
    pub occlusion: Gated,
    /// See [`QualityPart::Recognisability`]; none where it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recognisability: Option<Gated>,
}

impl GatedQuality {
    /// A face's quality, and the lowest parts that are good enough.
    #[must_use]
    pub fn new(quality: &Quality, least: &Quality) -> Self {
        Self {
            sharpness: Gated(quality.sharpness, least.sharpness),
            pose: Gated(quality.pose, least.pose),
            illumination: Gated(quality.illumination, least.illumination),
            size: Gated(quality.size, least.size),
            occlusion: Gated(quality.occlusion, least.occlusion),
            recognisability: quality
                .recognisability
                .zip(least.recognisability)
                .map(|(value, least)| Gated(value, least)),
        }
    }

    /// One part; none where it was not measured.
    #[must_use]
    pub const fn part(&self, part: QualityPart) -> Option<Gated> {
        Some(match part {
            QualityPart::Sharpness => self.sharpness,
            QualityPart::Pose => self.pose,
            QualityPart::Illumination => self.illumination,
            QualityPart::Size => self.size,
            QualityPart::Occlusion => self.occlusion,
            QualityPart::Recognisability => return self.recognisability,
        })
    }
}

/// Whether a face showed that somebody wants to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intended {
    /// It need not.
    #[default]
    NotAsked,
    /// It did, for long enough.
    Shown,
    /// It did, and not for long enough.
    TooShort,
    /// It did not.
    NotShown,
}

/// What the policy asks for, and what of it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looks {
    /// Looks that name the same subject above the threshold.
    pub agreeing: u8,
    /// How many must.
    pub agree: u8,
    /// How many of the last ones count.
    pub of: u8,
    /// Looks of the whole attempt.
    pub made: u8,
    /// Whether intent was shown.
    pub intent: Intended,
}

/// What a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What was shown.
    #[serde(default)]
    pub method: Method,
    /// How far recognition came.
    pub reached: Reached,
    /// Of the face that was decided about; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<GatedQuality>,
    /// The false match rate of one comparison that the threshold was made for.
    pub fmr: f64,
    /// What that rests on; left out where it was counted.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub basis: Basis,
    /// Templates that the face was held against.
    pub templates: u32,
    /// The next best subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<Candidate>,
    /// By how much the best must lead a rival that matches too.
    pub margin: f32,
    /// The best score against templates that were reported as not the best subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impostor: Option<f32>,
    /// The policy, and what of it was there.
    pub looks: Looks,
    /// How long the lockout lasted yet, milliseconds; 0: there was none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub locked_ms: u64,
    /// The embedder of the pack.
    pub model_id: ModelId,
    /// The calibration that the threshold is of.
    pub calibration_id: CalibrationId,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}
