//! Reads the program's two pipes until it ends, or until nobody wants frames any more.

use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::process::{ChildStderr, ChildStdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::frame::{Ended, Newest};

/// How long a look at the pipes waits before it asks whether it is still wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Of what the program says, the end is kept: so many bytes.
const MAX_SAID: usize = 400;

/// The ends of the pipes that are ours.
pub(super) struct Pipes {
    pub(super) frames: ChildStdout,
    pub(super) words: ChildStderr,
}

impl Pipes {
    /// Reads frames of so many bytes into `newest`, each whole; what is cut short at the end is left out.
    pub(super) fn read(mut self, bytes: usize, newest: &Arc<Newest>, stop: &AtomicBool) {
        let (mut frame, mut filled) = (vec![0; bytes], 0);
        let mut said = Vec::with_capacity(2 * MAX_SAID);
        let mut speaks = true;
        while !stop.load(Ordering::Relaxed) {
            let [has_frames, has_words] = self.ready(speaks);
            if has_words {
                speaks = self.hear(&mut said);
            }
            if !has_frames {
                continue;
            }
            match self.frames.read(&mut frame[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if filled == bytes {
                newest.put(&mut frame);
                filled = 0;
            }
        }
        // What it said before it ended may still lie in the pipe.
        while speaks && self.ready(true)[1] && !stop.load(Ordering::Relaxed) {
            speaks = self.hear(&mut said);
        }
        newest.end(Ended(last_line(&said)));
    }

    /// Whether frames, and words, can be read without waiting; waits for a moment.
    fn ready(&self, speaks: bool) -> [bool; 2] {
        let mut all = [
            PollFd::from_borrowed_fd(self.frames.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.words.as_fd(), PollFlags::IN),
        ];
        let looked_at = if speaks { &mut all[..] } else { &mut all[..1] };
        if poll(looked_at, Some(&LOOK)).is_err() {
            return [false; 2];
        }
        all.map(|end| !end.revents().is_empty())
    }

    /// Keeps the end of what the program says; `false` when it says nothing any more.
    fn hear(&mut self, said: &mut Vec<u8>) -> bool {
        let mut more = [0; MAX_SAID];
        match self.words.read(&mut more) {
            Ok(0) => false,
            Ok(length) => {
                said.extend_from_slice(&more[..length]);
                said.drain(..said.len().saturating_sub(MAX_SAID));
                true
            }
            Err(error) => error.kind() == ErrorKind::Interrupted,
        }
    }
}

/// The last line that says something, without what would move a terminal's cursor.
fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("it said nothing").chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_said_last_is_one_plain_line() {
        assert_eq!(
            last_line(b"Made X\nERROR: *** \x1b[1mno cameras available ***\n\n"),
            "ERROR: *** [1mno cameras available ***"
        );
        assert_eq!(last_line(b"\n \n"), "it said nothing");
    }
}
