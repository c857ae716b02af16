//! Writes what survives a restart, on a thread of its own: the door waits for no card.

use super::Link;
use crate::daemon::clock::Clock;
use crate::home::door::KeptDoor;
use arcdoor_api::{DoorFault, Entry};
use arcdoor_door::Kept;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// The thread; dropped, it ends once the newest is written.
pub(super) struct KeptWriter {
    desk: Arc<Desk>,
    link: Arc<Link>,
    thread: Option<JoinHandle<()>>,
}

/// What lies there to be written: the newest, whatever came before it.
#[derive(Default)]
struct Desk {
    papers: Mutex<Papers>,
    bell: Condvar,
}

#[derive(Default)]
struct Papers {
    newest: Option<Kept>,
    is_closing: bool,
}

impl KeptWriter {
    /// Writes into these files; what cannot be written is told by `link`.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(super) fn open(
        files: KeptDoor,
        link: Arc<Link>,
        clock: Arc<dyn Clock + Send + Sync>,
    ) -> std::io::Result<Self> {
        let desk = Arc::new(Desk::default());
        let (shared, told) = (desk.clone(), link.clone());
        let work = move || {
            while let Some(kept) = shared.next() {
                let written = files.write(&kept);
                let is_written = written.is_ok();
                if let Err(error) = written {
                    let (fault, why) = (DoorFault::NotKept, error.to_string());
                    told.log(Entry::DoorFault { fault, why }, clock.now().utc);
                }
                let papers = shared.papers();
                told.set_kept(is_written && papers.newest.is_none());
            }
        };
        let thread = Builder::new().name("kept".to_owned()).spawn(work)?;
        Ok(Self { desk, link, thread: Some(thread) })
    }

    /// Leaves this to be written.
    pub(super) fn put(&self, kept: &Kept) {
        let mut papers = self.desk.papers();
        papers.newest = Some(kept.clone());
        self.link.set_kept(false);
        drop(papers);
        self.desk.bell.notify_one();
    }
}

impl Desk {
    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to write; none: nothing comes any more.
    fn next(&self) -> Option<Kept> {
        let idle = |papers: &mut Papers| papers.newest.is_none() && !papers.is_closing;
        let papers = self.bell.wait_while(self.papers(), idle);
        papers.unwrap_or_else(PoisonError::into_inner).newest.take()
    }
}

impl Drop for KeptWriter {
    fn drop(&mut self) {
        self.desk.papers().is_closing = true;
        self.desk.bell.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic in it has been told already.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::SystemClock;
    use crate::home::Home;

    #[test]
    fn the_newest_is_written_before_the_writer_ends_and_what_cannot_be_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let files = KeptDoor::new(&Home::resolve(Some(dir.path().to_owned())).unwrap());
        let (link, clock) = (Arc::new(Link::default()), Arc::new(SystemClock::start()));
        let writer = KeptWriter::open(files.clone(), link.clone(), clock.clone()).unwrap();
        for number in 0..100 {
            writer.put(&Kept { lockdown: number % 2 == 1, ..Kept::default() });
        }
        while !link.is_kept() {
            std::thread::yield_now();
        }
        assert!(files.read().0.lockdown, "said to be kept before it was");
        drop(writer);
        assert!(files.read().0.lockdown && link.entry().is_none());
        let gone = KeptDoor::new(&Home::resolve(Some(dir.path().join("gone/away"))).unwrap());
        let writer = KeptWriter::open(gone, link.clone(), clock).unwrap();
        writer.put(&Kept::default());
        drop(writer);
        assert!(!link.is_kept(), "what could not be written is not kept");
        let told = link.entry().unwrap().0;
        assert!(matches!(told, Entry::DoorFault { fault: DoorFault::NotKept, .. }), "{told:?}");
    }
}
