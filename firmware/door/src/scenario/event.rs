//! Events as text.

use crate::{Contact, Credential, Event, Factor, Level};
use arcdoor_core::SubjectId;
use std::format;
use std::string::{String, ToString};

/// How a scenario writes `event`, where `name` says what a subject is called.
#[must_use]
pub fn event_text(event: Event, name: &dyn Fn(SubjectId) -> String) -> String {
    let on = |is_on: bool| if is_on { "on" } else { "off" };
    match event {
        Event::Tick => "tick".to_string(),
        Event::Present(Credential::Face(subject)) => format!("face {}", name(subject)),
        Event::Present(Credential::Card(subject)) => format!("card {}", name(subject)),
        Event::Present(Credential::Pin { subject, duress: false }) => format!("pin {}", name(subject)),
        Event::Present(Credential::Pin { subject, duress: true }) => format!("duress {}", name(subject)),
        Event::Present(Credential::Unknown(Factor::Face)) => "unknown face".to_string(),
        Event::Present(Credential::Unknown(Factor::Card)) => "unknown card".to_string(),
        Event::Present(Credential::Unknown(Factor::Pin)) => "unknown pin".to_string(),
        Event::Exit => "exit".to_string(),
        Event::Contact(Contact::Open) => "contact open".to_string(),
        Event::Contact(Contact::Closed) => "contact closed".to_string(),
        Event::Tamper(is_on) => format!("tamper {}", on(is_on)),
        Event::Fire(is_on) => format!("fire {}", on(is_on)),
        Event::Lockdown(is_on) => format!("lockdown {}", on(is_on)),
        Event::FireReset => "fire-reset".to_string(),
        Event::Acknowledge => "acknowledge".to_string(),
        Event::ReadBack(level) => format!("read-back {}", level_text(level)),
        Event::Left(subject) => format!("left {}", name(subject)),
        Event::ForgetInside => "forget-inside".to_string(),
    }
}

/// How a scenario writes a level.
pub(super) const fn level_text(level: Level) -> &'static str {
    match level {
        Level::Energised => "energised",
        Level::DeEnergised => "de-energised",
    }
}

/// The event that `words` are, where `subject` numbers names; `None`: none.
pub(super) fn event(words: &[&str], mut subject: impl FnMut(&str) -> SubjectId) -> Option<Event> {
    let fixed = [
        Event::Tick,
        Event::Present(Credential::Unknown(Factor::Face)),
        Event::Present(Credential::Unknown(Factor::Card)),
        Event::Present(Credential::Unknown(Factor::Pin)),
        Event::Exit,
        Event::Contact(Contact::Open),
        Event::Contact(Contact::Closed),
        Event::Tamper(true),
        Event::Tamper(false),
        Event::Fire(true),
        Event::Fire(false),
        Event::Lockdown(true),
        Event::Lockdown(false),
        Event::FireReset,
        Event::Acknowledge,
        Event::ReadBack(Level::Energised),
        Event::ReadBack(Level::DeEnergised),
        Event::ForgetInside,
    ];
    let nobody = |_| String::new();
    let text = words.join(" ");
    if let Some(event) = fixed.into_iter().find(|event| event_text(*event, &nobody) == text) {
        return Some(event);
    }
    match *words {
        ["face", name] => Some(Event::Present(Credential::Face(subject(name)))),
        ["card", name] => Some(Event::Present(Credential::Card(subject(name)))),
        ["pin", name] => Some(Event::Present(Credential::Pin { subject: subject(name), duress: false })),
        ["duress", name] => Some(Event::Present(Credential::Pin { subject: subject(name), duress: true })),
        ["left", name] => Some(Event::Left(subject(name))),
        _ => None,
    }
}
