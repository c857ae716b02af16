//! What the device is asked.

use std::path::PathBuf;

use arcdoor_core::SubjectName;
use serde::{Deserialize, Serialize};

use crate::door::DoorAct;
use crate::key::KeySource;

/// Most photos in one request.
pub const MAX_PHOTOS: usize = 100_000;

/// Where a request's images come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// JPEG or PNG files, each by itself.
    Photos(Vec<PathBuf>),
    /// A camera's frames; none: the camera of the settings.
    Camera(Option<String>),
    /// A photo or a folder of photos, as if they were a camera's frames.
    Replay(PathBuf),
}

impl Feed {
    fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Photos(files) => files.iter_mut().collect(),
            Self::Replay(path) => vec![path],
            Self::Camera(_) => Vec::new(),
        }
    }
}

/// What a request needs of the home folder while it is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing that could change meanwhile.
    Nothing,
    /// Nobody may write it: it is read, also on read-only media.
    Read,
    /// As for `Write`; a home that is not there holds nothing that could be changed, and is not made.
    Change,
    /// Nobody else may read or write it, and it is made where it is missing.
    Write,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Store a person's templates.
    Enrol {
        /// Under which name; it must be free.
        name: SubjectName,
        /// Photos or frames of that person alone.
        from: Feed,
        /// Whether a face that is enrolled under another name is taken.
        duplicate: bool,
    },
    /// Store other templates of a person who is enrolled.
    ReEnrol {
        /// The subject's name.
        name: SubjectName,
        /// Photos or frames of that person alone.
        from: Feed,
        /// Whether the templates that are there stay.
        add: bool,
    },
    /// Store templates of somebody who is not this person, to deny.
    NotThisPerson {
        /// Who it is not.
        name: SubjectName,
        /// Photos or frames of the other person alone.
        from: Feed,
    },
    /// Remove what denies being this person.
    ForgetImpostors {
        /// The subject's name.
        name: SubjectName,
    },
    /// The newest entries of the log.
    Log {
        /// How many, at most.
        count: usize,
        /// Only those about this subject.
        of: Option<SubjectName>,
        /// Whether subjects have their names; that needs the gallery's key.
        names: bool,
    },
    /// A grant of the log was wrong: its probe denies from now on.
    LogWrong {
        /// The number of the log's entry.
        entry: u64,
    },
    /// Why an entry of the log was decided so.
    LogWhy {
        /// The number of the log's entry.
        entry: u64,
        /// A new file that what led to the decision is written to; none: it is not.
        capsule: Option<PathBuf>,
    },
    /// Whether the log is what was written. The verification key comes beside the request, where there is one.
    LogVerify {
        /// A file with a note of the log that somebody kept.
        note: Option<PathBuf>,
    },
    /// The log's head as a signed note, for somebody who keeps it elsewhere.
    LogNote,
    /// Who is it? (1:N)
    Identify {
        /// Photos, each by itself, or frames until one is decided.
        from: Feed,
        /// Folder into which marked copies are written; none: no copies.
        annotate: Option<PathBuf>,
    },
    /// Is it this person? (1:1)
    Verify {
        /// The name of the subject that it should be.
        name: SubjectName,
        /// Photos, each by itself, or frames until one is decided.
        from: Feed,
    },
    /// Everybody enrolled.
    List,
    /// One subject.
    Show {
        /// The subject's name.
        name: SubjectName,
    },
    /// Remove a subject and its templates.
    Revoke {
        /// The subject's name.
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
        /// A file that an export wrote.
        file: PathBuf,
    },
    /// Seal the gallery under a new key.
    KeyChange {
        /// Where the new key comes from.
        to: KeySource,
    },
    /// Issue every template anew, under a new key from where the old one came from.
    KeyRenew,
    /// Whether a pack is whole.
    PackCheck {
        /// Its folder, or its name; none: the chosen pack.
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
        /// Whether it is taken although people would have to be enrolled again under it.
        #[serde(default)]
        sure: bool,
    },
    /// Choose a pack in the settings.
    PackUse {
        /// Its name among the installed packs, or that of the one that is compiled in.
        name: String,
        /// Whether it is taken although people would have to be enrolled again under it.
        #[serde(default)]
        sure: bool,
    },
    /// Decide a recorded trace again.
    Replay {
        /// The file that `run --trace` wrote.
        file: PathBuf,
    },
    /// Which tiles are fastest on this device.
    Tune {
        /// Width and height of a camera's frame, in pixels.
        frame: [u32; 2],
        /// Whether forms of a layer are tried whose values differ in their last digits.
        winograd: bool,
        /// Whether nothing is written.
        dry_run: bool,
    },
    /// What is wrong with this device.
    Doctor,
    /// Give somebody a PIN; it comes beside the request.
    PinSet {
        /// The subject's name.
        name: SubjectName,
        /// Whether it is the one that says "under duress".
        duress: bool,
    },
    /// Take somebody's PINs away.
    PinRemove {
        /// The subject's name.
        name: SubjectName,
    },
    /// How the running door stands.
    DoorState,
    /// Tell the running door something.
    Door(DoorAct),
}

impl Request {
    /// Where its images come from; none where it needs none.
    #[must_use]
    pub const fn feed(&self) -> Option<&Feed> {
        match self {
            Self::Enrol { from, .. }
            | Self::ReEnrol { from, .. }
            | Self::NotThisPerson { from, .. }
            | Self::Identify { from, .. }
            | Self::Verify { from, .. } => Some(from),
            _ => None,
        }
    }

    /// Whether its outcome is a decision about somebody.
    #[must_use]
    pub const fn is_decision(&self) -> bool {
        matches!(self, Self::Identify { .. } | Self::Verify { .. })
    }

    /// The same request of somebody who knows that people would have to be enrolled again.
    #[must_use]
    pub fn sure(mut self) -> Self {
        if let Self::PackInstall { sure, .. } | Self::PackUse { sure, .. } = &mut self {
            *sure = true;
        }
        self
    }

    /// Every path in it, but for a pack's name: who carries it out may stand in another folder.
    pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Enrol { from, .. }
            | Self::ReEnrol { from, .. }
            | Self::NotThisPerson { from, .. }
            | Self::Verify { from, .. } => from.paths_mut(),
            Self::Identify { from, annotate } => {
                let mut paths = from.paths_mut();
                paths.extend(annotate);
                paths
            }
            Self::LogVerify { note: Some(path) }
            | Self::LogWhy { capsule: Some(path), .. }
            | Self::Export { file: path }
            | Self::Import { file: path }
            | Self::PackInstall { dir: path, .. }
            | Self::Replay { file: path } => vec![path],
            _ => Vec::new(),
        }
    }

    /// What it needs of the home folder.
    #[must_use]
    pub const fn access(&self) -> Access {
        match self {
            Self::Replay { .. }
            | Self::LogVerify { .. }
            | Self::LogWhy { .. }
            | Self::Log { of: None, names: false, .. } => Access::Nothing,
            Self::Log { .. }
            | Self::List
            | Self::Show { .. }
            | Self::PackCheck { .. }
            | Self::Doctor
            | Self::DoorState
            | Self::Door(_)
            | Self::Tune { dry_run: true, .. } => Access::Read,
            Self::Revoke { .. }
            | Self::ForgetImpostors { .. }
            | Self::LogWrong { .. }
            | Self::LogNote
            | Self::Export { .. }
            | Self::KeyChange { .. }
            | Self::KeyRenew => Access::Change,
            _ => Access::Write,
        }
    }
}
