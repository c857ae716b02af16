//! How long records are kept. Whole segments go, the oldest first, and the log says which.

use crate::denials::{MOST_A_DAY, seconds};
use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::log::Log;
use crate::segment::{self, SEGMENT_BYTES};
use arcdoor_api::{Content, Link, UtcTime};

/// At most so many segments go for their age at once, and the next ones when a segment has been filled or a day has
/// passed: a clock that jumped ahead by years makes everything old, and is put right sooner than that.
pub const MOST_OLD_AT_ONCE: usize = 2;
/// At most so many go for the log's size at once.
const MOST_AT_ONCE: usize = 8;

/// How long records are kept, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// So many days; a record may stay for a week more, since whole segments go.
    pub days: u16,
    /// So many bytes in all, the newest segment included; that one stays in any case.
    pub bytes: u64,
}

impl Retention {
    /// 90 days and 64 MiB.
    pub const DEFAULT: Self = Self { days: 90, bytes: 64 << 20 };
}

/// Denials alone, at the most that there can be, fill less than half of what is kept: a flood pushes out nobody's
/// grant. A decision's line is shorter than 512 bytes.
const _: () = assert!(MOST_A_DAY * 512 * (Retention::DEFAULT.days as u64 + 7) < Retention::DEFAULT.bytes / 2);

impl Default for Retention {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<F: Folder> Log<F> {
    /// Removes what is too old or too much. What goes is recorded, durably, before it goes; where the power is cut in
    /// between, the next time says so once more.
    pub(crate) fn sweep(&mut self, at: UtcTime) -> Result<(), LogError> {
        self.swept = at;
        let removed = self.surplus(at)?;
        if removed == 0 {
            return Ok(());
        }
        for index in 0..removed {
            let (segment, next) = (self.segments[index], self.segments[index + 1]);
            let last = next.first.saturating_sub(1);
            self.push(at, Content::Link(Link::Removed { first: segment.first, last, head: next.before }))?;
        }
        self.sync()?;
        let failed = io_error("removing old records of");
        for _ in 0..removed {
            self.folder.remove(&segment::name(self.segments[0].number)).map_err(&failed)?;
            self.segments.remove(0);
        }
        self.folder.sync().map_err(&failed)
    }

    /// How many of the oldest segments are to go.
    fn surplus(&self, at: UtcTime) -> Result<usize, LogError> {
        let most_s = u64::from(self.retention.days) * 86_400;
        // A segment is as old as its youngest record, and that is as old as the next segment.
        let old = self.segments.windows(2).take_while(|pair| seconds(pair[1].began, at) >= most_s).count();
        let mut total = self.written + self.pending.len() as u64;
        let mut kept = 1;
        for segment in self.segments.iter().rev().skip(1) {
            let length = self.folder.len(&segment::name(segment.number)).map_err(io_error("reading"))?;
            total += length.unwrap_or(SEGMENT_BYTES);
            if total > self.retention.bytes {
                break;
            }
            kept += 1;
        }
        let too_many = self.segments.len() - kept.min(self.segments.len());
        Ok(old.min(MOST_OLD_AT_ONCE).max(too_many.min(MOST_AT_ONCE)))
    }
}
