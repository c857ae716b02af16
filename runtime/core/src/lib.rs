//! The words that every room of arcdoor shares: geometry, templates, scores, thresholds, quality, stages.
//!
//! `no_std`; nothing here reads a clock, a file or a board. Sizes are bounded by [`limits`]; every
//! type that comes from outside is parsed into a valid value or refused (its fields are private
//! where a wrong value could be written into them).
//!
//! | module | holds |
//! |---|---|
//! | [`geometry`] | `Point`, `Rect`, `Landmarks5` in frame pixels |
//! | [`face`] | one detected `Face` |
//! | [`template`], [`model_id`] | what is stored, and whose embedder made it |
//! | [`score`], [`threshold`] | cosine scores and what they are compared with |
//! | [`quality`] | 0..100 with named parts; it gates, it never edits a score |
//! | [`subject`] | ids and names of enrolled people |
//! | [`decision`] | granted, denied, retry, each with its reason |
//! | [`stage`] | the list of stages that a frame passes through, and the time that each took |
//! | [`engines`] | what ran a pack's networks |
#![no_std]
#![forbid(unsafe_code)]

pub mod decision;
pub mod engines;
pub mod face;
pub mod geometry;
pub mod limits;
pub mod model_id;
pub mod quality;
pub mod score;
pub mod stage;
pub mod subject;
pub mod template;
pub mod threshold;
pub mod time;

pub use decision::{Decision, DenyReason, RetryReason};
pub use engines::Engines;
pub use face::{Face, Faces};
pub use geometry::{Landmarks5, Point, Rect};
pub use model_id::{CalibrationId, ModelId};
pub use quality::{Quality, QualityPart};
pub use score::{Candidate, Candidates, Score};
pub use stage::{Stage, StageTimes};
pub use subject::{SubjectId, SubjectName, SubjectNameError};
pub use template::{Template, TemplateError};
pub use threshold::{Basis, Calibration, CalibrationError, CalibrationRow, Fmr, FmrError, Threshold};
pub use time::Millis;
