//! A policy as lines of text.

use super::duration::duration_ms;
use super::problem::Problem;
use crate::{FailMode, Fields, MethodHours, Policy, TwoPerson, Window};
use std::string::ToString;

/// Whether a line is one of the rules.
#[must_use]
pub fn is_rule(line: &str) -> bool {
    line.split_whitespace().next() == Some("policy")
}

/// The policy that lines such as `policy unlock 5s` make.
///
/// # Errors
/// A line that is no rule, or rules that cannot be.
pub fn policy<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Policy, Problem> {
    let mut fields = Fields::default();
    for line in lines {
        let mut words = line.split_whitespace().skip(1);
        let (key, value) = (words.next(), words.collect::<std::vec::Vec<_>>());
        key.and_then(|key| apply(&mut fields, key, &value)).ok_or_else(|| Problem::Rule(line.to_string()))?;
    }
    Ok(Policy::new(fields)?)
}

fn apply(fields: &mut Fields, key: &str, value: &[&str]) -> Option<()> {
    let ms = || duration_ms(value.first()?).and_then(|ms| u32::try_from(ms).ok());
    match (key, value) {
        ("fail-mode", ["secure"]) => fields.fail_mode = FailMode::Secure,
        ("fail-mode", ["safe"]) => fields.fail_mode = FailMode::Safe,
        ("unlock", [_]) => fields.unlock_ms = ms()?,
        ("exit", [_]) => fields.exit_ms = ms()?,
        ("held-warn", [_]) => fields.held.warn_ms = ms()?,
        ("held-alarm", [_]) => fields.held.alarm_ms = ms()?,
        ("factor", [_]) => fields.factor_ms = ms()?,
        ("two-person", [_]) => fields.two_person = Some(TwoPerson { within_ms: ms()? }),
        ("anti-passback", ["on"]) => fields.anti_passback = true,
        ("methods", [methods]) => fields.methods = methods.parse().ok()?,
        ("in-alarm", [methods]) => fields.in_alarm = Some(methods.parse().ok()?),
        ("unlocked", [days, hours]) => {
            let window = Window { days: days.parse().ok()?, hours: hours.parse().ok()? };
            fields.schedule.unlocked.push(window).ok()?;
        }
        ("methods-at", [days, hours, methods]) => {
            let (days, hours, methods) = (days.parse().ok()?, hours.parse().ok()?, methods.parse().ok()?);
            fields.schedule.methods.push(MethodHours { days, hours, methods }).ok()?;
        }
        ("holiday", [date]) => fields.schedule.holidays.push(date.parse().ok()?).ok()?,
        _ => return None,
    }
    Some(())
}
