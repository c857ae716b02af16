//! What was done, by kind of attack.

use super::child::End;
use std::time::Duration;

/// The counts of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) rounds: usize,
    done: usize,
    /// Exit codes 1 to 5.
    refused: usize,
    killed: usize,
    slowest: Duration,
    pub(super) took: Duration,
}

impl Tally {
    pub(super) fn count(&mut self, end: &End) {
        match end.code {
            Some(0) => self.done += 1,
            Some(_) => self.refused += 1,
            None => self.killed += 1,
        }
        self.slowest = self.slowest.max(end.took);
    }

    pub(super) fn print_header() {
        println!(
            "| kind | rounds | commands | ended with 0 | with 1 to 5 | killed | slowest, s | in all, s |"
        );
        println!("|---|---|---|---|---|---|---|---|");
    }

    pub(super) fn print_row(&self, kind: &str) {
        let Self { rounds, done, refused, killed, .. } = self;
        println!(
            "| {kind} | {rounds} | {} | {done} | {refused} | {killed} | {:.1} | {:.0} |",
            done + refused + killed,
            self.slowest.as_secs_f64(),
            self.took.as_secs_f64(),
        );
    }
}
