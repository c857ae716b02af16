//! What can go wrong, which exit code goes with it, and what to do.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done, or granted |
//! | 1 | no match, denied, or try again |
//! | 2 | wrong usage |
//! | 3 | bad input |
//! | 4 | pack, gallery or log refused |
//! | 5 | device or file trouble |

mod code;
mod door;
mod exit;
mod shown;
mod words;

pub use door::DoorError;
pub use exit::{DEVICE, DONE, INPUT, PACK, REFUSED, USAGE};

use crate::home::capsule::CapsuleError;
use arcdoor_api::{KeySource, NewNameError, ReEnrolment, Response};
use arcdoor_calib::PromiseError;
use arcdoor_camera::{CameraError, ErrorKind};
use arcdoor_core::{CalibrationError, RetryReason, SubjectName};
use arcdoor_frame::FrameError;
use arcdoor_gallery::GalleryError;
use arcdoor_log::{KeyTextError, LogError, NoNote};
use arcdoor_models::PackError;
use arcdoor_pipeline::{PipelineError, TraceError};
use arcdoor_vision::VisionError;
use arcdoor_vision::tuning::{ShapeError, TuningError};
use std::io;
use std::path::PathBuf;
use words::{network, other_embedder, pack, photo, said};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A removal without a yes.
    #[error("nothing was revoked: there is nobody to ask here; repeat with --yes to remove {0}")]
    Unconfirmed(SubjectName),
    /// The answer to the question was no.
    #[error("nothing was revoked")]
    Declined,
    /// More photos than one request takes.
    #[error("{0} photos are too many for one request: give at most {max}", max = arcdoor_api::MAX_PHOTOS)]
    TooManyPhotos(usize),
    /// A photo cannot be read.
    #[error("{}", photo(path, source))]
    Photo {
        /// The file.
        path: PathBuf,
        /// Why.
        source: FrameError,
    },
    /// A name that nobody new may have.
    #[error(transparent)]
    NewName(#[from] NewNameError),
    /// Nobody of this name.
    #[error("nobody named {0} is enrolled: `arcdoor list` shows who is")]
    UnknownName(SubjectName),
    /// The settings are wrong.
    #[error("{}: {source}\ncorrect the file, or remove it to have the defaults", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// No pack where it should be.
    #[error(
        "no pack {asked:?} (looked at {}): install one with `arcdoor pack install FILE|DIR`, or give its folder as a path, \
         such as --pack ./models/packs/yunet-sface (`cargo xtask pack yunet-sface` builds that one)",
        looked.display()
    )]
    NoPack {
        /// What was asked for.
        asked: String,
        /// Where it was looked for.
        looked: PathBuf,
    },
    /// A path where a name is asked for.
    #[error(
        "{0:?} is a path, and `pack use` takes a name: install the pack with `arcdoor pack install {0}`, or write \
         pack = {0:?} in settings.toml yourself"
    )]
    PackPath(String),
    /// Packs are installed, and none is named.
    #[error(
        "no pack is named, and {installed} is installed: say which one is meant, with pack = \"{installed}\" in \
         settings.toml or --pack {installed}"
    )]
    NoPackNamed {
        /// One that is installed.
        installed: String,
    },
    /// The pack is broken.
    #[error("{}", pack(.0))]
    Pack(#[from] PackError),
    /// The pack's table has no such threshold.
    #[error("target_fmr in settings.toml: {0}")]
    Calibration(#[from] CalibrationError),
    /// The gallery refused.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// The gallery is of another embedder than the pack.
    #[error("{}", other_embedder(of, gallery))]
    OtherEmbedder {
        /// Who is in it.
        of: Box<ReEnrolment>,
        /// Its file.
        gallery: PathBuf,
    },
    /// A pack under which people would have to be enrolled again, without a yes.
    #[error(
        "nothing was changed: {}; repeat with --yes to take the pack all the same",
        match people {
            Some(people) => format!("{people} people would have to be enrolled again under this pack"),
            None => "this pack has another embedder than the one in use, and whether people would have to be enrolled \
                     again cannot be told without the gallery's key".to_owned(),
        }
    )]
    ReEnrolUnconfirmed {
        /// How many; none: the gallery could not be read.
        people: Option<usize>,
    },
    /// The answer to that question was no.
    #[error("nothing was changed")]
    PackDeclined,
    /// The pack's networks failed.
    #[error("{}", network(.0, .0.lacks_tract()))]
    Vision(#[from] VisionError),
    /// A layer of the pack that cannot be measured.
    #[error("a layer of this pack cannot be measured: {0}; `arcdoor pack check --explain` shows the layers")]
    Layer(ShapeError),
    /// More layers than a tuning has.
    #[error("this pack cannot be tuned: {0}")]
    Tuning(#[from] TuningError),
    /// Other tiles, other values: more than rounding.
    #[error(
        "tuned, {file} answers other values, {difference:.1e} of the greatest: nothing was written, and the defaults \
         stay; if this repeats, the CPU or its memory computes wrongly"
    )]
    TunedValues {
        /// The network's file.
        file: String,
        /// Greatest difference of an output, as a share of its greatest value.
        difference: f32,
    },
    /// Recognition failed.
    #[error("{}", network(.0, matches!(.0, PipelineError::Vision(error) if error.lacks_tract())))]
    Pipeline(#[from] PipelineError),
    /// A sealed gallery and nothing to open it.
    #[error(
        "the gallery is sealed, and its key is missing: bring back {}, or start with the credential or \
         passphrase that it was sealed with",
        .0.display()
    )]
    NoKey(PathBuf),
    /// A gallery whose key is kept worse than this device's is.
    #[error(
        "the gallery opens by its {}, and this device keeps its key as a {}: somebody may have exchanged the gallery. \
         If you put it here yourself, remove {} (and ask for no other source in ARCDOOR_KEY_SOURCE), then \
         `arcdoor key change --to {}`",
        said(*found), said(*wanted), path.display(), wanted.name()
    )]
    WeakerKey {
        /// Where its key comes from.
        found: KeySource,
        /// The weakest source that is taken.
        wanted: KeySource,
        /// The home's own word on that.
        path: PathBuf,
    },
    /// A credential was given, and the gallery is still under a key file.
    #[error(
        "the credential does not open the gallery, which is still under the key file {}: \
         `arcdoor key change --to credential` seals it under the credential; if it was under the credential before, \
         somebody exchanged it",
        .0.display()
    )]
    NotUnderCredential(PathBuf),
    /// Another process has the home folder.
    #[error(
        "{} is in use by {}: wait until it is done, or stop it",
        home.display(),
        holder.as_ref().map_or_else(|| "another arcdoor".to_owned(), |holder| format!("process {holder}"))
    )]
    HomeInUse {
        /// The folder.
        home: PathBuf,
        /// Which process, and its command.
        holder: Option<String>,
    },
    /// A key file of another length or with other characters.
    #[error("{}: not a key; it holds 64 hexadecimal digits or 32 bytes", .0.display())]
    BadKey(PathBuf),
    /// No systemd credential.
    #[error(
        "there is no credential {name:?}: start arcdoor as a systemd service with \
         LoadCredentialEncrypted={name}:FILE",
        name = name
    )]
    NoCredential {
        /// The credential's name.
        name: &'static str,
    },
    /// A passphrase that did not come with the request.
    #[error("this needs a passphrase, and none came with the request")]
    NoPassphrase,
    /// Nobody to type a passphrase.
    #[error("{prompt}: there is nobody to ask; name a file that holds it in {file}")]
    NobodyToAsk {
        /// Which passphrase.
        prompt: &'static str,
        /// The variable that names a file.
        file: &'static str,
    },
    /// A new passphrase that would be guessed.
    #[error("a passphrase has at least {least} characters")]
    ShortPassphrase {
        /// The fewest characters that it may have.
        least: usize,
    },
    /// The passphrase and its repetition differ.
    #[error("the two passphrases differ; nothing was changed")]
    PassphrasesDiffer,
    /// The gallery says something strange about its key.
    #[error("the gallery asks for a key in a way that this arcdoor does not know or a board cannot do")]
    Hint,
    /// The face is enrolled already.
    #[error(
        "this face is already enrolled as {0}: revoke {0} first, or, if this is really somebody else, repeat \
         with --duplicate; either may then be taken for the other"
    )]
    Duplicate(SubjectName),
    /// The name is enrolled already.
    #[error(
        "{0} is enrolled already: `enrol \"{0}\" --add` stores more views, `--replace` other ones; for \
         somebody else of this name, choose another"
    )]
    Enrolled(SubjectName),
    /// The images of a re-enrolment show somebody else.
    #[error(
        "these images do not match {0} as enrolled, nothing was changed: if it is {0} all the same, revoke \
         and enrol anew"
    )]
    AnotherPerson(SubjectName),
    /// No image of the other person could be used.
    #[error(
        "no image was good enough, nothing was stored: give a sharp one of one face, turned to the camera"
    )]
    NoGoodView,
    /// The log refused.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A first start whose words are kept on the card.
    #[error(
        "there is no log yet, and its verification key, shown once, would be kept in the service's journal: begin it by \
         hand, such as by `arcdoor pack install` or `arcdoor enrol` in a terminal, then start the service"
    )]
    LogNotBegun,
    /// Counts that contradict each other.
    #[error("what was counted of wrong grants: {0}")]
    Promise(#[from] PromiseError),
    /// A file that holds no verification key of the log.
    #[error("{}: {source}", path.display())]
    LogKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: KeyTextError,
    },
    /// A file that holds no note of the log.
    #[error("{}: {source}", path.display())]
    LogNote {
        /// The file.
        path: PathBuf,
        /// Why.
        source: NoNote,
    },
    /// No entry of this number.
    #[error("the log has no entry {0} (any more): `arcdoor log` shows the newest, with their numbers")]
    NoEntry(u64),
    /// What led to an entry is gone, or never was kept.
    #[error(
        "what led to entry {0} of the log is not kept: it is no decision, somebody who was revoked was named in it, or newer \
         decisions took its place; `arcdoor log why {0}` without --capsule says what the log holds"
    )]
    NoObservations(u64),
    /// An entry that let nobody in.
    #[error("entry {0} of the log let nobody in: only a grant can have been wrong in this way")]
    NoGrant(u64),
    /// The probe is gone.
    #[error(
        "the probe of entry {0} is not kept any more (settings: keep_probes, keep_probes_h), or its subject or \
         key is gone: use a photo of the person instead, `arcdoor enrol --not NAME --image FILE`"
    )]
    NoProbe(u64),
    /// A pack that is older than one that was installed.
    #[error(
        "the pack {name} is version {offered}, and version {installed} was installed before: an older pack may \
         lack what was mended since; to go back on purpose, repeat with --older"
    )]
    OlderPack {
        /// The pack's name.
        name: String,
        /// The version of the pack that is to be installed.
        offered: u64,
        /// The highest that was ever installed here.
        installed: u64,
    },
    /// A pack that is older than the one of its name that is compiled in.
    #[error(
        "the pack {name} is version {offered}, and this program has version {compiled_in} compiled in, which goes \
         before it: an older pack may lack what was mended since; to use it on purpose, give its folder as a path, \
         with --pack or pack in settings.toml"
    )]
    OlderThanCompiledIn {
        /// The packs' name.
        name: String,
        /// The version of the pack that is to be installed.
        offered: u64,
        /// The version that is compiled in.
        compiled_in: u64,
    },
    /// The pack that is compiled in is older than one of its name that was installed and is gone.
    #[error(
        "version {installed} of the pack {name} was installed here and is gone, and this program has version \
         {compiled_in} compiled in: an older pack may lack what was mended since; install version {installed} again \
         with `arcdoor pack install FILE|DIR`, or, to go back on purpose, remove the line {name} from {}",
        noted.display()
    )]
    NewerPackGone {
        /// The packs' name.
        name: String,
        /// The version that is compiled in.
        compiled_in: u64,
        /// The highest that was ever installed here.
        installed: u64,
        /// The file that says so.
        noted: PathBuf,
    },
    /// An export under the gallery's own passphrase.
    #[error(
        "this is the gallery's own passphrase: an exported file travels and wants one of its own \
         (ARCDOOR_EXPORT_PASSPHRASE_FILE, or type another one)"
    )]
    SamePassphrase,
    /// A path that the log cannot keep.
    #[error("{}: this path is no UTF-8 text, and the log must find the file again: choose another", .0.display())]
    NotText(PathBuf),
    /// There is nothing to export or to seal.
    #[error("nobody is enrolled yet: arcdoor enrol NAME --camera")]
    NobodyEnrolled,
    /// A file that must not be overwritten.
    #[error("{}: there is such a file already; name another", .0.display())]
    Exists(PathBuf),
    /// Nothing says where the state lies.
    #[error("no home folder: set HOME, or name one with --home DIR or ARCDOOR_HOME")]
    NoHome,
    /// A file or folder of ours.
    #[error("{}: {source}; check the path, its permissions and the free space", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file that holds something else than it should.
    #[error("{}: {problem}", path.display())]
    BadFile {
        /// Which.
        path: PathBuf,
        /// What is wrong, and what it should be.
        problem: String,
    },
    /// A marked copy cannot be written.
    #[error("{}: {source}; check the folder given with --annotate", path.display())]
    Annotate {
        /// Which.
        path: PathBuf,
        /// Why.
        source: FrameError,
    },
    /// The camera.
    #[error("{0}; `arcdoor doctor` looks at the camera")]
    Camera(#[from] CameraError),
    /// The loop's camera did not come back.
    #[error("{source}; the camera was tried {tries} times and stays away: `arcdoor doctor` looks at it")]
    CameraStaysAway {
        /// Tries to open it since frames last came for a minute.
        tries: usize,
        /// Why it gave no frames at last.
        source: CameraError,
    },
    /// Words that say how a camera is mounted, and are none.
    #[error("{0:?}: a camera is DEVICE[@WIDTHxHEIGHT[@RATE]][,rotate=90|180|270][,mirror]")]
    Mounting(String),
    /// The answers cannot be written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
    /// Nobody reads the answers of the loop.
    #[error(
        "nobody took the loop's answers for {0} s: whoever reads them must keep up, or a grant is acted on too late"
    )]
    OutputStalled(u64),
    /// No usable frame came.
    #[error(
        "the camera gave no usable frame in {seconds} s ({}): look into the camera and repeat",
        reason.map_or("no frame came", RetryReason::text)
    )]
    NoView {
        /// For how many seconds it looked into the camera.
        seconds: u64,
        /// What would have helped at last; none: no frame came.
        reason: Option<RetryReason>,
    },
    /// A trace that cannot be decided again, or whose decisions are others now.
    #[error("{}, line {line}: {source}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// Why.
        source: TraceError,
    },
    /// The door, its board, its panel or a PIN.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The system gives no thread.
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
    /// The socket of the running door.
    #[error("{}: {source}\nits folder must be there, and the whole path have at most 107 bytes (ARCDOOR_SOCKET)", path.display())]
    Socket {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The running door answered that it failed.
    #[error("{error}")]
    AtTheDoor {
        /// The exit code.
        code: u8,
        /// Why, and what to do.
        error: String,
    },
    /// The running door went away, or said something else.
    #[error(
        "the door was asked, and said no more: {0}\nwhether this was done, `arcdoor log` says; repeat when it runs again"
    )]
    DoorGone(io::Error),
    /// A capsule is not what was written, or its decision is another one now.
    #[error("{path}: line {line}: {source}", path = path.display())]
    Capsule {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: CapsuleError,
    },
    /// The loop is running, and this would disturb it.
    #[error("the door is in use: stop `arcdoor run` first, and repeat")]
    Busy,
    /// The loop itself panicked.
    #[error("the loop at the camera failed by a fault of arcdoor's own, and ends: please report it")]
    LoopFault,
    /// Whoever asked did not read.
    #[error("the answer was not read fast enough, and the rest of it is lost: ask again, for less")]
    NotRead,
    /// A key that does not travel.
    #[error(
        "the log is read by the door that runs, and --key is compared here: run this as a user who may read the home, or without --key"
    )]
    KeyStaysHere,
    /// The loop ended before it came to this request.
    #[error("the door's loop ended before this was done: nothing was changed; repeat when it runs again")]
    LoopEnded,
    /// The work itself was done, and something after it failed.
    #[error("{done}; but then: {source}")]
    After {
        /// What was done, for the operator.
        done: String,
        /// What failed.
        source: Box<Self>,
    },
    /// A request panicked.
    #[error("this request failed by a fault of arcdoor's own, and the door goes on: please report it")]
    Fault,
    /// Too many frames failed in a row.
    #[error("{0} frames in a row failed: `arcdoor doctor` looks for the reason")]
    FramesFail(u32),
}

impl Error {
    /// What an operator is told beside the message: the names that it leaves out.
    #[must_use]
    pub fn answer(&self) -> Option<Response> {
        match self {
            Self::OtherEmbedder { of, .. } => Some(Response::OtherEmbedder { re_enrolment: (**of).clone() }),
            Self::After { source, .. } => source.answer(),
            _ => None,
        }
    }

    /// Whether one frame is damaged, and the next may be good.
    #[must_use]
    pub fn is_one_frame(&self) -> bool {
        match self {
            Self::Camera(error) => error.kind() == ErrorKind::Frame,
            Self::Photo { .. } => true,
            _ => false,
        }
    }

    /// This error, of something that came after work that was done: people must not repeat that.
    #[must_use]
    pub fn after(self, done: impl Into<String>) -> Self {
        Self::After { done: done.into(), source: Box::new(self) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_named_once() {
        let path = PathBuf::from("a.jpg");
        let said = |source| Error::Photo { path: path.clone(), source }.to_string();
        let missing = FrameError::File { path: path.clone(), cause: io::ErrorKind::NotFound.into() };
        assert_eq!(said(missing), "a.jpg: entity not found");
        assert_eq!(said(FrameError::NotAFile(path.clone())), "a.jpg: is no regular file");
        let odd = FrameError::UnknownFormat;
        assert_eq!(said(odd), format!("a.jpg: {}", FrameError::UnknownFormat));
    }
}
