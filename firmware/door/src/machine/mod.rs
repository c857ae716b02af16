//! The machine: the state of one door, and its step.
//!
//! | module | holds |
//! |---|---|
//! | `timer` | a delay, as the time that is left of it |
//! | [`state`] | what is remembered, and what follows from it: position, view |
//! | `turn` | one step on its way: state, rules, and the actions so far |
//! | `passing` | what time does |
//! | `attempt` | what a credential does |
//! | `opening` | what door, contact and request to exit do |
//! | `alarm` | what tamper and acknowledgement do |
//! | `mode` | what hours, lockdown, fire and the relay's read-back do |
//! | `step` | all of it, in order |

mod alarm;
mod attempt;
mod mode;
mod opening;
mod passing;
mod state;
mod step;
mod timer;
mod turn;

pub use state::{Situation, State};
