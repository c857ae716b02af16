//! What comes out of the machine.

use crate::credential::Method;
use crate::kept::Alarm;
use crate::limits::MAX_ACTIONS;
use crate::lock::Level;
use crate::reason::Reason;
use arcdoor_core::SubjectId;
use serde::{Deserialize, Serialize};

/// Whom or what a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The door, or somebody whom it does not know.
    Door,
    /// A subject.
    Subject(SubjectId),
    /// A subject, and how they proved who they are.
    Proven(SubjectId, Method),
    /// An alarm.
    Alarm(Alarm),
}

/// What is to be done, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Drive the lock's line; then hand in what is read back.
    Drive {
        /// To this level.
        level: Level,
        /// Why.
        reason: Reason,
    },
    /// Something for the log, the panel and whoever listens. Of an attempt, exactly one report says how it ended.
    Report {
        /// What, and why.
        reason: Reason,
        /// Whom or what it is about.
        about: About,
    },
    /// Somebody acts under duress. For those alone who are to know: nothing at the door, on its panel or in its public
    /// log may show it.
    Duress {
        /// Who.
        subject: SubjectId,
    },
    /// Store [`State::kept`](crate::State::kept): it changed. No lock waits for it.
    Keep,
}

/// The actions of one step, in the order in which they are to be carried out.
pub type Actions = heapless::Vec<Action, MAX_ACTIONS>;
