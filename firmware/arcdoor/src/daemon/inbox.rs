//! Requests that come while the loop runs: answered between two frames, on the loop's own device.

use crate::device::{Device, Now, Outcome, Reply};
use crate::error::Error;
use crate::request::{Begun, Secrets, Stepper, begin};
use arcdoor_api::Request;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Requests that wait at most; whoever asks beyond that is told that the door is busy.
pub const MAX_ASKED: usize = 16;

/// Who asked: takes the answers, and how it ended.
pub trait Caller: Reply {
    /// The request is over.
    fn ended(&mut self, result: Result<Outcome, Error>);

    /// Whether nobody waits for it any more.
    fn is_gone(&self) -> bool {
        false
    }
}

/// A request, and who asked it.
pub struct Asked {
    /// What is asked.
    pub request: Request,
    /// The passphrases that it needs.
    pub secrets: Secrets,
    /// Who asked, and gets the answers.
    pub caller: Box<dyn Caller + Send>,
}

/// Where a loop looks for requests.
pub trait Inbox<D> {
    /// Answers the next that was asked.
    fn serve(&mut self, device: &mut D, now: Now);

    /// Whether a request takes the present frame, the `frame`th, so that nobody is recognised on it.
    fn take(&mut self, device: &mut D, frame: u64, now: Now) -> bool;

    /// No frame comes for now: whoever waits for frames is answered.
    fn interrupt(&mut self, device: &mut D, now: Now);

    /// The loop is over: whoever still waits is answered.
    fn close(&mut self, device: &mut D, now: Now);
}

/// Nobody asks.
impl<D> Inbox<D> for () {
    fn serve(&mut self, _: &mut D, _: Now) {}

    fn take(&mut self, _: &mut D, _: u64, _: Now) -> bool {
        false
    }

    fn interrupt(&mut self, _: &mut D, _: Now) {}

    fn close(&mut self, _: &mut D, _: Now) {}
}

/// Requests from other threads, one after the other.
pub struct Queue {
    asked: Receiver<Asked>,
    active: Option<(Box<dyn Stepper>, Box<dyn Caller + Send>)>,
}

impl Queue {
    /// An empty queue, and where requests are put into it.
    #[must_use]
    pub fn new() -> (SyncSender<Asked>, Self) {
        let (sender, asked) = sync_channel(MAX_ASKED);
        (sender, Self { asked, active: None })
    }
}

impl Inbox<Device> for Queue {
    fn serve(&mut self, device: &mut Device, now: Now) {
        // While a camera is away, no frame ends it.
        if let Some((stepper, caller)) = self.active.take_if(|(stepper, _)| stepper.is_late(now)) {
            end(device, stepper, caller, now);
        }
        if self.active.is_some() {
            return;
        }
        // One between two frames, or whoever asks often enough keeps the door from looking.
        let waiting = std::iter::from_fn(|| self.asked.try_recv().ok()).find(|asked| !asked.caller.is_gone());
        let Some(Asked { request, secrets, mut caller }) = waiting else { return };
        let begun = match request {
            // It measures for minutes, and would be disturbed by the loop itself.
            Request::Tune { .. } => Err(Error::Busy),
            request => guarded(device, |device| begin(device, &request, &secrets, now, &mut *caller)),
        };
        match begun {
            Ok(Begun::Over(outcome)) => caller.ended(Ok(outcome)),
            Ok(Begun::Frames(stepper)) => self.active = Some((stepper, caller)),
            Err(error) => caller.ended(Err(error)),
        }
    }

    fn take(&mut self, device: &mut Device, frame: u64, now: Now) -> bool {
        let Some((mut stepper, mut caller)) = self.active.take() else { return false };
        // Nothing of it is stored.
        if caller.is_gone() {
            caller.ended(Err(Error::LoopEnded));
            return false;
        }
        if stepper.is_late(now) {
            end(device, stepper, caller, now);
            return false;
        }
        match guarded(device, |device| stepper.frame(device, frame, now, &mut *caller)) {
            // A request that has all that it wants does not wait for another frame.
            Ok(None) if stepper.is_late(now) => end(device, stepper, caller, now),
            Ok(None) => self.active = Some((stepper, caller)),
            Ok(Some(outcome)) => caller.ended(Ok(outcome)),
            Err(error) => caller.ended(Err(error)),
        }
        true
    }

    fn interrupt(&mut self, device: &mut Device, now: Now) {
        if let Some((stepper, caller)) = self.active.take() {
            end(device, stepper, caller, now);
        }
    }

    fn close(&mut self, device: &mut Device, now: Now) {
        self.interrupt(device, now);
        while let Ok(Asked { mut caller, .. }) = self.asked.try_recv() {
            caller.ended(Err(Error::LoopEnded));
        }
    }
}

/// Ends a request with what it has.
fn end(device: &mut Device, stepper: Box<dyn Stepper>, mut caller: Box<dyn Caller + Send>, now: Now) {
    let ended = guarded(device, |device| stepper.end(device, now, &mut *caller));
    caller.ended(ended);
}

/// A request that panics is an error of its own, and leaves nothing half-done open: the device opens all of it anew.
fn guarded<T>(device: &mut Device, work: impl FnOnce(&mut Device) -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(|| work(device))).unwrap_or_else(|_| {
        device.close();
        Err(Error::Fault)
    })
}
