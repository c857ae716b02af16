//! What the device answers.

use arcdoor_core::{HeadTurn, RetryReason, SubjectId, SubjectName};
use serde::{Deserialize, Serialize};

use crate::door::DoorState;
use crate::finding::{Check, Finding, Health};
use crate::key::KeySource;
use crate::link::LogHash;
use crate::log::{CameraFault, Entry, Record};
use crate::network::{LayerForm, NetworkStep, UnsupportedNode};
use crate::path::FilePath;
use crate::promise::Promised;
use crate::re_enrolment::ReEnrolment;
use crate::sight::{Advice, Reason, Sight, Verdict, View};
use crate::time::UtcTime;

/// One answer; a request may have many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Response {
    /// An enrolment ended.
    Enrolled {
        /// The subject's name.
        name: SubjectName,
        /// The new id; none: no photo or frame was good enough, nothing was stored.
        subject: Option<SubjectId>,
        /// How many templates the subject has now.
        templates: usize,
        /// What became of each photo or frame.
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
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// The entry of the log that was wrong.
        wrong: Option<u64>,
        /// What the new templates scored against the subject, at best.
        score: Option<f32>,
        /// Templates that deny being this subject, now.
        impostors: usize,
        /// What became of each photo or frame.
        views: Vec<View>,
        /// What it may cost.
        advice: Vec<Advice>,
    },
    /// Nobody is denied being this subject any more.
    ImpostorsForgotten {
        /// The subject's name.
        name: SubjectName,
        /// The subject's number in its gallery.
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
    /// Why an entry of the log was decided so.
    LogWhy {
        /// The entry.
        #[serde(flatten)]
        record: Record,
        /// The same in words, a line each: what was seen, stage by stage, what decided, and what to do about it.
        words: Vec<String>,
        /// The file that what led to the decision was written to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capsule: Option<FilePath>,
        /// Whether the log's key signed that file.
        #[serde(default, skip_serializing_if = "core::ops::Not::not")]
        signed: bool,
    },
    /// The log was verified; where it is not whole, the exit code is 4.
    LogVerified {
        /// Whether nothing is wrong, as far as it was checked.
        whole: bool,
        /// The first thing that is wrong.
        fault: Option<String>,
        /// The record that this begins at.
        fault_n: Option<u64>,
        /// Records up to there.
        records: u64,
        /// How many of these had their code checked with their epoch's key.
        sealed: u64,
        /// The number of the first that is still there.
        first: Option<u64>,
        /// The number of the newest, and the hash over all.
        head: Option<(u64, LogHash)>,
        /// Bytes at the end that an unfinished write left, or that were cut by hand.
        unfinished: u64,
        /// What the note says.
        note: NoteStanding,
        /// Whether a verification key was given.
        keyed: bool,
    },
    /// The log's head, signed.
    LogNote {
        /// The number of its newest record.
        n: u64,
        /// The whole note, lines and signature.
        note: String,
    },
    /// A promise about wrong grants that the log speaks against.
    Promise {
        /// What was counted.
        #[serde(flatten)]
        promise: Promised,
    },
    /// A photo or a frame was identified.
    Identified {
        /// The file, or the frame's number.
        photo: String,
        /// What was seen and decided.
        #[serde(flatten)]
        sight: Sight,
        /// Degrees clockwise by which the photo was turned first: 90, 180 or 270; left out of JSON where it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turned: Option<u16>,
        /// The marked copy.
        annotated: Option<FilePath>,
    },
    /// A photo or a frame was verified.
    Verified {
        /// The file, or the frame's number.
        photo: String,
        /// What was seen and decided.
        #[serde(flatten)]
        sight: Sight,
        /// Degrees clockwise by which the photo was turned first: 90, 180 or 270; left out of JSON where it was not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        turned: Option<u16>,
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
    /// A photo that could not be read or seen; the others go on.
    Failed {
        /// The photo's file.
        photo: String,
        /// The exit code that goes with it.
        code: u8,
        /// Why, and what to do.
        error: String,
    },
    /// An enrolled subject.
    Subject {
        /// The subject's name.
        name: SubjectName,
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// How many templates the subject has.
        templates: usize,
        /// Templates of others that deny being this subject.
        impostors: usize,
        /// When it was enrolled, in seconds since 1970 (UTC).
        enrolled_unix_s: u64,
    },
    /// A subject is gone.
    Revoked {
        /// The name that the subject had.
        name: SubjectName,
        /// The number that the subject had; nobody gets it again.
        subject: SubjectId,
        /// Templates removed.
        templates: usize,
        /// Templates of others removed.
        impostors: usize,
        /// Whether the old file was overwritten.
        erased: bool,
        /// What is left of the subject, and where.
        remains: Vec<Remain>,
    },
    /// Everybody was written to a file.
    Exported {
        /// The file.
        file: FilePath,
        /// How many subjects.
        subjects: usize,
    },
    /// Subjects came from a file.
    Imported {
        /// How many are new here.
        subjects: usize,
        /// Names that were taken here: these subjects were left out.
        skipped: Vec<SubjectName>,
    },
    /// The gallery is under a new key.
    KeyChanged {
        /// Where it comes from.
        source: KeySource,
    },
    /// What is wrong with a pack; the exit code is 4.
    PackProblem {
        /// The pack's folder.
        dir: FilePath,
        /// The problem, and what to do.
        problem: String,
    },
    /// A pack is whole.
    PackWhole {
        /// Its name.
        name: String,
        /// The pack's folder; none: it is compiled in.
        dir: Option<FilePath>,
        /// Which of the packs of this name it is.
        version: u64,
        /// The embedder's id.
        model_id: String,
        /// How many values a template has.
        dimension: usize,
        /// File and licence of each network.
        networks: Vec<[String; 2]>,
    },
    /// People whose templates another embedder than the pack's made; templates of two embedders are never compared.
    OtherEmbedder {
        /// Who they are.
        #[serde(flatten)]
        re_enrolment: ReEnrolment,
    },
    /// The pack that was in use before, still there.
    PackBefore {
        /// The name that `pack use` takes.
        name: String,
    },
    /// How a network is run.
    Network {
        /// Its file.
        file: String,
        /// Batch, channels, rows and columns of its input.
        input: [usize; 4],
        /// `plan` or `tract`.
        engine: String,
        /// Whether the plan starts from the network's graph file, without tract.
        from_graph: bool,
        /// The first operator that the plan does not run; none: it runs all, or was not asked.
        unsupported: Option<UnsupportedNode>,
        /// The largest difference of two output values of plan and tract, in terms of the greatest, in one run of each
        /// on the same noise; none: one of them cannot run it.
        difference: Option<f32>,
        /// Multiply-accumulates of all steps; 0 on tract, which is not counted here.
        macs: u64,
        /// Predicted milliseconds of all steps, on one core.
        predicted_ms: f64,
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
        /// Input pixels from one output pixel to the next.
        stride: usize,
        /// Zeros above, left of, below and right of the input.
        pads: [usize; 4],
        /// How it is computed without a tuning.
        default: LayerForm,
        /// Microseconds of one run with `default`.
        default_us: f64,
        /// The fastest; the default where nothing was clearly faster.
        chosen: LayerForm,
        /// Microseconds of one run with `chosen`.
        chosen_us: f64,
    },
    /// A whole network was measured with the defaults and tuned.
    TunedNetwork {
        /// Its file.
        file: String,
        /// Width and height of its input.
        input: [usize; 2],
        /// Microseconds of one run with the defaults, median.
        before_us: f64,
        /// Microseconds of one run with the chosen forms, median.
        after_us: f64,
        /// Greatest difference of an output, as a share of its greatest value; 0: the same bits.
        difference: f32,
    },
    /// Tuning ended.
    Tuning {
        /// The file; none: a dry run.
        path: Option<FilePath>,
        /// Layers that are not as the defaults have them.
        layers: usize,
        /// Whether every value stays as it is, bit for bit.
        keeps_values: bool,
    },
    /// A trace takes no more: it is full, or cannot be written. The loop goes on.
    TraceEnded {
        /// The file.
        file: FilePath,
        /// Its size in bytes.
        bytes: u64,
        /// Why; none: it is full.
        error: Option<String>,
    },
    /// The loop has no camera, at first or any more. It goes on where it tries again.
    CameraLost {
        /// Milliseconds since the loop began.
        at_ms: u64,
        /// Why.
        fault: CameraFault,
        /// What the system says, and what to do.
        error: String,
        /// Tries to open it since frames last came for a minute.
        tries: usize,
        /// After how many milliseconds it is tried again; none: the loop ends.
        retry_ms: Option<u64>,
    },
    /// The loop's camera gives frames again.
    CameraReturned {
        /// Milliseconds since the loop began.
        at_ms: u64,
        /// Milliseconds that it was away.
        away_ms: u64,
    },
    /// A capsule is as it was written; its frames follow.
    Capsule {
        /// The number of the log's entry that it is of.
        entry: u64,
        /// When that was, by its device's clock.
        at: UtcTime,
        /// The version of arcdoor that wrote it.
        arcdoor: String,
        /// The line that other programs take to check its signature with, and which log it is of; none: nobody signed it.
        signer: Option<String>,
    },
    /// A frame of a trace was decided again, as before.
    Replayed {
        /// Its number, from 0.
        frame: u64,
        /// Milliseconds on the clock of the loop that recorded it.
        at_ms: u64,
        /// The decision.
        decision: Verdict,
        /// Why, where it was not granted.
        reason: Option<Reason>,
        /// Who was granted.
        subject: Option<SubjectId>,
    },
    /// A trace was decided again to its end.
    ReplayEnded {
        /// How many frames it has.
        frames: u64,
    },
    /// Somebody has a PIN, or none any more.
    Pin {
        /// The subject's name.
        name: SubjectName,
        /// Whether there is one now.
        is_set: bool,
    },
    /// Something happened at the door beside the loop.
    DoorEvent {
        /// When.
        at: UtcTime,
        /// What.
        #[serde(flatten)]
        entry: Entry,
    },
    /// How the door stands.
    Door {
        /// The state.
        #[serde(flatten)]
        state: DoorState,
    },
    /// A check of the doctor.
    Check {
        /// What was looked at.
        check: Check,
        /// How the check ended.
        health: Health,
        /// What was found.
        #[serde(flatten)]
        finding: Finding,
    },
}

/// What became of a note that the log was held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteStanding {
    /// None was given.
    NotGiven,
    /// The log still holds the record that it names, unchanged.
    Held,
    /// The record that it names was removed for its age or size, or lies beyond the first fault.
    Gone,
    /// This log did not sign it.
    NotSigned,
}

/// What is left of a subject that was revoked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "remains", rename_all = "snake_case")]
pub enum Remain {
    /// The log keeps what the subject did, by its number, without the name.
    LogEntries,
    /// The gallery's free pages keep sealed templates until they are erased.
    FreePages,
    /// Flash memory may keep overwritten blocks for a while, sealed under a key that is gone.
    FlashBlocks,
    /// The credential is as before.
    SameCredential,
    /// The passphrase is as before, and opens such blocks.
    SamePassphrase,
    /// A file was removed, and could not be overwritten.
    NotOverwritten {
        /// Why.
        why: String,
    },
    /// An exported file that held the subject.
    Export {
        /// When it was written.
        at: UtcTime,
        /// Where.
        file: FilePath,
        /// Whether it is still there.
        is_there: bool,
    },
    /// The log knows of no exported file that held the subject.
    NoExport,
}

/// How far long work is; shown while it lasts, kept nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "progress", rename_all = "snake_case")]
pub enum Progress {
    /// A photo is looked at.
    Photo {
        /// The photo's number, from 1.
        number: usize,
        /// How many photos there are.
        of: usize,
    },
    /// An enrolment in front of a camera goes on.
    Views {
        /// Views taken.
        taken: usize,
        /// How many the enrolment takes.
        of: usize,
        /// Why the newest frame was not taken; none: it was.
        reason: Option<RetryReason>,
        /// Where no view is turned to yet; none: everywhere.
        unseen: Option<HeadTurn>,
    },
    /// A layer is measured.
    Layer {
        /// The layer's number, from 1.
        number: usize,
        /// How many layers are measured.
        of: usize,
    },
    /// A whole network is measured.
    Network {
        /// The network's number, from 1.
        number: usize,
        /// How many networks are measured.
        of: usize,
    },
    /// The work is over.
    Over,
}
