//! What to do about a camera that gives no frames: tries with growing pauses, then an end.
//!
//! A machine without a clock: what happened and when comes in, what to do comes out.

use arcdoor_core::Millis;

/// The pauses before the tries to open the camera again, milliseconds. After the last try, the loop ends.
pub const PAUSES_MS: [u64; 5] = [1_000, 2_000, 5_000, 10_000, 30_000];
/// So long must frames come, in milliseconds, for the next loss to be a new one: what comes and goes in between, as by a
/// loose plug, goes on up the ladder, and fills no log.
pub const STEADY_MS: u64 = 60_000;

/// A frame came, the first one after a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Return {
    /// Milliseconds since the loss.
    pub away_ms: u64,
    /// Whether the log is told.
    pub note: bool,
}

/// No frame came, or the camera could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fall {
    /// Tries to open it since frames last came for a minute.
    pub tries: usize,
    /// After how many milliseconds it is tried again; `None`: the loop ends.
    pub retry_ms: Option<u64>,
    /// Whether it was not away before.
    pub is_first: bool,
    /// Whether the log is told.
    pub note: bool,
}

/// Where a loop stands with its camera.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Whether a frame ever came.
    was_there: bool,
    away: Option<Away>,
    /// Since when frames come again, where a loss before is not forgotten yet.
    back: Option<Millis>,
    /// Tries to open it since frames last came for a minute: pauses that were begun.
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

    /// Without the memory of a loss, once frames have come for long enough since.
    fn forgiving(self, now: Millis) -> Self {
        match self.back {
            Some(since) if now.since(since) >= STEADY_MS => Self { was_there: true, ..Self::default() },
            _ => self,
        }
    }

    /// A frame came: the next state, and the return that it is, where the camera was away.
    #[must_use]
    pub fn came(self, now: Millis) -> (Self, Option<Return>) {
        let ladder = self.forgiving(now);
        let Some(away) = ladder.away else { return (Self { was_there: true, ..ladder }, None) };
        let note = ladder.told == Some(Told::Lost);
        let told = Some(Told::Returned);
        let back = Self { was_there: true, away: None, back: Some(now), told, ..ladder };
        (back, Some(Return { away_ms: now.since(away.since), note }))
    }

    /// No frame came, or the camera could not be opened; `is_refused`: a person has to change something first. The next
    /// state, and what to do.
    #[must_use]
    pub fn lost(self, is_refused: bool, now: Millis) -> (Self, Fall) {
        let ladder = self.forgiving(now);
        let (tries, is_first) = (ladder.tries, ladder.away.is_none());
        let ends = |note| (ladder, Fall { tries, retry_ms: None, is_first, note });
        // One that was missing a moment ago may not be wholly there yet, as at boot.
        if is_refused && !ladder.was_there && is_first {
            return ends(false);
        }
        let Some(&pause_ms) = PAUSES_MS.get(tries) else {
            // The log's last word must not be that the camera is back.
            return ends(ladder.told == Some(Told::Returned));
        };
        let note = ladder.told.is_none();
        let since = ladder.away.map_or(now, |away| away.since);
        let away = Some(Away { since, paused: now, pause_ms });
        let told = ladder.told.or(Some(Told::Lost));
        let next = Self { away, back: None, tries: tries + 1, told, ..ladder };
        (next, Fall { tries, retry_ms: Some(pause_ms), is_first, note })
    }
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
        fn came(&mut self) -> Option<Return> {
            let (ladder, back) = self.ladder.came(Millis(self.now));
            self.ladder = ladder;
            back
        }

        fn fall(&mut self, is_refused: bool) -> Fall {
            let (ladder, fall) = self.ladder.lost(is_refused, Millis(self.now));
            self.ladder = ladder;
            fall
        }

        fn lost(&mut self) -> Fall {
            self.fall(false)
        }

        /// Waits as long as it says.
        fn pause(&mut self) {
            self.now += self.ladder.pause_ms(Millis(self.now));
            assert_eq!(self.ladder.pause_ms(Millis(self.now)), 0);
        }
    }

    /// A fall after which the camera is tried again.
    fn retry(tries: usize, is_first: bool, note: bool) -> Fall {
        Fall { tries, retry_ms: Some(PAUSES_MS[tries]), is_first, note }
    }

    #[test]
    fn a_camera_that_is_lost_for_good_is_tried_after_each_pause_and_then_the_loop_ends() {
        for starts_with_frames in [true, false] {
            let mut walk = Walk::default();
            if starts_with_frames {
                assert_eq!(walk.came(), None);
            }
            for tries in 0..PAUSES_MS.len() {
                let is_first = tries == 0;
                assert_eq!(walk.lost(), retry(tries, is_first, is_first));
                walk.pause();
            }
            assert_eq!(walk.now, PAUSES_MS.iter().sum::<u64>());
            let end = Fall { tries: PAUSES_MS.len(), retry_ms: None, is_first: false, note: false };
            assert_eq!(walk.lost(), end);
        }
    }

    #[test]
    fn a_camera_that_comes_back_is_used_and_its_next_loss_is_a_new_one_after_a_minute() {
        let mut walk = Walk::default();
        walk.came();
        walk.lost();
        walk.pause();
        walk.lost();
        walk.pause();
        assert_eq!(walk.came(), Some(Return { away_ms: 3_000, note: true }));
        assert_eq!(walk.came(), None);
        walk.now += STEADY_MS;
        assert_eq!(walk.lost(), retry(0, true, true), "no try of the loss before is counted");
    }

    #[test]
    fn a_loose_plug_goes_on_up_the_ladder_and_is_in_the_log_once() {
        let mut walk = Walk::default();
        walk.came();
        for (tries, pause_ms) in PAUSES_MS.into_iter().enumerate() {
            let note = tries == 0;
            assert_eq!(walk.lost(), retry(tries, true, note));
            walk.pause();
            assert_eq!(walk.came(), Some(Return { away_ms: pause_ms, note }));
        }
        let end = Fall { tries: PAUSES_MS.len(), retry_ms: None, is_first: true, note: true };
        assert_eq!(walk.lost(), end, "the log's last word is that it is gone");
    }

    #[test]
    fn what_a_person_must_mend_ends_a_start_and_is_waited_for_where_the_camera_was_there() {
        let mut walk = Walk::default();
        assert_eq!(walk.fall(true), Fall { tries: 0, retry_ms: None, is_first: true, note: false });
        walk.came();
        assert!(walk.fall(true).retry_ms.is_some());
        let mut boot = Walk::default();
        boot.lost();
        assert!(boot.fall(true).retry_ms.is_some(), "its file came before its rights");
    }

    #[derive(Debug, Clone, Copy)]
    enum Event {
        Frame,
        Lost,
        Refused,
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
                if let Event::Frame = event {
                    let back = walk.came();
                    prop_assert_eq!(back.is_some(), is_away);
                    entries += u64::from(back.is_some_and(|back| back.note));
                    (is_away, lost_in_a_row) = (false, 0);
                    continue;
                }
                let fall = walk.fall(matches!(event, Event::Refused));
                entries += u64::from(fall.note);
                prop_assert_eq!(fall.is_first, !is_away);
                let Some(pause_ms) = fall.retry_ms else {
                    prop_assert!(lost_in_a_row <= PAUSES_MS.len());
                    break;
                };
                prop_assert!(pause_ms <= most_pause);
                (is_away, lost_in_a_row) = (true, lost_in_a_row + 1);
                prop_assert!(walk.ladder.pause_ms(Millis(0)) <= most_pause, "also on a clock that went back");
            }
            prop_assert!(entries <= 3 + 2 * (walk.now / STEADY_MS), "{entries} entries in {} ms", walk.now);
        }
    }
}
