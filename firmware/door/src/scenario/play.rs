//! Plays a scenario.

use super::duration::{absolute_ms, duration_ms};
use super::event::{event, level_text};
use super::expect::{check, facts, position_text};
use super::machine::Machine;
use super::problem::{Problem, ScenarioError};
use super::rules::{is_rule, policy};
use crate::limits::MAX_INSIDE;
use crate::{About, Action, Actions, Civil, Event, Kept, Minute, Now, Policy, Reason, State};
use arcdoor_core::{Millis, SubjectId};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// The most lines that are read.
const MAX_LINES: usize = 10_000;

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Story {
    /// What happened, a line for each event.
    pub lines: Vec<String>,
    /// Every reason that was given, in order.
    pub reasons: Vec<Reason>,
    /// Where and why it stopped before its end.
    pub end: Result<(), ScenarioError>,
}

/// Plays `text` on a door.
#[must_use]
pub fn play(text: &str) -> Story {
    play_on::<State>(text)
}

/// Plays `text` on any machine.
#[must_use]
pub fn play_on<M: Machine>(text: &str) -> Story {
    let mut story = Story { lines: Vec::new(), reasons: Vec::new(), end: Ok(()) };
    story.end = run::<M>(text, &mut story.lines, &mut story.reasons);
    story
}

fn run<M: Machine>(
    text: &str,
    told: &mut Vec<String>,
    reasons: &mut Vec<Reason>,
) -> Result<(), ScenarioError> {
    let lines = || text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let at = |line: usize| move |problem| ScenarioError { line, problem };
    if lines().count() > MAX_LINES {
        return Err(at(MAX_LINES + 1)(Problem::TooLong(MAX_LINES)));
    }
    for (index, line) in lines().enumerate().filter(|(_, line)| is_rule(line)) {
        // Alone first, so that a rule that cannot be read is told of in its own line.
        if let Err(problem @ Problem::Rule(_)) = policy(core::iter::once(line)) {
            return Err(at(index + 1)(problem));
        }
    }
    let first_rule = lines().position(is_rule).map_or(1, |index| index + 1);
    let policy = policy(lines().filter(|line| is_rule(line))).map_err(at(first_rule))?;
    let mut player = Player::<M>::new(&policy);
    for (index, line) in lines().enumerate() {
        player.line(line, told).map_err(at(index + 1))?;
        reasons.append(&mut player.reasons);
    }
    Ok(())
}

struct Player<'a, M> {
    policy: &'a Policy,
    /// `None` before the first event.
    door: Option<M>,
    /// What the door is to start with.
    kept: Kept,
    mono: u64,
    /// What the clock on the wall showed, and when.
    clock: Option<(Civil, u64)>,
    names: Vec<String>,
    /// What is true since the last event.
    facts: Vec<&'static str>,
    reasons: Vec<Reason>,
}

impl<'a, M: Machine> Player<'a, M> {
    fn new(policy: &'a Policy) -> Self {
        let (names, facts, reasons) = (Vec::new(), Vec::new(), Vec::new());
        Self { policy, door: None, kept: Kept::default(), mono: 0, clock: None, names, facts, reasons }
    }

    fn line(&mut self, line: &str, told: &mut Vec<String>) -> Result<(), Problem> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => Ok(()),
            ["policy", ..] if self.door.is_some() => Err(Problem::LateRule),
            ["policy", ..] => Ok(()),
            ["clock", ref clock @ ..] => self.set_clock(clock),
            ["inside", count] => self.fill(count),
            ["expect", ref words @ ..] => words.iter().try_for_each(|word| check(word, &self.facts)),
            [time, ref words @ ..] => {
                self.move_to(time)?;
                let actions = self.happen(words)?;
                told.push(self.tell(words, &actions));
                Ok(())
            }
        }
    }

    /// So many people, who are told of nowhere else, are inside from the start.
    fn fill(&mut self, count: &str) -> Result<(), Problem> {
        let count: u32 = count.parse().map_err(|_| Problem::Event(format!("inside {count}")))?;
        if self.door.is_some() {
            return Err(Problem::LateRule);
        }
        let nameless = u32::MAX - count.min(MAX_INSIDE as u32)..u32::MAX;
        for id in nameless {
            self.kept.inside.enter(SubjectId(id));
        }
        Ok(())
    }

    fn set_clock(&mut self, words: &[&str]) -> Result<(), Problem> {
        let wrong = || Problem::Clock(words.join(" "));
        self.clock = match words {
            ["unset"] => None,
            [date, minute] => {
                let (date, minute) =
                    (date.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
                Some((Civil { date, minute }, self.mono))
            }
            _ => return Err(wrong()),
        };
        Ok(())
    }

    fn move_to(&mut self, time: &str) -> Result<(), Problem> {
        let wrong = || Problem::Time(time.to_string());
        let mono = match time.split_at_checked(1) {
            Some(("+", text)) => {
                self.mono.checked_add(duration_ms(text).ok_or_else(wrong)?).ok_or_else(wrong)?
            }
            Some(("-", text)) => {
                self.mono.checked_sub(duration_ms(text).ok_or_else(wrong)?).ok_or_else(wrong)?
            }
            _ => absolute_ms(time).ok_or_else(wrong)?,
        };
        if mono < self.mono && !time.starts_with('-') {
            return Err(Problem::Order);
        }
        self.mono = mono;
        Ok(())
    }

    fn now(&self) -> Now {
        let civil = self.clock.map(|(shown, since)| later(shown, self.mono.saturating_sub(since) / 60_000));
        Now { mono: Millis(self.mono), civil }
    }

    fn happen(&mut self, words: &[&str]) -> Result<Actions, Problem> {
        let names = &mut self.names;
        let is_restart = words == ["restart"];
        let event = if is_restart {
            Event::Tick
        } else {
            event(words, |name| subject(names, name)).ok_or_else(|| Problem::Event(words.join(" ")))?
        };
        let now = self.now();
        let mut door = match self.door.take() {
            Some(door) if is_restart => M::start(door.kept().clone(), now),
            Some(door) => door,
            // The program has just started, and drove the line before anything happened.
            None => self.first(now),
        };
        let actions = door.step(self.policy, event, now);
        self.facts = facts(&door, self.policy, &actions);
        self.hear(&actions);
        self.door = Some(door);
        Ok(actions)
    }

    fn first(&mut self, now: Now) -> M {
        let mut door = M::start(core::mem::take(&mut self.kept), now);
        let actions = door.step(self.policy, Event::Tick, now);
        self.hear(&actions);
        door
    }

    fn hear(&mut self, actions: &Actions) {
        for action in actions {
            if let Action::Report { reason, .. } | Action::Drive { reason, .. } = action {
                self.reasons.push(*reason);
            }
        }
    }

    fn tell(&self, words: &[&str], actions: &Actions) -> String {
        let (minutes, seconds, tenths) = (self.mono / 60_000, self.mono / 1_000 % 60, self.mono / 100 % 10);
        let position = self.door.as_ref().map_or("", |door| position_text(door.position()));
        let said: Vec<String> = actions.iter().filter_map(|action| self.action(action)).collect();
        let said = if said.is_empty() { "-".to_string() } else { said.join("; ") };
        format!("{minutes:>3}:{seconds:02}.{tenths}  {:<22} {position:<9} {said}", words.join(" "))
    }

    fn action(&self, action: &Action) -> Option<String> {
        match action {
            Action::Drive { level, reason } => Some(format!("[{}: {}]", level_text(*level), reason.name())),
            Action::Report { reason, about } => Some(format!("{reason}{}", self.about(*about))),
            Action::Duress { subject } => Some(format!("(silent: {} under duress)", self.name(*subject))),
            Action::Keep => None,
        }
    }

    fn about(&self, about: About) -> String {
        match about {
            About::Door => String::new(),
            About::Subject(subject) => format!(" ({})", self.name(subject)),
            About::Proven(subject, method) => format!(" ({}, {})", self.name(subject), method.text()),
            About::Alarm(alarm) => format!(" ({alarm:?})").to_lowercase(),
        }
    }

    fn name(&self, subject: SubjectId) -> &str {
        let index = usize::try_from(subject.0).ok().and_then(|id| id.checked_sub(1));
        index.and_then(|index| self.names.get(index)).map_or("somebody", String::as_str)
    }
}

/// The number of a name: 1 for the first that is told of.
fn subject(names: &mut Vec<String>, name: &str) -> SubjectId {
    let place = names.iter().position(|known| known == name).unwrap_or_else(|| {
        names.push(name.to_string());
        names.len() - 1
    });
    // No more names than lines.
    SubjectId(u32::try_from(place + 1).unwrap_or(u32::MAX))
}

/// What the clock shows `minutes` later.
fn later(shown: Civil, minutes: u64) -> Civil {
    const DAY: u64 = 1_440;
    let total = u64::from(shown.minute.get()) + minutes;
    // More days than this are beyond the calendar.
    let date = (0..(total / DAY).min(4_000_000)).fold(shown.date, |date, _| date.next());
    let minute = Minute::new((total % DAY) as u16).unwrap_or(shown.minute);
    Civil { date, minute }
}
