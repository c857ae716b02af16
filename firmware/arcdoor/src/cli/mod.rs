//! The command line: arguments to a job, passphrases from the terminal, answers to text or JSON. The only printer.

mod args;
mod column;
mod print;
mod prompt;
mod text;
mod text_doctor;
mod text_log;
mod text_network;
mod text_tuning;

use crate::daemon::{Clock, Loop, SystemClock, Trace, feed};
use crate::device::source::Frames;
use crate::device::{Device, Options, Outcome, Reply};
use crate::error::{self, Error};
use crate::home::Home;
use crate::home::settings::Settings;
use crate::request::{Begun, begin, doctor};
use arcdoor_api::{Feed, Request};
use args::{Cli, Job};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use print::Printer;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Parses the process's arguments, does what they ask for, prints.
#[must_use]
pub fn main() -> ExitCode {
    // Faults that are caught become errors with advice; who mends them wants the place, nobody a stack.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(io::stderr(), "arcdoor: fault at {place}");
    }));
    match run(Cli::parse()) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            warn(&error.to_string());
            ExitCode::from(error.code())
        }
    }
}

fn warn(text: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = writeln!(io::stderr(), "arcdoor: {text}");
}

fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { global, command } = cli;
    let is_sure = command.is_sure();
    let job = command.job();
    let home = Home::resolve(global.home)?;
    let options = Options {
        pack: global.pack,
        detector: global.detector,
        engine: global.engine,
        allow_unsigned_pack: global.allow_unsigned_pack,
    };
    let outcome = match job {
        Job::WrongUsage => return Ok(error::USAGE),
        Job::Completions(shell) => return completions(shell),
        Job::Run { from, frames, trace } => at_the_door(home, options, &from, frames, trace)?,
        Job::Ask(request) => {
            if let (Request::Revoke { name, .. }, false) = (&request, is_sure) {
                prompt::confirm(name)?;
            }
            let mut printer = Printer::new(global.json, text::longest_photo(&request));
            ask(home, options, &request, &mut printer)?
        }
    };
    Ok(match outcome {
        Outcome::Done => error::DONE,
        Outcome::Refused => error::REFUSED,
        Outcome::Failed(code) => code,
    })
}

fn ask(home: Home, options: Options, request: &Request, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let clock = SystemClock::start();
    if matches!(request, Request::Doctor) {
        return examine(home, options, reply);
    }
    let passphrase = if prompt::opens_gallery(request) { prompt::gallery(&home)? } else { None };
    let mut device = Device::open(home, options, passphrase)?;
    tell_gone_keys(&device);
    let secrets = prompt::secrets(request)?;
    match (begin(&mut device, request, &secrets, clock.now(), reply)?, request.feed()) {
        (Begun::Frames(stepper), Some(from)) => feed(&mut device, from, stepper, &clock, reply),
        (Begun::Over(outcome), _) => Ok(outcome),
        // Who needs frames names a feed.
        (Begun::Frames(_), None) => Ok(Outcome::Refused),
    }
}

/// Must work where the settings are broken, and where nobody is there to type a passphrase.
fn examine(home: Home, options: Options, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let passphrase = prompt::gallery(&home).ok().flatten();
    match Device::open(home.clone(), options.clone(), passphrase.clone()) {
        Ok(mut device) => doctor::doctor(&mut device, None, reply),
        Err(error) => {
            let settings = options.over(Settings::default());
            doctor::doctor(&mut Device::with(home, settings, passphrase), Some(&error), reply)
        }
    }
}

/// `run`: the loop, one JSON object a frame.
fn at_the_door(
    home: Home,
    options: Options,
    from: &Feed,
    most: Option<u64>,
    trace: Option<PathBuf>,
) -> Result<Outcome, Error> {
    let passphrase = prompt::gallery(&home)?;
    let mut device = Device::open(home, options, passphrase)?;
    tell_gone_keys(&device);
    // Before anybody waits at the door for what will not come.
    device.work(device.settings().policy)?;
    let frames = Frames::open(from, device.settings())?;
    let trace = trace.map(|path| Trace::create(&path)).transpose()?;
    let clock = SystemClock::start();
    Loop::new(&mut device, frames, &clock, ()).with_trace(trace).run(most, &mut Printer::new(true, 0))
}

fn tell_gone_keys(device: &Device) {
    for gone in device.gone_keys() {
        warn(&format!("{}: {}: {}", device.home().settings().display(), gone.key, gone.advice));
    }
}

fn completions(shell: Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "arcdoor", &mut script);
    io::stdout().write_all(&script)?;
    Ok(error::DONE)
}
