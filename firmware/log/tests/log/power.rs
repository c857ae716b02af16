//! The power goes, or the disk is full, at every operation.

use super::*;
use arcdoor_api::{Content, Link};
use arcdoor_log::{EPOCH_S, LogError, verify};

/// Appends, syncs, turns an epoch and a segment; returns how many were confirmed, and how many appended.
fn work(log: &mut Log<MemoryFolder>) -> (u32, u32) {
    let (mut appended, mut confirmed) = (0, 0);
    for step in 0..8_u32 {
        let hour = u64::from(step) / 2 * EPOCH_S;
        // Three of a sync's records, so that a torn write may keep the second one alone.
        for _ in 0..3 {
            if log.append(&revoked(appended), at(hour), Some(GALLERY)).is_ok() {
                appended += 1;
            } else {
                return (confirmed, appended);
            }
        }
        if step == 5 && log.tick(at(8 * 86_400)).is_err() {
            return (confirmed, appended);
        }
        if log.sync().is_err() {
            return (confirmed, appended);
        }
        confirmed = appended;
    }
    (confirmed, appended)
}

/// What holds after every fault: it opens, what was confirmed is there, in its order, under numbers that are used once.
fn check(folder: &MemoryFolder, key: &VerificationKey, (confirmed, appended): (u32, u32), what: &str) {
    let mut log = Log::open(folder.clone(), at(9 * 86_400)).unwrap_or_else(|error| panic!("{what}: {error}"));
    log.append(&revoked(1_000), at(9 * 86_400), None).unwrap();
    log.sync().unwrap();
    let there = subjects(folder);
    let (last, before) = there.split_last().unwrap();
    assert_eq!(*last, 1_000, "{what}");
    let before: Vec<u32> = before.to_vec();
    assert!(before.iter().copied().eq(0..before.len() as u32), "{what}: {before:?}");
    assert!(
        (confirmed..=appended).contains(&(before.len() as u32)),
        "{what}: {} of {confirmed}",
        before.len()
    );
    let report = verify(folder, Some(key), None).unwrap();
    assert!(report.is_whole() && report.sealed == report.records, "{what}: {report:?}");
    assert!(records(folder).iter().zip(0..).all(|(record, n)| record.n == n), "{what}");
}

#[test]
fn after_a_power_cut_at_every_operation_the_log_opens_and_holds_what_was_confirmed() {
    let mut torn = 0;
    for changes in 0.. {
        let (folder, mut log, key) = create();
        folder.fail_after(Some(changes));
        let done = work(&mut log);
        drop(log);
        for seed in 0..24 {
            let cut = folder.power_cut(seed);
            check(&cut, &key, done, &format!("cut after {changes}, seed {seed}"));
            torn += records(&cut).iter().filter(|record| is_torn(record)).count();
            // And once more, in the middle of what the opening had to do.
            let cut = folder.power_cut(seed);
            cut.fail_after(Some(seed % 5));
            let _ = Log::open(cut.clone(), at(9 * 86_400)).and_then(|mut log| log.sync());
            check(&cut.power_cut(seed + 1), &key, done, &format!("cut after {changes}, again, seed {seed}"));
        }
        if done.0 == 24 {
            break;
        }
    }
    assert!(torn > 20, "half-written records are said, {torn} times");
}

fn is_torn(record: &Record) -> bool {
    matches!(record.content, Content::Link(Link::Torn { .. }))
}

#[test]
fn a_power_cut_while_a_log_is_made_leaves_none_or_one_that_holds_nothing() {
    for changes in 0.. {
        let folder = MemoryFolder::new();
        folder.fail_after(Some(changes));
        let made = Log::create(folder.clone(), at(0)).is_ok();
        for seed in 0..16 {
            let cut = folder.power_cut(seed);
            match Log::open(cut.clone(), at(1)) {
                Ok(mut log) => {
                    log.sync().unwrap();
                    assert!(records(&cut).iter().all(|record| record.entry().is_none()));
                }
                Err(error) => {
                    let is_nothing = matches!(error, LogError::Missing);
                    assert!(
                        is_nothing && !made && Log::create(cut, at(1)).is_ok(),
                        "{changes}, {seed}: {error}"
                    );
                }
            }
        }
        if made {
            break;
        }
    }
}

#[test]
fn a_full_disk_at_every_write_leaves_a_log_that_opens_and_goes_on_where_there_is_room_again() {
    for writes in 0.. {
        let (folder, mut log, key) = create();
        folder.full_after(Some(writes));
        let done = work(&mut log);
        if done.0 == 24 {
            break;
        }
        let error = log.sync().unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        let mut ended = Log::open(MemoryFolder::copy_of(&folder), at(9 * 86_400)).unwrap();
        ended.sync().unwrap();
        let still = Log::open(folder.power_cut(writes), at(9 * 86_400));
        assert!(still.is_ok(), "a full disk at the start too");
        // The same log, once somebody made room: nothing that it took is lost.
        folder.full_after(None);
        log.sync().unwrap();
        assert_eq!(subjects(&folder), (0..done.1).collect::<Vec<_>>());
        drop(log);
        check(&folder, &key, (done.1, done.1), &format!("full after {writes}"));
    }
}

#[test]
fn a_disk_that_stays_full_makes_appends_fail_before_memory_does() {
    let (folder, mut log, _) = create();
    folder.full_after(Some(0));
    let taken = (0..1_000_000).take_while(|n| log.append(&revoked(*n), at(1), None).is_ok()).count();
    assert!((100..2_000).contains(&taken), "{taken}");
}

#[test]
fn a_segment_that_was_to_go_when_the_power_went_goes_later() {
    use arcdoor_log::{Retention, SEGMENT_BYTES};
    let full = {
        let (folder, mut log, key) = create();
        for n in 0..300 {
            log.append(&exporting(4_000), at(n), None).unwrap();
        }
        log.sync().unwrap();
        (MemoryFolder::copy_of(&folder), key)
    };
    let retention = Retention { days: 90, bytes: 2 * SEGMENT_BYTES };
    for changes in 0.. {
        let folder = MemoryFolder::copy_of(&full.0);
        folder.fail_after(Some(changes));
        let log = Log::open(folder.clone(), at(0)).map(|log| log.with_retention(retention));
        let done = log.and_then(|mut log| log.tick(at(86_400))).is_ok();
        for seed in 0..16 {
            let cut = folder.power_cut(seed);
            let mut log = Log::open(cut.clone(), at(86_400)).unwrap().with_retention(retention);
            log.sync().unwrap();
            assert!(verify(&cut, Some(&full.1), None).unwrap().is_whole(), "{changes}, {seed}");
            log.tick(at(2 * 86_400)).unwrap();
            log.sync().unwrap();
            assert!(verify(&cut, Some(&full.1), None).unwrap().is_whole());
            assert!(cut.files().len() <= 3, "{changes}, {seed}");
        }
        if done {
            break;
        }
    }
}
