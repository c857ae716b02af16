//! The stages that a frame passes through, and how long each took.

use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Declares [`Stage`] and [`StageTimes`]: a line is `Variant = json_field, "heading";`.
macro_rules! stages {
    ($($(#[$doc:meta])* $stage:ident = $field:ident, $heading:literal;)+) => {
        /// A step of recognition whose time is taken.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Stage {
            $($(#[$doc])* $stage,)+
        }

        impl Stage {
            /// All stages, in the order in which a frame passes through them.
            pub const ALL: [Self; [$(Self::$stage),+].len()] = [$(Self::$stage),+];

            /// Its field in JSON: the name and `_us`, for microseconds.
            #[must_use]
            pub const fn field(self) -> &'static str {
                match self {
                    $(Self::$stage => stringify!($field),)+
                }
            }

            /// Its name, cut to what a narrow column of a terminal holds.
            #[must_use]
            pub const fn heading(self) -> &'static str {
                match self {
                    $(Self::$stage => $heading,)+
                }
            }
        }

        /// How long each stage took, in microseconds; 0 for a stage that did not run. A field that is missing
        /// in JSON is 0: the arcdoor that wrote it had no such stage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct StageTimes {
            $($(#[$doc])* pub $field: u32,)+
        }

        impl StageTimes {
            /// The time of one stage, microseconds.
            #[must_use]
            pub const fn us(&self, stage: Stage) -> u32 {
                match stage {
                    $(Stage::$stage => self.$field,)+
                }
            }

            /// Adds to a stage's time; more than 71 minutes are kept as the largest number there is.
            pub fn record(&mut self, stage: Stage, took: Duration) {
                let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
                match stage {
                    $(Stage::$stage => self.$field = self.$field.saturating_add(us),)+
                }
            }
        }
    };
}

stages! {
    /// Finding the faces of a frame.
    Detect = detect_us, "detect";
    /// Finding the landmarks of faces that have none yet, and refining those of the largest face.
    Landmarks = landmarks_us, "landm";
    /// Assessing one face's quality.
    Quality = quality_us, "qual";
    /// Warping that face to the template.
    Align = align_us, "align";
    /// The embedder.
    Embed = embed_us, "embed";
    /// The search in the gallery.
    Match = match_us, "match";
}

impl Stage {
    /// Its name: the field in JSON without `_us`, such as `detect`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.field().trim_end_matches("_us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_own_time() {
        let mut times = StageTimes::default();
        for (micros, stage) in (1..).zip(Stage::ALL) {
            times.record(stage, Duration::from_micros(micros));
        }
        for (micros, stage) in (1..).zip(Stage::ALL) {
            assert_eq!(times.us(stage), micros, "{stage:?}");
        }
        assert_eq!((times.detect_us, times.landmarks_us), (1, 2));
        times.record(Stage::Embed, Duration::from_secs(1 << 20));
        assert_eq!(times.us(Stage::Embed), u32::MAX);
    }

    #[test]
    fn fields_names_and_headings_agree() {
        for stage in Stage::ALL {
            assert_eq!(stage.field().strip_suffix("_us"), Some(stage.name()));
            assert!(stage.name().starts_with(stage.heading()));
        }
    }
}
