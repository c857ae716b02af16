//! The power goes at every single change of a file or a name, with the later writes lost, kept or torn: the
//! last confirmed state is there, or the new one, never a mixture.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{Candidates, ModelId, SubjectId, SubjectName, Template};
use arcdoor_gallery::{
    Disk as _, Folder, Gallery, GalleryError, GalleryKey, KEY_BYTES, MemoryDisk, MemoryFolder, Subject,
};
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

mod earlier;

const MODEL: ModelId = ModelId::new([1; 16]);
const DIMENSION: usize = 16;
/// What could be left after one cut.
const OUTCOMES: u64 = 16;

fn key(byte: u8) -> GalleryKey {
    GalleryKey::new(&[byte; KEY_BYTES])
}

fn name(text: &str) -> SubjectName {
    SubjectName::new(text).unwrap()
}

fn template(axis: usize) -> Template {
    let mut values = [0.01; DIMENSION];
    values[axis % DIMENSION] = 1.0;
    Template::new(MODEL, &values).unwrap()
}

fn open(disk: &MemoryDisk) -> Result<Gallery, GalleryError> {
    Gallery::open_on(disk.clone(), &key(1), MODEL, DIMENSION)
}

fn open_in(folder: &MemoryFolder, byte: u8) -> Result<Gallery, GalleryError> {
    Gallery::open_in(folder, "gallery", &key(byte), MODEL, DIMENSION)
}

/// Ada with one template, Bob with two; somebody was taken for Bob.
fn fill(gallery: &mut Gallery) {
    gallery.enrol(&name("Ada"), &[template(0)], 5).unwrap();
    let bob = gallery.enrol(&name("Bob"), &[template(4), template(5)], 6).unwrap();
    gallery.deny(bob, &[template(13)]).unwrap();
}

fn filled() -> MemoryDisk {
    let disk = MemoryDisk::new();
    fill(&mut open(&disk).unwrap());
    disk
}

/// Of each subject the name, how many templates there are, and what every axis scores against its own and its
/// impostor templates.
fn state(gallery: &Gallery) -> Vec<(String, usize, usize, Vec<i32>)> {
    let scores = |id| {
        let score = move |axis| {
            let own = gallery.verify(id, &template(axis)).unwrap();
            [own, gallery.impostor(id, &template(axis)).unwrap()]
        };
        (0..DIMENSION).flat_map(score).map(|score| score.map_or(9, |score| (score.0 * 100.0).round() as i32))
    };
    let one = |subject: &Subject| {
        let Subject { name, templates, impostors, .. } = subject;
        (name.to_string(), *templates, *impostors, scores(subject.id).collect())
    };
    gallery.iter().map(one).collect()
}

static TOTAL: AtomicU64 = AtomicU64::new(0);

/// Straight to stderr, which the test runner shows of passing tests, too.
fn counted(what: &str, points: u64) {
    let total = TOTAL.fetch_add(points, Ordering::Relaxed) + points;
    let _ = writeln!(
        std::io::stderr(),
        "power cuts, {what}: {points} points, {OUTCOMES} outcomes each; {total} points so far"
    );
    assert!(points >= 6, "{what}: only {points} points");
}

/// Makes one change to a filled gallery, cut everywhere, and looks at what is left.
fn cut_everywhere(what: &str, change: impl Fn(&mut Gallery) -> Result<(), GalleryError>) {
    let mut gallery = open(&filled()).unwrap();
    let before = state(&gallery);
    change(&mut gallery).unwrap();
    let after = state(&gallery);
    let (mut old, mut new, mut done) = (0, 0, false);
    for cut in 0.. {
        let disk = filled();
        let mut gallery = open(&disk).unwrap();
        disk.fail_after(Some(cut));
        done = change(&mut gallery).is_ok();
        for seed in 0..OUTCOMES {
            let left = open(&disk.power_cut(seed)).unwrap();
            let found = state(&left);
            assert!(found == before || found == after, "{what}, cut {cut}: {found:?}");
            assert!(!done || found == after, "{what}: a confirmed change was lost");
            assert_eq!(left.templates(), found.iter().map(|subject| subject.1).sum::<usize>());
            *if found == after { &mut new } else { &mut old } += 1;
        }
        if done {
            break;
        }
        assert_eq!(state(&gallery), before, "{what}: memory ran ahead of the disk");
        assert!(gallery.enrol(&name("Eve"), &[template(6)], 3).is_err(), "written after a failure");
    }
    assert!(done && old > 0 && new > 0, "{what}: the cuts missed one side: {old} old, {new} new");
    counted(what, (old + new) / OUTCOMES);
}

#[test]
fn enrolling() {
    cut_everywhere("enrolling", |gallery| {
        gallery.enrol(&name("Cid"), &[template(8), template(9)], 2).map(drop)
    });
}

#[test]
fn enrolling_more_views() {
    cut_everywhere("adding templates", |gallery| gallery.add_templates(SubjectId(1), &[template(1)]));
}

#[test]
fn replacing_views() {
    cut_everywhere("re-enrolling", |gallery| gallery.replace_templates(SubjectId(2), &[template(1)]));
}

#[test]
fn denying_an_impostor() {
    cut_everywhere("not this person", |gallery| gallery.deny(SubjectId(1), &[template(2), template(3)]));
}

#[test]
fn forgetting_impostors() {
    cut_everywhere("forgetting impostors", |gallery| gallery.forget_impostors(SubjectId(2)).map(drop));
}

#[test]
fn leaving_format_3() {
    leaving("leaving format 3", earlier::format_3, &["Ada", "Bob"]);
}

#[test]
fn leaving_format_4() {
    leaving("leaving format 4", earlier::format_4, &["Ada", "Bob", "Dee"]);
}

/// A gallery of an earlier format that is opened, and cut while it is written in the present form: everybody is there,
/// in one form or the other, and whoever opens it next finds the same.
fn leaving(what: &str, earlier: fn() -> MemoryDisk, names: &[&str]) {
    let old = earlier::records(&earlier());
    let everybody = state(&open(&earlier()).unwrap());
    assert_eq!(everybody.iter().map(|subject| subject.0.as_str()).collect::<Vec<_>>(), names);
    let (mut points, mut untouched, mut rewritten, mut done) = (0, 0, 0, false);
    for cut in 0.. {
        let disk = earlier();
        disk.fail_after(Some(cut));
        done = open(&disk).is_ok();
        for seed in 0..OUTCOMES {
            let left = disk.power_cut(seed);
            let found = earlier::records(&left);
            assert_eq!(state(&open(&left).unwrap()), everybody, "cut {cut}");
            let is_old = found == old;
            assert!(is_old || found == earlier::records(&left), "cut {cut}: written twice");
            assert!(!done || !is_old, "what was opened is of the present format");
            *if is_old { &mut untouched } else { &mut rewritten } += 1;
        }
        points += 1;
        if done {
            break;
        }
    }
    assert!(done && untouched > 0 && rewritten > 0, "{untouched} old, {rewritten} new");
    counted(what, points);
}

#[test]
fn revoking() {
    cut_everywhere("revoking", |gallery| gallery.revoke(SubjectId(2)).map(drop));
}

#[test]
fn importing() {
    let disk = MemoryDisk::new();
    let mut other = open(&disk).unwrap();
    other.enrol(&name("Eve"), &[template(10), template(11)], 7).unwrap();
    other.enrol(&name("Fay"), &[template(12)], 8).unwrap();
    cut_everywhere("importing", |gallery| gallery.import(&other).map(drop));
}

#[test]
fn copying() {
    let (other, mut cuts) = (open(&filled()).unwrap(), 0);
    for cut in 0.. {
        let disk = MemoryDisk::new();
        disk.fail_after(Some(cut));
        let done = other.copy_to(disk.clone(), &key(1), b"salt").is_ok();
        for seed in 0..OUTCOMES {
            // What was not finished may be no gallery at all; it never has a name of its own then.
            match open(&disk.power_cut(seed)) {
                Ok(left) if !left.is_empty() => assert_eq!(state(&left), state(&other)),
                _ => assert!(!done, "a confirmed copy was lost"),
            }
            cuts += 1;
        }
        if done {
            break;
        }
    }
    counted("exporting", cuts / OUTCOMES);
}

#[test]
fn making_a_gallery() {
    let mut cuts = 0;
    for cut in 0.. {
        let folder = MemoryFolder::new();
        folder.fail_after(Some(cut));
        let done = open_in(&folder, 1).is_ok();
        for seed in 0..OUTCOMES {
            let left = folder.power_cut(seed);
            assert!(!done || left.exists("gallery"));
            assert!(open_in(&left, 1).unwrap().is_empty(), "the next opening makes it");
            cuts += 1;
        }
        if done {
            break;
        }
    }
    counted("making a gallery", cuts / OUTCOMES);
}

#[test]
fn rewriting() {
    let mut cuts = 0;
    for cut in 0.. {
        let folder = MemoryFolder::new();
        fill(&mut open_in(&folder, 1).unwrap());
        folder.fail_after(Some(cut));
        let result =
            open_in(&folder, 1).and_then(|gallery| gallery.rewrite(&folder, "gallery", &key(2), &[]));
        let done = result.is_ok();
        let wiped = result.is_ok_and(|gallery| gallery.left().is_none());
        for seed in 0..OUTCOMES {
            let left = folder.power_cut(seed);
            let gallery = match (open_in(&left, 1), open_in(&left, 2)) {
                (Ok(gallery), Err(GalleryError::OtherKey)) if !done => gallery,
                (Err(GalleryError::OtherKey), Ok(gallery)) => gallery,
                (old, new) => panic!("cut {cut}, seed {seed}: {old:?} and {new:?}"),
            };
            assert_eq!((gallery.len(), gallery.templates()), (2, 3));
            for rest in ["gallery.old", "gallery.new"] {
                assert!(!left.exists(rest), "the next opening overwrites {rest}");
            }
            cuts += 1;
        }
        if wiped {
            break;
        }
    }
    counted("changing the key", cuts / OUTCOMES);
}

/// Bob is revoked, and the gallery rewritten: he is there with all that he had, or nowhere; and his old file
/// was all zeros before it lost its length.
#[test]
fn erasing() {
    let (mut points, mut zeroed) = (0, false);
    for cut in 0.. {
        let folder = MemoryFolder::new();
        fill(&mut open_in(&folder, 1).unwrap());
        folder.fail_after(Some(cut));
        let result = open_in(&folder, 1).and_then(|mut gallery| {
            gallery.revoke(SubjectId(2))?;
            gallery.rewrite(&folder, "gallery", &key(2), &[])
        });
        let done = result.is_ok();
        let wiped = result.is_ok_and(|gallery| gallery.left().is_none());
        for seed in 0..OUTCOMES {
            let left = folder.power_cut(seed);
            if let Ok(Some(old)) = left.peek("gallery.old", usize::MAX) {
                zeroed |= !old.is_empty() && old.iter().all(|byte| *byte == 0);
            }
            let gallery = open_in(&left, 1).or_else(|_| open_in(&left, 2)).unwrap();
            let found: Vec<_> =
                state(&gallery).into_iter().map(|(name, own, others, _)| (name, own, others)).collect();
            let (ada, bob) = (("Ada".to_owned(), 1, 0), ("Bob".to_owned(), 2, 1));
            assert!(found == [ada.clone()] || (!done && found == [ada, bob]), "cut {cut}: {found:?}");
        }
        points += 1;
        if wiped {
            break;
        }
    }
    assert!(zeroed, "the old file was not overwritten");
    counted("erasing", points);
}

/// A rewriting that finds the disk full, with every number of blocks that may be free.
#[test]
fn a_rewriting_that_finds_the_disk_full_leaves_nothing_behind() {
    let mut levels = 0;
    for free in 0.. {
        let folder = MemoryFolder::new();
        fill(&mut open_in(&folder, 1).unwrap());
        let gallery = open_in(&folder, 1).unwrap();
        let before = state(&gallery);
        folder.set_free(Some(free));
        if gallery.rewrite(&folder, "gallery", &key(2), &[]).is_ok() {
            break;
        }
        assert_eq!(folder.names(), ["gallery"], "{free} free blocks");
        let gallery = open_in(&folder, 1).unwrap();
        assert!(gallery.left().is_none(), "{free} free blocks");
        assert_eq!(state(&gallery), before, "the disk is still full, and the door opens");
        folder.set_free(None);
        let gallery = gallery.rewrite(&folder, "gallery", &key(2), &[]).unwrap();
        assert_eq!(state(&gallery), before, "with room again it works");
        levels += 1;
    }
    let _ = writeln!(std::io::stderr(), "full disks, changing the key: {levels} levels");
    assert!(levels > 10, "{levels}");
}

/// What an earlier arcdoor left on a full disk: a file of holes under the name of an unfinished one.
#[test]
fn leftovers_that_cannot_be_overwritten_keep_nobody_out() {
    let folder = MemoryFolder::new();
    fill(&mut open_in(&folder, 1).unwrap());
    folder.open("gallery.new", true).unwrap().set_len(1 << 20).unwrap();
    folder.set_free(Some(0));
    assert_eq!(open_in(&folder, 1).unwrap().len(), 2);
    assert_eq!(folder.names(), ["gallery"]);
}

/// The disk fails at some point of a rewriting, works again, the gallery is opened, and then the power goes.
#[test]
fn a_failed_rewriting_then_an_opening_then_a_power_cut_lose_nobody() {
    for cut in 0.. {
        let folder = MemoryFolder::new();
        fill(&mut open_in(&folder, 1).unwrap());
        let gallery = open_in(&folder, 1).unwrap();
        folder.fail_after(Some(cut));
        let done = gallery.rewrite(&folder, "gallery", &key(2), &[]).is_ok();
        for further in 0..12 {
            folder.fail_after(Some(further));
            let _ = open_in(&folder, 1).or_else(|_| open_in(&folder, 2));
            for seed in 0..OUTCOMES {
                let left = folder.power_cut(seed);
                let gallery = open_in(&left, 1).or_else(|_| open_in(&left, 2)).unwrap();
                assert_eq!(gallery.len(), 2, "cut {cut}, then {further}, seed {seed}");
            }
        }
        if done {
            break;
        }
    }
}

#[test]
fn looking_at_a_gallery_writes_nothing() {
    let folder = MemoryFolder::new();
    fill(&mut open_in(&folder, 1).unwrap());
    folder.open("gallery.new", true).unwrap().set_len(9).unwrap();
    folder.fail_after(Some(0));
    let mut gallery = Gallery::view(&folder, "gallery", &key(1)).unwrap();
    assert_eq!(gallery.len(), 2);
    gallery.revoke(SubjectId(1)).unwrap();
    assert_eq!(Gallery::view(&folder, "gallery", &key(1)).unwrap().len(), 2, "it was only looked at");
    assert!(matches!(Gallery::view(&folder, "gallery", &key(2)), Err(GalleryError::OtherKey)));
}

#[test]
fn a_full_disk_is_an_error_and_the_next_change_works_again() {
    let disk = filled();
    let mut gallery = open(&disk).unwrap();
    disk.fail_after(Some(0));
    assert!(matches!(gallery.enrol(&name("Cid"), &[template(8)], 1), Err(GalleryError::Io { .. })));
    assert_eq!(gallery.len(), 2);
    let mut out = Candidates::new();
    gallery.identify(&template(0), &mut out).unwrap();
    assert_eq!(out[0].subject, SubjectId(1), "the door goes on");
    drop(gallery);
    disk.fail_after(None);
    let mut gallery = open(&disk).unwrap();
    gallery.enrol(&name("Cid"), &[template(8)], 1).unwrap();
    assert_eq!(gallery.len(), 3);
}
