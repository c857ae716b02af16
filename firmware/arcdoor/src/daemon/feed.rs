//! A command that needs frames, where no loop runs.

use super::clock::Clock;
use crate::device::source::Frames;
use crate::device::{Device, Outcome, Reply};
use crate::error::Error;
use crate::request::Stepper;
use arcdoor_api::{Feed, Progress};

/// Feeds a request with the frames of `from` until it is over.
///
/// # Errors
/// When there are no frames, or the request fails.
pub fn feed(
    device: &mut Device,
    from: &Feed,
    mut stepper: Box<dyn Stepper>,
    clock: &dyn Clock,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let mut frames = Frames::open(from, device.settings())?;
    for number in 0_u64.. {
        if stepper.is_late(clock.now()) || !frames.next(device.recognition()?.image())? {
            break;
        }
        if let Some(outcome) = stepper.frame(device, number, clock.now(), reply)? {
            return Ok(outcome);
        }
    }
    reply.progress(Progress::Over);
    stepper.end(device, clock.now(), reply)
}
