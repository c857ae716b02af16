//! A driver without a kernel: a script of what it does.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use rustix::io::Errno;

use super::driver::Driver;
use super::format::{FourCc, Mode, Wanted};
use super::stream::{Filled, Queue};
use crate::error::CameraError;

/// Four buffers and a script of what the driver does.
#[derive(Debug, Clone, Default)]
pub(super) struct FakeQueue {
    pub(super) filled: VecDeque<Result<Filled, Errno>>,
    /// What each wait adds to `filled`.
    pub(super) later: VecDeque<Vec<Result<Filled, Errno>>>,
    pub(super) queued: Vec<usize>,
    /// What every `dequeue` gives, if set: `filled` and `later` are then not looked at.
    pub(super) endless: Option<Filled>,
    /// What every buffer holds.
    pub(super) bytes: Vec<u8>,
}

impl Queue for FakeQueue {
    fn wait(&mut self, _: Duration) -> Result<bool, Errno> {
        if self.endless.is_some() {
            return Ok(true);
        }
        let Some(more) = self.later.pop_front() else { return Ok(false) };
        self.filled.extend(more);
        Ok(true)
    }

    fn dequeue(&mut self) -> Result<Option<Filled>, Errno> {
        match self.endless {
            Some(filled) => Ok(Some(filled)),
            None => self.filled.pop_front().transpose(),
        }
    }

    fn enqueue(&mut self, index: usize) -> Result<(), Errno> {
        self.queued.push(index);
        Ok(())
    }

    fn buffers(&self) -> usize {
        4
    }

    fn bytes(&self, filled: &Filled) -> &[u8] {
        &self.bytes[..filled.used.min(self.bytes.len())]
    }
}

/// A buffer with ten bytes of a frame.
pub(super) const fn good(index: usize) -> Filled {
    Filled { index, used: 10, damaged: false }
}

/// A camera of one mode, whose queue is started once for each script.
#[derive(Debug)]
pub(super) struct FakeDriver {
    pub(super) code: [u8; 4],
    /// Bytes from row to row; 0: it does not say.
    pub(super) stride: usize,
    pub(super) scripts: RefCell<VecDeque<Result<FakeQueue, CameraError>>>,
}

impl Driver for FakeDriver {
    fn path(&self) -> &str {
        "/dev/fake"
    }

    fn modes(&self, _: Wanted) -> Result<Vec<Mode>, CameraError> {
        Ok(vec![Mode { code: FourCc::new(self.code), width: 16, height: 16, rate: None }])
    }

    fn set(&self, mode: &Mode, _: u32) -> Result<(Mode, usize), CameraError> {
        Ok((*mode, self.stride))
    }

    fn start(&self) -> Result<Box<dyn Queue>, CameraError> {
        let script = self.scripts.borrow_mut().pop_front();
        Ok(Box::new(script.unwrap_or_else(|| Ok(FakeQueue::default()))?))
    }
}
