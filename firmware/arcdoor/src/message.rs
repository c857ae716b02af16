//! What the service is asked, and what it answers. Field names are stable: `--json` prints responses as
//! they are, one object a line, `kind` first.

use crate::keys::KeySource;
use crate::log::Record;
use arcdoor_core::{Basis, Decision, DenyReason, Quality, QualityPart, RetryReason, SubjectId, SubjectName};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Photos in one request.
pub const MAX_PHOTOS: usize = 100_000;

/// Where the pixels come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pictures {
    /// JPEG or PNG files, each a photo of its own.
    Images(Vec<PathBuf>),
    /// A camera; none: the one of the settings.
    Camera(Option<String>),
    /// A file or a folder of pictures, as if they came from a camera.
    Replay(PathBuf),
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Store a person's templates.
    Enrol {
        /// Under which name; it must be free.
        name: SubjectName,
        /// Pictures of that person alone.
        from: Pictures,
        /// Whether a face that is enrolled under another name is taken.
        duplicate: bool,
    },
    /// Store other templates of a person who is enrolled.
    ReEnrol {
        /// Who.
        name: SubjectName,
        /// Pictures of that person alone.
        from: Pictures,
        /// Whether the templates that are there stay.
        add: bool,
    },
    /// Store templates of somebody who is not this person, to deny.
    NotThisPerson {
        /// Who it is not.
        name: SubjectName,
        /// Pictures of the other person alone.
        from: Pictures,
    },
    /// Remove what denies being this person.
    ForgetImpostors {
        /// Whose.
        name: SubjectName,
    },
    /// The newest entries of the log.
    Log {
        /// How many.
        count: usize,
        /// Only those about this subject.
        of: Option<SubjectName>,
        /// Whether subjects have their names; that needs the gallery's key.
        names: bool,
    },
    /// A grant of the log was wrong: its probe denies from now on.
    LogWrong {
        /// The entry's number.
        entry: u64,
    },
    /// Who is it? (1:N)
    Identify {
        /// Pictures.
        from: Pictures,
        /// Folder for marked copies.
        annotate: Option<PathBuf>,
    },
    /// Is it this person? (1:1)
    Verify {
        /// Who it should be.
        name: SubjectName,
        /// Pictures.
        from: Pictures,
    },
    /// Everybody enrolled.
    List,
    /// One subject.
    Show {
        /// Who.
        name: SubjectName,
    },
    /// Remove a subject and its templates.
    Revoke {
        /// Who.
        name: SubjectName,
        /// Whether what the disk still holds of it is overwritten.
        erase: bool,
    },
    /// Write everybody to a file sealed with a passphrase.
    Export {
        /// The new file.
        file: PathBuf,
    },
    /// Enrol everybody of such a file.
    Import {
        /// The file.
        file: PathBuf,
    },
    /// Seal the gallery under a new key.
    KeyChange {
        /// Where the new key comes from.
        to: KeySource,
    },
    /// Issue every template anew, under a new key from where the old one came from.
    KeyRenew,
    /// Issue one subject's templates anew, under the same key.
    ReIssue {
        /// Whose.
        name: SubjectName,
    },
    /// Write what this site's comparisons score to a file, without names or templates.
    SiteExport {
        /// The new file.
        file: PathBuf,
    },
    /// Take a site's calibration, which makes thresholds stricter.
    SiteInstall {
        /// The file.
        file: PathBuf,
    },
    /// Go back to the pack's own thresholds.
    SiteRemove,
    /// Whether a pack is whole.
    PackCheck {
        /// Its folder; none: the chosen pack.
        dir: Option<PathBuf>,
        /// Whether to say how each network is run.
        explain: bool,
    },
    /// Copy a pack into the home folder.
    PackInstall {
        /// Its folder, or the archive.
        dir: PathBuf,
        /// Whether one that is older than the installed one is taken.
        #[serde(default)]
        older: bool,
    },
    /// Decide on frame after frame.
    Run {
        /// Frames.
        from: Pictures,
        /// Stop after so many frames.
        frames: Option<u64>,
    },
    /// Which tiles are fastest on this device.
    Tune {
        /// Width and height of a camera's frame.
        frame: [u32; 2],
        /// Whether forms of a layer are tried whose values differ in their last digits.
        winograd: bool,
        /// Whether nothing is written.
        dry_run: bool,
    },
    /// What is wrong with this device.
    Doctor,
}

/// A [`Decision`] without what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Recognised.
    Granted,
    /// Seen well, not let in.
    Denied,
    /// Nothing can be said.
    Retry,
}

impl Verdict {
    /// As the JSON says it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Retry => "retry",
        }
    }
}

/// Why a decision is no grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reason {
    /// Why denied.
    Deny(DenyReason),
    /// Why to try again.
    Retry(RetryReason),
}

impl Reason {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Deny(reason) => reason.text(),
            Self::Retry(reason) => reason.text(),
        }
    }
}

/// Takes a decision apart.
#[must_use]
pub const fn verdict(decision: Decision) -> (Verdict, Option<Reason>) {
    match decision {
        Decision::Granted { .. } => (Verdict::Granted, None),
        Decision::Denied { reason } => (Verdict::Denied, Some(Reason::Deny(reason))),
        Decision::Retry { reason } => (Verdict::Retry, Some(Reason::Retry(reason))),
    }
}

/// Microseconds by stage; 0 for a stage that did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stages {
    /// Finding faces.
    pub detect_us: u32,
    /// Their landmarks.
    pub landmarks_us: u32,
    /// Quality.
    pub quality_us: u32,
    /// The warp to the template.
    pub align_us: u32,
    /// The embedder.
    pub embed_us: u32,
    /// The search in the gallery.
    pub match_us: u32,
}

/// What was seen and decided on one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// Faces found.
    pub faces: usize,
    /// The best candidate's name; for `verify` the name that was asked for.
    pub candidate: Option<SubjectName>,
    /// Its id.
    pub subject: Option<SubjectId>,
    /// Its score, -1 to 1; none where no probe was made.
    pub score: Option<f32>,
    /// The least score that is a match.
    pub threshold: f32,
    /// What that threshold rests on, where it was not counted.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub threshold_basis: Basis,
    /// What was decided.
    pub decision: Verdict,
    /// Why, where it was not granted.
    pub reason: Option<Reason>,
    /// What ran the networks; none where nothing ran.
    pub engine: Option<arcdoor_vision::Running>,
    /// How long each stage took.
    #[serde(flatten)]
    pub stages: Stages,
}

/// One picture of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The file, or the frame's number.
    pub photo: String,
    /// Why it was not taken; none: it was.
    pub reason: Option<RetryReason>,
    /// How good the picture is, where it was taken.
    pub quality: Option<Quality>,
}

/// What would make an enrolment better; it was taken all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "advice", rename_all = "snake_case")]
pub enum Advice {
    /// One view alone.
    OneView,
    /// Some view is hardly like the others.
    Inconsistent {
        /// Its best score against another.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// Somebody else is nearly a match.
    CloseTo {
        /// Who.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// The best score of these views against that subject.
        score: f32,
        /// What the door asks for.
        threshold: f32,
    },
    /// The best picture is a poor one.
    LowQuality {
        /// Its weakest part.
        part: QualityPart,
        /// Of 100.
        value: u8,
    },
    /// Views of the subject itself are as near to an impostor as to each other.
    DeniesOwn {
        /// How many.
        views: usize,
        /// Of how many.
        of: usize,
    },
}

/// How a check of the doctor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// Works, with a drawback.
    Warn,
    /// Does not work.
    Fail,
}

/// An operator that the plan does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsupportedNode {
    /// As ONNX calls it.
    pub operator: String,
    /// Name of what it makes.
    pub node: String,
    /// Why.
    pub why: String,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetworkStep {
    /// Operators as ONNX calls them, joined by `+`.
    pub operators: String,
    /// Name of what the step makes.
    pub name: String,
    /// Channels, rows and columns of what it makes.
    pub shape: [usize; 3],
    /// Multiply-accumulates.
    pub macs: u64,
    /// Predicted microseconds, on one core.
    pub predicted_us: f64,
}

/// How a layer is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerForm {
    /// `direct`, `winograd2` or `winograd4`.
    pub form: String,
    /// Output pixels in registers at once.
    pub pixels: usize,
    /// Blocks of 16 output channels in registers at once.
    pub blocks: usize,
    /// Blocks of 16 input channels in one pass; none: all.
    pub planes: Option<usize>,
    /// Output pixels in one strip; none: all.
    pub strip: Option<usize>,
}

/// One answer; a request may have many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Response {
    /// An enrolment ended.
    Enrolled {
        /// Who.
        name: SubjectName,
        /// The new id; none: no picture was good enough, nothing was stored.
        subject: Option<SubjectId>,
        /// Templates stored.
        templates: usize,
        /// What became of each picture.
        views: Vec<View>,
        /// Of each new view the best score against the others, and of those the least; none for one view.
        consistency: Option<f32>,
        /// What would make it better.
        advice: Vec<Advice>,
    },
    /// Somebody is denied being this subject from now on.
    NotThisPerson {
        /// Who it is not.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// The entry of the log that was wrong.
        wrong: Option<u64>,
        /// What the new templates scored against the subject, at best.
        score: Option<f32>,
        /// Templates that deny being this subject, now.
        impostors: usize,
        /// What became of each picture.
        views: Vec<View>,
        /// What it may cost.
        advice: Vec<Advice>,
    },
    /// Nobody is denied being this subject any more.
    ImpostorsForgotten {
        /// Who.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// Templates removed.
        impostors: usize,
    },
    /// An entry of the log.
    LogEntry {
        /// Its number and time, and what happened.
        #[serde(flatten)]
        record: Record,
        /// The subject's name, where it was asked for and somebody still has it.
        name: Option<SubjectName>,
        /// Whether its probe is still kept, so that `log wrong` can use it.
        probe: bool,
    },
    /// A photo was identified.
    Identified {
        /// The file, or the frame's number.
        photo: String,
        /// What was seen and decided.
        #[serde(flatten)]
        sight: Sight,
        /// The marked copy.
        annotated: Option<PathBuf>,
    },
    /// A photo was verified.
    Verified {
        /// The file, or the frame's number.
        photo: String,
        /// What was seen and decided.
        #[serde(flatten)]
        sight: Sight,
    },
    /// A frame of the loop.
    Frame {
        /// Its number, from 0.
        frame: u64,
        /// Milliseconds since the loop began.
        at_ms: u64,
        /// What was seen and decided.
        #[serde(flatten)]
        sight: Sight,
        /// What went wrong with this frame; the decision is then no grant.
        error: Option<String>,
    },
    /// A picture that could not be read or seen; the others go on.
    Failed {
        /// The file.
        photo: String,
        /// The exit code that goes with it.
        code: u8,
        /// Why, and what to do.
        error: String,
    },
    /// An enrolled subject.
    Subject {
        /// Who.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// Templates stored.
        templates: usize,
        /// Templates of others that deny being this subject.
        impostors: usize,
        /// When, in seconds since 1970 (UTC).
        enrolled_unix_s: u64,
        /// How often its templates were issued, from 1.
        generation: u32,
    },
    /// A subject's templates are stored in another form; who it is and every score are as before.
    ReIssued {
        /// Who.
        name: SubjectName,
        /// The id.
        subject: SubjectId,
        /// How often its templates were issued, this time included.
        generation: u32,
    },
    /// A subject is gone.
    Revoked {
        /// Who it was.
        name: SubjectName,
        /// The id, never used again.
        subject: SubjectId,
        /// Templates removed.
        templates: usize,
        /// Templates of others removed.
        impostors: usize,
        /// Whether the old file was overwritten.
        erased: bool,
        /// What is left of the subject, and where.
        remains: Vec<String>,
    },
    /// Everybody was written to a file.
    Exported {
        /// The file.
        file: PathBuf,
        /// How many.
        subjects: usize,
    },
    /// Subjects came from a file.
    Imported {
        /// How many are new here.
        subjects: usize,
        /// Whose name was taken, and who was left out.
        skipped: Vec<SubjectName>,
    },
    /// The gallery is under a new key.
    KeyChanged {
        /// Where it comes from.
        source: KeySource,
        /// What it protects.
        text: String,
    },
    /// What this site's comparisons score was written to a file.
    SiteExported {
        /// The file.
        file: PathBuf,
        /// People enrolled.
        people: usize,
        /// Comparisons of different people's templates.
        comparisons: u64,
        /// Attempts of identification that the log covers.
        attempts: u64,
        /// Grants among them that were reported as wrong.
        reported: usize,
        /// Different strangers among these.
        strangers: usize,
    },
    /// A site's calibration is in force, from the next start of a command on.
    SiteInstalled {
        /// The day it was made.
        made: String,
        /// What it does to the thresholds, and why.
        text: String,
    },
    /// The pack's own thresholds are in force again.
    SiteRemoved,
    /// What is wrong with a pack; the exit code is 4.
    PackProblem {
        /// The folder.
        dir: PathBuf,
        /// The problem, and what to do.
        problem: String,
    },
    /// A pack is whole.
    PackWhole {
        /// Its name.
        name: String,
        /// The folder.
        dir: PathBuf,
        /// Which of the packs of this name it is.
        version: u64,
        /// The embedder's id.
        model_id: String,
        /// Values of a template.
        dimension: usize,
        /// File and licence of each network.
        networks: Vec<[String; 2]>,
    },
    /// How a network is run.
    Network {
        /// Its file.
        file: String,
        /// Batch, channels, rows and columns of its input.
        input: [usize; 4],
        /// `plan` or `tract`.
        engine: String,
        /// The first operator that the plan does not run; none: it runs all, or was not asked.
        unsupported: Option<UnsupportedNode>,
        /// Multiply-accumulates of all steps; 0 on tract, which is not counted here.
        macs: u64,
        /// Predicted milliseconds of all steps, on one core.
        predicted_ms: f64,
        /// How the prediction is made.
        method: String,
        /// Bytes of packed weights, and of the buffer for maps.
        bytes: Option<[usize; 2]>,
        /// The steps in order.
        steps: Vec<NetworkStep>,
    },
    /// A layer was measured.
    TunedLayer {
        /// Whether it reads the network's input itself.
        planar: bool,
        /// Channels, rows and columns of its input.
        input: [usize; 3],
        /// Channels of its output.
        outputs: usize,
        /// Rows and columns of its kernel.
        kernel: [usize; 2],
        /// From one output pixel to the next.
        stride: usize,
        /// Zeros above, left of, below and right of the input.
        pads: [usize; 4],
        /// What it has without a tuning.
        default: LayerForm,
        /// Microseconds with it.
        default_us: f64,
        /// The fastest; the default where nothing was clearly faster.
        chosen: LayerForm,
        /// Microseconds with it.
        chosen_us: f64,
    },
    /// A whole network was measured with the defaults and tuned.
    TunedNetwork {
        /// Its file.
        file: String,
        /// Width and height of its input.
        input: [usize; 2],
        /// Microseconds with the defaults, median.
        before_us: f64,
        /// Microseconds tuned, median.
        after_us: f64,
        /// Greatest difference of an output, of the greatest value; 0: the same bits.
        difference: f32,
    },
    /// Tuning ended.
    Tuning {
        /// The file; none: a dry run.
        path: Option<PathBuf>,
        /// Layers that are not as the defaults have them.
        layers: usize,
        /// Whether every value stays as it is, bit for bit.
        keeps_values: bool,
    },
    /// A check of the doctor.
    Check {
        /// What was looked at.
        check: String,
        /// How it is.
        health: Health,
        /// What was found, and what to do.
        text: String,
    },
}
