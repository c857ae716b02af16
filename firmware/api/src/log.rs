//! An entry of the operator's log. No images, no templates, no names: subjects' numbers alone, so that revoking
//! leaves nothing behind.

use std::path::PathBuf;

use arcdoor_core::{GalleryId, SubjectId};
use arcdoor_door::{Alarm, Kind, Method, Reason as DoorReason};
use serde::{Deserialize, Serialize};

use crate::door::{DoorAct, DoorFault};
use crate::key::KeySource;
use crate::link::Link;
use crate::sight::{Reason, Verdict};
use crate::time::UtcTime;
use crate::why::Why;

/// Which command asked for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// `identify`
    Identify,
    /// `verify`
    Verify,
    /// `run`
    Run,
}

/// What an operator does to the gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Somebody is enrolled.
    Enrol,
    /// Somebody gets other or further templates.
    ReEnrol,
    /// Somebody is denied being a subject.
    Deny,
    /// Nobody is denied being a subject any more.
    ForgetImpostors,
    /// Somebody is revoked.
    Revoke,
    /// Subjects come from a file.
    Import,
    /// The gallery is sealed anew.
    ChangeKey,
}

impl Act {
    /// What the operator does, in words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Enrol => "enrolling",
            Self::ReEnrol => "re-enrolling",
            Self::Deny => "denying somebody to be",
            Self::ForgetImpostors => "forgetting who is denied to be",
            Self::Revoke => "revoking",
            Self::Import => "importing",
            Self::ChangeKey => "changing the key",
        }
    }
}

/// Why a camera gives no frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CameraFault {
    /// It cannot be opened: it is not there, or another program has it.
    NotOpened,
    /// It was unplugged, or its driver gave it up.
    Gone,
    /// No frame came in time.
    Stalled,
    /// Its driver failed in another way.
    Failed,
}

impl CameraFault {
    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotOpened => "it cannot be opened",
            Self::Gone => "it was unplugged",
            Self::Stalled => "no frame came in time",
            Self::Failed => "its driver failed",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Entry {
    /// Somebody was enrolled.
    Enrolled {
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// How many templates the subject has.
        templates: usize,
    },
    /// Somebody was re-enrolled.
    ReEnrolled {
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// How many templates the subject has now.
        templates: usize,
    },
    /// Somebody is denied being this subject.
    NotThisPerson {
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// The entry that was wrong; none where photos or frames were given.
        wrong: Option<u64>,
        /// Impostor templates of the subject, now.
        impostors: usize,
    },
    /// The impostor templates of a subject were removed.
    ImpostorsForgotten {
        /// The subject's number in its gallery.
        subject: SubjectId,
        /// How many impostor templates.
        impostors: usize,
    },
    /// Somebody was revoked.
    Revoked {
        /// The subject's number in its gallery.
        subject: SubjectId,
    },
    /// An operator's act is about to be done. An entry of what was done follows, or [`Entry::Failed`]; where neither does,
    /// the power went meanwhile.
    Began {
        /// What is to be done.
        act: Act,
        /// About whom, where that is somebody known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<SubjectId>,
    },
    /// An act that was begun was not done.
    Failed {
        /// The entry of its beginning.
        began: u64,
    },
    /// Everybody is about to be written to a file. [`Entry::Exported`] or [`Entry::ExportFailed`] follows; where
    /// neither does, the power went meanwhile, and the file may be there.
    Exporting {
        /// How many subjects.
        subjects: usize,
        /// The file's path.
        file: PathBuf,
        /// Where it lies until it is whole.
        part: PathBuf,
    },
    /// An export that was announced wrote no file.
    ExportFailed {
        /// Where it was to be.
        file: PathBuf,
    },
    /// Everybody was written to a file.
    Exported {
        /// How many subjects.
        subjects: usize,
        /// Where.
        #[serde(default)]
        file: PathBuf,
    },
    /// Subjects came from a file.
    Imported {
        /// How many subjects.
        subjects: usize,
    },
    /// The gallery was sealed under a new key.
    KeyChanged {
        /// Where it comes from.
        source: KeySource,
    },
    /// Recognition decided.
    Decision {
        /// Which command asked.
        by: By,
        /// What was decided.
        decision: Verdict,
        /// Why, where it was not granted.
        reason: Option<Reason>,
        /// The best candidate.
        subject: Option<SubjectId>,
        /// Its score, -1 to 1.
        score: Option<f32>,
        /// The least score that is accepted.
        threshold: f32,
        /// What it rests on; none in entries of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Box<Why>>,
    },
    /// The loop has no camera any more, and tries to open it again. Once for each loss, however often it tries, and however
    /// often the camera comes and goes within a minute; where it had returned meanwhile, once more if the loop ends.
    CameraLost {
        /// Why.
        fault: CameraFault,
    },
    /// The loop's camera gives frames again.
    CameraReturned {
        /// Milliseconds that it was away.
        away_ms: u64,
    },
    /// Something happened at the door.
    Door {
        /// What, and why.
        reason: DoorReason,
        /// Who, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<SubjectId>,
        /// How they proved who they are, where it took something.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<Method>,
        /// Which alarm it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alarm: Option<Alarm>,
    },
    /// Somebody got a PIN, or another one.
    PinSet {
        /// Who.
        subject: SubjectId,
    },
    /// Somebody has no PIN any more.
    PinRemoved {
        /// Who.
        subject: SubjectId,
    },
    /// Somebody told the door something.
    DoorTold {
        /// What.
        act: DoorAct,
        /// The number of their user.
        uid: u32,
    },
    /// The clock was set while the door ran: times before and after this entry do not compare.
    ClockSet {
        /// By so many seconds; negative: back.
        by_s: i64,
    },
    /// Somebody held the button inside while the door started: whoever calls is the installer for a while.
    InstallerFreed {
        /// For how long, seconds.
        seconds: u64,
    },
    /// Something beside the door's own machine went wrong, or works again.
    DoorFault {
        /// What.
        fault: DoorFault,
        /// The system's words, where there are some.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// Somebody came in under duress. Nothing at the door shows it.
    Duress {
        /// Who.
        subject: SubjectId,
    },
    /// Something that another version of arcdoor logs; it keeps its number.
    #[serde(other)]
    Unknown,
}

impl Entry {
    /// Whether somebody was not let in: what a face that nobody knows, or a PIN that is tried, gives as often as it likes.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        match self {
            Self::Decision { decision, .. } => *decision != Verdict::Granted,
            Self::Door { reason, .. } => reason.kind() == Kind::Denied,
            _ => false,
        }
    }

    /// Whom it is about; of a decision, the best candidate.
    #[must_use]
    pub const fn subject(&self) -> Option<SubjectId> {
        match self {
            Self::Enrolled { subject, .. }
            | Self::ReEnrolled { subject, .. }
            | Self::NotThisPerson { subject, .. }
            | Self::ImpostorsForgotten { subject, .. }
            | Self::PinSet { subject }
            | Self::PinRemoved { subject }
            | Self::Duress { subject }
            | Self::Revoked { subject } => Some(*subject),
            Self::Began { subject, .. } | Self::Decision { subject, .. } | Self::Door { subject, .. } => {
                *subject
            }
            Self::Failed { .. }
            | Self::Exporting { .. }
            | Self::ExportFailed { .. }
            | Self::Exported { .. }
            | Self::Imported { .. }
            | Self::KeyChanged { .. }
            | Self::CameraLost { .. }
            | Self::CameraReturned { .. }
            | Self::DoorTold { .. }
            | Self::InstallerFreed { .. }
            | Self::ClockSet { .. }
            | Self::DoorFault { .. }
            | Self::Unknown => None,
        }
    }
}

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// What the log says of itself.
    Link(Link),
    /// What happened at the door or on the device.
    Entry(Entry),
}

/// A record as it lies in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// One more than that of the record before; it stays the record's name for good.
    #[serde(default)]
    pub n: u64,
    /// When it was, by the device's clock.
    pub at: UtcTime,
    /// The gallery that was open, whose subjects' numbers these are; none where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gallery: Option<GalleryId>,
    /// Whether it was taken over from a log that nothing sealed: it may have been changed before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub legacy: bool,
    /// What happened, or what the log says of itself.
    #[serde(flatten)]
    pub content: Content,
}

impl Record {
    /// What happened; none where the log speaks of itself.
    #[must_use]
    pub const fn entry(&self) -> Option<&Entry> {
        match &self.content {
            Content::Entry(entry) => Some(entry),
            Content::Link(_) => None,
        }
    }

    /// Whom it is about; of a decision, the best candidate.
    #[must_use]
    pub const fn subject(&self) -> Option<SubjectId> {
        match self.entry() {
            Some(entry) => entry.subject(),
            None => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_another_version_keeps_its_number_and_its_time() {
        for event in ["\"site_removed\"", "\"re_issued\",\"subject\":3,\"generation\":2", "\"door_opened\""] {
            let line = format!("{{\"n\":7,\"at\":\"2026-11-28T05:31:24.25Z\",\"event\":{event}}}");
            let record: Record = serde_json::from_str(&line).unwrap();
            assert_eq!(
                (record.n, record.at.unix_s(), record.entry()),
                (7, 1_795_843_884, Some(&Entry::Unknown))
            );
        }
    }
}
