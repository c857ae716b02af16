//! The words that every room of arcdoor shares: geometry, templates, scores, thresholds, quality,
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
//! | [`running`] | which engine runs the networks |
//! | [`subject`] | ids and names of enrolled people |
//! | [`decision`] | granted, denied, retry, each with its reason |
#![no_std]
#![forbid(unsafe_code)]

pub mod decision;
pub mod face;
pub mod geometry;
pub mod limits;
pub mod model_id;
pub mod quality;
pub mod running;
pub mod score;
pub mod subject;
pub mod template;
pub mod threshold;
pub mod time;

pub use decision::{Decision, DenyReason, RetryReason};
pub use face::{Face, Faces};
pub use geometry::{Landmarks5, Point, Rect};
pub use model_id::{CalibrationId, ModelId};
pub use quality::{Quality, QualityPart};
pub use running::Running;
pub use score::{Candidate, Candidates, Score};
pub use subject::{SubjectId, SubjectName, SubjectNameError};
pub use template::{Template, TemplateError};
pub use threshold::{Basis, Calibration, CalibrationError, CalibrationRow, Fmr, FmrError, Threshold};
pub use time::Millis;
