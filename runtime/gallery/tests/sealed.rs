//! What lies on the disk says nothing without the key, and keys can be changed without losing anybody.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{Candidates, ModelId, SubjectId, SubjectName, Template};
use arcdoor_gallery::{
    FileDisk, FileFolder, Folder, Gallery, GalleryError, GalleryKey, KEY_BYTES, MemoryDisk,
};

const MODEL: ModelId = ModelId::new([1; 16]);
const DIMENSION: usize = 16;

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

fn open(disk: &MemoryDisk, byte: u8) -> Result<Gallery, GalleryError> {
    Gallery::open_on(disk.clone(), &key(byte), MODEL, DIMENSION)
}

/// Ada and Bob with two templates each, under key 1.
fn fill(gallery: &mut Gallery) {
    gallery.enrol(&name("Ada Lovelace"), &[template(0), template(1)], 5).unwrap();
    gallery.enrol(&name("Bob Babbage"), &[template(4), template(5)], 6).unwrap();
}

fn filled() -> MemoryDisk {
    let disk = MemoryDisk::new();
    fill(&mut open(&disk, 1).unwrap());
    disk
}

fn best(gallery: &Gallery, probe: &Template) -> (SubjectId, f32) {
    let mut out = Candidates::new();
    gallery.identify(probe, &mut out).unwrap();
    (out[0].subject, out[0].score.0)
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn neither_names_nor_templates_lie_open() {
    let bytes = filled().bytes();
    assert!(contains(&bytes, b"redb"), "the test looks at the right bytes");
    for word in ["Ada", "Lovelace", "Bob"] {
        assert!(!contains(&bytes, word.as_bytes()), "{word}");
    }
    for value in template(0).values() {
        assert!(!contains(&bytes, &value.to_le_bytes()), "{value}");
    }
}

#[test]
fn another_key_is_told_from_damage() {
    let disk = filled();
    assert!(matches!(open(&disk, 2), Err(GalleryError::OtherKey)));
    let gallery = open(&disk, 1).unwrap();
    assert!((best(&gallery, &template(0)).1 - 1.0).abs() < 1e-5, "scores are those of the embedder");
}

#[test]
fn a_copy_under_another_key_has_the_same_people_and_no_common_bytes() {
    let gallery = open(&filled(), 1).unwrap();
    let disk = MemoryDisk::new();
    let copy = gallery.copy_to(disk.clone(), &key(2), b"salt").unwrap();
    assert_eq!(copy.list(), gallery.list());
    drop(copy);
    assert!(matches!(open(&disk, 1), Err(GalleryError::OtherKey)));
    let mut copy = open(&disk, 2).unwrap();
    for axis in [0, 1, 4, 5] {
        let (a, b) = (best(&gallery, &template(axis)), best(&copy, &template(axis)));
        assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-5);
    }
    let next = copy.enrol(&name("Eve"), &[template(8)], 7).unwrap();
    assert_eq!(next, SubjectId(3), "ids go on where they were");
    assert!(copy.copy_to(disk, &key(2), &[]).is_err(), "never over something");
}

#[test]
fn an_import_adds_who_is_new_and_lists_who_is_not() {
    let other = open(&filled(), 1).unwrap();
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk, 3).unwrap();
    gallery.enrol(&name("Bob Babbage"), &[template(9)], 1).unwrap();
    assert_eq!(gallery.import(&other).unwrap(), [name("Bob Babbage")]);
    drop(gallery);
    let gallery = open(&disk, 3).unwrap();
    assert_eq!((gallery.len(), gallery.templates()), (2, 3));
    assert_eq!(best(&gallery, &template(1)).0, gallery.find(&name("Ada Lovelace")).unwrap().id);
    let foreign = Gallery::open_on(MemoryDisk::new(), &key(3), ModelId::new([2; 16]), DIMENSION).unwrap();
    assert!(open(&filled(), 1).unwrap().import(&foreign).is_err());
}

#[test]
fn a_full_disk_while_rewriting_leaves_the_old_gallery() {
    let other = open(&filled(), 1).unwrap();
    let disk = MemoryDisk::new();
    disk.fail_after(Some(3));
    assert!(other.copy_to(disk, &key(2), &[]).is_err());
    assert_eq!(other.len(), 2);
}

fn open_in(folder: &impl Folder, byte: u8) -> Result<Gallery, GalleryError> {
    Gallery::open_in(folder, "gallery", &key(byte), MODEL, DIMENSION)
}

#[test]
fn rewriting_changes_the_key_and_overwrites_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let folder = FileFolder::new(dir.path());
    let (path, witness) = (dir.path().join("gallery"), dir.path().join("witness"));
    let mut gallery = open_in(&folder, 1).unwrap();
    fill(&mut gallery);
    // A second name for the old file shows what became of its bytes.
    std::fs::hard_link(&path, &witness).unwrap();
    assert!(std::fs::metadata(&witness).unwrap().len() > 0);
    let gallery = gallery.rewrite(&folder, "gallery", &key(2), b"from a passphrase").unwrap();
    assert_eq!(std::fs::metadata(&witness).unwrap().len(), 0);
    assert!(matches!(FileDisk::open(&path), Err(GalleryError::Locked(_))), "the new file is held");
    drop(gallery);
    assert_eq!(Gallery::hint(&folder, "gallery").unwrap(), b"from a passphrase", "readable without a key");
    assert!(matches!(open_in(&folder, 1), Err(GalleryError::OtherKey)));
    assert_eq!(open_in(&folder, 2).unwrap().len(), 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "gallery and witness, nothing else");
}

#[test]
fn an_interrupted_rewriting_is_finished_at_the_next_opening() {
    let dir = tempfile::tempdir().unwrap();
    let folder = FileFolder::new(dir.path());
    let name = |name: &str| dir.path().join(name);
    fill(&mut open_in(&folder, 1).unwrap());
    // Cut before the rename: the gallery has both names.
    std::fs::hard_link(name("gallery"), name("gallery.old")).unwrap();
    assert_eq!(open_in(&folder, 1).unwrap().len(), 2);
    assert!(!name("gallery.old").exists());
    // Cut after it: the old file is another one.
    std::fs::copy(name("gallery"), name("gallery.old")).unwrap();
    std::fs::hard_link(name("gallery.old"), name("witness")).unwrap();
    assert_eq!(open_in(&folder, 1).unwrap().len(), 2);
    assert!(!name("gallery.old").exists());
    assert_eq!(std::fs::metadata(name("witness")).unwrap().len(), 0);
}

/// Bytes that only ciphertext has: 32 of them, nearly all different.
fn secrets(bytes: &[u8]) -> Vec<&[u8]> {
    let is_random = |part: &&[u8]| part.iter().collect::<std::collections::HashSet<_>>().len() > 26;
    bytes.chunks_exact(32).filter(is_random).collect()
}

#[test]
fn what_free_pages_held_is_gone_after_rewriting() {
    let dir = tempfile::tempdir().unwrap();
    let folder = FileFolder::new(dir.path());
    let mut gallery = open_in(&folder, 1).unwrap();
    fill(&mut gallery);
    let read = || std::fs::read(dir.path().join("gallery")).unwrap();
    let before = read();
    let held = secrets(&before);
    gallery.revoke(SubjectId(1)).unwrap();
    let left = read();
    let found = |bytes: &[u8]| held.iter().filter(|part| contains(bytes, part)).count();
    assert!(held.len() > 10 && found(&left) > held.len() / 2, "revoking alone frees pages, no more");
    // The same key: what is gone is gone even for whoever has it.
    drop(gallery.rewrite(&folder, "gallery", &key(1), &[]).unwrap());
    assert_eq!(found(&read()), 0);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_export_and_an_import_carry_who_was_taken_for_whom() {
    let mut first = open(&filled(), 1).unwrap();
    first.deny(SubjectId(2), &[template(9)]).unwrap();
    let export = first.copy_to(MemoryDisk::new(), &key(2), &[]).unwrap();
    let mut second = open(&MemoryDisk::new(), 3).unwrap();
    second.enrol(&name("Ada Lovelace"), &[template(12)], 1).unwrap();
    second.import(&export).unwrap();
    let bob = second.find(&name("Bob Babbage")).unwrap();
    assert_eq!(bob.impostors, 1);
    assert!(second.impostor(bob.id, &template(9)).unwrap().unwrap().0 > 0.999);
}
