//! `run`: the loop at the camera, the door beside it, and the socket.

use super::args::RunJob;
use super::print::LinePrinter;
use super::simulate::Slot;
use super::start::{begin_log, tell_gone_keys, warn};
use super::{prompt, simulate};
use crate::daemon::door::{Calendar, Door, DoorPorter, Doorkeeper, Nobody, OpenLines, Porter, ending};
use crate::daemon::screen::{Output, Panel, Screen};
use crate::daemon::socket::{self, Guests, Socket};
use crate::daemon::{Loop, Queue, SystemClock, Trace, keypad};
use crate::device::source::Frames;
use crate::device::{Device, Options, Outcome, Reply};
use crate::error::Error;
use crate::home::Home;
use crate::home::door::KeptDoor;
use crate::home::lock::HomeLock;
use crate::home::settings::DoorSettings;
use arcdoor_api::{Access, Feed};
use arcdoor_board::{Board, Drive, FailMode, Framebuffer, Gpio, Simulated};
use arcdoor_door::{FailMode as Lock, Fields, Method, Methods, Policy};
use arcdoor_panel::ScreenSize;
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// Until stopped, or the frames end.
pub(super) fn at_the_door(home: Home, options: Options, job: RunJob) -> Result<Outcome, Error> {
    let RunJob { from, frames: most, trace, simulate: is_simulated, rate, panel } = job;
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
    let settings = door_settings(&device, is_simulated)?;
    let board = settings.as_ref().map(|settings| Board::find(&settings.board)).transpose()?;
    let held = settings.as_ref().zip(board.as_ref());
    let hand = Slot::default();
    let keeper = held
        .map(|(settings, board)| doorkeeper(&device, settings, board, hand.clone(), clock))
        .transpose()?;
    let door = keeper.map(Door::open).transpose()?;
    if let (true, Some(door)) = (is_simulated, &door) {
        let keys = keypad::open(device.home().clone(), door.link().clone(), Arc::new(clock))
            .map_err(Error::Thread)?;
        warn(&simulate::keys());
        simulate::play(hand, keys);
    }
    let (asked, queue) = Queue::new();
    let guests = Guests::new(device.settings().socket.clone());
    let link = door.as_ref().map(|door| door.link().clone());
    let socket = Socket::open(&socket::path(device.home()), guests, asked, link.clone())?;
    let porter: Box<dyn Porter> = match link {
        Some(link) => Box::new(DoorPorter::new(link, ending(KeptDoor::new(device.home())))),
        None => Box::new(Nobody),
    };
    let mut reply: Box<dyn Reply> =
        if is_simulated { Box::new(simulate::Teller::new()) } else { Box::new(LinePrinter::new()) };
    let screen =
        held.map(|(settings, board)| screen(settings, board, panel.as_deref(), clock)).transpose()?;
    let panel = match (screen.flatten(), &door) {
        (Some(screen), Some(door)) => Some(Panel::open(screen, door.link().clone()).map_err(Error::Thread)?),
        _ => None,
    };
    let held = (door, panel, socket);
    // A replay without a pace is a test of recognition: each frame is looked at.
    let dozes = (matches!(from, Feed::Camera(_)) || rate.is_some()) && device.settings().doze;
    Loop::new(&mut device, frames, &clock, queue)
        .dozing(dozes)
        .with_trace(trace)
        .with_porter(&*porter)
        .run_beside(most, &mut *reply, || drop(held))
}

/// The door's settings, where there is one.
fn door_settings(device: &Device, simulate: bool) -> Result<Option<DoorSettings>, Error> {
    Ok(match (&device.settings().door, simulate) {
        (Some(settings), false) => Some(settings.clone()),
        (Some(settings), true) => Some(DoorSettings { board: SIMULATED.to_owned(), ..settings.clone() }),
        (None, true) => Some(face_alone()?),
        (None, false) => None,
    })
}

/// What keeps it.
fn doorkeeper(
    device: &Device,
    settings: &DoorSettings,
    board: &Board,
    hand: Slot,
    clock: SystemClock,
) -> Result<Doorkeeper, Error> {
    let DoorSettings { time_zone, policy, .. } = settings.clone();
    agree(board.relay().fail_mode, policy.fields().fail_mode)?;
    let calendar = Calendar::of(time_zone.as_deref())?;
    let lines = opener(board.clone(), hand);
    let kept = KeptDoor::new(device.home());
    let end = ending(kept.clone());
    Ok(Doorkeeper { policy, calendar, lines, kept, clock: Arc::new(clock), end })
}

/// What is drawn, where: in files, where a folder is given, else on the board's panel, where it has one.
fn screen(
    settings: &DoorSettings,
    board: &Board,
    files: Option<&Path>,
    clock: SystemClock,
) -> Result<Option<Screen>, Error> {
    let sides = board.panel().map_or([800, 480], |panel| [panel.width.px(), panel.height.px()]);
    let (output, [width, height]) = match (files, board.panel()) {
        (Some(folder), _) => {
            let failed = |source| Error::File { path: folder.to_owned(), source };
            (Output::files(folder).map_err(failed)?, sides)
        }
        (None, Some(panel)) if board.drive() == Drive::Gpio => {
            let framebuffer = Framebuffer::open(panel)?;
            let (width, height) = framebuffer.size();
            (Output::Framebuffer(framebuffer), [width, height])
        }
        (None, _) => return Ok(None),
    };
    let size = ScreenSize::new(width, height)?;
    let calendar = Calendar::of(settings.time_zone.as_deref())?;
    let (language, light) = (settings.language.into(), settings.light);
    Ok(Some(Screen { size, language, light, calendar, clock, output }))
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
    let (language, light) = Default::default();
    Ok(DoorSettings { board: SIMULATED.to_owned(), time_zone: None, language, light, policy })
}

fn agree(board: FailMode, policy: Lock) -> Result<(), Error> {
    match (board, policy) {
        (FailMode::Locked, Lock::Secure) | (FailMode::Unlocked, Lock::Safe) => Ok(()),
        (board, Lock::Secure) => Err(Error::FailMode { board, policy: "secure" }),
        (board, Lock::Safe) => Err(Error::FailMode { board, policy: "safe" }),
    }
}

/// Opens the lines, each time anew; of simulated ones, the hand is put into the slot.
fn opener(board: Board, hand: Slot) -> OpenLines {
    Box::new(move |now| {
        if board.drive() == Drive::Gpio {
            return Ok(Box::new(Gpio::open(&board, now.at)?));
        }
        let lines = Simulated::new(&board, now.at);
        *hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.hand());
        Ok(Box::new(lines))
    })
}
