//! A frame in, a decision out.
//!
//! [`Recognizer`] runs detection, quality, embedding and the comparison with the gallery on a frame, and asks
//! [`decide`] what that means. [`Enrolment`] is fed frames in the same way, and says which views of a person
//! may be enrolled. Neither holds a clock, a gallery or a threshold: they are arguments of each step.
//!
//! `decide` is pure: a recorded trace ([`TraceLine`]) is decided again, bit for bit, by [`Replay`].
#![forbid(unsafe_code)]

mod comparison;
mod decide;
mod enrolment;
mod error;
mod observation;
mod plan;
mod policy;
mod question;
mod recognizer;
mod replay;
mod thresholds;
mod trace;
mod track;

pub use decide::{Rules, State, decide};
pub use enrolment::{Enrolment, EnrolmentRefused, EnrolmentStep, Finished};
pub use error::PipelineError;
pub use observation::{Contenders, Observation};
pub use plan::{Plan, Purpose};
pub use policy::{Fields, Lockout, MAX_DENIALS, MAX_WINDOW, Policy, PolicyError};
pub use question::Question;
pub use recognizer::{Recognizer, Step, View};
pub use replay::Replay;
pub use thresholds::{ForeignThreshold, Thresholds};
pub use trace::{TRACE_VERSION, TraceEntry, TraceError, TraceLine};
