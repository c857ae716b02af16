//! The arguments: parsed to plain values, then handed to the service.

use crate::doctor;
use crate::error::{self, Error};
use crate::home::Home;
use crate::keys::KeySource;
use crate::message::{Pictures, Request, Response};
use crate::service::{Options, Outcome, Service};
use crate::settings::EngineName;
use crate::text::{Printer, name_of};
use arcdoor_core::SubjectName;
use arcdoor_vision::DetectorKind;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Recognises faces at a door, on the board beside the door.
#[derive(Debug, Parser)]
#[command(name = "arcdoor", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done or granted; 1 no match, denied or try again; 2 wrong usage; \
    3 bad input; 4 pack or gallery refused; 5 device or file trouble.")]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// Folder of all state: gallery, settings, log [default: /var/lib/arcdoor for root, else
    /// ~/.local/state/arcdoor]
    #[arg(long, global = true, value_name = "DIR", env = "ARCDOOR_HOME")]
    home: Option<PathBuf>,
    /// The pack: a name under models/packs/ or the home's packs/, or a folder [default: yunet-sface]
    #[arg(long, global = true, value_name = "NAME|DIR", env = "ARCDOOR_PACK")]
    pack: Option<String>,
    /// Take a pack that no trusted key signed, such as one that you built yourself
    #[arg(long, global = true, env = "ARCDOOR_ALLOW_UNSIGNED_PACK")]
    allow_unsigned_pack: bool,
    /// Which detector looks for faces [default: as in settings.toml, else yunet]
    #[arg(long, global = true, value_parser = PossibleValuesParser::new(DetectorKind::ALL.map(DetectorKind::name)).try_map(|name| name.parse::<DetectorKind>()))]
    detector: Option<DetectorKind>,
    /// What runs the networks; tract is the slower reference [default: as in settings.toml, else auto]
    #[arg(long, global = true, value_enum)]
    engine: Option<EngineName>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a person's templates, from photos or in front of the camera
    Enrol {
        /// The person's name
        #[arg(value_parser = SubjectName::new, required_unless_present = "not")]
        name: Option<SubjectName>,
        #[command(flatten)]
        from: FromArgs,
        /// Keep the views that this person has, and store more
        #[arg(long, requires = "name")]
        add: bool,
        /// Store these views in the place of those that this person has
        #[arg(long, requires = "name", conflicts_with = "add")]
        replace: bool,
        /// The pictures show somebody who was taken for NAME: deny that from now on
        #[arg(long, value_name = "NAME", value_parser = SubjectName::new,
              conflicts_with_all = ["name", "add", "replace", "duplicate"])]
        not: Option<SubjectName>,
        /// Enrol although the face is enrolled under another name, such as a twin's
        #[arg(long, conflicts_with_all = ["add", "replace"])]
        duplicate: bool,
    },
    /// Who is it? (1:N)
    Identify {
        #[command(flatten)]
        from: FromArgs,
        /// Write marked copies (boxes, landmarks, names) as PNG into this folder
        #[arg(long, value_name = "DIR")]
        annotate: Option<PathBuf>,
    },
    /// Is it this person? (1:1)
    Verify {
        /// Who it should be
        #[arg(value_parser = SubjectName::new)]
        name: SubjectName,
        #[command(flatten)]
        from: FromArgs,
    },
    /// Everybody enrolled
    List,
    /// One subject
    Show {
        /// Who
        #[arg(value_parser = SubjectName::new)]
        name: SubjectName,
    },
    /// Remove a subject and its templates
    Revoke {
        /// Who
        #[arg(value_parser = SubjectName::new)]
        name: SubjectName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        /// Also write the gallery anew under a new key and overwrite what the old file held
        #[arg(long)]
        erase: bool,
        /// Keep the subject; remove only who was reported as not this person
        #[arg(long, conflicts_with = "erase")]
        not: bool,
    },
    /// What happened: decisions, enrolments, keys
    #[command(args_conflicts_with_subcommands = true)]
    Log {
        /// So many of the newest entries
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        count: usize,
        /// Only entries about this subject
        #[arg(long, value_name = "NAME", value_parser = SubjectName::new)]
        of: Option<SubjectName>,
        /// Names instead of subjects' numbers (opens the gallery)
        #[arg(long)]
        names: bool,
        #[command(subcommand)]
        command: Option<LogCommand>,
    },
    /// Write everybody to a file sealed with a passphrase, to move or to keep
    Export {
        /// The file; it must not be there yet
        file: PathBuf,
    },
    /// Enrol everybody of an exported file whose name is free here
    Import {
        /// The file
        file: PathBuf,
    },
    /// The gallery's key
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Measure which tiles are fastest on this device, layer by layer, and keep them
    ///
    /// Tiles say how a layer's loops are cut: they change its time, and no value. A file with those that were
    /// faster here is written to the home folder (tuning.toml); every later start reads it. It belongs to this pack
    /// and this CPU: tune again after either changes (`arcdoor doctor` says so). Stop `arcdoor run` first, or both
    /// are disturbed. Takes seconds on a PC, minutes on a board.
    Tune {
        /// Only show what is faster; write nothing
        #[arg(long)]
        dry_run: bool,
        /// Width and height of the camera's frames: they decide the detector's input
        #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "640x480", value_parser = frame_size)]
        frame: [u32; 2],
        /// Also try Winograd's form of 3x3 layers, or leave it: scores then differ in their last digits (by at most
        /// 1e-4; thresholds and enrolled templates stay good)
        #[arg(long)]
        winograd: bool,
    },
    /// This site's own calibration: it can only make thresholds stricter
    Site {
        #[command(subcommand)]
        command: SiteCommand,
    },
    /// Model packs
    Pack {
        #[command(subcommand)]
        command: PackCommand,
    },
    /// Decide on frame after frame, until stopped
    Run {
        /// The camera [default: as in settings.toml, else /dev/video0]
        #[arg(long, value_name = "SPEC", conflicts_with = "replay")]
        camera: Option<String>,
        /// Pictures of a folder, or one file, instead of a camera
        #[arg(long, value_name = "DIR|FILE")]
        replay: Option<PathBuf>,
        /// Stop after so many frames
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        frames: Option<u64>,
    },
    /// What is wrong with this device, and what to do
    Doctor,
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum PackCommand {
    /// Whether a pack is whole: every problem, by name
    Check {
        /// The pack's folder, or its name as --pack takes it [default: the chosen pack]
        #[arg(value_name = "NAME|DIR")]
        dir: Option<PathBuf>,
        /// Also say how each network is run: engine, steps, multiply-accumulates, predicted time
        #[arg(long)]
        explain: bool,
    },
    /// Copy a pack into the home's packs, if a trusted key signed it
    Install {
        /// The pack's folder, or one file as `arcdoor-lab pack bundle` makes it
        #[arg(value_name = "FILE|DIR")]
        dir: PathBuf,
        /// Take it although a later version is installed
        #[arg(long)]
        older: bool,
    },
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// That grant was wrong: whoever it was is denied being that subject from now on
    Wrong {
        /// The entry's number, as `arcdoor log` prints it
        entry: u64,
    },
}

#[derive(Debug, Subcommand)]
enum SiteCommand {
    /// Write what people here score against each other, and the wrong grants that were reported, without names or
    /// templates: input of `arcdoor-lab calibrate --site`
    Export {
        /// The file; it must not be there yet
        file: PathBuf,
    },
    /// Take the site.toml that `arcdoor-lab calibrate --site` made
    Install {
        /// The file
        file: PathBuf,
    },
    /// Go back to the pack's own thresholds
    Remove,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Issue every template anew under a new key from the same source; what leaked before matches no more
    Renew {
        /// Only this subject's templates, under the key as it is; where the key may be known, leave this out
        #[arg(long, value_name = "NAME", value_parser = SubjectName::new)]
        subject: Option<SubjectName>,
    },
    /// Seal the gallery anew under a new key from another source, as `renew` does
    Change {
        /// Where the new key comes from
        #[arg(long, value_name = "SOURCE")]
        to: KeySource,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct FromArgs {
    /// JPEG or PNG photos
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// The camera [default: as in settings.toml, else /dev/video0]
    #[arg(long, value_name = "SPEC", num_args = 0..=1)]
    camera: Option<Option<String>>,
}

impl FromArgs {
    fn pictures(self) -> Pictures {
        match self.camera {
            Some(spec) => Pictures::Camera(spec),
            None => Pictures::Images(self.image),
        }
    }
}

impl Command {
    /// The request; none for what the service has no part in.
    fn request(self) -> Result<Request, Option<Shell>> {
        Ok(match self {
            Self::Enrol { name, from, add, replace, not, duplicate } => {
                let from = from.pictures();
                match (name, not) {
                    (_, Some(name)) => Request::NotThisPerson { name, from },
                    (Some(name), None) if add || replace => Request::ReEnrol { name, from, add },
                    (Some(name), None) => Request::Enrol { name, from, duplicate },
                    // clap wants one of the two.
                    (None, None) => return Err(None),
                }
            }
            Self::Log { command: Some(LogCommand::Wrong { entry }), .. } => Request::LogWrong { entry },
            Self::Log { count, of, names, .. } => Request::Log { count, of, names },
            Self::Revoke { name, not: true, .. } => Request::ForgetImpostors { name },
            Self::Identify { from, annotate } => Request::Identify { from: from.pictures(), annotate },
            Self::Verify { name, from } => Request::Verify { name, from: from.pictures() },
            Self::List => Request::List,
            Self::Show { name } => Request::Show { name },
            Self::Revoke { name, erase, .. } => Request::Revoke { name, erase },
            Self::Export { file } => Request::Export { file },
            Self::Import { file } => Request::Import { file },
            Self::Key { command: KeyCommand::Change { to } } => Request::KeyChange { to },
            Self::Pack { command: PackCommand::Check { dir, explain } } => {
                Request::PackCheck { dir, explain }
            }
            Self::Key { command: KeyCommand::Renew { subject: Some(name) } } => Request::ReIssue { name },
            Self::Key { command: KeyCommand::Renew { subject: None } } => Request::KeyRenew,
            Self::Site { command: SiteCommand::Export { file } } => Request::SiteExport { file },
            Self::Site { command: SiteCommand::Install { file } } => Request::SiteInstall { file },
            Self::Site { command: SiteCommand::Remove } => Request::SiteRemove,
            Self::Pack { command: PackCommand::Install { dir, older } } => {
                Request::PackInstall { dir, older }
            }
            Self::Run { replay: Some(path), frames, .. } => {
                Request::Run { from: Pictures::Replay(path), frames }
            }
            Self::Run { camera, frames, .. } => Request::Run { from: Pictures::Camera(camera), frames },
            Self::Tune { dry_run, frame, winograd } => Request::Tune { frame, winograd, dry_run },
            Self::Doctor => Request::Doctor,
            Self::Completions { shell } => return Err(Some(shell)),
        })
    }
}

/// `640x480`, each side 16 to 16384.
fn frame_size(text: &str) -> Result<[u32; 2], String> {
    let sides =
        text.split_once('x').and_then(|(width, height)| Some([width.parse().ok()?, height.parse().ok()?]));
    match sides {
        Some(sides) if sides.iter().all(|side| (16..=16_384).contains(side)) => Ok(sides),
        _ => Err("give width and height, each within 16 to 16384, as 640x480".to_owned()),
    }
}

/// Parses the process's arguments, asks the service, prints.
#[must_use]
pub fn main() -> ExitCode {
    // Faults that are caught become errors with advice; who mends them wants the place, nobody a stack.
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(ToString::to_string).unwrap_or_default();
        // A closed stderr leaves nobody to tell.
        let _ = writeln!(io::stderr(), "arcdoor: fault at {place}");
    }));
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr leaves nobody to tell.
            let _ = writeln!(io::stderr(), "arcdoor: {error}");
            ExitCode::from(error.code())
        }
    }
}

fn run(cli: Cli) -> Result<u8, Error> {
    let Cli { global, command } = cli;
    let sure = matches!(command, Command::Revoke { yes: true, .. });
    let request = match command.request() {
        Ok(request) => request,
        Err(Some(shell)) => return completions(shell),
        Err(None) => return Ok(error::USAGE),
    };
    let home = Home::resolve(global.home)?;
    let allow_unsigned_pack = global.allow_unsigned_pack;
    let options =
        Options { pack: global.pack, detector: global.detector, engine: global.engine, allow_unsigned_pack };
    if let (Request::Revoke { name, .. }, false) = (&request, sure) {
        confirm(name)?;
    }
    let json = global.json || matches!(request, Request::Run { .. });
    let mut printer = Printer::new(longest_name(&request));
    let mut out = io::stdout().lock();
    let mut print = |response: &Response| -> Result<(), Error> {
        if json {
            serde_json::to_writer(&mut out, response).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            printer.print(&mut out, response)?;
        }
        Ok(out.flush()?)
    };
    if matches!(request, Request::Doctor) {
        return examine(&home, &options, &mut print);
    }
    let mut service = Service::open(home, options)?;
    Ok(match service.handle(&request, &mut print)? {
        Outcome::Done => error::DONE,
        Outcome::Refused => error::REFUSED,
        Outcome::Failed(code) => code,
    })
}

/// Without a service: it must work where the settings are broken.
fn examine(
    home: &Home,
    options: &Options,
    print: &mut dyn FnMut(&Response) -> Result<(), Error>,
) -> Result<u8, Error> {
    let settings = crate::settings::Settings::read(&home.settings()).map(|mut settings| {
        settings.allow_unsigned_packs |= options.allow_unsigned_pack;
        settings
    });
    let mut code = error::DONE;
    for finding in doctor::examine(home, settings.as_ref(), options.pack.as_deref()) {
        print(&finding.response)?;
        if code == error::DONE {
            code = finding.code;
        }
    }
    Ok(code)
}

fn completions(shell: Shell) -> Result<u8, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "arcdoor", &mut script);
    io::stdout().write_all(&script)?;
    Ok(error::DONE)
}

fn confirm(name: &SubjectName) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Unconfirmed(name.clone()));
    }
    write!(io::stderr(), "Remove {name} and all templates? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Error::Declined) }
}

fn longest_name(request: &Request) -> usize {
    match request {
        Request::Identify { from: Pictures::Images(files), .. }
        | Request::Verify { from: Pictures::Images(files), .. } => {
            files.iter().map(|file| name_of(&file.to_string_lossy()).chars().count()).max().unwrap_or(0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(arguments: &[&str]) -> Request {
        let cli = Cli::try_parse_from([&["arcdoor"], arguments].concat()).unwrap();
        cli.command.request().unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_become_requests() {
        let name = SubjectName::new("Ada").unwrap();
        let from = Pictures::Images(vec!["a.jpg".into(), "b.jpg".into()]);
        assert_eq!(
            request(&["enrol", "Ada", "--image", "a.jpg", "b.jpg"]),
            Request::Enrol { name: name.clone(), from, duplicate: false }
        );
        let from = Pictures::Camera(Some("/dev/video2".into()));
        assert_eq!(request(&["verify", "Ada", "--camera", "/dev/video2"]), Request::Verify { name, from });
        assert_eq!(
            request(&["identify", "--camera", "--json"]),
            Request::Identify { from: Pictures::Camera(None), annotate: None }
        );
        let name = SubjectName::new("Ada").unwrap();
        assert_eq!(request(&["key", "renew"]), Request::KeyRenew);
        assert_eq!(request(&["key", "renew", "--subject", "Ada"]), Request::ReIssue { name });
        assert_eq!(
            request(&["run", "--replay", "x", "--frames", "3"]),
            Request::Run { from: Pictures::Replay("x".into()), frames: Some(3) }
        );
    }
}
