//! What is wrong with a scenario, or with what came of it.

use crate::PolicyError;
use std::string::String;

/// Where a story stopped, and why.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ScenarioError {
    /// The line of the text, from 1.
    pub line: usize,
    /// Why.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// More than is read.
    #[error("a scenario has at most {0} lines: play it in parts")]
    TooLong(usize),
    /// No time that can be read.
    #[error("\"{0}\" is no time: write 1:05.5, +5s, +300ms, or -5s for a clock that jumps back")]
    Time(String),
    /// A time before the last one.
    #[error(
        "this is before the line above: put the lines in order, or write -5s for a clock that jumps back"
    )]
    Order,
    /// No event that is known.
    #[error("\"{0}\" is no event: see the list of events in docs/door.md")]
    Event(String),
    /// No rule that is known, or a value that cannot be read.
    #[error("\"{0}\" is no rule: see the list of rules in docs/door.md")]
    Rule(String),
    /// A rule, or who is inside, after the door began.
    #[error("this stands before the first event: move the line up")]
    LateRule,
    /// Rules that cannot be.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A clock that cannot be read.
    #[error("\"{0}\" is no clock: write clock 2026-11-30 07:59, or clock unset")]
    Clock(String),
    /// Something to expect that is not known.
    #[error("\"{0}\" cannot be expected: see what can in docs/door.md")]
    Expectation(String),
    /// What was expected did not come.
    #[error("expected {wanted}; there was: {was}")]
    Unmet {
        /// What was expected.
        wanted: String,
        /// What there was.
        was: String,
    },
}
