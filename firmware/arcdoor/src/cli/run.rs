//! `run`: the loop at the camera, the door beside it, and the socket.

use super::args::RunJob;
use super::print::LinePrinter;
use super::simulate::Slot;
use super::start::{begin_log, tell_gone_keys, warn};
use super::{prompt, simulate};
use crate::daemon::door::{Calendar, Door, DoorPorter, Doorkeeper, Nobody, OpenLines, Porter, ending};
use crate::daemon::keypad::{self, Keys};
use crate::daemon::presses::{OpenPresses, Presser};
use crate::daemon::screen::{Output, Panel, Screen};
use crate::daemon::socket::{self, Guests, Socket};
use crate::daemon::{Loop, Queue, SystemClock, Trace};
use crate::device::source::Frames;
use crate::device::{Device, Options, Outcome, Reply};
use crate::error::{DoorError, Error};
use crate::home::Home;
use crate::home::door::KeptDoor;
use crate::home::lock::HomeLock;
use crate::home::settings::{DoorSettings, Settings};
use arcdoor_api::{Access, Feed};
use arcdoor_board::{Board, Drive, FailMode, Framebuffer, Gpio, Input, PressDevice, Simulated};
use arcdoor_core::Millis;
use arcdoor_door::{Factor, FailMode as Lock, Fields, Method, Methods, Policy};
use arcdoor_panel::{Fault, ScreenSize, UiState};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};

/// Until stopped, or the frames end. What the panel shows then, whatever ended it, is that nobody looks any more.
pub(super) fn at_the_door(home: Home, options: Options, job: RunJob) -> Result<Outcome, Error> {
    let (settings, simulate, files) = (home.settings(), job.simulate, job.panel.clone());
    if !simulate {
        rest(&settings);
    }
    let ended = guard(home, options, job);
    // Whoever has the home has the panel.
    if !matches!(ended, Err(Error::HomeInUse { .. })) {
        let fault = ended.as_ref().err().map_or(Fault::Stopped, Error::shown);
        // A panel that is dark, or settings that name none, are told of already.
        let _ = farewell(&settings, simulate, files.as_deref(), fault);
    }
    ended
}

/// Drives the lock into its fail mode, before anything that takes its time or may refuse: a kernel may have kept it as a
/// process that was killed left it. What fails here is told when the door is opened; where another loop holds the lines,
/// it fails, and changes nothing.
fn rest(settings: &Path) {
    let door = Settings::read(settings).ok().and_then(|(settings, _)| settings.door);
    let board = door.and_then(|door| Board::find(&door.board).ok());
    if let Some(board) = board.filter(|board| board.drive() == Drive::Gpio) {
        // Opened and dropped, they are left so.
        drop(Gpio::open(&board, Millis(0)));
    }
}

fn farewell(settings: &Path, simulate: bool, files: Option<&Path>, fault: Fault) -> Result<(), Error> {
    let settings = Settings::read(settings)?.0;
    let Some(door) = door_settings(settings.door.as_ref(), simulate)? else { return Ok(()) };
    let board = Board::find(&door.board).map_err(DoorError::from)?;
    if let Some(screen) = screen(&door, &board, files, SystemClock::start())? {
        // Nobody is left to be told.
        let _ = screen.show(UiState::Fault(fault));
    }
    Ok(())
}

fn guard(home: Home, options: Options, job: RunJob) -> Result<Outcome, Error> {
    let clock = SystemClock::start();
    let mut device = ready(home, options, clock)?;
    // A camera that is not there yet, as at boot, is waited for.
    let frames = Frames::prepare(&job.from, device.settings())?.paced(job.rate);
    let trace = job.trace.as_deref().map(Trace::create).transpose()?;
    // A replay without a pace is a test of recognition: each frame is looked at.
    let dozes = (matches!(job.from, Feed::Camera(_)) || job.rate.is_some()) && device.settings().doze;
    let (door, panel) = beside(&device, &job, clock)?;
    let link = door.as_ref().map(|door| door.link().clone());
    let (asked, queue) = Queue::new();
    let guests = Guests::new(device.settings().socket.clone());
    let socket = Socket::open(&socket::path(device.home()), guests, asked, link.clone())?;
    let porter: Box<dyn Porter> = match link {
        Some(link) => {
            let shuffles = device.settings().door.as_ref().is_some_and(|door| door.shuffle_keys);
            Box::new(DoorPorter::new(link, ending(KeptDoor::new(device.home())), shuffles))
        }
        None => Box::new(Nobody),
    };
    let mut reply: Box<dyn Reply> =
        if job.simulate { Box::new(simulate::Teller::new()) } else { Box::new(LinePrinter::new()) };
    Loop::new(&mut device, frames, &clock, queue)
        .dozing(dozes)
        .with_trace(trace)
        .with_porter(&*porter)
        .until(stopped()?)
        .run_beside(job.frames, &mut *reply, || drop((door, panel, socket)))
}

/// The device, with its log begun. A pack or gallery that refuses is found now, not with the first person at the door.
fn ready(home: Home, options: Options, clock: SystemClock) -> Result<Device, Error> {
    let hold = HomeLock::take(&home, Access::Write)?;
    let passphrase = prompt::gallery(&home)?;
    let mut device = Device::open(home, hold, options, passphrase)?;
    tell_gone_keys(&device);
    begin_log(&mut device, &clock)?;
    device.tally()?.keep()?;
    device.work(device.settings().policy)?;
    Ok(device)
}

/// Whether somebody wants the loop to stop: systemd, or Ctrl-C. Asked twice, the program ends at once.
fn stopped() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        flag::register_conditional_shutdown(signal, 1, stop.clone())
            .and_then(|_| flag::register(signal, stop.clone()))
            .map_err(Error::Thread)?;
    }
    Ok(stop)
}

/// What runs beside the loop: the door, and its panel.
fn beside(device: &Device, job: &RunJob, clock: SystemClock) -> Result<(Option<Door>, Option<Panel>), Error> {
    let Some(settings) = door_settings(device.settings().door.as_ref(), job.simulate)? else {
        if job.panel.is_some() {
            warn("--panel shows a door's panel, and there is no [door] in settings.toml: nothing is written");
        }
        return Ok((None, None));
    };
    if job.simulate && device.settings().door.is_none() {
        warn(FACE_ALONE);
    }
    let (board, hand) = (Board::find(&settings.board).map_err(DoorError::from)?, Slot::default());
    let door = Door::open(doorkeeper(device, &settings, &board, hand.clone(), clock)?)?;
    let link = door.link();
    let keys = keypad::open(device.home().clone(), link.clone(), Arc::new(clock)).map_err(Error::Thread)?;
    if job.simulate {
        warn(&simulate::keys());
        simulate::play(hand, keys);
    } else if settings.policy.fields().schedule.ever(settings.policy.fields().methods).take(Factor::Pin) {
        pressers(&board, keys, clock)?
            .into_iter()
            .try_for_each(|presser| presser.listen(link.clone()))
            .map_err(Error::Thread)?;
    }
    let screen = match screen(&settings, &board, job.panel.as_deref(), clock) {
        // Whoever stands at a dark panel is let in all the same.
        Err(Error::Door(DoorError::Panel(error))) => {
            link.panel_failed(error.to_string());
            None
        }
        screen => screen?,
    };
    let panel = screen.map(|screen| Panel::open(screen, link.clone()).map_err(Error::Thread)).transpose()?;
    Ok((Some(door), panel))
}

/// The door's settings, where there is one.
fn door_settings(settings: Option<&DoorSettings>, simulate: bool) -> Result<Option<DoorSettings>, Error> {
    Ok(match (settings, simulate) {
        (Some(settings), false) => Some(settings.clone()),
        // The board in memory is locked without power, whatever the real one is.
        (Some(settings), true) => {
            let fields = Fields { fail_mode: Lock::Secure, ..settings.policy.fields().clone() };
            let policy = Policy::new(fields).map_err(DoorError::Policy)?;
            Some(DoorSettings { board: SIMULATED.to_owned(), policy, ..settings.clone() })
        }
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
    if policy.fields().anti_passback && board.input(Input::Contact).is_none() {
        return Err(DoorError::NoContact.into());
    }
    let calendar = Calendar::of(time_zone.as_deref())?;
    let lines = opener(board.clone(), hand);
    let kept = KeptDoor::new(device.home());
    let end = ending(kept.clone());
    Ok(Doorkeeper { policy, calendar, lines, kept, clock: Arc::new(clock), end })
}

/// What people press there.
fn pressers(board: &Board, keys: Keys, clock: SystemClock) -> Result<Vec<Presser>, Error> {
    let touch = board.panel().cloned().and_then(|panel| {
        let touch = panel.touch.clone()?;
        Some(Box::new(move || PressDevice::touch(&panel, &touch)) as OpenPresses)
    });
    let pad =
        board.keypad().cloned().map(|path| -> OpenPresses { Box::new(move || PressDevice::keys(&path)) });
    let size = screen_size(board)?;
    let presser = |open| Presser { open, size, keys: keys.clone(), clock: Arc::new(clock) };
    Ok(touch.into_iter().chain(pad).map(presser).collect())
}

/// What is drawn, where: in files, where a folder is given, else on the board's panel, where it has one.
fn screen(
    settings: &DoorSettings,
    board: &Board,
    files: Option<&Path>,
    clock: SystemClock,
) -> Result<Option<Screen>, Error> {
    let output = match (files, board.panel()) {
        (Some(folder), _) => {
            let failed = |source| Error::File { path: folder.to_owned(), source };
            Output::files(folder).map_err(failed)?
        }
        (None, Some(panel)) if board.drive() == Drive::Gpio => {
            Output::Framebuffer(Framebuffer::open(panel).map_err(DoorError::from)?)
        }
        (None, _) => return Ok(None),
    };
    let size = screen_size(board)?;
    let calendar = Calendar::of(settings.time_zone.as_deref())?;
    let (language, light) = (settings.language.into(), settings.light);
    Ok(Some(Screen { size, language, light, calendar, clock, output }))
}

/// The size of what is drawn; a board without a panel may have it in files.
fn screen_size(board: &Board) -> Result<ScreenSize, Error> {
    let (width, height) = board.panel().map_or((800, 480), arcdoor_board::Panel::size);
    Ok(ScreenSize::new(width, height).map_err(DoorError::from)?)
}

/// The name of the board in memory.
const SIMULATED: &str = "simulated";

/// What is said of a simulated door without settings.
const FACE_ALONE: &str = "no [door] in settings.toml: this simulated door opens to a face alone, which a photo of it may be enough for";

/// The rules of a simulated door without settings: it shows what a face does.
fn face_alone() -> Result<DoorSettings, Error> {
    let fields = Fields { methods: Methods::of(&[Method::Face]), ..Fields::default() };
    let policy = Policy::new(fields).map_err(DoorError::Policy)?;
    let (language, light) = Default::default();
    Ok(DoorSettings {
        board: SIMULATED.to_owned(),
        time_zone: None,
        language,
        light,
        shuffle_keys: false,
        policy,
    })
}

fn agree(board: FailMode, policy: Lock) -> Result<(), Error> {
    match (board, policy) {
        (FailMode::Locked, Lock::Secure) | (FailMode::Unlocked, Lock::Safe) => Ok(()),
        (board, Lock::Secure) => Err(DoorError::FailMode { board, policy: "secure" }.into()),
        (board, Lock::Safe) => Err(DoorError::FailMode { board, policy: "safe" }.into()),
    }
}

/// Opens the lines, each time anew; of simulated ones, the hand is put into the slot.
fn opener(board: Board, hand: Slot) -> OpenLines {
    Box::new(move |now| {
        if board.drive() == Drive::Gpio {
            return Ok(Box::new(Gpio::open(&board, now.at).map_err(DoorError::from)?));
        }
        let lines = Simulated::new(&board, now.at);
        *hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.hand());
        Ok(Box::new(lines))
    })
}
