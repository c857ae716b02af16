//! A frame in, a decision out.
//!
//! [`Recognizer`] runs detection, quality, embedding and the search in the gallery on a frame, and asks
//! [`decide`] what that means. `decide` is pure, so a recorded [`TraceEntry`] replays exactly.
//! [`Enrolment`] collects the templates of one person.

#![forbid(unsafe_code)]

mod decide;
mod enrolment;
mod error;
mod observation;
mod policy;
mod recognizer;
mod trace;
mod track;

pub use decide::{Rules, State, decide};
pub use enrolment::Enrolment;
pub use error::PipelineError;
pub use observation::{Contenders, Observation};
pub use policy::{Fields, Lockout, MAX_DENIALS, MAX_WINDOW, Policy, PolicyError};
pub use recognizer::{Recognizer, Seen, Step, View};
pub use trace::{Mismatch, TraceEntry, replay};
pub use track::{Track, Vote};
