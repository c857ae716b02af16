//! A command that needs frames, where no loop runs.

use super::clock::Clock;
use super::r#loop::MOST_FAILURES;
use crate::device::source::{Frames, Next};
use crate::device::{Device, Outcome, Reply};
use crate::error::Error;
use crate::request::Stepper;
use arcdoor_api::{Feed, Progress};

/// Feeds a request with the frames of `from` until it is over. A damaged frame is counted and passed over, as the loop
/// does it.
///
/// # Errors
/// When there are no frames, 30 of them fail in a row, or the request fails.
pub fn feed(
    device: &mut Device,
    from: &Feed,
    mut stepper: Box<dyn Stepper>,
    clock: &dyn Clock,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let mut frames = Frames::open(from, device.settings())?;
    let mut failures = 0;
    let mut number = 0;
    while !stepper.is_late(clock.now()) {
        match frames.next(device.recognition()?.image(), &|| clock.now().at) {
            Ok(Next::Frame) => failures = 0,
            Ok(Next::Unsettled) => continue,
            Ok(Next::End) => break,
            Err(error) if error.is_one_frame() => {
                failures += 1;
                if failures >= MOST_FAILURES {
                    return Err(Error::FramesFail(failures));
                }
                continue;
            }
            Err(error) => return Err(error),
        }
        if let Some(outcome) = stepper.frame(device, number, clock.now(), reply)? {
            return Ok(outcome);
        }
        number += 1;
    }
    reply.progress(Progress::Over);
    stepper.end(device, clock.now(), reply)
}
