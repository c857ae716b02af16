//! What the door's thread, the loop and the socket know of each other: bounded queues, pulses, and the newest state.

use crate::daemon::screen::{Seen, shown};
use arcdoor_api::{DoorState, Entry, UtcTime};
use arcdoor_core::{Millis, SubjectId};
use arcdoor_door::limits::MAX_DELAY_MS;
use arcdoor_door::{Event, View};
use arcdoor_panel::UiState;
use heapless::mpmc::Queue;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Events that wait for the door.
pub const MAX_EVENTS: usize = 64;
/// Entries that wait for the log.
pub const MAX_ENTRIES: usize = 128;

/// Between the threads.
#[derive(Default)]
pub struct Link {
    events: Queue<Event, MAX_EVENTS>,
    entries: Queue<(Entry, UtcTime), MAX_ENTRIES>,
    /// Entries that found no place.
    lost: AtomicU64,
    /// Entries that were sent, and how many of them are in the log.
    sent: AtomicU64,
    noted: AtomicU64,
    state: Mutex<Option<DoorState>>,
    /// What the door shows, and whether faces are recognised.
    view: Mutex<Option<(View, bool)>>,
    /// What recognition saw last.
    seen: Mutex<Seen>,
    /// Who showed a face or a card last, and when.
    presented: Mutex<Option<(SubjectId, Millis)>>,
    /// Until when whoever calls is the installer.
    freed_until: Mutex<Option<Instant>>,
    /// Why the panel shows nothing.
    panel: Mutex<Option<String>>,
    /// Whether what survives a restart is still to be written.
    is_unkept: AtomicBool,
    /// When the loop, and the door, last showed that they live.
    pub(super) pulses: [AtomicU64; 2],
    /// Whether the loop answers a request.
    is_busy: AtomicBool,
    /// Until something else is known, frames are on their way.
    lacks_camera: AtomicBool,
    pub(super) closing: AtomicBool,
}

/// Whose pulse it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The loop at the camera.
    Loop,
    /// The door's thread.
    Door,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Link {
    /// Tells the door; whether there was room.
    pub fn tell(&self, event: Event) -> bool {
        self.events.enqueue(event).is_ok()
    }

    /// The next thing that the door was told.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        self.events.dequeue()
    }

    /// Something for the log.
    pub fn log(&self, entry: Entry, at: UtcTime) {
        if self.entries.enqueue((entry, at)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        // Counted once it is there, or nobody could tell that it is written.
        self.sent.fetch_add(1, Ordering::Release);
    }

    /// The next entry for the log; whoever asks has noted the one before.
    #[must_use]
    pub fn entry(&self) -> Option<(Entry, UtcTime)> {
        let sent = self.sent.load(Ordering::Acquire);
        let entry = self.entries.dequeue();
        if entry.is_none() {
            self.noted.fetch_max(sent, Ordering::Relaxed);
        }
        entry
    }

    /// How many entries were sent so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Whether the first so many entries are in the log.
    #[must_use]
    pub fn has_noted(&self, sent: u64) -> bool {
        self.noted.load(Ordering::Relaxed) >= sent
    }

    /// What survives a restart is written, or is not yet.
    pub(super) fn set_kept(&self, is_kept: bool) {
        self.is_unkept.store(!is_kept, Ordering::Release);
    }

    /// Whether nothing that survives a restart waits to be written.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !self.is_unkept.load(Ordering::Acquire)
    }

    /// How many entries found no place since this was asked last.
    #[must_use]
    pub fn take_lost(&self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Whether everything beside the loop is to end.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// This part lives.
    pub fn beat(&self, part: Part, now: Millis) {
        self.pulses[part as usize].store(now.0, Ordering::Relaxed);
    }

    /// When this part last showed that it lives.
    #[must_use]
    pub fn pulse(&self, part: Part) -> Millis {
        Millis(self.pulses[part as usize].load(Ordering::Relaxed))
    }

    /// For how long a part has not shown that it lives, milliseconds.
    #[must_use]
    pub fn silence_ms(&self, part: Part, now: Millis) -> u64 {
        now.0.saturating_sub(self.pulses[part as usize].load(Ordering::Relaxed))
    }

    /// Whether the loop answers a request, which may take a while.
    pub fn set_busy(&self, is_busy: bool) {
        self.is_busy.store(is_busy, Ordering::Release);
    }

    /// Whether it did when it was told last.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.is_busy.load(Ordering::Acquire)
    }

    /// Whether frames come.
    pub fn set_camera(&self, has_camera: bool) {
        self.lacks_camera.store(!has_camera, Ordering::Relaxed);
    }

    /// Whether frames came when it was told last.
    #[must_use]
    pub fn has_camera(&self) -> bool {
        !self.lacks_camera.load(Ordering::Relaxed)
    }

    /// How the door stands now, and what it shows.
    pub fn show(&self, state: DoorState, view: View) {
        *held(&self.view) = Some((view, state.recognition));
        *held(&self.state) = Some(state);
    }

    /// Changes what recognition saw last.
    pub fn see(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut held(&self.seen));
    }

    /// Somebody showed a face or a card.
    pub fn present(&self, subject: SubjectId, now: Millis) {
        *held(&self.presented) = Some((subject, now));
    }

    /// Whom a PIN that is entered now would be of.
    #[must_use]
    pub fn presented(&self, now: Millis) -> Option<SubjectId> {
        let presented = *held(&self.presented);
        presented.filter(|(_, at)| now.since(*at) <= MAX_DELAY_MS.into()).map(|(subject, _)| subject)
    }

    /// What the panel is to show; none before the door's first look.
    #[must_use]
    pub fn screen(&self) -> Option<UiState> {
        let (view, recognises) = (*held(&self.view))?;
        Some(shown(view, *held(&self.seen), recognises))
    }

    /// Whoever calls is the installer for so many seconds.
    pub fn free_installer(&self, seconds: u64) {
        *held(&self.freed_until) = Instant::now().checked_add(Duration::from_secs(seconds));
    }

    /// Whether whoever calls is the installer now.
    #[must_use]
    pub fn is_installer_free(&self) -> bool {
        held(&self.freed_until).is_some_and(|until| Instant::now() < until)
    }

    /// The panel shows nothing any more, for this reason.
    pub fn panel_failed(&self, why: String) {
        *held(&self.panel) = Some(why);
    }

    /// Why it shows nothing, once.
    #[must_use]
    pub fn take_panel_fault(&self) -> Option<String> {
        held(&self.panel).take()
    }

    /// How the door stood last; none before its first look.
    #[must_use]
    pub fn state(&self) -> Option<DoorState> {
        held(&self.state).clone()
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
