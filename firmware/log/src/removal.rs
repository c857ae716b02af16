//! Removing what is too old or too much.

use crate::error::{LogError, io_error};
use crate::folder::Folder;
use crate::log::Log;
use crate::retention::Kept;
use crate::segment;
use arcdoor_api::{Content, Link, UtcTime};

impl<F: Folder> Log<F> {
    /// Removes segments as [`crate::Retention`] says. What goes is recorded, durably, before it goes; where the power
    /// is cut in between, the next time records it once more.
    pub(crate) fn sweep(&mut self, at: UtcTime) -> Result<(), LogError> {
        self.swept = at;
        let removed = self.retention.surplus(&self.kept()?, at);
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

    fn kept(&self) -> Result<Vec<Kept>, LogError> {
        let kept = |segment: &segment::Heading| {
            let bytes = self.folder.len(&segment::name(segment.number)).map_err(io_error("reading"))?;
            Ok(Kept { began: segment.began, bytes: bytes.unwrap_or(0) })
        };
        self.segments.iter().map(kept).collect()
    }
}
