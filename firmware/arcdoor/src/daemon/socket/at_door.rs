//! What is asked of the door itself: answered without the loop, so that a lockdown waits for no frame.

use super::refusal::Refusal;
use crate::daemon::door::{LOOK_MS, Link};
use arcdoor_api::{DoorAct, Entry, Request, Response, Said, UtcTime};
use arcdoor_door::Event;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long an answer waits for the log.
const LOG_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the door itself is asked.
pub(super) const fn is_for_it(request: &Request) -> bool {
    matches!(request, Request::DoorState | Request::Door(_))
}

/// Tells it, and says how it stands then.
///
/// # Errors
/// When there is no door, it has too much to do, or what it did could not be kept.
pub(super) fn ask(
    link: Option<&Link>,
    request: &Request,
    uid: u32,
    at: UtcTime,
) -> Result<Vec<Said>, Refusal> {
    let link = link.ok_or(Refusal::NoDoor)?;
    if let Request::Door(act) = request {
        let event = match act {
            DoorAct::Acknowledge => Event::Acknowledge,
            DoorAct::Lockdown => Event::Lockdown(true),
            DoorAct::EndLockdown => Event::Lockdown(false),
            DoorAct::ResetFire => Event::FireReset,
            DoorAct::ForgetInside => Event::ForgetInside,
        };
        if !link.tell(event) {
            return Err(Refusal::Busy);
        }
        link.log(Entry::DoorTold { act: *act, uid }, at);
        // Two looks later it has heard it; and what it answers is kept and in the log, unless disk or loop hangs.
        sleep(Duration::from_millis(3 * LOOK_MS));
        let (sent, begun) = (link.sent(), Instant::now());
        while !(link.has_noted(sent) && link.is_kept()) && begun.elapsed() < LOG_PATIENCE {
            sleep(Duration::from_millis(LOOK_MS));
        }
        if !link.is_kept() {
            return Err(Refusal::NotKept);
        }
    }
    let state = link.state().ok_or(Refusal::Busy)?;
    Ok(vec![Said::Answer(Box::new(Response::Door { state })), Said::Ended { code: crate::error::DONE }])
}
