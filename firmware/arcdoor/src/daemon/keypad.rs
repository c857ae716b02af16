//! Digits become a PIN, and a PIN that was looked at becomes a credential. A hash takes a while: neither the door nor
//! recognition waits for it.

use super::clock::Clock;
use super::door::Link;
use crate::home::Home;
use crate::home::pin_book::{DIGITS, Entered, PinBook};
use arcdoor_api::{DoorFault, Entry};
use arcdoor_core::Millis;
use arcdoor_door::{Credential, Event, Factor};
use arcdoor_panel::Key;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use zeroize::Zeroizing;

/// After so long without a key, what was typed is forgotten, milliseconds.
const LEFT_MS: u64 = 10_000;
/// Keys that wait.
const MAX_KEYS: usize = 32;

/// Where keys are pressed.
pub type Keys = SyncSender<Key>;

/// What was typed since the last PIN.
struct Keypad {
    home: Home,
    link: Arc<Link>,
    clock: Arc<dyn Clock + Send + Sync>,
    digits: Zeroizing<String>,
    /// When a key was pressed last.
    last: Millis,
}

/// Takes keys from then on, for as long as somebody can press them.
///
/// # Errors
/// When there can be no thread.
pub fn open(home: Home, link: Arc<Link>, clock: Arc<dyn Clock + Send + Sync>) -> std::io::Result<Keys> {
    let (keys, pressed) = sync_channel(MAX_KEYS);
    let digits = Zeroizing::new(String::with_capacity(*DIGITS.end()));
    let keypad = Keypad { home, link, clock, digits, last: Millis(0) };
    std::thread::Builder::new().name("keypad".to_owned()).spawn(move || keypad.keep(&pressed))?;
    Ok(keys)
}

impl Keypad {
    fn keep(mut self, pressed: &Receiver<Key>) {
        while let Ok(key) = pressed.recv() {
            self.press(key);
            let entered = u8::try_from(self.digits.len()).unwrap_or(u8::MAX);
            self.link.see(|seen| seen.entered = entered);
        }
    }

    fn press(&mut self, key: Key) {
        let now = self.clock.now().at;
        // What somebody left is not the next person's.
        if now.since(self.last) > LEFT_MS {
            self.digits.clear();
        }
        self.last = now;
        match key {
            Key::Digit(digit) if self.digits.len() < *DIGITS.end() => {
                self.digits.push(char::from(b'0' + digit.min(9)));
            }
            Key::Digit(_) => {}
            Key::Erase => {
                self.digits.pop();
            }
            Key::Enter => {
                let digits =
                    std::mem::replace(&mut self.digits, Zeroizing::new(String::with_capacity(*DIGITS.end())));
                let credential = self.looked_at(&digits);
                self.link.tell(Event::Present(credential));
            }
        }
    }

    /// Whose PIN it is: that of whoever showed a face or a card before.
    fn looked_at(&self, digits: &str) -> Credential {
        let (now, unknown) = (self.clock.now(), Credential::Unknown(Factor::Pin));
        let Some(subject) = self.link.presented(now.at) else { return unknown };
        let entered =
            PinBook::read(&self.home).and_then(|mut book| book.enter(subject, digits, now.utc.unix_s()));
        match entered {
            Ok(Entered::Right) => Credential::Pin { subject, duress: false },
            Ok(Entered::Duress) => Credential::Pin { subject, duress: true },
            Ok(Entered::Wrong) => unknown,
            Ok(Entered::Locked) => {
                let why = format!("subject {subject} entered a wrong PIN too often");
                self.link.log(Entry::DoorFault { fault: DoorFault::PinLocked, why }, now.utc);
                unknown
            }
            Err(error) => {
                self.link.log(Entry::DoorFault { fault: DoorFault::Pins, why: error.to_string() }, now.utc);
                unknown
            }
        }
    }
}
