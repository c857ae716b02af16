//! The command line: arguments to a job, passphrases from the terminal, answers to text or JSON. The only printer.

mod args;
mod board;
mod column;
mod lines;
mod patient;
mod print;
mod prompt;
mod remote;
mod run;
mod setup;
mod simulate;
mod start;
mod text;
mod text_doctor;
mod text_door;
mod text_log;
mod text_network;
mod text_tuning;

use crate::daemon::{Clock, SystemClock, feed};
use crate::device::{Device, Options, Outcome, Reply};
use crate::error::{self, Error};
use crate::home::Home;
use crate::home::file::read_text;
use crate::home::lock::HomeLock;
use crate::home::settings::Settings;
use crate::request::{Begun, Secrets, begin, doctor};
use arcdoor_api::{Access, Request, Response};
use arcdoor_log::VerificationKey;
use args::{Cli, Job};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use print::Printer;
use start::{begin_log, tell_gone_keys, warn};
use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// Times that a log is verified which looks unfinished.
const VERIFICATIONS: u32 = 3;
/// Between two of them, milliseconds: longer than a record takes to be written.
const VERIFY_AGAIN_MS: u64 = 200;
/// Largest scenario, in bytes.
const MAX_SCENARIO_BYTES: u64 = 1024 * 1024;

/// Parses the process's arguments, does what they ask for, prints.
#[must_use]
pub fn main() -> ExitCode {
    // A panic that is caught becomes an error with advice; for whoever mends it, its place in the code is printed.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(io::stderr(), "arcdoor: fault at {place}");
        // Where RUST_BACKTRACE asks for it; names need the file of symbols beside the program.
        let trace = Backtrace::capture();
        if trace.status() == BacktraceStatus::Captured {
            let _ = writeln!(io::stderr(), "{trace:#}");
        }
    }));
    keep_secrets();
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            warn(&error.to_string());
            ExitCode::from(error.code())
        }
    }
}

/// Keys and templates lie in memory while they are used: no dump of it is written, and no other process of this user
/// may read it.
fn keep_secrets() {
    let off = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let limited = rustix::process::setrlimit(rustix::process::Resource::Core, off);
    let hidden = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    if limited.and(hidden).is_err() {
        warn("this system does not let core dumps be turned off: a crash may write keys to the disk");
    }
}

fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { global, command } = cli;
    let is_sure = command.is_sure();
    let log_key = command.log_key().map(|path| prompt::log_key(path)).transpose()?;
    let job = command.job();
    let home = Home::resolve(global.home)?;
    let options = Options {
        pack: global.pack,
        detector: global.detector,
        engine: global.engine,
        allow_unsigned_pack: global.allow_unsigned_pack,
        key_source: global.key_source,
    };
    let outcome = match job {
        Job::WrongUsage => return Ok(error::USAGE),
        Job::Completions(shell) => return completions(shell),
        Job::Run(job) => run::at_the_door(home, options, job)?,
        Job::Scenario(path) => return play_scenario(&path),
        Job::Board(command) => return board::board(&home, command, global.json),
        Job::Setup(args) => return setup::setup(&home, args).map(|()| error::DONE),
        Job::Ask(request) => {
            if let (Request::Revoke { name, .. }, false) = (&request, is_sure) {
                prompt::confirm(name)?;
            }
            let mut printer = Printer::new(global.json, text::longest_photo(&request));
            let outcome = ask(home, options, &request, log_key, &mut printer)?;
            match printer.trouble() {
                // The exit code of a verdict stands for the verdict alone.
                Some(error) if request.is_decision() => warn(&Error::Output(error).to_string()),
                Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(Error::Output(error).after("this was done"));
                }
                _ => {}
            }
            outcome
        }
    };
    Ok(outcome.code())
}

fn ask(
    home: Home,
    options: Options,
    request: &Request,
    log_key: Option<VerificationKey>,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let clock = SystemClock::start();
    if let Some(door) = remote::door(&home, request) {
        if options != Options::default() {
            warn(
                "the door runs, and with what it was started with: --pack, --detector and the like count for nothing here",
            );
        }
        if log_key.is_some() {
            return Err(Error::KeyStaysHere);
        }
        return remote::ask(door, request, reply);
    }
    if matches!(request, Request::Doctor) {
        return examine(home, options, reply);
    }
    // Held before the key is looked at for the first time.
    let hold = HomeLock::take(&home, request.access())?;
    let passphrase = prompt::gallery_for(&home, request)?;
    let mut device = Device::open(home, hold, options, passphrase)?;
    tell_gone_keys(&device);
    begin_log(&mut device, &clock)?;
    let secrets = Secrets { log_key, ..prompt::secrets(request)? };
    let mut carry =
        |request: &Request, reply: &mut dyn Reply| carry_out(&mut device, request, &secrets, &clock, reply);
    let done = match request {
        Request::LogVerify { .. } => verify(|reply| carry(request, reply), &clock, reply),
        _ => carry(request, reply),
    };
    let done = match done {
        Err(unasked @ Error::ReEnrolUnconfirmed { .. }) => prompt::confirm_pack(unasked).and_then(|()| {
            // Who must be enrolled again was said before the question.
            let mut once = |response: &Response| match response {
                Response::OtherEmbedder { .. } => Ok(()),
                _ => reply.answer(response),
            };
            carry(&request.clone().sure(), &mut once)
        }),
        done => done,
    };
    if let Some(answer) = done.as_ref().err().and_then(Error::answer) {
        reply.answer(&answer)?;
    }
    // What was decided is on the disk before anybody acts on the exit code, also where something failed after it.
    let closed = device.journal().close(clock.now().utc);
    let done = done.and_then(|done| closed.map(|()| done));
    if let Some(left) = device.left() {
        warn(&format!("what an earlier gallery or key held may still be on the disk, overwrite it: {left}"));
    }
    done
}

/// Verifies the log, up to three times, 200 ms apart: a loop may be in the middle of writing a record. The last answer
/// counts.
fn verify(
    mut once: impl FnMut(&mut dyn Reply) -> Result<Outcome, Error>,
    clock: &SystemClock,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let mut last = None;
    let mut keep = |response: &Response| {
        last = Some(response.clone());
        Ok(())
    };
    let mut outcome = once(&mut keep)?;
    for _ in 1..VERIFICATIONS {
        if outcome == Outcome::Done {
            break;
        }
        clock.rest(VERIFY_AGAIN_MS);
        outcome = once(&mut keep)?;
    }
    last.iter().try_for_each(|answer| reply.answer(answer))?;
    Ok(outcome)
}

fn carry_out(
    device: &mut Device,
    request: &Request,
    secrets: &Secrets,
    clock: &SystemClock,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    match (begin(device, request, secrets, clock.now(), reply)?, request.feed()) {
        (Begun::Frames(stepper), Some(from)) => feed(device, from, stepper, clock, reply),
        (Begun::Over(outcome), _) => Ok(outcome),
        // A request that needs frames always names a feed.
        (Begun::Frames(_), None) => Ok(Outcome::Refused),
    }
}

/// Runs the doctor. It must work where the settings are broken, while another process has the home, and where nobody
/// is there to type a passphrase.
fn examine(home: Home, options: Options, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let (hold, in_use) = match HomeLock::take(&home, Access::Read) {
        Ok(hold) => (hold, None),
        Err(error) => (HomeLock::NOTHING, Some(error)),
    };
    let passphrase = prompt::gallery(&home).ok().flatten();
    let (mut device, broken) = match Settings::read(&home.settings()) {
        Ok(_) => (Device::open(home, hold, options, passphrase)?, None),
        Err(error) => {
            let settings = options.over(Settings::default());
            (Device::with(home, hold, settings, passphrase), Some(error))
        }
    };
    doctor::doctor(&mut device, &doctor::Trouble { settings: broken, home: in_use }, reply)
}

/// Plays a story on a door's machine, and prints what comes of it.
fn play_scenario(path: &Path) -> Result<u8, Error> {
    let missing = || Error::File { path: path.to_owned(), source: io::ErrorKind::NotFound.into() };
    let text = read_text(path, MAX_SCENARIO_BYTES)?.ok_or_else(missing)?;
    let story = arcdoor_door::scenario::play(&text);
    let mut out = io::stdout().lock();
    story.lines.iter().try_for_each(|line| writeln!(out, "{line}")).map_err(Error::Output)?;
    match story.end {
        Ok(()) => Ok(error::DONE),
        Err(error) => Err(Error::BadFile { path: path.to_owned(), problem: error.to_string() }),
    }
}

fn completions(shell: Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "arcdoor", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::Output(error)),
        _ => Ok(error::DONE),
    }
}
