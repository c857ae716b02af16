//! Requests that are fed with frames.

use crate::device::{Device, Now, Outcome, Reply};
use crate::error::Error;

/// How long a request looks into a camera, milliseconds.
pub const LOOK_MS: u64 = 20_000;

/// A request that needs frames: whoever has them feeds it one by one, so that the same request serves a command and
/// the loop at the door.
pub trait Stepper {
    /// Takes the frame that is the device's present image; `number` counts from 0. `Some`: the request is over.
    ///
    /// # Errors
    /// When it fails as a whole; it is over then.
    fn frame(
        &mut self,
        device: &mut Device,
        number: u64,
        now: Now,
        reply: &mut dyn Reply,
    ) -> Result<Option<Outcome>, Error>;

    /// Whether its time is up.
    fn is_late(&self, now: Now) -> bool;

    /// No further frame will come: ends it with what it has.
    ///
    /// # Errors
    /// When that is not enough, or it fails.
    fn end(self: Box<Self>, device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error>;
}

/// What became of a request at once.
pub enum Begun {
    /// It is over.
    Over(Outcome),
    /// It waits for frames of the feed that it names.
    Frames(Box<dyn Stepper>),
}

impl From<Outcome> for Begun {
    fn from(outcome: Outcome) -> Self {
        Self::Over(outcome)
    }
}
