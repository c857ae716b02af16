//! What goes into the machine.

use crate::credential::Credential;
use crate::lock::Level;
use arcdoor_core::SubjectId;
use serde::{Deserialize, Serialize};

/// What the door's contact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// The door stands open.
    Open,
    /// The door is closed.
    Closed,
}

/// What happened. Lines are handed in at their edges, and once each at the start, when nothing is known of them yet.
/// A level that is handed in twice changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// Time passed. At least once a second, so that no delay is late by more.
    Tick,
    /// Somebody presented a credential, verified outside. A face: once for each attempt that recognition ended.
    Present(Credential),
    /// Somebody asked to leave. The button has opened the lock by its own wire; this only tells of it.
    Exit,
    /// The door's contact.
    Contact(Contact),
    /// Whether a housing is open.
    Tamper(bool),
    /// Whether the fire input calls for release. The input has opened the lock by its own wire.
    Fire(bool),
    /// Somebody who may ended the release, after the fire input was clear again.
    FireReset,
    /// Somebody who may began or ended a lockdown.
    Lockdown(bool),
    /// Somebody who may has seen the alarms that stand.
    Acknowledge,
    /// What the lock's line is found to be, once the last [`Action::Drive`](crate::Action::Drive) was carried out
    /// and has settled.
    ReadBack(Level),
    /// This subject left, as another reader says; or was revoked, or is forgiven by the operator.
    Left(SubjectId),
    /// Everybody is taken to have left, as the operator says.
    ForgetInside,
}
