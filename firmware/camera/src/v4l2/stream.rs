//! Taking the newest frame from a running queue of buffers.

use std::time::{Duration, Instant};

use rustix::io::Errno;

/// A buffer that the driver has filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) index: usize,
    /// Bytes that hold the frame.
    pub(super) used: usize,
    /// The driver says that the data is damaged.
    pub(super) damaged: bool,
}

/// A driver's queue of buffers.
pub(super) trait Queue: std::fmt::Debug {
    /// Waits until a buffer is filled; `false` when `timeout` is over.
    fn wait(&mut self, timeout: Duration) -> Result<bool, Errno>;
    /// Takes a filled buffer, where there is one.
    fn dequeue(&mut self) -> Result<Option<Filled>, Errno>;
    /// Gives a buffer back to be filled.
    fn enqueue(&mut self, index: usize) -> Result<(), Errno>;
    /// How many buffers there are.
    fn buffers(&self) -> usize;
    /// What a filled buffer holds.
    fn bytes(&self, filled: &Filled) -> &[u8];
}

impl Queue for Box<dyn Queue> {
    fn wait(&mut self, timeout: Duration) -> Result<bool, Errno> {
        (**self).wait(timeout)
    }

    fn dequeue(&mut self) -> Result<Option<Filled>, Errno> {
        (**self).dequeue()
    }

    fn enqueue(&mut self, index: usize) -> Result<(), Errno> {
        (**self).enqueue(index)
    }

    fn buffers(&self) -> usize {
        (**self).buffers()
    }

    fn bytes(&self, filled: &Filled) -> &[u8] {
        (**self).bytes(filled)
    }
}

/// Why there is no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoFrame {
    /// None came in time.
    Stalled,
    /// The driver failed.
    Failed(Errno),
}

impl From<Errno> for NoFrame {
    fn from(errno: Errno) -> Self {
        Self::Failed(errno)
    }
}

/// A running capture. At most one buffer is kept back from the driver: the one that is being looked at.
#[derive(Debug)]
pub(super) struct Stream<Q> {
    pub(super) queue: Q,
    held: Option<usize>,
}

impl<Q: Queue> Stream<Q> {
    pub(super) const fn new(queue: Q) -> Self {
        Self { queue, held: None }
    }

    /// The newest whole frame; older ones that wait go back to the driver unseen. The buffer stays ours
    /// until the next call.
    pub(super) fn newest(&mut self, timeout: Duration) -> Result<Filled, NoFrame> {
        let deadline = Instant::now() + timeout;
        if let Some(index) = self.held.take() {
            self.queue.enqueue(index)?;
        }
        loop {
            if let Some(newest) = self.drain()? {
                self.held = Some(newest.index);
                return Ok(newest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !self.queue.wait(left)? {
                return Err(NoFrame::Stalled);
            }
        }
    }

    /// Takes what is filled now, each buffer once, so that a fast driver cannot keep us here.
    fn drain(&mut self) -> Result<Option<Filled>, Errno> {
        let mut newest: Option<Filled> = None;
        for _ in 0..self.queue.buffers() {
            let filled = match self.queue.dequeue() {
                Ok(Some(filled)) => filled,
                Ok(None) => break,
                // Nothing may stay with us when the call fails: the driver would run dry.
                Err(errno) => {
                    if let Some(newest) = newest {
                        let _ = self.queue.enqueue(newest.index);
                    }
                    return Err(errno);
                }
            };
            if filled.damaged || filled.used == 0 {
                self.queue.enqueue(filled.index)?;
            } else if let Some(older) = newest.replace(filled) {
                self.queue.enqueue(older.index)?;
            }
        }
        Ok(newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v4l2::fake::{FakeQueue, good};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_newest_frame_comes_and_the_older_ones_go_back() {
        let filled = [good(2), good(0), good(3)].map(Ok).into();
        let mut stream = Stream::new(FakeQueue { filled, ..FakeQueue::default() });
        assert_eq!(stream.newest(SECOND), Ok(good(3)));
        assert_eq!(stream.queue.queued, [2, 0]);
        assert_eq!(stream.newest(SECOND), Err(NoFrame::Stalled));
        assert_eq!(stream.queue.queued, [2, 0, 3], "the frame that was looked at goes back as well");
    }

    #[test]
    fn damaged_and_empty_buffers_are_passed_over() {
        let broken = Filled { damaged: true, ..good(1) };
        let empty = Filled { used: 0, ..good(2) };
        let later = [vec![Ok(broken), Ok(empty)], vec![Ok(good(3)), Ok(broken)]].into();
        let mut stream = Stream::new(FakeQueue { later, ..FakeQueue::default() });
        assert_eq!(stream.newest(SECOND), Ok(good(3)));
        assert_eq!(stream.queue.queued, [1, 2, 1]);
    }

    #[test]
    fn a_camera_that_only_sends_damage_stalls_within_its_time() {
        let endless = Some(Filled { damaged: true, ..good(1) });
        let mut stream = Stream::new(FakeQueue { endless, ..FakeQueue::default() });
        assert_eq!(stream.newest(Duration::from_millis(20)), Err(NoFrame::Stalled));
    }

    #[test]
    fn an_unplugged_camera_is_an_error_and_every_buffer_goes_back() {
        let filled = [Ok(good(0)), Err(Errno::NODEV)].into();
        let mut stream = Stream::new(FakeQueue { filled, ..FakeQueue::default() });
        assert_eq!(stream.newest(SECOND), Err(NoFrame::Failed(Errno::NODEV)));
        assert_eq!(stream.queue.queued, [0]);
    }
}
