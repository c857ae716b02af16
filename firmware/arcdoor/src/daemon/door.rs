//! The door's thread. It never waits for recognition or the disk: the lock follows its state within a few hundredths of
//! a second, whatever else hangs.

mod calendar;
mod keeper;
mod kept_writer;
mod link;
mod porter;
mod recovery;

pub use calendar::Calendar;
pub use keeper::{Keeper, Told};
pub use link::{Link, MAX_ENTRIES, MAX_EVENTS, Part};
pub use porter::{DoorPorter, Nobody, Porter};
pub use recovery::{FREE_S, HOLD_MS};

use super::clock::Clock;
use crate::device::Now;
use crate::error::Error;
use crate::home::door::KeptDoor;
use arcdoor_api::{DoorFault, Entry};
use arcdoor_board::LineDriver;
use arcdoor_door::{Kept, Policy};
use kept_writer::KeptWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at the wires, milliseconds.
pub const LOOK_MS: u64 = 20;
/// From here on a silent loop counts as no recognition, milliseconds.
pub const SILENT_MS: u64 = 1_000;
/// After so long without a sign of life of a part, the program ends, and its supervisor starts it again: a thread that
/// hangs cannot be ended otherwise. Milliseconds.
pub const HUNG_MS: u64 = 10_000;
/// The same while the loop answers a request: a key that is renewed, or a pack that is run on both engines, takes its time.
pub const REQUEST_MS: u64 = 120_000;
/// Failures of the door's thread within a minute after which the program ends.
const MOST_RESTARTS: usize = 3;
const MINUTE_MS: u64 = 60_000;
/// How long the program's end waits for its last words to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Opens the board's lines, in their fail mode.
pub type OpenLines = Box<dyn FnMut(Now) -> Result<Box<dyn LineDriver + Send>, Error> + Send>;

/// What a door is kept with.
pub struct Doorkeeper {
    /// Its rules.
    pub policy: Policy,
    /// Where it stands.
    pub calendar: Calendar,
    /// Its wires.
    pub lines: OpenLines,
    /// What survives a restart.
    pub kept: KeptDoor,
    /// The time.
    pub clock: Arc<dyn Clock + Send + Sync>,
    /// Ends the program.
    pub end: Ending,
}

/// Ends the program, for this reason: see [`ending`].
pub type Ending = Arc<dyn Fn(&str) + Send + Sync>;

/// The running thread; dropped, it ends with its lines in their fail mode.
#[derive(Debug)]
pub struct Door {
    link: Arc<Link>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens the lines, and keeps the door from then on.
    ///
    /// # Errors
    /// When a line cannot be opened, or there can be no thread.
    pub fn open(mut keeper: Doorkeeper) -> Result<Self, Error> {
        let now = keeper.clock.now();
        let lines = (keeper.lines)(now)?;
        let link = Arc::new(Link::default());
        let (kept, is_lost) = keeper.kept.read();
        if is_lost {
            fault(&link, DoorFault::KeptLost, String::new(), now);
        }
        if let Some(why) = keeper.kept.take_last_words() {
            fault(&link, DoorFault::Hung, why, now);
        }
        for part in [Part::Loop, Part::Door] {
            link.beat(part, now.at);
        }
        let writer = KeptWriter::open(keeper.kept.clone(), link.clone(), keeper.clock.clone());
        let (writer, shared) = (writer.map_err(Error::Thread)?, link.clone());
        let work = move || keeper.keep(&shared, &writer, lines, kept);
        let thread = std::thread::Builder::new().name("door".to_owned()).spawn(work);
        Ok(Self { link, thread: Some(thread.map_err(Error::Thread)?) })
    }

    /// What others know it by.
    #[must_use]
    pub const fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.link.closing.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

impl Doorkeeper {
    /// Until the door is closed; what panics is thrown away, its lines with it.
    fn keep(mut self, link: &Link, writer: &KeptWriter, lines: Box<dyn LineDriver + Send>, kept: Kept) {
        let (mut lines, mut kept) = (Some(lines), kept);
        let mut falls: heapless::Vec<u64, MOST_RESTARTS> = heapless::Vec::new();
        while !link.is_closing() {
            let round = AssertUnwindSafe(|| self.guard(link, writer, lines.take(), &mut kept));
            let why = match catch_unwind(round) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "it panicked".to_owned(),
            };
            let now = self.clock.now();
            falls.retain(|at| now.at.0.saturating_sub(*at) < MINUTE_MS);
            if falls.push(now.at.0).is_err() {
                (self.end)(&format!("the door's part failed {} times in a minute: {why}", MOST_RESTARTS + 1));
                return;
            }
            fault(link, DoorFault::Restarted, why, now);
            self.clock.rest(LOOK_MS);
        }
    }

    /// Looks, and looks again.
    fn guard(
        &mut self,
        link: &Link,
        writer: &KeptWriter,
        lines: Option<Box<dyn LineDriver + Send>>,
        kept: &mut Kept,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let is_first = lines.is_some();
        let lines = match lines {
            Some(lines) => lines,
            None => (self.lines)(now)?,
        };
        let mut keeper = Keeper::start(self.policy.clone(), kept.clone(), lines, self.door_time(now));
        if !is_first {
            keeper.forget_recovery();
        }
        while !link.is_closing() {
            let now = self.clock.now();
            link.beat(Part::Door, now.at);
            let mut changed = false;
            let events = std::iter::from_fn(|| link.event()).take(MAX_EVENTS);
            keeper.tick(events, self.door_time(now), &mut |told| match told {
                Told::Entry(entry) => link.log(entry, now.utc),
                Told::Keep => changed = true,
                Told::Recovery => {
                    link.free_installer(FREE_S);
                    link.log(Entry::InstallerFreed { seconds: FREE_S }, now.utc);
                }
            });
            if changed {
                kept.clone_from(keeper.kept());
                writer.put(kept);
            }
            let is_busy = link.is_busy();
            let silence = link.silence_ms(Part::Loop, now.at);
            let most = if is_busy { REQUEST_MS } else { HUNG_MS };
            if silence >= most {
                // Its lines go into the fail mode first: the program's end runs nothing any more.
                drop(keeper);
                (self.end)(&format!("recognition gave no sign of life for {} s", most / 1_000));
                return Ok(());
            }
            let mut state = keeper.state(self.door_time(now));
            state.recognition = (is_busy || silence < SILENT_MS) && link.has_camera();
            link.show(state, keeper.view());
            if let Some(why) = link.take_panel_fault() {
                fault(link, DoorFault::Panel, why, now);
            }
            self.clock.rest(LOOK_MS);
        }
        Ok(())
    }

    fn door_time(&self, now: Now) -> arcdoor_door::Now {
        arcdoor_door::Now { mono: now.at, civil: self.calendar.civil(now.utc) }
    }
}

fn fault(link: &Link, fault: DoorFault, why: String, now: Now) {
    link.log(Entry::DoorFault { fault, why }, now.utc);
}

/// What ends the program, with the reason for the next start. The kernel gives back the lines that are still held; where it
/// does not keep their levels, the board's pulls bring the lock into its fail mode.
#[must_use]
pub fn ending(kept: KeptDoor) -> Ending {
    Arc::new(move |why| {
        let (kept, why) = (kept.clone(), why.to_owned());
        let (written, wait) = std::sync::mpsc::channel();
        // The disk may be what hangs; and without a thread, the next start does not know why.
        let _ = std::thread::Builder::new().spawn(move || {
            kept.leave_last_words(&why);
            let _ = written.send(());
        });
        let _ = wait.recv_timeout(LAST_WORDS);
        std::process::exit(i32::from(crate::error::DEVICE));
    })
}

#[cfg(test)]
mod tests;
