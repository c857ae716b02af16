//! Programs that were killed and have not ended: the kernel holds them in a driver that hangs.

use std::process::Child;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often it is looked.
const STEP: Duration = Duration::from_millis(10);

/// One for each camera at most: while it is there, that camera is not opened.
static HELD: Mutex<Vec<(u8, Child)>> = Mutex::new(Vec::new());

/// Kills the program of a camera. One that has not ended `within` is left to the kernel: whoever waits for it has no door.
pub(super) fn end(camera: u8, mut child: Child, within: Duration) {
    // Fails where it has ended by itself. Killed, not asked: one that hangs would not hear.
    let _ = child.kill();
    if !ended(&mut child, within) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push((camera, child));
    }
}

/// Whether the last program of this camera still has not ended.
pub(super) fn is_held(camera: u8) -> bool {
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    held.retain_mut(|(_, child)| !ended(child, Duration::ZERO));
    held.iter().any(|(of, _)| *of == camera)
}

/// Whether it ends `within`. One that cannot be asked is none of ours any more.
fn ended(child: &mut Child, within: Duration) -> bool {
    let mut waited = Duration::ZERO;
    while matches!(child.try_wait(), Ok(None)) {
        if waited >= within {
            return false;
        }
        std::thread::sleep(STEP);
        waited += STEP;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn program() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn a_program_that_does_not_end_is_not_waited_for_without_an_end() {
        let mut child = program();
        assert!(!ended(&mut child, STEP * 3));
        child.kill().unwrap();
        assert!(ended(&mut child, Duration::from_secs(60)));
    }

    #[test]
    fn a_camera_is_held_until_its_program_has_ended_and_no_other_camera_is() {
        let mut child = program();
        let id = child.id().to_string();
        assert!(!ended(&mut child, Duration::ZERO));
        HELD.lock().unwrap().push((7, child));
        assert!(is_held(7) && !is_held(6));
        assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
        while is_held(7) {
            std::thread::sleep(STEP);
        }
        end(7, program(), Duration::from_secs(60));
        assert!(!is_held(7));
    }
}
