//! A door without hardware: keys press its buttons, and what happens is told in words.

use super::lines::Lines;
use super::text::Text;
use crate::device::Reply;
use crate::error::Error;
use arcdoor_api::{Reason, Response, Verdict};
use arcdoor_board::{Act, Hand};
use arcdoor_core::RetryReason;
use std::io::{self, Read, Write};

/// Takes keys from the terminal until it ends; what is no key does nothing.
pub(super) fn play(hand: Hand) {
    // Without a thread, the door stands there all the same.
    let _ = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
        for byte in io::stdin().lock().bytes().map_while(Result::ok) {
            if let Some(act) = Act::from_key(char::from(byte)) {
                hand.act(act);
            }
        }
    });
}

/// What can be pressed.
pub(super) fn keys() -> String {
    format!("a simulated door; keys (then Enter): {}", Act::KEYS)
}

/// Tells what happens: of frames only the decisions, and each once.
pub(super) struct Teller {
    text: Text,
    last: Option<Verdict>,
}

impl Teller {
    pub(super) fn new() -> Self {
        Self { text: Text::new(0), last: None }
    }
}

impl Reply for Teller {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        let told = match response {
            // Whoever stays is looked at on and on.
            Response::Frame { sight, .. }
                if self.last == Some(sight.decision)
                    || sight.reason == Some(Reason::Retry(RetryReason::Looking)) =>
            {
                return Ok(());
            }

            Response::Frame { sight, at_ms, .. } => {
                self.last = Some(sight.decision);
                let who = sight.candidate.as_ref().map_or_else(String::new, |name| format!(" {name}"));
                let why = sight.reason.map_or_else(String::new, |reason| format!(": {}", reason.text()));
                let who = if sight.decision == Verdict::Granted { who } else { String::new() };
                writeln!(
                    out,
                    "{:>8.1} s  recognition: {}{who}{why}",
                    *at_ms as f64 / 1e3,
                    sight.decision.text()
                )
            }
            other => self.text.print(&mut Lines(&mut out), other),
        };
        told.and_then(|()| out.flush()).map_err(Error::Output)
    }
}
