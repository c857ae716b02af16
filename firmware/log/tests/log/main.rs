//! What the log promises, each promise against what would break it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod files;
mod flood;
mod numbers;
mod older;
mod power;
mod tampering;

use arcdoor_api::{By, Entry, Reason, Record, UtcTime, Verdict};
use arcdoor_core::{DenyReason, GalleryId, SubjectId};
use arcdoor_log::{Log, MemoryFolder, Records, VerificationKey};
use std::path::PathBuf;

const GALLERY: GalleryId = GalleryId::new([0x5a; 16]);
const START_S: u64 = 1_795_843_884;

/// So many seconds after the tests' beginning.
fn at(seconds: u64) -> UtcTime {
    UtcTime::from_unix_s(START_S + seconds).unwrap()
}

fn revoked(subject: u32) -> Entry {
    Entry::Revoked { subject: SubjectId(subject) }
}

fn exporting(length: usize) -> Entry {
    Entry::Exporting { subjects: 3, file: PathBuf::from("x".repeat(length)), part: PathBuf::from("part") }
}

fn decision(decision: Verdict, subject: u32) -> Entry {
    let reason = (decision != Verdict::Granted).then_some(Reason::Deny(DenyReason::NoMatch));
    let (subject, score) = (Some(SubjectId(subject)), Some(0.618_034));
    Entry::Decision { by: By::Run, decision, reason, subject, score, threshold: 0.414_2, why: None }
}

fn create() -> (MemoryFolder, Log<MemoryFolder>, VerificationKey) {
    let folder = MemoryFolder::new();
    let (log, key) = Log::create(folder.clone(), at(0)).unwrap();
    (folder, log, key)
}

fn records(folder: &MemoryFolder) -> Vec<Record> {
    Records::range(folder, 0..=u64::MAX).unwrap().map(Result::unwrap).collect()
}

/// The subjects that were revoked, in their order.
fn subjects(folder: &MemoryFolder) -> Vec<u32> {
    let subject = |record: &Record| match record.entry() {
        Some(Entry::Revoked { subject }) => Some(subject.0),
        _ => None,
    };
    records(folder).iter().filter_map(subject).collect()
}

fn segment(number: u64) -> String {
    format!("{number:020}.jsonl")
}
