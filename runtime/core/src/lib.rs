//! The words that every room of arcdoor shares: geometry, templates, scores, thresholds, quality, decisions, stages.
//!
//! `no_std`; nothing here reads a clock, a file or a board. Sizes are bounded by [`limits`]; every
//! type that comes from outside is parsed into a valid value or refused (its fields are private
//! where a wrong value could be written into them).
//!
//! ```
//! use arcdoor_core::{Basis, Calibration, CalibrationId, CalibrationRow, Fmr, ModelId, Template};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = ModelId::new([1; 16]);
//! let row = |fmr: f64, threshold, tmr| -> Result<_, arcdoor_core::FmrError> {
//!     let (fmr_low, fmr_high, basis) = (fmr / 2.0, fmr * 2.0, Basis::Counted);
//!     Ok(CalibrationRow { fmr: Fmr::new(fmr)?, threshold, fmr_low, fmr_high, tmr, basis })
//! };
//! let rows = [row(1e-3, 0.3, 0.99)?, row(1e-5, 0.5, 0.97)?];
//! let calibration = Calibration::new(model, CalibrationId::new([2; 16]), &rows)?;
//!
//! // A threshold comes from a target, and knows which embedder's scores it is for.
//! let threshold = calibration.threshold(Fmr::new(1e-4)?)?;
//! assert!((threshold.value.0 - 0.4).abs() < 1e-6 && threshold.model_id == model);
//! assert!(calibration.threshold(Fmr::new(1e-6)?).is_err(), "never extrapolated");
//!
//! let stored = Template::new(model, &[3.0, 4.0])?;
//! let probe = Template::new(model, &[4.0, 3.0])?;
//! assert!(threshold.admits(stored.score(&probe)?), "0.96 is accepted");
//! let foreign = Template::new(ModelId::new([9; 16]), &[4.0, 3.0])?;
//! assert!(stored.score(&foreign).is_err(), "templates of two embedders never meet");
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`geometry`] | `Point`, `Rect`, `Landmarks5` in frame pixels |
//! | [`face`] | one detected `Face` |
//! | `file` | with the feature `std`: regular files, read up to a limit |
//! | [`template`], [`model_id`] | what is stored, and whose embedder made it |
//! | [`score`], [`threshold`] | scores and what they are compared with |
//! | [`shared_part`] | what a template has in common with those of degraded faces |
//! | [`quality`] | 0..100 with named parts; it gates, it never edits a score |
//! | [`subject`] | ids and names of enrolled people |
//! | [`text`] | text from outside, shown so that it forges nothing |
//! | [`head_turn`] | where a person before the camera turns the head |
//! | [`decision`] | granted, denied, retry, each with its reason |
//! | [`stage`] | the list of stages that a frame passes through, and the time that each took |
//! | [`engines`] | what ran a pack's networks |
#![no_std]
#![forbid(unsafe_code)]

pub mod decision;
pub mod engines;
pub mod face;
#[cfg(feature = "std")]
pub mod file;
pub mod geometry;
pub mod head_turn;
pub mod limits;
pub mod model_id;
pub mod quality;
pub mod score;
pub mod shared_part;
pub mod stage;
pub mod subject;
pub mod template;
pub mod text;
pub mod threshold;
pub mod time;

pub use decision::{Decision, DenyReason, RetryReason};
pub use engines::Engines;
pub use face::{Face, Faces};
pub use geometry::{Landmarks5, Point, Rect};
pub use head_turn::HeadTurn;
pub use model_id::{CalibrationId, GalleryId, ModelId};
pub use quality::{Quality, QualityPart};
pub use score::{Candidate, Candidates, Score};
pub use shared_part::{SharedPart, discount};
pub use stage::{Stage, StageTimes};
pub use subject::{SubjectId, SubjectName, SubjectNameError};
pub use template::{Template, TemplateError};
pub use text::{Escaped, EscapedBytes};
pub use threshold::{Basis, Calibration, CalibrationError, CalibrationRow, Fmr, FmrError, Threshold};
pub use time::Millis;
