//! What somebody does to the card.

use super::*;
use arcdoor_api::{Content, Link, LogHash};
use arcdoor_log::{EPOCH_S, Fault, Note, Noted, Report, Retention, SEGMENT_BYTES, verify};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Nine records of three epochs in one segment: numbers 0 (the heading) to 8; 3 and 6 end an epoch.
fn small() -> (MemoryFolder, VerificationKey, Note) {
    let (folder, mut log, key) = create();
    for n in 0..6_u32 {
        let hour = u64::from(n) / 2 * EPOCH_S;
        log.append(&revoked(n), at(hour + u64::from(n)), Some(GALLERY)).unwrap().unwrap();
        log.sync().unwrap();
    }
    let note = log.note().unwrap();
    drop(log);
    let epochs: Vec<_> = records(&folder)
        .iter()
        .filter(|record| matches!(record.content, Content::Link(Link::Epoch { .. })))
        .map(|record| record.n)
        .collect();
    assert_eq!((epochs, records(&folder).len()), (vec![3, 6], 9));
    (folder, key, note)
}

fn lines(folder: &MemoryFolder, number: u64) -> Vec<Vec<u8>> {
    let bytes = folder.files()[&segment(number)].clone();
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Of a copy whose first segment has these lines instead.
fn judged(
    folder: &MemoryFolder,
    lines: &[Vec<u8>],
    key: Option<&VerificationKey>,
    note: Option<&Note>,
) -> Report {
    let copy = MemoryFolder::copy_of(folder);
    copy.put(&segment(1), lines.concat());
    verify(&copy, key, note).unwrap()
}

fn fault(folder: &MemoryFolder, lines: &[Vec<u8>], key: &VerificationKey) -> Option<Fault> {
    judged(folder, lines, Some(key), None).fault
}

#[test]
fn a_log_that_nobody_touched_is_whole() {
    let (folder, key, note) = small();
    let report = verify(&folder, Some(&key), Some(&note)).unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.records, report.sealed, report.epochs, report.noted), (9, 9, 2, Noted::Held));
    assert_eq!(report.head, Some(note.head()));
    let without = verify(&folder, None, None).unwrap();
    assert!(without.is_whole());
    assert_eq!((without.records, without.sealed), (9, 2), "without the key, the present epoch alone");
}

#[test]
fn every_changed_byte_is_found_at_its_record() {
    let (folder, key, note) = small();
    let whole = lines(&folder, 1);
    for n in 0..whole.len() {
        for byte in 0..whole[n].len() {
            for flip in [1, 0x20, 0x80] {
                let mut changed = whole.clone();
                changed[n][byte] ^= flip;
                let report = judged(&folder, &changed, Some(&key), None);
                let is_last_newline = n + 1 == whole.len() && byte + 1 == whole[n].len();
                if is_last_newline {
                    assert!(report.unfinished > 0 && !report.is_whole());
                } else {
                    assert_eq!(report.fault.map(Fault::n), Some(n as u64), "byte {byte} of {n}: {report:?}");
                }
                let noted = judged(&folder, &changed, None, Some(&note));
                assert!(!noted.is_whole(), "byte {byte} of {n} is not found by the note: {noted:?}");
            }
        }
    }
}

#[test]
fn every_changed_byte_of_the_state_is_found_and_nothing_is_appended_to_it() {
    let (folder, key, _) = small();
    let state = folder.files()["state"].clone();
    for byte in 0..state.len() {
        let copy = MemoryFolder::copy_of(&folder);
        let mut changed = state.clone();
        changed[byte] ^= 1;
        copy.put("state", changed);
        assert!(matches!(verify(&copy, Some(&key), None).unwrap().fault, Some(Fault::State { n: 8 })));
        assert!(matches!(Log::open(copy, at(9)), Err(arcdoor_log::LogError::StateDamaged)));
    }
}

#[test]
fn removed_swapped_and_repeated_records_are_named() {
    let (folder, key, _) = small();
    let whole = lines(&folder, 1);
    for n in 1..whole.len() - 1 {
        let number = n as u64;
        let mut removed = whole.clone();
        removed.remove(n);
        assert_eq!(fault(&folder, &removed, &key), Some(Fault::Missing { n: number, found: number + 1 }));
        let mut swapped = whole.clone();
        swapped.swap(n, n + 1);
        assert_eq!(fault(&folder, &swapped, &key), Some(Fault::Missing { n: number, found: number + 1 }));
        let mut repeated = whole.clone();
        repeated.insert(n + 1, whole[n].clone());
        assert_eq!(fault(&folder, &repeated, &key), Some(Fault::Repeated { n: number + 1, found: number }));
    }
}

#[test]
fn a_tail_cut_before_the_present_epoch_is_found_by_the_state_and_within_it_by_the_note_alone() {
    let (folder, key, note) = small();
    let whole = lines(&folder, 1);
    for kept in 1..whole.len() {
        let report = judged(&folder, &whole[..kept], Some(&key), Some(&note));
        assert!(matches!(report.fault, Some(Fault::Cut { n, .. }) if n == kept as u64), "{kept}: {report:?}");
        let without = judged(&folder, &whole[..kept], Some(&key), None);
        // Records 7 and 8 are of the present epoch, which the state knows no end of.
        assert_eq!(without.is_whole(), kept >= 7, "{kept}: {without:?}");
    }
    let copy = MemoryFolder::copy_of(&folder);
    copy.put(&segment(1), whole[..4].concat());
    copy.take("state");
    assert_eq!(verify(&copy, Some(&key), None).unwrap().fault, Some(Fault::State { n: 3 }));
}

/// Who cuts the log back to an earlier epoch needs a state that fits, and has no key to put into it.
#[test]
fn a_tail_cut_with_a_state_made_to_fit_is_found_with_the_key_or_the_note() {
    let (folder, key, note) = small();
    let kept = &lines(&folder, 1)[..4];
    let copy = MemoryFolder::copy_of(&folder);
    copy.put(&segment(1), kept.concat());
    let mut state = folder.files()["state"].clone();
    let (text, checksum) = state.split_last_chunk_mut::<32>().unwrap();
    let head: [u8; 32] = kept.iter().fold([0; 32], |head, line| {
        Sha256::new().chain_update(head).chain_update(line.trim_ascii_end()).finalize().into()
    });
    text[8..12].copy_from_slice(&2_u32.to_le_bytes());
    text[124..132].copy_from_slice(&(kept.concat().len() as u64).to_le_bytes());
    text[133..141].copy_from_slice(&3_u64.to_le_bytes());
    text[141..].copy_from_slice(&head);
    *checksum = Sha256::digest(text).into();
    copy.put("state", state);
    let fault = |key, note| verify(&copy, key, note).unwrap().fault;
    assert_eq!(fault(Some(&key), None), Some(Fault::State { n: 3 }));
    assert_eq!(fault(None, Some(&note)), Some(Fault::Cut { n: 4, known: 8 }));
    assert_eq!(fault(None, None), None, "as docs/threats.md says");
}

/// What the key in the state's file can seal: this follows the page, not the code.
struct Thief {
    key: [u8; 32],
}

impl Thief {
    fn with_the_card(folder: &MemoryFolder) -> Self {
        Self { key: folder.files()["state"][12..44].try_into().unwrap() }
    }

    fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Writes the chain anew from line `from` on, with `old` replaced by `new`.
    fn rewrite(&self, lines: &[Vec<u8>], from: usize, old: &str, new: &str) -> Vec<Vec<u8>> {
        let mut head = [0; 32];
        let mut forged = Vec::new();
        for (n, line) in lines.iter().enumerate() {
            let mut line = String::from_utf8(line.clone()).unwrap().trim_end().replace(old, new);
            if n >= from {
                let body = line.split(",\"mac\"").next().unwrap().to_owned();
                let key = Self::hmac(&self.key, &[b"arcdoor log record 1"]);
                let mac = Self::hmac(&key, &[&head, body.as_bytes()]);
                let mac: String = mac[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                line = format!("{body},\"mac\":\"{mac}\"}}");
            }
            head = Sha256::new().chain_update(head).chain_update(&line).finalize().into();
            forged.push(format!("{line}\n").into_bytes());
        }
        forged
    }
}

/// As CVE-2023-31439 was: a past epoch, sealed again with a key that belongs to another.
#[test]
fn a_past_epoch_that_is_sealed_again_with_the_present_key_is_found() {
    let (folder, key, note) = small();
    let thief = Thief::with_the_card(&folder);
    let whole = lines(&folder, 1);
    assert_eq!(thief.rewrite(&whole, 7, "no such text", ""), whole, "the thief seals as the log does");
    let forged = thief.rewrite(&whole, 4, "\"subject\":2", "\"subject\":9");
    assert_eq!(fault(&folder, &forged, &key), Some(Fault::Altered { n: 4 }));
    let noted = judged(&folder, &forged, None, Some(&note));
    assert!(matches!(noted.fault, Some(Fault::State { n: 6 } | Fault::NotAsNoted { .. })), "{noted:?}");
}

/// What forward security does not give; the note does.
#[test]
fn the_present_epoch_can_be_forged_with_the_card_and_the_note_tells() {
    let (folder, key, note) = small();
    let thief = Thief::with_the_card(&folder);
    let forged = thief.rewrite(&lines(&folder, 1), 7, "\"subject\":4", "\"subject\":9");
    assert!(judged(&folder, &forged, Some(&key), None).is_whole());
    assert_eq!(judged(&folder, &forged, Some(&key), Some(&note)).fault, Some(Fault::NotAsNoted { n: 8 }));
}

/// Five segments, all kept, and the note of the last record.
fn large() -> (MemoryFolder, Log<MemoryFolder>, VerificationKey) {
    let (folder, mut log, key) = create();
    let mut n = 0;
    while folder.files().len() < 6 {
        n += 1;
        log.append(&exporting(4_000), at(n), None).unwrap();
        if n % 16 == 0 {
            log.sync().unwrap();
        }
    }
    log.sync().unwrap();
    (folder, log, key)
}

#[test]
fn removed_swapped_and_repeated_segments_are_found_with_the_key_and_without() {
    let (folder, _log, key) = large();
    for key in [Some(&key), None] {
        assert!(verify(&folder, key, None).unwrap().is_whole());
        let first = |number: u64| {
            let line: serde_json::Value = serde_json::from_slice(&lines(&folder, number)[0]).unwrap();
            line["n"].as_u64().unwrap()
        };
        let n_of = |copy: &MemoryFolder| verify(copy, key, None).unwrap().fault.map(Fault::n);
        for number in 1..=4 {
            let removed = MemoryFolder::copy_of(&folder);
            removed.take(&segment(number));
            let n = if number == 1 { first(2) } else { first(number) };
            assert_eq!(n_of(&removed), Some(n), "segment {number} removed");
            let swapped = MemoryFolder::copy_of(&folder);
            swapped.put(&segment(number), folder.files()[&segment(number + 1)].clone());
            swapped.put(&segment(number + 1), folder.files()[&segment(number)].clone());
            let n = if number == 1 { 0 } else { first(number) };
            assert_eq!(n_of(&swapped), Some(n), "segment {number} swapped");
            let repeated = MemoryFolder::copy_of(&folder);
            repeated.put(&segment(number + 1), folder.files()[&segment(number)].clone());
            assert_eq!(n_of(&repeated), Some(first(number + 1)), "segment {number} repeated");
        }
        let none = MemoryFolder::copy_of(&folder);
        (1..=5).for_each(|number| none.take(&segment(number)));
        assert!(matches!(verify(&none, key, None).unwrap().fault, Some(Fault::Cut { n: 0, .. })));
    }
}

#[test]
fn what_the_log_removed_itself_is_told_from_what_somebody_removed() {
    let (folder, log, key) = large();
    drop(log);
    let mut log = Log::open(folder.clone(), at(0))
        .unwrap()
        .with_retention(Retention { days: 90, bytes: 3 * SEGMENT_BYTES });
    log.tick(at(86_400)).unwrap();
    log.sync().unwrap();
    let kept = folder.files();
    assert!(
        !kept.contains_key(&segment(1)) && !kept.contains_key(&segment(2)) && kept.contains_key(&segment(3))
    );
    let report = verify(&folder, Some(&key), None).unwrap();
    assert!(report.is_whole() && report.first > Some(0), "{report:?}");
    let first = report.first.unwrap();
    let said = |record: &Record| match record.content {
        Content::Link(Link::Removed { first, last, .. }) => Some((first, last)),
        _ => None,
    };
    let said: Vec<_> = records(&folder).iter().filter_map(said).collect();
    assert_eq!((said[0].0, said[0].1 + 1, said[1].1), (0, said[1].0, first - 1));
    folder.take(&segment(3));
    let report = verify(&folder, Some(&key), None).unwrap();
    assert!(matches!(report.fault, Some(Fault::BeginningRemoved { n }) if n > first), "{report:?}");
}

#[test]
fn another_log_in_its_place_is_not_taken_for_it() {
    let (folder, key, note) = small();
    let (other, other_key, other_note) = small();
    assert!(matches!(verify(&other, Some(&key), None).unwrap().fault, Some(Fault::OtherLog { n: 0 })));
    assert!(matches!(verify(&other, None, Some(&note)).unwrap().fault, Some(Fault::OtherLog { n: 0 })));
    let report = verify(&folder, Some(&key), Some(&other_note)).unwrap();
    assert!(report.noted == Noted::NotSigned && !report.is_whole());
    let forged: Note = note.to_string().replace("\n8\n", "\n7\n").parse().unwrap();
    assert_eq!(verify(&folder, Some(&key), Some(&forged)).unwrap().noted, Noted::NotSigned);
    let mixed = MemoryFolder::copy_of(&folder);
    mixed.put("state", other.files()["state"].clone());
    assert!(matches!(verify(&mixed, Some(&key), None).unwrap().fault, Some(Fault::State { .. })));
    assert_ne!(key.log(), other_key.log());
    assert_ne!(key.log(), LogHash::default());
}

/// A thief who empties the card may at most start anew, and the door does not stop for what was done to old records.
#[test]
fn a_damaged_record_stops_nobody_from_appending_and_stays_found() {
    let (folder, key, _) = small();
    for n in 0..9 {
        let mut changed = lines(&folder, 1);
        changed[n][2] ^= 1;
        let copy = MemoryFolder::copy_of(&folder);
        copy.put(&segment(1), changed.concat());
        let mut log = Log::open(copy.clone(), at(9_999)).unwrap();
        log.append(&revoked(77), at(9_999), None).unwrap();
        log.sync().unwrap();
        assert_eq!(
            Records::newest_first(&copy).unwrap().next().unwrap().unwrap().subject(),
            Some(SubjectId(77))
        );
        let report = verify(&copy, Some(&key), None).unwrap();
        assert!(records_that_are_left(&copy).len() > n);
        let torn = records_that_are_left(&copy)
            .iter()
            .any(|record| matches!(record.content, Content::Link(Link::Torn { .. })));
        // In the present epoch, it looks as a power cut does: and is said as one.
        assert!(if n < 7 { report.fault.map(Fault::n) == Some(n as u64) } else { torn }, "{n}: {report:?}");
    }
}

/// A card that lost a file, or a thief who took one, costs no other record, and no number is given twice.
#[test]
fn a_segment_that_is_gone_takes_no_other_with_it_when_the_log_is_opened() {
    let (folder, log, key) = large();
    drop(log);
    let newest = |folder: &MemoryFolder| Records::newest_first(folder).unwrap().find_map(Result::ok).unwrap();
    let last = newest(&folder).n;
    for number in 1..=5 {
        for is_cut in [false, true] {
            let copy = MemoryFolder::copy_of(&folder);
            let half = lines(&folder, number).concat();
            copy.take(&segment(number));
            if is_cut {
                copy.put(&segment(number), half[..half.len() / 2].to_vec());
            }
            let before = copy.files();
            let mut log = Log::open(copy.clone(), at(500)).unwrap();
            log.append(&revoked(77), at(500), None).unwrap();
            log.sync().unwrap();
            drop(log);
            let after = copy.files();
            let is_there = |name: &String| {
                name == "state" || after.get(name).is_some_and(|now| now.starts_with(&before[name]))
            };
            // What a cut left of the last line of all is taken for a torn write.
            assert!(
                before.keys().all(|name| is_there(name) || (is_cut && number == 5)),
                "{number}, {is_cut}"
            );
            assert_eq!(newest(&copy).subject(), Some(SubjectId(77)));
            assert!(newest(&copy).n > last || number == 5, "{number}: {} is given twice", newest(&copy).n);
            assert!(
                !verify(&copy, Some(&key), None).unwrap().is_whole() || number == 5,
                "{number}, {is_cut}"
            );
            let again = Log::open(copy.clone(), at(500)).unwrap();
            assert_eq!(again.head().n, newest(&copy).n, "it goes on from there");
        }
    }
}

/// The state's place is gone, or more is damaged than a power cut takes.
#[test]
fn damage_near_the_end_is_left_as_it_is_and_said_once_and_no_number_is_given_twice() {
    let (small, ..) = small();
    let (large, mut log, _) = create();
    for n in 0..30 {
        log.append(&exporting(4_000), at(n), None).unwrap();
    }
    log.sync().unwrap();
    drop(log);
    let mut changed = lines(&large, 1);
    changed[2][9] ^= 1;
    let cut = lines(&small, 1)[..2].concat();
    // The last number that was there, and the last record that is whole, as far as the state tells.
    for (folder, segment_1, last, after, now) in [
        (&small, Some(cut), 6, 6, at(2 * EPOCH_S + 9)),
        (&small, None, 6, 6, at(2 * EPOCH_S + 9)),
        (&large, Some(changed.concat()), 30, 1, at(60)),
    ] {
        let copy = MemoryFolder::copy_of(folder);
        copy.take(&segment(1));
        if let Some(bytes) = segment_1.clone() {
            copy.put(&segment(1), bytes);
        }
        let mut log = Log::open(copy.clone(), now).unwrap();
        log.append(&revoked(77), now, None).unwrap();
        log.sync().unwrap();
        drop(log);
        assert_eq!(copy.files().get(&segment(1)), segment_1.as_ref());
        let left = records_that_are_left(&copy);
        let damaged =
            left.iter().find(|record| matches!(record.content, Content::Link(Link::Damaged { .. }))).unwrap();
        assert_eq!(damaged.content, Content::Link(Link::Damaged { after: Some(after) }));
        assert!(damaged.n > last, "{} is given twice", damaged.n);
        let (files, head) = (copy.files().len(), left.last().unwrap().n);
        let mut log = Log::open(copy.clone(), now).unwrap();
        log.sync().unwrap();
        assert_eq!((copy.files().len(), log.head().n), (files, head), "it goes on from there");
        assert_eq!(left.last().unwrap().subject(), Some(SubjectId(77)));
    }
}

fn records_that_are_left(folder: &MemoryFolder) -> Vec<Record> {
    Records::range(folder, 0..=u64::MAX).unwrap().filter_map(Result::ok).collect()
}
