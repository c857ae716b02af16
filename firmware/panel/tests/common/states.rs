//! Every state that a panel shows.

extern crate std;

use arcdoor_core::RetryReason;
use arcdoor_panel::{Alarm, DenyAdvice, Fault, KeyOrder, Percent, Progress, ScreenSize, UiState, View};
use std::borrow::ToOwned;
use std::format;
use std::string::String;
use std::vec::Vec;

pub(crate) const SIZES: [(u32, u32); 4] = [(240, 240), (320, 480), (800, 480), (1280, 800)];

pub(crate) fn size((width, height): (u32, u32)) -> ScreenSize {
    ScreenSize::new(width, height).unwrap()
}

/// Every reason; the `match` fails to compile where one is missing.
pub(crate) fn retry_reasons() -> Vec<RetryReason> {
    use RetryReason as R;
    let all = [
        R::NoFace,
        R::SeveralFaces,
        R::FaceCutOff,
        R::TooFar,
        R::TurnToCamera,
        R::TooDark,
        R::TooBright,
        R::LightFromBehind,
        R::HoldStill,
        R::HoldUpright,
        R::Covered,
        R::NotClear,
        R::SomebodyElse,
        R::ShowIntent,
        R::SameView,
        R::SamePhoto,
        R::Looking,
    ];
    for reason in all {
        match reason {
            R::NoFace | R::SeveralFaces | R::FaceCutOff | R::TooFar | R::TurnToCamera | R::TooDark => {}
            R::TooBright | R::LightFromBehind | R::HoldStill | R::HoldUpright | R::Covered => {}
            R::NotClear | R::SomebodyElse | R::ShowIntent | R::SameView | R::SamePhoto | R::Looking => {}
        }
    }
    all.to_vec()
}

pub(crate) fn enrolment(view: View, taken: u8, hint: Option<RetryReason>) -> UiState {
    UiState::Enrolment { view, progress: Progress::new(taken, 5).unwrap(), hint }
}

pub(crate) fn shuffled() -> KeyOrder {
    KeyOrder::new([7, 2, 9, 0, 4, 8, 1, 6, 3, 5]).unwrap()
}

/// Every state, with a name that a file may have.
pub(crate) fn states() -> Vec<(String, UiState)> {
    let named = |kind: &str, name: &dyn std::fmt::Debug| format!("{kind} {name:?}").to_lowercase();
    let mut all = Vec::from([("idle".to_owned(), UiState::Idle)]);
    all.extend(retry_reasons().into_iter().map(|reason| (named("hint", &reason), UiState::Approach(reason))));
    all.push(("granted".to_owned(), UiState::Granted));
    for advice in [DenyAdvice::TryAgain, DenyAdvice::Wait] {
        all.push((named("denied", &advice), UiState::Denied(advice)));
    }
    for (taken, view) in (0..).zip(View::ALL) {
        all.push((named("enrol", &view), enrolment(view, taken, None)));
    }
    for view in View::ALL {
        let hinted =
            |reason| (format!("enrol {view:?} {reason:?}").to_lowercase(), enrolment(view, 3, Some(reason)));
        all.extend(retry_reasons().into_iter().map(hinted));
    }
    for (name, order, entered) in
        [("none", KeyOrder::USUAL, 0), ("four", shuffled(), 4), ("twelve", shuffled(), 12)]
    {
        all.push((format!("pin {name}"), UiState::Pin { order, entered }));
    }
    all.extend(Alarm::ALL.map(|alarm| (named("alarm", &alarm), UiState::Alarm(alarm))));
    all.extend(Fault::ALL.map(|fault| (named("fault", &fault), UiState::Fault(fault))));
    for percent in [0, 62, 100] {
        all.push((format!("update {percent}"), UiState::Update(Percent::new(percent).unwrap())));
    }
    all
}
