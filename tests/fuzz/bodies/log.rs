//! The log's folder, and the texts that belong to it.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0 | the only segment, beside a good state |
//! | 1 | changes to a good segment: offset u16, count u8, bytes; none of them cuts it there |
//! | 2 | changes to a good state, likewise |
//! | 3 | an older log |
//! | 4 | a note or a verification key |

use arcdoor_api::{Entry, UtcTime};
use arcdoor_core::SubjectId;
use arcdoor_log::{EPOCH_S, Log, MemoryFolder, Note, Records, VerificationKey, verify};
use std::sync::OnceLock;

#[path = "changes.rs"]
mod changes;
use changes::changed;

const SEGMENT: &str = "00000000000000000001.jsonl";
const STATE: &str = "state";

/// Whatever comes in: a fault that is named, and a log that goes on; or it is what was written, cut at most within the
/// present epoch.
#[allow(clippy::unwrap_used, reason = "on a disk that does not fail")]
pub(crate) fn run(bytes: &[u8]) {
    let (good, _) = good();
    let folder = MemoryFolder::copy_of(good);
    match bytes.split_first() {
        Some((0, segment)) => folder.put(SEGMENT, segment.to_vec()),
        Some((1, changes)) => folder.put(SEGMENT, changed::<2>(good.files()[SEGMENT].clone(), changes)),
        Some((2, changes)) => folder.put(STATE, changed::<2>(good.files()[STATE].clone(), changes)),
        Some((3, older)) => return take_over(older),
        Some((4, text)) => return texts(text),
        _ => return,
    }
    check(&folder);
}

#[allow(clippy::unwrap_used, reason = "on a disk that does not fail")]
fn check(folder: &MemoryFolder) {
    let (good, key) = good();
    let whole = verify(folder, Some(key), None).unwrap();
    if whole.is_whole() {
        assert!(good.files()[SEGMENT].starts_with(&folder.files()[SEGMENT]), "something else was written");
        assert_eq!(folder.files()[STATE], good.files()[STATE]);
    }
    let _ = verify(folder, None, None).unwrap();
    let _ = Records::newest_first(folder).unwrap().count();
    let Ok(mut log) = Log::open(folder.clone(), at(9)) else { return };
    log.append(&revoked(99), at(9), None).unwrap();
    log.sync().unwrap();
    let newest = Records::newest_first(folder).unwrap().find_map(Result::ok);
    assert_eq!(newest.and_then(|record| record.subject()), Some(SubjectId(99)));
    let later = verify(folder, Some(key), None).unwrap();
    assert!(later.is_whole() || !whole.is_whole(), "{later:?}");
}

#[allow(clippy::unwrap_used, reason = "on a disk that does not fail")]
fn take_over(older: &[u8]) {
    let folder = MemoryFolder::new();
    let (mut log, key) = Log::create(folder.clone(), at(0)).unwrap();
    let taken = log.take_over([older], at(1)).unwrap();
    assert_eq!(log.take_over([older], at(2)).unwrap(), taken);
    let legacy = Records::newest_first(&folder)
        .unwrap()
        .filter(|record| matches!(record, Ok(record) if record.legacy));
    assert_eq!(legacy.count() as u64, taken.records);
    assert!(verify(&folder, Some(&key), None).unwrap().is_whole());
}

fn texts(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(note) = text.parse::<Note>() {
        assert_eq!(note.to_string().parse(), Ok(note));
    }
    if let Ok(key) = text.parse::<VerificationKey>() {
        assert_eq!(text.trim().to_lowercase(), key.to_string());
    }
}

/// Six records of three epochs.
#[allow(clippy::unwrap_used, reason = "on a disk that does not fail")]
fn good() -> &'static (MemoryFolder, VerificationKey) {
    static GOOD: OnceLock<(MemoryFolder, VerificationKey)> = OnceLock::new();
    GOOD.get_or_init(|| {
        let folder = MemoryFolder::new();
        let (mut log, key) = Log::create(folder.clone(), at(0)).unwrap();
        for n in 0..6 {
            log.append(&revoked(n), at(u64::from(n) / 2 * EPOCH_S), None).unwrap();
            log.sync().unwrap();
        }
        (folder, key)
    })
}

fn revoked(subject: u32) -> Entry {
    Entry::Revoked { subject: SubjectId(subject) }
}

fn at(seconds: u64) -> UtcTime {
    UtcTime::from_unix_s(1_795_843_884 + seconds).unwrap_or_default()
}
