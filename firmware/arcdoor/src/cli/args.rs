//! The arguments, and the job that they ask for.

use super::board::BoardCommand;
use super::setup::SetupArgs;
use crate::home::settings::EngineName;
use arcdoor_api::{DoorAct, Feed, KeySource, Request};
use arcdoor_core::SubjectName;
use arcdoor_vision::DetectorKind;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Recognises faces at a door, on the board beside the door.
#[derive(Debug, Parser)]
#[command(name = "arcdoor", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done or granted; 1 no match, denied or try again; 2 wrong usage; \
    3 bad input; 4 pack, gallery or log refused; 5 device or file trouble.")]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Folder of all state: gallery, settings, log [default: /var/lib/arcdoor for root, else
    /// ~/.local/state/arcdoor]
    #[arg(long, global = true, value_name = "DIR", env = "ARCDOOR_HOME")]
    pub(super) home: Option<PathBuf>,
    /// The pack: the name of an installed one, or the path of a folder, with a / [default: as in
    /// settings.toml, else yunet-sface where it is installed, else the one that is compiled in]
    #[arg(long, global = true, value_name = "NAME|DIR", env = "ARCDOOR_PACK")]
    pub(super) pack: Option<String>,
    /// Take a pack that no trusted key signed, such as one that you built yourself
    #[arg(long, global = true, env = "ARCDOOR_ALLOW_UNSIGNED_PACK")]
    pub(super) allow_unsigned_pack: bool,
    /// The weakest source that the gallery's key may come from, whatever the home says [default: as the home says]
    #[arg(long, global = true, value_name = "SOURCE", env = "ARCDOOR_KEY_SOURCE", value_parser = key_source())]
    pub(super) key_source: Option<KeySource>,
    /// Which detector looks for faces [default: as in settings.toml, else yunet]
    #[arg(long, global = true, value_parser = detector())]
    pub(super) detector: Option<DetectorKind>,
    /// What runs the networks; tract is the slower reference [default: as in settings.toml, else auto]
    #[arg(long, global = true, value_parser = engine())]
    pub(super) engine: Option<EngineName>,
    /// Print one JSON object a line
    #[arg(long, global = true)]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
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
        /// The photos or frames show somebody who was taken for NAME: deny that from now on
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
    /// Model packs
    Pack {
        #[command(subcommand)]
        command: PackCommand,
    },
    /// Decide on frame after frame, until stopped
    ///
    /// A camera that is lost, or not there yet, is tried again after 1, 2, 5, 10 and 30 s; if it stays away, the loop ends
    /// with 5, for a supervisor to start it again. Nothing that was seen before a loss counts after it, but for a lockout.
    /// The first frames of a camera, whose exposure has not settled, are passed over (at most 60, or 3 s).
    Run {
        /// The camera: DEVICE[@WIDTHxHEIGHT[@RATE]][,rotate=90|180|270][,mirror] [default: as in settings.toml, else
        /// /dev/video0]
        #[arg(long, value_name = "SPEC", conflicts_with = "replay")]
        camera: Option<String>,
        /// Photos of a folder, or one file, instead of a camera
        #[arg(long, value_name = "DIR|FILE")]
        replay: Option<PathBuf>,
        /// So many photos of a replay a second, at most [default: as fast as they can be decided]
        #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u32).range(1..=120))]
        rate: Option<u32>,
        /// Stop after so many frames
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        frames: Option<u64>,
        /// Record every decision, and what it was made of, in a new file of at most 256 MiB: `arcdoor replay` decides
        /// it again
        #[arg(long, value_name = "FILE")]
        trace: Option<PathBuf>,
        /// Hold a door in memory: keys press its buttons and open it, and what happens is told in words
        #[arg(long)]
        simulate: bool,
        /// Write what the panel shows into this folder, a PNG for each change, instead of on the board's own
        #[arg(long, value_name = "DIR")]
        panel: Option<PathBuf>,
    },
    /// First set-up: what opens the door, and what it is wired to
    Setup(SetupArgs),
    /// What people enter beside their face
    Pin {
        #[command(subcommand)]
        command: PinCommand,
    },
    /// What is wired to this board
    Board {
        #[command(subcommand)]
        command: BoardCommand,
    },
    /// The door that `run` holds
    Door {
        #[command(subcommand)]
        command: DoorCommand,
    },
    /// Decide a recorded trace again: it ends with 1 at the first decision that is another one now
    Replay {
        /// What `run --trace` or `log why --capsule` wrote
        file: PathBuf,
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
pub(super) enum PackCommand {
    /// Whether a pack is whole: every problem, by name
    Check {
        /// The pack's folder, or its name as --pack takes it [default: the chosen pack]
        #[arg(value_name = "NAME|DIR")]
        dir: Option<PathBuf>,
        /// Also say how each network is run: engine, steps, multiply-accumulates, predicted time; and run it once on tract,
        /// the reference, to say how far the plan is from that
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
        /// Do not ask, although people would have to be enrolled again under it
        #[arg(long)]
        yes: bool,
    },
    /// Choose a pack in settings.toml (--pack and ARCDOOR_PACK still count for more)
    Use {
        /// The name of an installed one, or of the one that is compiled in; NAME@before is the one that NAME replaced
        name: String,
        /// Do not ask, although people would have to be enrolled again under it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum LogCommand {
    /// Whether the log is what was written: the first record that was removed, altered, moved or cut is named
    ///
    /// With the verification key that was shown when the log began, every record is checked against its epoch's key; a
    /// note that somebody kept elsewhere also tells whether the end was cut off. Ends with 4 where something is wrong.
    Verify {
        /// A file that holds the verification key; without it, what is sealed with earlier keys is only checked for its
        /// order
        #[arg(long, value_name = "FILE", env = "ARCDOOR_LOG_KEY_FILE")]
        key_file: Option<PathBuf>,
        /// A note that `arcdoor log note` printed
        #[arg(long, value_name = "FILE")]
        note: Option<PathBuf>,
    },
    /// Print the log's head as a signed note: mail it to somebody, who can later tell whether the end was cut off
    Note,
    /// Why that entry was decided so: what was seen, each quality part, score, margin, policy; and what to do about it
    Why {
        /// The entry's number, as `arcdoor log` prints it
        entry: u64,
        /// Also write what led to the decision into a new file (no image, no template, no name), sealed: `arcdoor
        /// replay FILE` decides it again on any machine
        #[arg(long, value_name = "FILE")]
        capsule: Option<PathBuf>,
    },
    /// That grant was wrong: whoever it was is denied being that subject from now on
    Wrong {
        /// The entry's number, as `arcdoor log` prints it
        entry: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PinCommand {
    /// Give somebody a PIN, or another one; it is asked for, or read from the file that ARCDOOR_PIN_FILE names
    Set {
        /// Who
        #[arg(value_parser = SubjectName::new)]
        name: SubjectName,
        /// The other one, which opens as the usual one does and tells those who are to know: under duress
        #[arg(long)]
        duress: bool,
    },
    /// Take somebody's PINs away
    Remove {
        /// Who
        #[arg(value_parser = SubjectName::new)]
        name: SubjectName,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum DoorCommand {
    /// How it stands
    State,
    /// The alarms that stand were seen; each ends when its cause has
    Acknowledge,
    /// Let nobody in from now on; who is inside gets out as ever
    Lockdown,
    /// Let people in again
    EndLockdown,
    /// End the fire release, once the fire input is clear
    ResetFire,
    /// Take everybody to be outside, for anti-passback
    ForgetInside,
    /// Play a story on a door's machine alone: what would it do?
    Simulate {
        /// The story; docs/door.md says how one is written
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Issue every template anew under a new key from the same source; what leaked before matches no more
    Renew,
    /// Seal the gallery anew under a new key from another source, as `renew` does
    Change {
        /// Where the new key comes from
        #[arg(long, value_name = "SOURCE", value_parser = key_source())]
        to: KeySource,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct FromArgs {
    /// JPEG or PNG photos
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
    /// The camera: DEVICE[@WIDTHxHEIGHT[@RATE]][,rotate=90|180|270][,mirror]; its first frames are passed over until its
    /// exposure has settled [default: as in settings.toml, else /dev/video0]
    #[arg(long, value_name = "SPEC", num_args = 0..=1)]
    camera: Option<Option<String>>,
}

impl FromArgs {
    fn feed(self) -> Feed {
        match self.camera {
            Some(spec) => Feed::Camera(spec),
            None => Feed::Photos(self.image),
        }
    }
}

/// What the arguments ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Job {
    /// A request to the device.
    Ask(Request),
    /// The loop at the door.
    Run(RunJob),
    /// A story, played on the door's machine alone.
    Scenario(PathBuf),
    /// The first set-up.
    Setup(SetupArgs),
    /// What is wired.
    Board(BoardCommand),
    /// A completion script.
    Completions(Shell),
    /// Nothing that can be done.
    WrongUsage,
}

/// How the loop at the door runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RunJob {
    /// Where the frames come from.
    pub(super) from: Feed,
    /// Stop after so many frames.
    pub(super) frames: Option<u64>,
    /// The file that decisions are recorded in; none: they are not.
    pub(super) trace: Option<PathBuf>,
    /// Frames a second, at most.
    pub(super) rate: Option<u32>,
    /// Whether lock and buttons are in memory, and keys press them.
    pub(super) simulate: bool,
    /// A folder for what the panel shows.
    pub(super) panel: Option<PathBuf>,
}

impl Command {
    /// Whether a subject is removed without asking first (`--yes`).
    pub(super) const fn is_sure(&self) -> bool {
        matches!(self, Self::Revoke { yes: true, .. })
    }

    /// The file that holds the log's verification key.
    pub(super) const fn log_key(&self) -> Option<&PathBuf> {
        match self {
            Self::Log { command: Some(LogCommand::Verify { key_file, .. }), .. } => key_file.as_ref(),
            _ => None,
        }
    }

    pub(super) fn job(self) -> Job {
        Job::Ask(match self {
            Self::Run { replay, rate, camera, frames, trace, simulate, panel } => {
                let from = replay.map_or(Feed::Camera(camera), Feed::Replay);
                return Job::Run(RunJob { from, frames, trace, rate, simulate, panel });
            }
            Self::Setup(args) => return Job::Setup(args),
            Self::Board { command } => return Job::Board(command),
            Self::Pin { command: PinCommand::Set { name, duress } } => Request::PinSet { name, duress },
            Self::Pin { command: PinCommand::Remove { name } } => Request::PinRemove { name },
            Self::Door { command: DoorCommand::Simulate { file } } => return Job::Scenario(file),
            Self::Door { command: DoorCommand::State } => Request::DoorState,
            Self::Door { command: DoorCommand::Acknowledge } => Request::Door(DoorAct::Acknowledge),
            Self::Door { command: DoorCommand::Lockdown } => Request::Door(DoorAct::Lockdown),
            Self::Door { command: DoorCommand::EndLockdown } => Request::Door(DoorAct::EndLockdown),
            Self::Door { command: DoorCommand::ResetFire } => Request::Door(DoorAct::ResetFire),
            Self::Door { command: DoorCommand::ForgetInside } => Request::Door(DoorAct::ForgetInside),
            Self::Completions { shell } => return Job::Completions(shell),
            Self::Enrol { from, not: Some(name), .. } => Request::NotThisPerson { name, from: from.feed() },
            Self::Enrol { name: Some(name), from, add, replace, .. } if add || replace => {
                Request::ReEnrol { name, from: from.feed(), add }
            }
            Self::Enrol { name: Some(name), from, duplicate, .. } => {
                Request::Enrol { name, from: from.feed(), duplicate }
            }
            // clap wants a name or --not.
            Self::Enrol { .. } => return Job::WrongUsage,
            Self::Log { command: Some(LogCommand::Wrong { entry }), .. } => Request::LogWrong { entry },
            Self::Log { command: Some(LogCommand::Why { entry, capsule }), .. } => {
                Request::LogWhy { entry, capsule }
            }
            Self::Log { command: Some(LogCommand::Verify { note, .. }), .. } => Request::LogVerify { note },
            Self::Log { command: Some(LogCommand::Note), .. } => Request::LogNote,
            Self::Log { count, of, names, .. } => Request::Log { count, of, names },
            Self::Revoke { name, not: true, .. } => Request::ForgetImpostors { name },
            Self::Revoke { name, erase, .. } => Request::Revoke { name, erase },
            Self::Identify { from, annotate } => Request::Identify { from: from.feed(), annotate },
            Self::Verify { name, from } => Request::Verify { name, from: from.feed() },
            Self::List => Request::List,
            Self::Show { name } => Request::Show { name },
            Self::Export { file } => Request::Export { file },
            Self::Import { file } => Request::Import { file },
            Self::Key { command: KeyCommand::Change { to } } => Request::KeyChange { to },
            Self::Key { command: KeyCommand::Renew } => Request::KeyRenew,
            Self::Pack { command: PackCommand::Check { dir, explain } } => {
                Request::PackCheck { dir, explain }
            }
            Self::Pack { command: PackCommand::Install { dir, older, yes } } => {
                Request::PackInstall { dir, older, sure: yes }
            }
            Self::Pack { command: PackCommand::Use { name, yes } } => Request::PackUse { name, sure: yes },
            Self::Replay { file } => Request::Replay { file },
            Self::Tune { dry_run, frame, winograd } => Request::Tune { frame, winograd, dry_run },
            Self::Doctor => Request::Doctor,
        })
    }
}

/// A parser for one of these names, each with its help and the value that it stands for.
fn named<T: Copy + Send + Sync + 'static, const N: usize>(
    all: [(&'static str, &'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    let described = all.map(|(name, help, _)| PossibleValue::new(name).help(help));
    PossibleValuesParser::new(described).try_map(move |text| {
        let found = all.iter().find(|(name, ..)| *name == text).map(|(.., value)| *value);
        found.ok_or("no such name")
    })
}

fn detector() -> impl TypedValueParser<Value = DetectorKind> {
    named(DetectorKind::ALL.map(|kind| {
        let help = match kind {
            DetectorKind::Yunet => "The pack's YuNet",
            DetectorKind::Seetaface => "SeetaFace, compiled in; the pack's YuNet then gives the landmarks",
        };
        (kind.name(), help, kind)
    }))
}

fn engine() -> impl TypedValueParser<Value = EngineName> {
    named([
        ("auto", "The compiled plan where it supports a network, else tract", EngineName::Auto),
        ("plan", "The compiled plan; a network that it does not support is refused", EngineName::Plan),
        ("tract", "tract, the slower reference", EngineName::Tract),
    ])
}

fn key_source() -> impl TypedValueParser<Value = KeySource> {
    named(KeySource::ALL.map(|source| {
        let help = match source {
            KeySource::Credential => "A systemd credential; sealed by the TPM where it was encrypted so",
            KeySource::Passphrase => "A passphrase",
            KeySource::File => "A file beside the gallery",
        };
        (source.name(), help, source)
    }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn job(arguments: &[&str]) -> Job {
        Cli::try_parse_from([&["arcdoor"], arguments].concat()).unwrap().command.job()
    }

    fn request(arguments: &[&str]) -> Request {
        match job(arguments) {
            Job::Ask(request) => request,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_become_requests() {
        let name = SubjectName::new("Ada").unwrap();
        let from = Feed::Photos(vec!["a.jpg".into(), "b.jpg".into()]);
        assert_eq!(
            request(&["enrol", "Ada", "--image", "a.jpg", "b.jpg"]),
            Request::Enrol { name: name.clone(), from, duplicate: false }
        );
        let from = Feed::Camera(Some("/dev/video2".into()));
        assert_eq!(request(&["verify", "Ada", "--camera", "/dev/video2"]), Request::Verify { name, from });
        assert_eq!(
            request(&["identify", "--camera", "--json"]),
            Request::Identify { from: Feed::Camera(None), annotate: None }
        );
        assert_eq!(request(&["key", "renew"]), Request::KeyRenew);
        assert_eq!(
            request(&["key", "change", "--to", "passphrase"]),
            Request::KeyChange { to: KeySource::Passphrase }
        );
        assert_eq!(
            job(&["run", "--replay", "x", "--frames", "3", "--trace", "t"]),
            Job::Run(RunJob {
                from: Feed::Replay("x".into()),
                frames: Some(3),
                trace: Some("t".into()),
                rate: None,
                simulate: false,
                panel: None,
            })
        );
    }
}
