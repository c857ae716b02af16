//! Enrolled templates: the store and the exact matcher.
//!
//! A [`Gallery`] is a redb file and, in memory, a [`Matcher`] over the same templates. Every record lies
//! under XChaCha20-Poly1305, and templates are rotated, both by the gallery's key. Every change is one durable
//! transaction, and memory follows only after the commit: what was confirmed survives a power cut; of what was
//! not, the next opening finds all or nothing.
//!
//! ```
//! use arcdoor_core::{Candidates, ModelId, SubjectName, Template};
//! use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (disk, key, model) = (MemoryDisk::new(), GalleryKey::generate()?, ModelId::new([1; 16]));
//! let mut gallery = Gallery::open_on(disk.clone(), &key, model, 4)?;
//! let views = [Template::new(model, &[0.9, 0.1, 0.0, 0.2])?, Template::new(model, &[0.8, 0.2, 0.1, 0.2])?];
//! let ada = gallery.enrol(&SubjectName::new("Ada")?, &views, 1_700_000_000)?;
//! gallery.enrol(&SubjectName::new("Bob")?, &[Template::new(model, &[0.0, 0.1, 0.9, 0.3])?], 1_700_000_060)?;
//! drop(gallery);
//!
//! // What was confirmed is on the disk.
//! let mut gallery = Gallery::open_on(disk.clone(), &key, model, 4)?;
//! let (probe, mut nearest) = (Template::new(model, &[0.9, 0.2, 0.0, 0.2])?, Candidates::new());
//! gallery.identify(&probe, &mut nearest)?;
//! assert_eq!((nearest.len(), nearest[0].subject), (2, ada));
//! assert!(nearest[0].score.0 > 0.99 && nearest[1].score.0 < 0.2);
//!
//! gallery.revoke(ada)?;
//! assert_eq!(gallery.verify(ada, &probe)?, None);
//! drop(gallery);
//! assert!(Gallery::open_on(disk, &GalleryKey::generate()?, model, 4).is_err(), "another key opens nothing");
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `gallery`, `subject` | [`Gallery`]: enrol, re-enrol, revoke, find a [`Subject`] |
//! | `impostors` | who was wrongly taken for a subject, and is denied |
//! | `nearest` | which of a subject's views such a denial hits |
//! | `transfer`, `naming` | whole galleries: rewriting, export, import, and their names meanwhile |
//! | `matcher` | [`Matcher`]: exact identify (1:N) and verify (1:1), f32 or int8 |
//! | `disk` | [`Disk`]: the five operations that the store needs; [`FileDisk`], [`MemoryDisk`] |
//! | `overlay`, `wipe` | a disk that is only read; overwriting what nobody may read again |
//! | `folder` | [`Folder`]: names of disks, for changes of more than one file; [`FileFolder`], [`MemoryFolder`] |
//! | `key`, `sealer` | [`GalleryKey`], the sealed records |
//! | `transform` | the rotation of all templates |
//! | `store`, `record`, `load` | the redb tables, the bytes of each record, and their way into memory |
//! | `format_4` | reads what an earlier arcdoor wrote, once |
#![forbid(unsafe_code)]

mod disk;
mod error;
mod file_disk;
mod folder;
mod format_4;
mod gallery;
mod impostors;
mod key;
mod load;
mod matcher;
mod memory_disk;
mod memory_folder;
mod naming;
mod nearest;
mod overlay;
mod ranking;
mod record;
mod rows;
mod sealer;
mod store;
mod subject;
mod transfer;
mod transform;
mod wipe;

pub use disk::Disk;
pub use error::GalleryError;
pub use file_disk::FileDisk;
pub use folder::{FileFolder, Folder};
pub use gallery::{Gallery, MAX_HINT_BYTES, MAX_SUBJECTS};
pub use key::{GalleryKey, KEY_BYTES};
pub use matcher::{Matcher, Precision};
pub use memory_disk::MemoryDisk;
pub use memory_folder::MemoryFolder;
pub use subject::Subject;
pub use wipe::Wiped;
