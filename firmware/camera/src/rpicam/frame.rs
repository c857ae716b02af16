//! The newest frame, between the thread that reads the pipe and whoever asks.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why there will be no frame any more: what the program said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended(pub(super) String);

#[derive(Debug)]
struct Slot {
    /// The newest whole frame, where it has not been taken, and when it was whole.
    bytes: Vec<u8>,
    whole: Option<Instant>,
    ended: Option<Ended>,
}

/// Room for one whole frame; a newer one takes its place.
#[derive(Debug)]
pub(super) struct Newest {
    slot: Mutex<Slot>,
    changed: Condvar,
}

impl Newest {
    /// Room for frames of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let slot = Slot { bytes: vec![0; bytes], whole: None, ended: None };
        Self { slot: Mutex::new(slot), changed: Condvar::new() }
    }

    /// Puts a whole frame in, and takes the older one's room in exchange.
    pub(super) fn put(&self, frame: &mut Vec<u8>) {
        let mut slot = self.lock();
        std::mem::swap(&mut slot.bytes, frame);
        slot.whole = Some(Instant::now());
        self.changed.notify_all();
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, ended: Ended) {
        self.lock().ended = Some(ended);
        self.changed.notify_all();
    }

    /// Exchanges `frame` for the newest whole one, waiting for it until `timeout`: `false` when none came. One that is
    /// older than `timeout` counts as none: the camera has stood still since.
    pub(super) fn take(&self, frame: &mut Vec<u8>, timeout: Duration) -> Result<bool, Ended> {
        let deadline = Instant::now() + timeout;
        let mut slot = self.lock();
        loop {
            if slot.whole.take().is_some_and(|whole| whole.elapsed() <= timeout) {
                std::mem::swap(&mut slot.bytes, frame);
                return Ok(true);
            }
            if let Some(ended) = &slot.ended {
                return Err(ended.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            slot = self.changed.wait_timeout(slot, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(20);

    #[test]
    fn a_newer_frame_takes_the_place_of_one_that_nobody_took() {
        let newest = Newest::new(1);
        newest.put(&mut vec![1]);
        newest.put(&mut vec![2]);
        let mut frame = vec![0];
        assert_eq!(newest.take(&mut frame, Duration::from_secs(9)), Ok(true));
        assert_eq!(frame, [2]);
        assert_eq!(newest.take(&mut frame, SHORT), Ok(false), "no frame is given twice");
    }

    #[test]
    fn a_frame_from_before_the_camera_stood_still_is_none() {
        let newest = Newest::new(1);
        newest.put(&mut vec![1]);
        std::thread::sleep(3 * SHORT);
        assert_eq!(newest.take(&mut vec![0], SHORT), Ok(false));
    }

    #[test]
    fn the_last_whole_frame_comes_before_the_end() {
        let newest = Newest::new(1);
        newest.put(&mut vec![1]);
        newest.end(Ended("no cameras available".to_owned()));
        assert_eq!(newest.take(&mut vec![0], Duration::from_secs(9)), Ok(true));
        assert_eq!(newest.take(&mut vec![0], SHORT).unwrap_err().0, "no cameras available");
    }
}
