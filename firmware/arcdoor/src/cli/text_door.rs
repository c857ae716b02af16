//! How the door stands, for people.

use super::lines::Lines;
use super::text_log::alarm_text;
use arcdoor_api::DoorState;
use arcdoor_door::{Contact, Position};
use std::io;

pub(super) fn print(out: &mut Lines<'_>, state: &DoorState) -> io::Result<()> {
    let DoorState { position, contact, alarms, lockdown, methods, line, recognition } = state;
    let position = match position {
        Position::Locked => "locked",
        Position::Unlocked => "UNLOCKED",
    };
    let contact = match contact {
        Some(Contact::Open) => "stands open",
        Some(Contact::Closed) => "is closed",
        None => "has no contact that says whether it is closed",
    };
    writeln!(out, "the lock is {position}; the door {contact}")?;
    for alarm in alarms {
        writeln!(out, "ALARM: {}; close the door, then `arcdoor door acknowledge`", alarm_text(*alarm))?;
    }
    if *lockdown {
        writeln!(out, "lockdown: nobody is let in until `arcdoor door end-lockdown`")?;
    }
    let names: Vec<_> = methods.iter().map(|method| method.text()).collect();
    let names = if names.is_empty() { "nothing, at this hour".to_owned() } else { names.join(", ") };
    writeln!(out, "what opens it: {names}")?;
    if let Some(line) = line {
        writeln!(out, "a line of the board does not work: {line}")?;
    }
    if *recognition { Ok(()) } else { writeln!(out, "no face is recognised now: the camera gives no frames") }
}
