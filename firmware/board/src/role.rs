//! What a line is for.

use std::fmt;

/// What this software drives. "Active" means on, whatever level that is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Output {
    /// Active: the lock is released.
    Relay,
    /// Active: lit.
    LedGranted,
    /// Active: lit.
    LedDenied,
    /// Active: lit.
    LedFault,
    /// Active: sounds.
    Buzzer,
}

impl Output {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Relay, Self::LedGranted, Self::LedDenied, Self::LedFault, Self::Buzzer];
}

/// What this software observes. People get out whether it does or not: [`Rex`](Self::Rex) and [`Fire`](Self::Fire)
/// are wired to the lock's own circuit as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Input {
    /// Request to exit. Active: somebody presses it.
    Rex,
    /// The door's contact. Active: the door is open.
    Contact,
    /// The housing's contact. Active: the housing is open.
    Tamper,
    /// The fire panel's contact. Active: fire.
    Fire,
    /// A button inside the housing. Active: somebody holds it; held at start, it makes them the installer.
    Recovery,
}

impl Input {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Rex, Self::Contact, Self::Tamper, Self::Fire, Self::Recovery];
}

/// One line's part, as boards' files name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Driven.
    Output(Output),
    /// Observed.
    Input(Input),
    /// The relay's own contact, observed so that what was asked is compared with what happened.
    ReadBack,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Output(Output::Relay) => "relay",
            Self::Output(Output::LedGranted) => "led_granted",
            Self::Output(Output::LedDenied) => "led_denied",
            Self::Output(Output::LedFault) => "led_fault",
            Self::Output(Output::Buzzer) => "buzzer",
            Self::Input(Input::Rex) => "rex",
            Self::Input(Input::Contact) => "contact",
            Self::Input(Input::Tamper) => "tamper",
            Self::Input(Input::Fire) => "fire",
            Self::Input(Input::Recovery) => "recovery",
            Self::ReadBack => "relay.read_back",
        })
    }
}
