//! What a scenario expects.

use super::event::level_text;
use super::machine::Machine;
use super::problem::Problem;
use crate::{Action, Actions, Buzzer, Level, Policy, Position, Reason, View};
use std::string::{String, ToString};
use std::vec::Vec;

const VIEWS: [&str; 11] = [
    "view-fire",
    "view-alarm",
    "view-close-door",
    "view-lockdown",
    "view-out-of-order",
    "view-welcome",
    "view-open-hours",
    "view-denied",
    "view-second-factor",
    "view-second-person",
    "view-ready",
];

/// How a scenario writes a view.
pub(super) const fn view_text(view: View) -> &'static str {
    VIEWS[match view {
        View::Fire => 0,
        View::Alarm(_) => 1,
        View::CloseDoor => 2,
        View::Lockdown => 3,
        View::OutOfOrder => 4,
        View::Welcome => 5,
        View::OpenHours => 6,
        View::Denied => 7,
        View::SecondFactor(_) => 8,
        View::SecondPerson => 9,
        View::Ready(_) => 10,
    }]
}

/// How a scenario writes a position.
pub(super) const fn position_text(position: Position) -> &'static str {
    match position {
        Position::Locked => "locked",
        Position::Unlocked => "unlocked",
    }
}

const fn buzzer_text(buzzer: Buzzer) -> &'static str {
    match buzzer {
        Buzzer::Silent => "silent",
        Buzzer::Beeps => "beeps",
        Buzzer::Steady => "steady",
    }
}

/// All that is true of a door after a step, as a scenario writes it.
pub(super) fn facts<M: Machine>(door: &M, policy: &Policy, actions: &Actions) -> Vec<&'static str> {
    let position = door.position();
    let level = policy.fields().fail_mode.level(position);
    let (view, buzzer) = (view_text(door.view()), buzzer_text(door.indicators().buzzer));
    let mut facts = std::vec![position_text(position), level_text(level), view, buzzer];
    if actions.is_empty() {
        facts.push("nothing");
    }
    for action in actions {
        match action {
            Action::Report { reason, .. } | Action::Drive { reason, .. } => facts.push(reason.name()),
            Action::Duress { .. } => facts.push("duress"),
            Action::Keep => {}
        }
    }
    facts
}

/// Holds one word against the facts.
pub(super) fn check(word: &str, facts: &[&str]) -> Result<(), Problem> {
    let (wanted, is_wanted) = match word.strip_prefix("no-") {
        Some(name) if !is_known(word) => (name, false),
        _ => (word, true),
    };
    if !is_known(wanted) {
        return Err(Problem::Expectation(word.to_string()));
    }
    if facts.contains(&wanted) == is_wanted {
        return Ok(());
    }
    let mut was: Vec<&str> = Vec::new();
    for fact in facts {
        if !was.contains(fact) {
            was.push(fact);
        }
    }
    Err(Problem::Unmet { wanted: String::from(word), was: was.join(" ") })
}

fn is_known(word: &str) -> bool {
    let states = ["locked", "unlocked", "silent", "beeps", "steady", "duress", "nothing"];
    let levels = [level_text(Level::Energised), level_text(Level::DeEnergised)];
    let words = states.iter().chain(&levels).chain(&VIEWS);
    words.copied().chain(Reason::ALL.iter().map(|reason| reason.name())).any(|known| known == word)
}
