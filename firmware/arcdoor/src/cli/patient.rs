//! Standard output that does not wait for ever: a reader that has stopped reading must not stop the door, and must not
//! find a grant in its pipe minutes later.

use crate::home::lock::PATIENCE;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Write};
use std::os::fd::AsFd;

/// Bytes that a pipe takes whole once it says that it takes any (PIPE_BUF of Linux).
const PIECE: usize = 4096;

/// Writes to `to`, and waits for its reader at most 2 s for each piece of 4096 bytes.
pub(super) struct Patient<W> {
    to: W,
}

impl<W: AsFd> Patient<W> {
    pub(super) const fn new(to: W) -> Self {
        Self { to }
    }

    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the reader takes nothing.
    fn wait(&self) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.to, PollFlags::OUT)];
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        loop {
            match poll(&mut fds, Some(&patience)) {
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl<W: AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait()?;
        Ok(rustix::io::write(&self.to, &bytes[..bytes.len().min(PIECE)])?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
