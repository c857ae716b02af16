//! A board in memory: tests and keys play the people and the faults.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arcdoor_core::Millis;
use heapless::Deque;

use crate::board::Board;
use crate::debounce::Debounce;
use crate::driver::{Edge, Edges, LineCause, LineDriver, LineError, insert};
use crate::limits::MAX_DRIVEN;
use crate::line::Line;
use crate::relay_watch::{RelayState, RelayWatch, Stuck};
use crate::role::{Input, Output, Role};

/// Something that happens at a simulated door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// An input's level from now on.
    Put(Input, bool),
    /// An input's level turns round.
    Turn(Input),
    /// The relay's contact stays where it is put, or moves again.
    Stick(Option<Stuck>),
    /// A line is gone, or back.
    Lose(Role, bool),
}

impl Act {
    /// The keys and what they do, for a text.
    pub const KEYS: &str = "r request to exit, c door's contact, t tamper, f fire (each key turns its input round); \
        o relay sticks on, p relay sticks off, i relay is repaired; l the contact's line is lost, k it is back";

    /// What a key does; `None` for a key that does nothing.
    #[must_use]
    pub const fn from_key(key: char) -> Option<Self> {
        Some(match key {
            'r' => Self::Turn(Input::Rex),
            'c' => Self::Turn(Input::Contact),
            't' => Self::Turn(Input::Tamper),
            'f' => Self::Turn(Input::Fire),
            'o' => Self::Stick(Some(Stuck::On)),
            'p' => Self::Stick(Some(Stuck::Off)),
            'i' => Self::Stick(None),
            'l' => Self::Lose(Role::Input(Input::Contact), true),
            'k' => Self::Lose(Role::Input(Input::Contact), false),
            _ => return None,
        })
    }
}

/// What was driven, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Driven {
    /// When.
    pub at: Millis,
    /// Which output.
    pub output: Output,
    /// Whether it became active.
    pub active: bool,
}

#[derive(Debug)]
struct SimulatedInput {
    input: Input,
    line: Line,
    level: bool,
    debounce: Debounce,
}

#[derive(Debug)]
struct State {
    fail_active: bool,
    relay: Line,
    relay_active: bool,
    read_back: Option<(Line, RelayWatch)>,
    outputs: [Option<Line>; 4],
    inputs: [Option<SimulatedInput>; 5],
    stuck: Option<Stuck>,
    lost: heapless::Vec<Role, 11>,
    driven: Deque<Driven, MAX_DRIVEN>,
    now: Millis,
}

fn reach(lost: &[Role], role: Role, line: &Line) -> Result<(), LineError> {
    if lost.contains(&role) {
        return Err(LineError { role, line: line.clone(), cause: LineCause::Gone });
    }
    Ok(())
}

impl State {
    fn record(&mut self, output: Output, active: bool, at: Millis) {
        if self.driven.is_full() {
            self.driven.pop_front();
        }
        // There is room now.
        let _ = self.driven.push_back(Driven { at, output, active });
    }

    fn drive_relay(&mut self, active: bool, now: Millis) -> Result<(), LineError> {
        if let Some((_, watch)) = &mut self.read_back {
            watch.ask(active, now);
        }
        reach(&self.lost, Role::Output(Output::Relay), &self.relay)?;
        self.relay_active = active;
        self.record(Output::Relay, active, now);
        Ok(())
    }

    fn fail<T>(&mut self, result: Result<T, LineError>, now: Millis) -> Result<T, LineError> {
        if result.is_err() {
            let _ = self.drive_relay(self.fail_active, now);
        }
        result
    }

    fn poll(&mut self, now: Millis, edges: &mut Edges) -> Result<(), LineError> {
        let mut result = Ok(());
        for wired in self.inputs.iter_mut().flatten() {
            let role = Role::Input(wired.input);
            let reached = reach(&self.lost, role, &wired.line);
            if reached.is_ok()
                && let Some(active) = wired.debounce.sample(wired.level, now)
            {
                insert(edges, Edge { input: wired.input, active, at: now });
            }
            // Every input is read, whichever is lost.
            result = result.and(reached);
        }
        result
    }

    fn wired(&mut self, input: Input) -> Option<&mut SimulatedInput> {
        self.inputs.iter_mut().flatten().find(|wired| wired.input == input)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Put(input, level) => {
                if let Some(wired) = self.wired(input) {
                    wired.level = level;
                }
            }
            Act::Turn(input) => {
                if let Some(wired) = self.wired(input) {
                    wired.level = !wired.level;
                }
            }
            Act::Stick(stuck) => self.stuck = stuck,
            Act::Lose(role, is_lost) => {
                self.lost.retain(|lost| *lost != role);
                if is_lost {
                    // As many as there are roles fit.
                    let _ = self.lost.push(role);
                }
            }
        }
    }

    /// What the relay's contact does.
    fn contact(&self) -> bool {
        match self.stuck {
            Some(Stuck::On) => true,
            Some(Stuck::Off) => false,
            None => self.relay_active,
        }
    }
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A board in memory: the door's side of it.
#[derive(Debug)]
pub struct Simulated(Shared);

/// The other side: makes things happen, and sees what was driven, also when the door's side is gone.
#[derive(Debug, Clone)]
pub struct Hand(Shared);

impl Simulated {
    /// The wires of `board`, all inputs inactive, the relay in the fail mode.
    #[must_use]
    pub fn new(board: &Board, now: Millis) -> Self {
        let input = |input| {
            board.input(input).map(|wired| SimulatedInput {
                input,
                line: wired.line.clone(),
                level: false,
                debounce: Debounce::new(wired.debounce_ms.get()),
            })
        };
        let [_, granted, denied, fault, buzzer] = Output::ALL;
        let fail_active = board.relay().fail_mode.is_active();
        let read_back = board.relay().read_back.as_ref().map(|contact| {
            (contact.line.clone(), RelayWatch::new(contact.travel_ms.get(), fail_active, now))
        });
        let mut state = State {
            fail_active,
            relay: board.relay().line.clone(),
            relay_active: fail_active,
            read_back,
            outputs: [granted, denied, fault, buzzer].map(|output| board.output(output).cloned()),
            inputs: Input::ALL.map(input),
            stuck: None,
            lost: heapless::Vec::new(),
            driven: Deque::new(),
            now,
        };
        state.record(Output::Relay, fail_active, now);
        Self(Arc::new(Mutex::new(state)))
    }

    /// The side from which things happen.
    #[must_use]
    pub fn hand(&self) -> Hand {
        Hand(self.0.clone())
    }
}

impl Hand {
    /// Makes something happen; the next poll sees it. What is not wired does nothing.
    pub fn act(&self, act: Act) {
        lock(&self.0).act(act);
    }

    /// What was driven, oldest first: the last [`MAX_DRIVEN`].
    #[must_use]
    pub fn driven(&self) -> Vec<Driven> {
        lock(&self.0).driven.iter().copied().collect()
    }

    /// Whether the lock is released now: what the relay's contact does, stuck or not.
    #[must_use]
    pub fn is_released(&self) -> bool {
        lock(&self.0).contact()
    }
}

impl LineDriver for Simulated {
    fn set(&mut self, output: Output, active: bool, now: Millis) -> Result<(), LineError> {
        let mut state = lock(&self.0);
        state.now = now;
        if output == Output::Relay {
            let result = state.drive_relay(active, now);
            return state.fail(result, now);
        }
        let index = Output::ALL.iter().skip(1).position(|other| *other == output);
        let Some(line) = index.and_then(|index| state.outputs[index].as_ref()) else { return Ok(()) };
        reach(&state.lost, Role::Output(output), line)?;
        state.record(output, active, now);
        Ok(())
    }

    fn relay(&mut self, now: Millis) -> Result<RelayState, LineError> {
        let mut state = lock(&self.0);
        state.now = now;
        let contact = state.contact();
        let Some((line, _)) = &state.read_back else { return Ok(RelayState::Unwatched) };
        let reached = reach(&state.lost, Role::ReadBack, line);
        state.fail(reached, now)?;
        let watch = state.read_back.as_mut().map(|(_, watch)| watch.observe(contact, now));
        Ok(watch.unwrap_or(RelayState::Unwatched))
    }

    fn poll(&mut self, now: Millis, edges: &mut Edges) -> Result<(), LineError> {
        edges.clear();
        let mut state = lock(&self.0);
        state.now = now;
        let result = state.poll(now, edges);
        state.fail(result, now)
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        let (fail_active, now) = (state.fail_active, state.now);
        let _ = state.drive_relay(fail_active, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        Board::find("simulated").unwrap()
    }

    fn poll(driver: &mut Simulated, now: u64) -> Vec<(Input, bool)> {
        let mut edges = Edges::new();
        driver.poll(Millis(now), &mut edges).unwrap();
        edges.iter().map(|edge| (edge.input, edge.active)).collect()
    }

    #[test]
    fn a_key_presses_and_a_bounce_is_debounced_as_on_a_real_board() {
        let mut driver = Simulated::new(&board(), Millis(0));
        let hand = driver.hand();
        assert_eq!(poll(&mut driver, 0), []);
        assert_eq!(poll(&mut driver, 50).len(), Input::ALL.len());
        hand.act(Act::from_key('r').unwrap());
        assert_eq!(poll(&mut driver, 60), []);
        assert_eq!(poll(&mut driver, 90), [(Input::Rex, true)]);
        hand.act(Act::Put(Input::Rex, false));
        assert_eq!(poll(&mut driver, 100), []);
        hand.act(Act::Put(Input::Rex, true));
        assert_eq!(poll(&mut driver, 200), []);
    }

    #[test]
    fn every_key_that_is_named_does_something() {
        for key in ['r', 'c', 't', 'f', 'o', 'p', 'i', 'l', 'k'] {
            assert!(Act::from_key(key).is_some() && Act::KEYS.contains(&format!("{key} ")), "{key}");
        }
        assert_eq!(Act::from_key('x'), None);
    }

    #[test]
    fn a_stuck_relay_is_seen_both_ways() {
        let mut driver = Simulated::new(&board(), Millis(0));
        let hand = driver.hand();
        assert_eq!(driver.relay(Millis(0)).unwrap(), RelayState::Follows);
        hand.act(Act::Stick(Some(Stuck::On)));
        driver.relay(Millis(100)).unwrap();
        assert_eq!(driver.relay(Millis(150)).unwrap(), RelayState::Stuck(Stuck::On));
        assert!(hand.is_released());
        hand.act(Act::Stick(Some(Stuck::Off)));
        driver.set(Output::Relay, true, Millis(200)).unwrap();
        assert_eq!(driver.relay(Millis(250)).unwrap(), RelayState::Stuck(Stuck::Off));
    }

    #[test]
    fn a_lost_line_and_the_end_of_the_driver_leave_the_relay_in_the_fail_mode() {
        let mut driver = Simulated::new(&board(), Millis(0));
        let hand = driver.hand();
        driver.set(Output::Relay, true, Millis(10)).unwrap();
        hand.act(Act::from_key('l').unwrap());
        let error = driver.poll(Millis(20), &mut Edges::new()).unwrap_err();
        assert_eq!(error.cause, LineCause::Gone);
        assert!(!hand.is_released());
        hand.act(Act::from_key('k').unwrap());
        poll(&mut driver, 30);
        driver.set(Output::Relay, true, Millis(40)).unwrap();
        drop(driver);
        let relay: Vec<(u64, bool)> =
            hand.driven().iter().map(|driven| (driven.at.0, driven.active)).collect();
        assert_eq!(relay, [(0, false), (10, true), (20, false), (40, true), (40, false)]);
    }

    #[test]
    fn a_long_run_allocates_nothing() {
        let mut driver = Simulated::new(&board(), Millis(0));
        let (hand, mut edges) = (driver.hand(), Edges::new());
        let ((), used) = arcdoor_allocations::during_here(|| {
            for at in (0..100_000).step_by(50) {
                hand.act(Act::Turn(Input::Rex));
                driver.set(Output::Relay, at % 100 == 0, Millis(at)).unwrap();
                driver.relay(Millis(at)).unwrap();
                driver.poll(Millis(at), &mut edges).unwrap();
            }
        });
        assert_eq!(used.count, 0);
    }

    #[test]
    fn a_long_run_keeps_no_more_than_it_may() {
        let mut driver = Simulated::new(&board(), Millis(0));
        for at in 1..1000 {
            driver.set(Output::Buzzer, at % 2 == 0, Millis(at)).unwrap();
        }
        let driven = driver.hand().driven();
        assert_eq!((driven.len(), driven[MAX_DRIVEN - 1].at), (MAX_DRIVEN, Millis(999)));
    }
}
