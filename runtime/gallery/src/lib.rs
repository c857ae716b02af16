//! Enrolled templates: the store and the exact matcher.
//!
//! A [`Gallery`] is a redb file and, in memory, a [`Matcher`] over the same templates. Every record lies
//! under XChaCha20-Poly1305, and templates are rotated, both by the gallery's key. Every change is one durable
//! transaction, and memory follows only after the commit: what was confirmed survives a power cut; of what was
//! not, the next opening finds all or nothing.
//!
//! | module | holds |
//! |---|---|
//! | `gallery`, `subject` | [`Gallery`]: enrol, re-enrol, revoke, find a [`Subject`] |
//! | `impostors` | who was wrongly taken for a subject, and is denied |
//! | `nearest` | which of a subject's views such a denial hits |
//! | `transfer`, `naming` | whole galleries: rewriting, export, import, and their names meanwhile |
//! | `matcher` | [`Matcher`]: exact identify (1:N) and verify (1:1), f32 or int8 |
//! | `disk` | [`Disk`]: the five operations that the store needs; [`FileDisk`], [`MemoryDisk`] |
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
mod ranking;
mod record;
mod rows;
mod sealer;
mod store;
mod subject;
mod transfer;
mod transform;

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
