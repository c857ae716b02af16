//! Quality of one face image: 0..=100 with named parts. It gates; it never edits a score.

use core::fmt;
use serde::{Deserialize, Serialize};

/// The named parts of [`Quality`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QualityPart {
    /// Edges are there: in focus, not moving.
    Sharpness,
    /// Turned to the camera.
    Pose,
    /// Neither dark, nor burnt out, nor without contrast.
    Illumination,
    /// Pixels between the eyes.
    Size,
    /// The whole face lies within the frame.
    Occlusion,
    /// The embedding is of the kind that tells people apart, and not of the kind that unlike faces share when they
    /// are covered, turned or blurred.
    Recognisability,
}

impl QualityPart {
    /// All parts, in the order in which a person is told about them: first those that moving to another place mends.
    pub const ALL: [Self; 6] =
        [Self::Occlusion, Self::Size, Self::Pose, Self::Illumination, Self::Sharpness, Self::Recognisability];
}

impl fmt::Display for QualityPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sharpness => "sharpness",
            Self::Pose => "pose",
            Self::Illumination => "illumination",
            Self::Size => "size",
            Self::Occlusion => "occlusion",
            Self::Recognisability => "recognisability",
        })
    }
}

/// Quality of one face, each part 0 (unusable) to 100 (as good as it gets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// See [`QualityPart::Sharpness`].
    pub sharpness: u8,
    /// See [`QualityPart::Pose`].
    pub pose: u8,
    /// See [`QualityPart::Illumination`].
    pub illumination: u8,
    /// See [`QualityPart::Size`].
    pub size: u8,
    /// See [`QualityPart::Occlusion`].
    pub occlusion: u8,
    /// See [`QualityPart::Recognisability`]; `None` where nothing was embedded, or the pack has no measure of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recognisability: Option<u8>,
}

impl Quality {
    /// One part's value; `None` where it was not measured.
    #[must_use]
    pub const fn part(&self, part: QualityPart) -> Option<u8> {
        Some(match part {
            QualityPart::Sharpness => self.sharpness,
            QualityPart::Pose => self.pose,
            QualityPart::Illumination => self.illumination,
            QualityPart::Size => self.size,
            QualityPart::Occlusion => self.occlusion,
            QualityPart::Recognisability => return self.recognisability,
        })
    }

    /// The whole: its weakest part, since one bad part spoils a view.
    #[must_use]
    pub fn overall(&self) -> u8 {
        self.weakest().1
    }

    /// The weakest part that was measured and its value; of equals, the first in [`QualityPart::ALL`].
    #[must_use]
    pub fn weakest(&self) -> (QualityPart, u8) {
        let mut weakest = (QualityPart::Occlusion, self.occlusion);
        for part in QualityPart::ALL {
            if let Some(value) = self.part(part).filter(|value| *value < weakest.1) {
                weakest = (part, value);
            }
        }
        weakest
    }
}
