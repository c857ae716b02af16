//! English.

use super::message::Words;
use crate::state::{Alarm, DenyAdvice, Fault, UiState, View};
use arcdoor_core::RetryReason;

pub(super) fn words(state: &UiState) -> Words {
    match state {
        UiState::Idle => Words::with("Hello", "Look at the camera"),
        UiState::Approach(reason) => hint(*reason),
        UiState::Granted => Words::alone("Come in"),
        UiState::Denied(DenyAdvice::TryAgain) => Words::with("Try again", "Look straight at the camera"),
        UiState::Denied(DenyAdvice::Wait) => Words::with("Please wait", "Then try again"),
        UiState::Enrolment { view, hint: reason, .. } => Words::hinted(looking(*view), reason.map(hint)),
        UiState::Pin { .. } => Words::alone("PIN"),
        UiState::Alarm(Alarm::Forced) => Words::with("Alarm", "The door was forced open"),
        UiState::Alarm(Alarm::HeldOpenWarning) => {
            Words::with("Close the door", "It has been open for too long")
        }
        UiState::Alarm(Alarm::HeldOpen) => Words::with("Alarm", "Please close the door"),
        UiState::Alarm(Alarm::Tamper) => Words::with("Alarm", "This device was opened"),
        UiState::Alarm(Alarm::FireRelease) => Words::with("Fire alarm", "Door unlocked. Leave now"),
        UiState::Alarm(Alarm::Lockdown) => Words::with("Locked down", "You can always leave"),
        UiState::Fault(fault) => Words::with("Out of order", cause(*fault)),
        UiState::Update(_) => Words::with("Updating", "Do not switch off"),
    }
}

const fn hint(reason: RetryReason) -> Words {
    match reason {
        RetryReason::NoFace => Words::with("Look here", "Stand before the camera"),
        RetryReason::SeveralFaces => Words::alone("One person at a time"),
        RetryReason::FaceCutOff => Words::alone("Move to the middle"),
        RetryReason::TooFar => Words::alone("Come closer"),
        RetryReason::TurnToCamera => Words::alone("Face the camera"),
        RetryReason::TooDark => Words::with("Too dark", "Step into the light"),
        RetryReason::TooBright => Words::with("Too bright", "Step out of the glare"),
        RetryReason::LightFromBehind => Words::with("Lit from behind", "Let light fall on your face"),
        RetryReason::HoldStill => Words::alone("Hold still"),
        RetryReason::HoldUpright => Words::alone("Head upright"),
        RetryReason::Covered => Words::with("Show your face", "Take off mask, glasses or hood"),
        RetryReason::NotClear => Words::with("Not clear yet", "Look here, in even light"),
        RetryReason::SomebodyElse => Words::with("Someone else?", "One person per enrolment"),
        RetryReason::ShowIntent => Words::with("Come closer", "Look at the camera"),
        RetryReason::SameView => Words::alone("Turn a little"),
        RetryReason::SamePhoto => Words::with("Same photo", "Give another one"),
        RetryReason::Looking => Words::with("One moment", "Keep looking here"),
    }
}

const fn looking(view: View) -> &'static str {
    match view {
        View::Frontal => "Look ahead",
        View::Left => "Turn left",
        View::Right => "Turn right",
        View::Up => "Look up",
        View::Down => "Look down",
    }
}

const fn cause(fault: Fault) -> &'static str {
    match fault {
        Fault::Camera => "No camera",
        Fault::Pack => "No recognition model",
        Fault::Gallery => "Enrolled people cannot be read",
        Fault::Key => "The key is missing",
        Fault::Lock => "The lock does not answer",
        Fault::Storage => "Storage is full",
        Fault::Clock => "The clock is not set",
        Fault::Stopped => "Out of service",
    }
}
