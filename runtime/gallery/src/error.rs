//! Why a gallery refuses.

use arcdoor_core::limits::{MAX_DIMENSION, MAX_IMPOSTORS_PER_SUBJECT, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{ModelId, SubjectId, SubjectName};
use std::io;
use std::path::PathBuf;

/// Why a gallery cannot be opened, changed or asked.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// Another process (or another handle of this one) holds the file.
    #[error("the gallery {} is in use: stop the other arcdoor process, or send it the command", .0.display())]
    Locked(PathBuf),
    /// The file's templates come from another embedder.
    #[error(
        "the gallery was enrolled with embedder {gallery}, the pack has {asked}: use the old pack, or \
         enrol everyone again into a new gallery"
    )]
    OtherModel {
        /// The embedder of the gallery.
        gallery: ModelId,
        /// The embedder that was asked for.
        asked: ModelId,
    },
    /// The file's templates have another dimension.
    #[error(
        "the gallery holds templates of {gallery} values, the pack makes {asked}: use the old pack, or \
         enrol everyone again into a new gallery"
    )]
    OtherDimension {
        /// The dimension of the gallery.
        gallery: usize,
        /// The dimension that was asked for.
        asked: usize,
    },
    /// A template of another embedder or dimension met the gallery.
    #[error("a template of embedder {template} does not fit this gallery of embedder {gallery}")]
    ForeignTemplate {
        /// The embedder of the template.
        template: ModelId,
        /// The embedder of the gallery.
        gallery: ModelId,
    },
    /// A dimension that no template has.
    #[error("a template has 1 to {MAX_DIMENSION} values, not {0}: correct the pack's dimension")]
    Dimension(usize),
    /// The name is enrolled already.
    #[error("{0} is enrolled already: revoke the old enrolment first, or choose another name")]
    NameTaken(SubjectName),
    /// No subject has this id.
    #[error("no subject {0} is enrolled: `list` shows who is")]
    UnknownSubject(SubjectId),
    /// An enrolment without a template.
    #[error("an enrolment needs at least one template: show the face again")]
    NoTemplates,
    /// More templates than one subject may hold.
    #[error("a subject holds at most {MAX_TEMPLATES_PER_SUBJECT} templates, this would make {0}: give fewer")]
    TooManyTemplates(usize),
    /// More templates that deny than one subject may hold.
    #[error(
        "a subject holds at most {MAX_IMPOSTORS_PER_SUBJECT} templates of people who were taken for it, this \
         would make {0}: re-enrol the subject with better views, then forget the old ones (`revoke NAME --not`)"
    )]
    TooManyImpostors(usize),
    /// There are as many subjects as a gallery holds, or no number is left for another.
    #[error("the gallery is full: revoke subjects who left")]
    Full,
    /// A template that cannot be rotated.
    #[error(transparent)]
    Template(#[from] arcdoor_core::TemplateError),
    /// Another key sealed the gallery.
    #[error("this is not the key of the gallery: give the passphrase or key file that it was made with")]
    OtherKey,
    /// A hint that is too long.
    #[error("a gallery's hint has at most 64 bytes, not {0}")]
    Hint(usize),
    /// The system has no random numbers.
    #[error("the system gives no random numbers ({0}): without them nothing can be sealed")]
    NoRandom(String),
    /// Not a gallery file.
    #[error("not a gallery: move the file away, or name another one")]
    NotAGallery,
    /// Written by another arcdoor.
    #[error(
        "the gallery has format {found}, this arcdoor reads format {known}: use the arcdoor that wrote it"
    )]
    OtherFormat {
        /// The file's format.
        found: u32,
        /// The format that this code reads.
        known: u32,
    },
    /// The contents contradict themselves.
    #[error("the gallery is damaged ({0}): restore it from a backup")]
    Damaged(String),
    /// An earlier write failed, so the store takes no more.
    #[error("the gallery was closed after a failed write: check the disk, then start again")]
    Closed,
    /// The file or the disk below it failed.
    #[error("{doing} the gallery failed; check the path, its permissions and the free space")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

impl GalleryError {
    /// Sorts what redb reports into what a person can act on.
    pub(crate) fn from_redb(doing: &'static str, error: impl Into<redb::Error>) -> Self {
        match error.into() {
            redb::Error::Io(source) if source.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged("it ends too early".to_owned())
            }
            redb::Error::Io(source) => Self::Io { doing, source },
            redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
                Self::Closed
            }
            redb::Error::UpgradeRequired(_) => Self::NotAGallery,
            redb::Error::RepairAborted => Self::Damaged("a page's checksum is wrong".to_owned()),
            other => Self::Damaged(other.to_string()),
        }
    }
}
