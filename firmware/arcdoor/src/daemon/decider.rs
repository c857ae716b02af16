//! What the loop asks of a device between two frames.

use crate::device::journal::Grounds;
use crate::device::recognition::{entry, sight, why, why_before};
use crate::device::{Device, Work};
use crate::error::Error;
use arcdoor_api::{By, Entry, Sight, UtcTime, Why};
use arcdoor_core::{DenyReason, Millis};
use arcdoor_frame::RgbImage;
use arcdoor_pipeline::{LockoutState, Question, Rules, TraceEntry};

/// A frame's decision, and what a trace records of it.
pub struct Decided {
    /// What is printed and logged of it.
    pub sight: Sight,
    /// The rules it was decided by, and what was observed; none of a frame that failed.
    pub recorded: Option<(Rules, TraceEntry)>,
    /// Where recognition was loaded for this frame, the lockout that it went on with: all else of earlier frames was
    /// forgotten.
    pub resumed: Option<LockoutState>,
    /// Why the attempt before this frame failed, where it did: to be logged as well.
    pub before: Option<DenyReason>,
    /// What that failure rests on.
    pub why_before: Option<Why>,
    /// What the decision rests on; none of a frame that failed.
    pub why: Option<Why>,
    /// Whether the decision ends an attempt, and does not repeat an earlier one about the same face.
    pub ends_attempt: bool,
}

impl Decided {
    /// The decision about a frame that failed: no grant.
    pub(super) fn nothing() -> Self {
        let (before, why_before, why) = (None, None, None);
        Self {
            sight: Sight::nothing(),
            recorded: None,
            resumed: None,
            before,
            why_before,
            why,
            ends_attempt: false,
        }
    }
}

/// What the loop asks of a device. A trait, so that tests can put a device that fails in its place.
pub trait Decider {
    /// Where the next frame goes.
    ///
    /// # Errors
    /// When the networks cannot be loaded.
    fn image(&mut self) -> Result<&mut RgbImage, Error>;

    /// Decides about the present frame as the next of a row.
    ///
    /// # Errors
    /// When a network or the gallery fails.
    fn step(&mut self, now: Millis) -> Result<Decided, Error>;

    /// Throws away what a panic may have left half-done, with all that was remembered.
    ///
    /// # Errors
    /// When the networks cannot be loaded again.
    fn renew(&mut self) -> Result<(), Error>;

    /// Forgets all earlier frames, but for a lockout and the denials that lead to one.
    fn forget(&mut self, now: Millis);

    /// Notes what became of camera or door.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn note_entry(&mut self, entry: &Entry, at: UtcTime) -> Result<(), Error>;

    /// Notes a decision of the last step, and what it rests on.
    ///
    /// # Errors
    /// When the log cannot be written.
    fn note(&mut self, sight: &Sight, why: Option<&Why>, at: UtcTime) -> Result<(), Error>;

    /// What time demands of the log, and of what must survive a restart; `is_last`: everything is made safe.
    ///
    /// # Errors
    /// When a file cannot be written.
    fn settle(&mut self, at: UtcTime, is_last: bool) -> Result<(), Error>;

    /// Forgets what was kept for a while, and whose time is over.
    ///
    /// # Errors
    /// When it cannot be overwritten.
    fn sweep(&mut self, at: UtcTime) -> Result<(), Error>;
}

impl Decider for Device {
    fn image(&mut self) -> Result<&mut RgbImage, Error> {
        Ok(self.recognition()?.image())
    }

    fn step(&mut self, now: Millis) -> Result<Decided, Error> {
        let Work { recognition, gallery, rules, .. } = self.work(self.settings().policy)?;
        let resumed = recognition.resumes().cloned();
        let step = recognition.step(gallery, Question::Identify, &rules, now)?;
        let sight = sight(&step, recognition.engine(), gallery, None);
        let (before, ends_attempt) = (step.outcome.before, step.outcome.ends_attempt);
        let why = why(&step, &rules, gallery.templates());
        let assessed = recognition.assessed(why.quality);
        let why_before = before.map(|_| why_before(&why, assessed, &step, &rules));
        let recorded = Some((rules, entry(&step, now)));
        Ok(Decided { sight, recorded, resumed, before, why_before, why: Some(why), ends_attempt })
    }

    fn renew(&mut self) -> Result<(), Error> {
        self.drop_recognition();
        self.recognition().map(drop)
    }

    fn forget(&mut self, now: Millis) {
        self.forget_frames(now);
    }

    fn note_entry(&mut self, entry: &Entry, at: UtcTime) -> Result<(), Error> {
        Device::note(self, entry, at).map(drop)
    }

    fn note(&mut self, sight: &Sight, why: Option<&Why>, at: UtcTime) -> Result<(), Error> {
        // A frame that failed decides nothing.
        let Some(why) = why else { return Ok(()) };
        let Work { recognition, gallery, journal, .. } = self.work(self.settings().policy)?;
        let (window, probe) = (recognition.window(), recognition.probe());
        journal.decided(sight, Grounds { by: By::Run, why, window, probe }, gallery, at)
    }

    fn settle(&mut self, at: UtcTime, is_last: bool) -> Result<(), Error> {
        self.keep_lockout()?;
        if is_last { self.journal().close(at) } else { self.journal().tick(at) }
    }

    fn sweep(&mut self, at: UtcTime) -> Result<(), Error> {
        let journal = self.journal();
        journal.probes.sweep(at.unix_s()).and_then(|()| journal.observations.sweep(at))
    }
}
