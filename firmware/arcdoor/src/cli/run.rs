//! `run`: the loop at the camera, the door beside it, and the socket.

use super::args::RunJob;
use super::print::LinePrinter;
use super::{begin_log, prompt, simulate, tell_gone_keys, warn};
use crate::daemon::door::{Calendar, Door, DoorPorter, Doorkeeper, Nobody, OpenLines, Porter, ending};
use crate::daemon::socket::{self, Guests, Socket};
use crate::daemon::{Loop, Queue, SystemClock, Trace};
use crate::device::source::Frames;
use crate::device::{Device, Options, Outcome, Reply};
use crate::error::Error;
use crate::home::Home;
use crate::home::door::KeptDoor;
use crate::home::lock::HomeLock;
use crate::home::settings::DoorSettings;
use arcdoor_api::Access;
use arcdoor_board::{Board, Drive, FailMode, Gpio, Simulated};
use arcdoor_core::Millis;
use arcdoor_door::{FailMode as Lock, Fields, Method, Methods, Policy};
use std::sync::Arc;

/// Until stopped, or the frames end.
pub(super) fn at_the_door(home: Home, options: Options, job: RunJob) -> Result<Outcome, Error> {
    let RunJob { from, frames: most, trace, simulate, rate } = job;
    let hold = HomeLock::take(&home, Access::Write)?;
    let passphrase = prompt::gallery(&home)?;
    let mut device = Device::open(home, hold, options, passphrase)?;
    tell_gone_keys(&device);
    let clock = SystemClock::start();
    begin_log(&mut device, &clock)?;
    device.tally()?.keep()?;
    // A pack or gallery that refuses is found now, not with the first person at the door.
    device.work(device.settings().policy)?;
    // A camera that is not there yet, as at boot, is waited for.
    let frames = Frames::prepare(&from, device.settings())?.paced(rate);
    let trace = trace.map(|path| Trace::create(&path)).transpose()?;
    let door = doorkeeper(&device, simulate, clock)?.map(Door::open).transpose()?;
    let (asked, queue) = Queue::new();
    let guests = Guests::new(device.settings().socket.clone());
    let link = door.as_ref().map(|door| door.link().clone());
    let socket = Socket::open(&socket::path(device.home()), guests, asked, link.clone())?;
    let porter: Box<dyn Porter> = match link {
        Some(link) => Box::new(DoorPorter::new(link, ending(KeptDoor::new(device.home())))),
        None => Box::new(Nobody),
    };
    let mut reply: Box<dyn Reply> =
        if simulate { Box::new(simulate::Teller::new()) } else { Box::new(LinePrinter::new()) };
    let held = (door, socket);
    Loop::new(&mut device, frames, &clock, queue).with_trace(trace).with_porter(&*porter).run_beside(
        most,
        &mut *reply,
        || drop(held),
    )
}

/// What keeps the door, where there is one.
fn doorkeeper(device: &Device, simulate: bool, clock: SystemClock) -> Result<Option<Doorkeeper>, Error> {
    let settings = match (&device.settings().door, simulate) {
        (Some(settings), false) => settings.clone(),
        (Some(settings), true) => DoorSettings { board: SIMULATED.to_owned(), ..settings.clone() },
        (None, true) => face_alone()?,
        (None, false) => return Ok(None),
    };
    let DoorSettings { board, time_zone, policy } = settings;
    let board = Board::find(&board)?;
    agree(board.relay().fail_mode, policy.fields().fail_mode)?;
    let calendar = Calendar::of(time_zone.as_deref())?;
    let lines = opener(board, simulate);
    let kept = KeptDoor::new(device.home());
    let end = ending(kept.clone());
    Ok(Some(Doorkeeper { policy, calendar, lines, kept, clock: Arc::new(clock), end }))
}

/// The name of the board in memory.
const SIMULATED: &str = "simulated";

/// The rules of a simulated door without settings: it shows what a face does.
fn face_alone() -> Result<DoorSettings, Error> {
    warn(
        "no [door] in settings.toml: this simulated door opens to a face alone, which a photo of it may be enough for",
    );
    let fields = Fields { methods: Methods::of(&[Method::Face]), ..Fields::default() };
    let policy = Policy::new(fields).map_err(Error::DoorPolicy)?;
    Ok(DoorSettings { board: SIMULATED.to_owned(), time_zone: None, policy })
}

fn agree(board: FailMode, policy: Lock) -> Result<(), Error> {
    match (board, policy) {
        (FailMode::Locked, Lock::Secure) | (FailMode::Unlocked, Lock::Safe) => Ok(()),
        (board, Lock::Secure) => Err(Error::FailMode { board, policy: "secure" }),
        (board, Lock::Safe) => Err(Error::FailMode { board, policy: "safe" }),
    }
}

/// Opens the lines, each time anew. Keys press those of the first opening.
fn opener(board: Board, has_keys: bool) -> OpenLines {
    let mut first = has_keys;
    Box::new(move |now| {
        if board.drive() == Drive::Gpio {
            return Ok(Box::new(Gpio::open(&board, Millis(now.at.0))?));
        }
        let lines = Simulated::new(&board, now.at);
        if std::mem::take(&mut first) {
            warn(&simulate::keys());
            simulate::play(lines.hand());
        }
        Ok(Box::new(lines))
    })
}
