//! From the door's state and what recognition sees to what the panel shows.

use arcdoor_api::{Progress, Reason, Sight, Verdict};
use arcdoor_core::{HeadTurn, RetryReason};
use arcdoor_door::{Alarm as DoorAlarm, Factor, View};
use arcdoor_panel::state::Progress as Taken;
use arcdoor_panel::{Alarm, DenyAdvice, Fault, KeyOrder, UiState, View as Gaze};

/// What recognition saw last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// What the person before the camera can do; none: nobody is there.
    pub hint: Option<RetryReason>,
    /// Whether the face that is there was granted.
    pub is_known: bool,
    /// Whether the last denial was a lockout.
    pub is_locked_out: bool,
    /// An enrolment goes on: where the person is to look, how far it is, what would be better.
    pub enrolment: Option<(Gaze, Taken, Option<RetryReason>)>,
    /// Digits that were entered.
    pub entered: u8,
    /// Where the digits of a PIN lie.
    pub order: KeyOrder,
}

impl Seen {
    /// After this frame.
    pub fn saw(&mut self, sight: &Sight) {
        let looks_on = sight.reason == Some(Reason::Retry(RetryReason::Looking));
        self.is_known = sight.decision == Verdict::Granted || (self.is_known && looks_on);
        if sight.decision == Verdict::Granted {
            self.is_locked_out = false;
        }
        self.hint = match sight.reason {
            Some(Reason::Retry(RetryReason::NoFace)) => None,
            // Whoever was let in and still stands there is not asked for anything.
            Some(Reason::Retry(_)) if self.is_known => None,
            Some(Reason::Retry(reason)) => Some(reason),
            Some(Reason::Deny(reason)) => {
                self.is_locked_out = DenyAdvice::from(reason) == DenyAdvice::Wait;
                None
            }
            // The door's own word follows within a look.
            None => self.hint,
        };
    }

    /// After this word about an enrolment; it is over with [`Progress::Over`].
    pub fn progress(&mut self, progress: Progress) {
        let Progress::Views { taken, of, reason, unseen } = progress else {
            self.enrolment = None;
            return;
        };
        let gaze = match unseen {
            Some(HeadTurn::Left) => Gaze::Left,
            Some(HeadTurn::Right) => Gaze::Right,
            Some(HeadTurn::Up) => Gaze::Up,
            Some(HeadTurn::Down) => Gaze::Down,
            None => Gaze::Frontal,
        };
        let count = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        self.enrolment = Taken::new(count(taken), count(of)).map(|taken| (gaze, taken, reason));
    }
}

/// What the panel shows. What the door has to say goes before what recognition has.
#[must_use]
pub fn shown(view: View, seen: Seen, recognises: bool) -> UiState {
    match view {
        View::Fire => UiState::Alarm(Alarm::FireRelease),
        View::Alarm(DoorAlarm::Forced) => UiState::Alarm(Alarm::Forced),
        View::Alarm(DoorAlarm::HeldOpen) => UiState::Alarm(Alarm::HeldOpen),
        View::Alarm(DoorAlarm::Tamper) => UiState::Alarm(Alarm::Tamper),
        View::CloseDoor => UiState::Alarm(Alarm::HeldOpenWarning),
        View::Lockdown => UiState::Alarm(Alarm::Lockdown),
        View::OutOfOrder => UiState::Fault(Fault::Lock),
        View::Welcome | View::OpenHours => UiState::Granted,
        View::Denied if seen.is_locked_out => UiState::Denied(DenyAdvice::Wait),
        View::Denied => UiState::Denied(DenyAdvice::TryAgain),
        View::SecondFactor(factors) if !factors.has(Factor::Pin) && factors.has(Factor::Face) => {
            UiState::Pin { order: seen.order, entered: seen.entered }
        }
        View::SecondFactor(_) | View::SecondPerson | View::Ready(_) => match seen {
            _ if !recognises => UiState::Fault(Fault::Camera),
            Seen { enrolment: Some((view, progress, hint)), .. } => {
                UiState::Enrolment { view, progress, hint }
            }
            Seen { hint: Some(reason), .. } => UiState::Approach(reason),
            _ => UiState::Idle,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::DenyReason;
    use arcdoor_door::{Factors, Methods};

    const READY: View = View::Ready(Methods::NONE);

    fn sight(reason: Reason) -> Sight {
        Sight { reason: Some(reason), ..Sight::nothing() }
    }

    #[test]
    fn a_hint_is_shown_while_somebody_is_there_and_the_door_goes_before_it() {
        let mut seen = Seen::default();
        assert_eq!(shown(READY, seen, true), UiState::Idle);
        seen.saw(&sight(Reason::Retry(RetryReason::TooFar)));
        assert_eq!(shown(READY, seen, true), UiState::Approach(RetryReason::TooFar));
        assert_eq!(shown(View::Welcome, seen, true), UiState::Granted);
        assert_eq!(shown(View::Alarm(DoorAlarm::Forced), seen, false), UiState::Alarm(Alarm::Forced));
        assert_eq!(shown(READY, seen, false), UiState::Fault(Fault::Camera));
        seen.saw(&sight(Reason::Retry(RetryReason::NoFace)));
        assert_eq!(shown(READY, seen, true), UiState::Idle);
    }

    #[test]
    fn whoever_was_let_in_and_stays_is_asked_for_nothing() {
        let mut seen = Seen::default();
        seen.saw(&Sight { decision: Verdict::Granted, reason: None, ..Sight::nothing() });
        seen.saw(&sight(Reason::Retry(RetryReason::Looking)));
        assert_eq!(shown(READY, seen, true), UiState::Idle);
        seen.saw(&sight(Reason::Retry(RetryReason::NoFace)));
        seen.saw(&sight(Reason::Retry(RetryReason::Looking)));
        assert_eq!(shown(READY, seen, true), UiState::Approach(RetryReason::Looking), "the next one");
    }

    #[test]
    fn a_denial_says_what_to_do_and_never_why() {
        let mut seen = Seen::default();
        let mut shows = |reason| {
            seen.saw(&sight(Reason::Deny(reason)));
            shown(View::Denied, seen, true)
        };
        let unlike = [DenyReason::NoMatch, DenyReason::NobodyEnrolled, DenyReason::Ambiguous].map(&mut shows);
        assert_eq!(unlike, [UiState::Denied(DenyAdvice::TryAgain); 3]);
        assert_eq!(shows(DenyReason::LockedOut), UiState::Denied(DenyAdvice::Wait));
    }

    #[test]
    fn a_face_that_needs_a_pin_gets_the_keys_and_an_enrolment_its_guide() {
        let mut seen = Seen { entered: 2, ..Seen::default() };
        let keys = shown(View::SecondFactor(Factors::only(Factor::Face)), seen, true);
        assert_eq!(keys, UiState::Pin { order: KeyOrder::USUAL, entered: 2 });
        seen.progress(Progress::Views { taken: 1, of: 5, reason: None, unseen: Some(HeadTurn::Left) });
        let guide = UiState::Enrolment { view: Gaze::Left, progress: Taken::new(1, 5).unwrap(), hint: None };
        assert_eq!(shown(READY, seen, true), guide);
        seen.progress(Progress::Over);
        assert_eq!(shown(READY, seen, true), UiState::Idle);
    }
}
