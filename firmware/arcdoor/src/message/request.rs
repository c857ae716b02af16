//! What the service is asked.

use crate::home::keys::KeySource;
use arcdoor_core::SubjectName;
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
