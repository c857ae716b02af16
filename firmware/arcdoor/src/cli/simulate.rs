//! A door without hardware: keys press its buttons, and what happens is told in words.

use super::lines::Lines;
use super::text::Text;
use crate::daemon::keypad::Keys;
use crate::device::Reply;
use crate::error::Error;
use arcdoor_api::{Reason, Response, Verdict};
use arcdoor_board::{Act, Hand};
use arcdoor_core::RetryReason;
use arcdoor_panel::Key;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The hand at the lines that are open now: they are opened anew where the door's thread failed.
pub(super) type Slot = Arc<Mutex<Option<Hand>>>;

/// Takes keys from the terminal until it ends; what is no key does nothing.
pub(super) fn play(hand: Slot, keys: Keys) {
    // Without a thread, the door stands there all the same.
    let _ = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
        for byte in io::stdin().lock().bytes().map_while(Result::ok) {
            if let Some(act) = Act::from_key(char::from(byte)) {
                if let Some(hand) = hand.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                    hand.act(act);
                }
            } else if let Some(key) = pad(byte) {
                // Nobody types faster than that.
                let _ = keys.try_send(key);
            }
        }
    });
}

fn pad(byte: u8) -> Option<Key> {
    match byte {
        b'0'..=b'9' => Some(Key::Digit(byte - b'0')),
        b'#' => Some(Key::Enter),
        b'*' => Some(Key::Erase),
        _ => None,
    }
}

/// What can be pressed.
pub(super) fn keys() -> String {
    format!("a simulated door; keys (then Enter): {}; 0 to 9 and # enter a PIN", Act::KEYS)
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
