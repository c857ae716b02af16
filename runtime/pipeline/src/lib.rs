//! A frame in, a decision out.
//!
//! [`Recognizer`] runs detection, quality, embedding and the comparison with the gallery on a frame, and asks
//! [`decide`] what that means. [`Enrolment`] is fed frames in the same way, and says which views of a person
//! may be enrolled. Neither holds a clock, a gallery or a threshold: they are arguments of each step.
//!
//! Each frame leads to an [`Outcome`]: the decision, and which attempts are over. Attempts without a grant lead to a
//! lockout; what is left of it ([`LockoutState`]) is taken out of a recognizer before it is thrown away, and put into the
//! next one.
//!
//! `decide` is pure: a recorded trace ([`TraceLine`]) is decided again, bit for bit, by [`Replay`].
//!
//! A face that is observed in three frames, named by each of them, and that stays before the camera and looks at it, is
//! granted with the third:
//!
//! ```
//! use arcdoor_core::{Basis, CalibrationId, Candidate, Decision, Fmr, Millis, ModelId, Rect, Score};
//! use arcdoor_core::{SubjectId, Threshold};
//! use arcdoor_pipeline::{Observation, Policy, Rules, Stance, State, Thresholds, decide};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In a device, all of this comes from the pack's calibration.
//! let threshold = |value, target| -> Result<Threshold, arcdoor_core::FmrError> {
//!     let (model_id, calibration_id) = (ModelId::new([1; 16]), CalibrationId::new([2; 16]));
//!     let (value, target, basis) = (Score(value), Fmr::new(target)?, Basis::Counted);
//!     Ok(Threshold { value, target, model_id, calibration_id, basis })
//! };
//! let thresholds = Thresholds::new(threshold(0.4, 1e-4)?, threshold(0.5, 1e-6)?, threshold(0.4, 1e-4)?)?;
//! let rules = Rules { thresholds, policy: Policy::default() };
//!
//! let (mut state, mut decisions) = (State::default(), Vec::new());
//! for (now_ms, score) in [(0, 0.61), (200, 0.72), (400, 0.66)] {
//!     let candidate = Candidate { subject: SubjectId(7), score: Score(score) };
//!     let observation = Observation::Face {
//!         rect: Rect::new(200.0, 120.0, 160.0, 160.0),
//!         stance: Stance { x: 0.44, width: 0.25, yaw_deg: 3.0, pitch_deg: -5.0 },
//!         claim: None,
//!         contenders: [candidate].into_iter().collect(),
//!         impostor: None,
//!     };
//!     let outcome;
//!     (state, outcome) = decide(&state, &observation, Millis(now_ms), &rules);
//!     decisions.push(outcome.decision);
//! }
//! assert!(matches!(decisions[..2], [Decision::Retry { .. }, Decision::Retry { .. }]));
//! assert_eq!(decisions[2], Decision::Granted { subject: SubjectId(7), score: Score(0.72) });
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod choice;
mod comparison;
mod decide;
mod denials;
mod enrolment;
mod error;
mod intent;
mod observation;
mod outcome;
mod plan;
mod policy;
mod question;
mod recognizer;
mod replay;
mod standing;
mod state;
mod thresholds;
mod trace;
mod track;
mod window;

pub use choice::FaceChoice;
pub use decide::{Rules, decide};
pub use denials::LockoutState;
pub use enrolment::{Enrolment, EnrolmentRefused, EnrolmentStep, Finished};
pub use error::PipelineError;
pub use intent::{Intent, IntentError, MAX_HOLD_MS, Stance};
pub use observation::{Contenders, Observation};
pub use outcome::Outcome;
pub use plan::{Medium, Plan, Purpose};
pub use policy::{
    Fields, Lockout, MAX_DENIALS, MAX_WINDOW, MAX_WINDOW_MS, MIN_WINDOW_MS, Policy, PolicyError,
};
pub use question::Question;
pub use recognizer::{GoodView, MOST_ASSESSED, Qualities, Recognizer, Step, View};
pub use replay::Replay;
pub use standing::{Intends, Standing, Standings};
pub use state::State;
pub use thresholds::{ForeignThreshold, Thresholds};
pub use trace::{TRACE_VERSION, TraceEntry, TraceError, TraceLine};
pub use window::{MAX_FRAMES, Window};
