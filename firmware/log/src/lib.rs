//! The operator's log: append-only, each record chained to the one before and sealed with a key that is gone soon after.
//!
//! A [`Log`] is a folder: segments of lines, one JSON object each, and a small state. A line's last field is its code:
//! HMAC with SHA-256 over the head before it and its text, under the key of the present epoch; the head after it is
//! SHA-256 over the head before and the whole line. An epoch ends after [`EPOCH_RECORDS`] records or [`EPOCH_S`]
//! seconds; the next one's key is derived from its key, which is then erased. So whoever takes the board can append,
//! and can write anew what the present epoch holds, but nothing before it without being noticed by whoever holds the
//! [`VerificationKey`], which is handed out once, when the log is made, and never lies on the card.
//!
//! ```
//! use arcdoor_api::{Entry, UtcTime};
//! use arcdoor_core::SubjectId;
//! use arcdoor_log::{Log, MemoryFolder, Noted, Records, verify};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (folder, now) = (MemoryFolder::new(), UtcTime::from_unix_ns(1_795_843_884_250_000_000));
//! let (mut log, key) = Log::create(folder.clone(), now)?;
//! println!("Write this down, and keep it off the card: {key}");
//!
//! // What must not happen without a record waits for the sync.
//! let record = log.append(&Entry::Revoked { subject: SubjectId(3) }, now, None)?;
//! log.sync()?;
//! assert_eq!(record.map(|record| record.n), Some(1));
//!
//! // Mailed to somebody else, this tells later that the end was cut off.
//! let note = log.note()?;
//! drop(log);
//!
//! let newest = Records::newest_first(&folder)?.next().ok_or("no record")??;
//! assert_eq!(newest.subject(), Some(SubjectId(3)));
//! let report = verify(&folder, Some(&key), Some(&note))?;
//! assert!(report.is_whole() && report.noted == Noted::Held && report.sealed == report.records);
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `log`, `opening` | [`Log`]: create, open, append, sync; from the state to the newest record |
//! | `chain`, `line` | which record may follow which; a record's bytes |
//! | `key`, `state` | the epochs' keys, [`VerificationKey`]; the small file that holds the present one |
//! | `segment`, `retention`, `removal` | one file of records; [`Retention`]: which of them go, and their going |
//! | `denials` | [`Denials`]: which of a flood get a record |
//! | `reader` | [`Records`]: newest first, or a range |
//! | `report`, `fault` | [`verify`], [`Report`]; [`Fault`]: what is wrong, at the first record |
//! | `head`, `note` | [`Head`]; [`Note`]: the head, signed, for whoever keeps it elsewhere |
//! | `seal` | [`Sealed`]: lines of which none can be changed unseen, signed by the log's key |
//! | `legacy` | [`Log::take_over`]: the log before this one |
//! | `folder` | [`Folder`]: what is needed of a disk; [`FileFolder`], [`MemoryFolder`] |
#![forbid(unsafe_code)]

mod chain;
mod denials;
mod error;
mod fault;
mod file_folder;
mod folder;
mod head;
mod key;
mod legacy;
mod line;
mod log;
mod memory_folder;
mod note;
mod opening;
mod reader;
mod removal;
mod report;
mod retention;
mod seal;
mod segment;
mod state;

pub use denials::{Admission, BURST, Denials, MOST_A_DAY, REFILL_S, SUMMARY_S};
pub use error::LogError;
pub use fault::Fault;
pub use file_folder::FileFolder;
pub use folder::Folder;
pub use head::Head;
pub use key::{KeyTextError, MAX_EPOCHS, VerificationKey};
pub use legacy::TakenOver;
pub use line::MAX_LINE_BYTES;
pub use log::{EPOCH_RECORDS, EPOCH_S, Log, MAX_UNSYNCED_BYTES};
pub use memory_folder::{MemoryFolder, Wear};
pub use note::{MAX_NOTE_BYTES, NoNote, Note};
pub use reader::Records;
pub use report::{Noted, Report, verify};
pub use retention::{MAX_DECISION_BYTES, MOST_OLD_AT_ONCE, Retention};
pub use seal::{MAX_SEALED_BYTES, SealError, Sealed, Signer};
pub use segment::{SEGMENT_BYTES, SEGMENT_S};
