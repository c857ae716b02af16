//! What to do about a camera that gives no frames: tries with growing pauses, then an end.
//!
//! A machine without a clock: what happened and when comes in, what to do comes out.

use arcdoor_core::Millis;

/// The pauses before the tries to open the camera again, milliseconds. After the last try, the loop ends.
pub const PAUSES_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];
/// So long must frames come, in milliseconds, for the next loss to be a new one: what comes and goes in between, as by a
/// loose plug, goes on up the ladder, and fills no log.
pub const STEADY_MS: u64 = 60_000;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A frame came.
    Frame,
    /// No frame came, or the camera could not be opened: it may come back.
    Lost,
    /// It could not be opened, and a person has to change something first.
    Refused,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Use the frame.
    Use,
    /// Use the frame, the first one after a loss.
    Return {
        /// Milliseconds since the loss.
        away_ms: u64,
        /// Whether the log is told.
        note: bool,
    },
    /// Close the camera, and try again after a pause.
    Retry {
        /// Milliseconds.
        pause_ms: u64,
        /// Whether frames came until now.
        is_first: bool,
        /// Whether the log is told.
        note: bool,
    },
    /// End the loop.
    End {
        /// Whether the log is told.
        note: bool,
    },
}

/// Where a loop stands with its camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Whether a frame ever came.
    was_there: bool,
    away: Option<Away>,
    /// Since when frames come again, where a loss before is not forgotten yet.
    back: Option<Millis>,
    /// Pauses of this loss that were begun.
    tries: usize,
    /// What the log was told of this loss last; it is told once of each, and of an end.
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Away {
    since: Millis,
    paused: Millis,
    pause_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Lost,
    Returned,
}

impl Ladder {
    /// How long to wait before the camera is asked, milliseconds; 0: ask it now.
    #[must_use]
    pub fn pause_ms(&self, now: Millis) -> u64 {
        self.away.map_or(0, |away| away.pause_ms.saturating_sub(now.since(away.paused)))
    }

    /// Tries to open the camera again since it was lost.
    #[must_use]
    pub const fn tries(&self) -> usize {
        self.tries
    }

    /// Milliseconds since the camera was lost; 0 while it is there.
    #[must_use]
    pub fn away_ms(&self, now: Millis) -> u64 {
        self.away.map_or(0, |away| now.since(away.since))
    }

    /// Without the memory of a loss, once frames have come for long enough since.
    fn forgiving(self, now: Millis) -> Self {
        match self.back {
            Some(since) if now.since(since) >= STEADY_MS => Self { was_there: true, ..Self::default() },
            _ => self,
        }
    }
}

/// The next state, and what to do.
#[must_use]
pub fn climb(ladder: &Ladder, event: Event, now: Millis) -> (Ladder, Action) {
    let ladder = ladder.forgiving(now);
    match event {
        Event::Frame => came(ladder, now),
        // One that was missing a moment ago may not be wholly there yet, as at boot.
        Event::Refused if !ladder.was_there && ladder.away.is_none() => (ladder, Action::End { note: false }),
        Event::Lost | Event::Refused => lost(ladder, now),
    }
}

fn came(ladder: Ladder, now: Millis) -> (Ladder, Action) {
    let Some(away) = ladder.away else { return (Ladder { was_there: true, ..ladder }, Action::Use) };
    let note = ladder.told == Some(Told::Lost);
    let told = Some(Told::Returned);
    let back = Ladder { was_there: true, away: None, back: Some(now), told, ..ladder };
    (back, Action::Return { away_ms: now.since(away.since), note })
}

fn lost(ladder: Ladder, now: Millis) -> (Ladder, Action) {
    let Some(&pause_ms) = PAUSES_MS.get(ladder.tries) else {
        // The log's last word must not be that the camera is back.
        return (ladder, Action::End { note: ladder.told == Some(Told::Returned) });
    };
    let is_first = ladder.away.is_none();
    let note = ladder.told.is_none();
    let since = ladder.away.map_or(now, |away| away.since);
    let away = Some(Away { since, paused: now, pause_ms });
    let told = ladder.told.or(Some(Told::Lost));
    let next = Ladder { away, back: None, tries: ladder.tries + 1, told, ..ladder };
    (next, Action::Retry { pause_ms, is_first, note })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// A ladder, and the time that goes by.
    #[derive(Default)]
    struct Walk {
        ladder: Ladder,
        now: u64,
    }

    impl Walk {
        fn step(&mut self, event: Event) -> Action {
            let (ladder, action) = climb(&self.ladder, event, Millis(self.now));
            self.ladder = ladder;
            action
        }

        /// Waits as long as it says.
        fn pause(&mut self) {
            self.now += self.ladder.pause_ms(Millis(self.now));
            assert_eq!(self.ladder.pause_ms(Millis(self.now)), 0);
        }
    }

    #[test]
    fn a_camera_that_is_lost_for_good_is_tried_after_each_pause_and_then_the_loop_ends() {
        for starts_with_frames in [true, false] {
            let mut walk = Walk::default();
            if starts_with_frames {
                assert_eq!(walk.step(Event::Frame), Action::Use);
            }
            for (tries, pause_ms) in PAUSES_MS.into_iter().enumerate() {
                assert_eq!(walk.ladder.tries(), tries);
                let is_first = tries == 0;
                assert_eq!(walk.step(Event::Lost), Action::Retry { pause_ms, is_first, note: is_first });
                walk.pause();
            }
            assert_eq!(walk.now, PAUSES_MS.iter().sum::<u64>());
            assert_eq!(walk.step(Event::Lost), Action::End { note: false });
        }
    }

    #[test]
    fn a_camera_that_comes_back_is_used_and_its_next_loss_is_a_new_one_after_a_minute() {
        let mut walk = Walk::default();
        walk.step(Event::Frame);
        walk.step(Event::Lost);
        walk.pause();
        walk.step(Event::Lost);
        walk.pause();
        assert_eq!(walk.step(Event::Frame), Action::Return { away_ms: 3_000, note: true });
        assert_eq!(walk.step(Event::Frame), Action::Use);
        walk.now += STEADY_MS;
        let new = Action::Retry { pause_ms: PAUSES_MS[0], is_first: true, note: true };
        assert_eq!(walk.step(Event::Lost), new);
    }

    #[test]
    fn a_loose_plug_goes_on_up_the_ladder_and_is_in_the_log_once() {
        let mut walk = Walk::default();
        walk.step(Event::Frame);
        for (tries, pause_ms) in PAUSES_MS.into_iter().enumerate() {
            let note = tries == 0;
            assert_eq!(walk.step(Event::Lost), Action::Retry { pause_ms, is_first: true, note });
            walk.pause();
            assert_eq!(walk.step(Event::Frame), Action::Return { away_ms: pause_ms, note });
        }
        assert_eq!(
            walk.step(Event::Lost),
            Action::End { note: true },
            "the log's last word is that it is gone"
        );
    }

    #[test]
    fn what_a_person_must_mend_ends_a_start_and_is_waited_for_where_the_camera_was_there() {
        let mut walk = Walk::default();
        assert_eq!(walk.step(Event::Refused), Action::End { note: false });
        walk.step(Event::Frame);
        assert!(matches!(walk.step(Event::Refused), Action::Retry { .. }));
        let mut boot = Walk::default();
        boot.step(Event::Lost);
        assert!(matches!(boot.step(Event::Refused), Action::Retry { .. }), "its file came before its rights");
    }

    proptest! {
        #[test]
        fn whatever_happens_pauses_and_the_log_are_bounded_and_a_frame_after_a_loss_is_a_return(
            happened in vec((prop::sample::select(vec![Event::Frame, Event::Lost, Event::Refused]), 0_u64..70_000), 1..200),
        ) {
            let mut walk = Walk::default();
            let (mut is_away, mut lost_in_a_row, mut entries) = (false, 0, 0_u64);
            let most_pause = PAUSES_MS[PAUSES_MS.len() - 1];
            for (event, later) in happened {
                walk.pause();
                walk.now += later;
                let action = walk.step(event);
                prop_assert_eq!(matches!(action, Action::Use | Action::Return { .. }), event == Event::Frame);
                prop_assert_eq!(matches!(action, Action::Return { .. }), event == Event::Frame && is_away);
                let (Action::Return { note, .. } | Action::Retry { note, .. } | Action::End { note }) = action else {
                    lost_in_a_row = 0;
                    continue;
                };
                entries += u64::from(note);
                match action {
                    Action::End { .. } => {
                        prop_assert!(lost_in_a_row <= PAUSES_MS.len());
                        break;
                    }
                    Action::Retry { pause_ms, is_first, .. } => {
                        prop_assert!(pause_ms <= most_pause);
                        prop_assert_eq!(is_first, !is_away);
                        (is_away, lost_in_a_row) = (true, lost_in_a_row + 1);
                    }
                    _ => (is_away, lost_in_a_row) = (false, 0),
                }
                prop_assert!(walk.ladder.pause_ms(Millis(0)) <= most_pause, "also on a clock that went back");
            }
            prop_assert!(entries <= 3 + 2 * (walk.now / STEADY_MS), "{entries} entries in {} ms", walk.now);
        }
    }
}
