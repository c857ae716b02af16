//! Digits become a PIN, and a PIN that was looked at becomes a credential. A hash takes a while: neither the door nor
//! recognition waits for it.

use super::clock::Clock;
use super::door::Link;
use crate::home::Home;
use crate::home::pin_book::{DIGITS, Entered, PinBook};
use arcdoor_api::{DoorFault, Entry};
use arcdoor_door::{Credential, Event, Factor};
use arcdoor_panel::Key;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// After so long without a key, what was typed is forgotten.
const LEFT: Duration = Duration::from_secs(10);
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
}

/// Takes keys from then on, for as long as somebody can press them.
///
/// # Errors
/// When there can be no thread.
pub fn open(home: Home, link: Arc<Link>, clock: Arc<dyn Clock + Send + Sync>) -> std::io::Result<Keys> {
    let (keys, pressed) = sync_channel(MAX_KEYS);
    let digits = Zeroizing::new(String::with_capacity(*DIGITS.end()));
    let keypad = Keypad { home, link, clock, digits };
    std::thread::Builder::new().name("keypad".to_owned()).spawn(move || keypad.keep(&pressed, LEFT))?;
    Ok(keys)
}

impl Keypad {
    fn keep(mut self, pressed: &Receiver<Key>, left: Duration) {
        loop {
            match pressed.recv_timeout(left) {
                Ok(key) => self.press(key),
                // What somebody left is not the next person's.
                Err(RecvTimeoutError::Timeout) => self.digits.zeroize(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let entered = u8::try_from(self.digits.len()).unwrap_or(u8::MAX);
            self.link.see(|seen| seen.entered = entered);
        }
    }

    fn press(&mut self, key: Key) {
        match key {
            Key::Digit(digit) if self.digits.len() < *DIGITS.end() => {
                self.digits.push(char::from(b'0' + digit.min(9)));
            }
            Key::Digit(_) => {}
            Key::Erase => {
                self.digits.pop();
            }
            // Of nothing no guess is counted.
            Key::Enter if self.digits.is_empty() => {}
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::SystemClock;
    use std::thread::{sleep, spawn};

    #[test]
    fn what_somebody_left_is_forgotten_and_no_guess_is_counted_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(folder.path().to_owned())).unwrap();
        let (link, digits) = (Arc::new(Link::default()), Zeroizing::new(String::new()));
        let keypad = Keypad { home, link: link.clone(), clock: Arc::new(SystemClock::start()), digits };
        let (keys, pressed) = sync_channel(MAX_KEYS);
        let thread = spawn(move || keypad.keep(&pressed, Duration::from_millis(50)));
        let entered = || {
            let mut entered = 0;
            link.see(|seen| entered = seen.entered);
            entered
        };
        // It stands for 50 ms, which a busy machine may not see.
        while entered() == 0 {
            let _ = keys.try_send(Key::Digit(1));
            sleep(Duration::from_millis(1));
        }
        while entered() > 0 {
            sleep(Duration::from_millis(1));
        }
        keys.send(Key::Enter).unwrap();
        drop(keys);
        thread.join().unwrap();
        assert!(link.event().is_none(), "nobody entered anything");
    }
}
