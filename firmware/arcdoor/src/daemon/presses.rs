//! From fingers on the panel and keys beside the door to the keypad. A device that is unplugged is waited for.

use super::clock::Clock;
use super::door::Link;
use super::keypad::Keys;
use arcdoor_api::{DoorFault, Entry};
use arcdoor_board::{Press, PressDevice, PressError, Presses};
use arcdoor_panel::{Key, Keypad, ScreenSize, UiState};
use std::sync::Arc;
use std::thread::{Builder, sleep};
use std::time::Duration;

/// How long a look waits for a press, milliseconds: how late it is seen that the door is closed.
const WAIT_MS: u32 = 250;
/// Between two tries to open a device that is gone.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the device, each time anew.
pub type OpenPresses = Box<dyn FnMut() -> Result<PressDevice, PressError> + Send>;

/// One device that people press, and where its presses go.
pub struct Presser {
    /// Opens it.
    pub open: OpenPresses,
    /// The screen that a finger lies on.
    pub size: ScreenSize,
    /// The keypad.
    pub keys: Keys,
    /// The time, for the log.
    pub clock: Arc<dyn Clock + Send + Sync>,
}

impl Presser {
    /// Listens from then on, until the door is closed.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn listen(self, link: Arc<Link>) -> std::io::Result<()> {
        Builder::new().name("presses".to_owned()).spawn(move || self.keep(&link)).map(drop)
    }

    fn keep(mut self, link: &Link) {
        let mut is_told = false;
        while !link.is_closing() {
            let Err(error) = self.pass_on(link, &mut is_told) else { return };
            if !is_told {
                let why = error.to_string();
                link.log(Entry::DoorFault { fault: DoorFault::Keys, why }, self.clock.now().utc);
                is_told = true;
            }
            sleep(AGAIN);
        }
    }

    /// Until the door is closed, or the device is gone.
    fn pass_on(&mut self, link: &Link, is_told: &mut bool) -> Result<(), PressError> {
        let mut device = (self.open)()?;
        let mut presses = Presses::new();
        while !link.is_closing() {
            device.read(&mut presses, WAIT_MS)?;
            *is_told = false;
            for key in presses.iter().filter_map(|press| key(*press, link.screen(), self.size)) {
                // Nobody types faster than a keypad looks.
                let _ = self.keys.try_send(key);
            }
        }
        Ok(())
    }
}

/// What this press means on this screen.
fn key(press: Press, shown: Option<UiState>, size: ScreenSize) -> Option<Key> {
    match press {
        Press::Digit(digit) => Some(Key::Digit(digit)),
        Press::Erase => Some(Key::Erase),
        Press::Enter => Some(Key::Enter),
        Press::At { x, y } => {
            let Some(UiState::Pin { order, .. }) = shown else { return None };
            Keypad::new(size, order).key_at([x, y])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_panel::KeyOrder;

    #[test]
    fn a_finger_presses_the_digit_that_is_drawn_under_it_and_only_while_keys_are_drawn() {
        let size = ScreenSize::new(800, 480).unwrap();
        let turned = KeyOrder::new([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]).unwrap();
        let everywhere = |shown: Option<UiState>| {
            let places = (0..800).step_by(8).flat_map(|x| (0..480).step_by(8).map(move |y| (x, y)));
            places.filter_map(|(x, y)| key(Press::At { x, y }, shown, size)).collect::<Vec<_>>()
        };
        let pin = |order| Some(UiState::Pin { order, entered: 0 });
        let (usual, shuffled) = (everywhere(pin(KeyOrder::USUAL)), everywhere(pin(turned)));
        assert!(usual.contains(&Key::Enter) && (0..10).all(|digit| usual.contains(&Key::Digit(digit))));
        let first = |keys: &[Key]| keys.iter().find(|key| matches!(key, Key::Digit(_))).copied();
        assert_eq!((first(&usual), first(&shuffled)), (Some(Key::Digit(1)), Some(Key::Digit(9))));
        assert!(everywhere(Some(UiState::Idle)).is_empty() && everywhere(None).is_empty());
    }

    #[test]
    fn keys_beside_the_door_are_keys_whatever_is_shown() {
        let size = ScreenSize::new(240, 240).unwrap();
        assert_eq!(key(Press::Digit(4), None, size), Some(Key::Digit(4)));
        assert_eq!(key(Press::Enter, Some(UiState::Idle), size), Some(Key::Enter));
    }
}
