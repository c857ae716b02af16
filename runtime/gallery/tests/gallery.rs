//! What the store promises: nothing confirmed is lost, nothing foreign or broken is taken.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{Candidates, ModelId, SubjectId, SubjectName, Template};
use arcdoor_gallery::{Gallery, GalleryError, GalleryKey, KEY_BYTES, MemoryDisk, Precision, Subject};
use std::path::Path;

const MODEL: ModelId = ModelId::new([1; 16]);
const DIMENSION: usize = 16;

fn key(byte: u8) -> GalleryKey {
    GalleryKey::new(&[byte; KEY_BYTES])
}

fn name(text: &str) -> SubjectName {
    SubjectName::new(text).unwrap()
}

/// A template that lies nearest to others of the same `axis`.
fn template(axis: usize, tilt: f32) -> Template {
    let mut values = [0.0; DIMENSION];
    values[axis % DIMENSION] = 1.0;
    values[(axis + 1) % DIMENSION] = tilt;
    Template::new(MODEL, &values).unwrap()
}

fn open(disk: &MemoryDisk) -> Gallery {
    Gallery::open_on(disk.clone(), &key(1), MODEL, DIMENSION).unwrap()
}

fn best(gallery: &Gallery, probe: &Template) -> Option<SubjectId> {
    let mut out = Candidates::new();
    gallery.identify(probe, &mut out).unwrap();
    out.first().map(|candidate| candidate.subject)
}

#[test]
fn what_was_enrolled_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery.redb");
    let open = || Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap();
    let mut gallery = open();
    let ada = gallery.enrol(&name("Ada"), &[template(0, 0.1), template(0, 0.2)], 77).unwrap();
    let bob = gallery.enrol(&name("Bob"), &[template(4, 0.0)], 78).unwrap();
    gallery.add_templates(bob, &[template(8, 0.0)]).unwrap();
    let before = gallery.list().to_vec();
    drop(gallery);

    let mut gallery = open();
    assert_eq!(gallery.list(), before);
    let expected = Subject { id: ada, name: name("Ada"), templates: 2, impostors: 0, enrolled_unix_s: 77 };
    assert_eq!(gallery.find(&name("Ada")), Some(&expected));
    assert_eq!(best(&gallery, &template(0, 0.0)), Some(ada));
    assert_eq!(best(&gallery, &template(8, 0.3)), Some(bob));
    gallery.set_precision(Precision::Int8).unwrap();
    assert_eq!(best(&gallery, &template(8, 0.3)), Some(bob));
    assert_eq!(gallery.revoke(bob).unwrap().name, name("Bob"));
    drop(gallery);

    let mut gallery = open();
    assert_eq!((gallery.len(), gallery.templates()), (1, 2));
    assert_eq!(gallery.verify(bob, &template(8, 0.0)).unwrap(), None);
    let carol = gallery.enrol(&name("Bob"), &[template(4, 0.0)], 79).unwrap();
    assert!(carol > bob, "an id was used again");
}

#[test]
fn a_refused_enrolment_changes_nothing() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk);
    let ada = gallery.enrol(&name("Ada"), &[template(0, 0.0)], 1).unwrap();
    let changes = disk.changes();
    let foreign = Template::new(ModelId::new([2; 16]), &[1.0; DIMENSION]).unwrap();
    let short = Template::new(MODEL, &[1.0; 3]).unwrap();
    let many = vec![template(1, 0.0); 17];
    let bob = name("Bob");
    assert!(matches!(gallery.enrol(&name("Ada"), &many[..1], 1), Err(GalleryError::NameTaken(_))));
    assert!(matches!(gallery.enrol(&bob, &[], 1), Err(GalleryError::NoTemplates)));
    assert!(matches!(gallery.enrol(&bob, &many, 1), Err(GalleryError::TooManyTemplates(17))));
    assert!(matches!(gallery.add_templates(ada, &many[..16]), Err(GalleryError::TooManyTemplates(17))));
    for bad in [foreign, short] {
        let mixed = [template(0, 0.0), bad];
        assert!(matches!(gallery.enrol(&bob, &mixed, 1), Err(GalleryError::ForeignTemplate { .. })));
    }
    let nobody = SubjectId(99);
    assert!(matches!(gallery.revoke(nobody), Err(GalleryError::UnknownSubject(id)) if id == nobody));
    assert_eq!((disk.changes(), gallery.len(), gallery.templates()), (changes, 1, 1));
}

#[test]
fn an_empty_gallery_takes_another_embedder_and_gives_no_id_twice() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk);
    let gone = gallery.enrol(&name("Ada"), &[template(1, 0.0)], 0).unwrap();
    gallery.revoke(gone).unwrap();
    drop(gallery);
    let other = ModelId::new([2; 16]);
    let mut gallery = Gallery::open_on(disk.clone(), &key(1), other, 8).unwrap();
    let id = gallery.enrol(&name("Ada"), &[Template::new(other, &[1.0; 8]).unwrap()], 0).unwrap();
    assert!(id > gone);
    drop(gallery);
    assert!(matches!(
        Gallery::open_on(disk, &key(1), MODEL, DIMENSION),
        Err(GalleryError::OtherModel { gallery, .. }) if gallery == other
    ));
}

#[test]
fn another_embedder_or_dimension_is_refused() {
    let disk = MemoryDisk::new();
    open(&disk).enrol(&name("Ada"), &[template(1, 0.0)], 0).unwrap();
    let other = ModelId::new([2; 16]);
    let refused = Gallery::open_on(disk.clone(), &key(1), other, DIMENSION).unwrap_err();
    assert!(matches!(refused, GalleryError::OtherModel { gallery: MODEL, asked } if asked == other));
    let refused = Gallery::open_on(disk, &key(1), MODEL, 8).unwrap_err();
    assert!(matches!(refused, GalleryError::OtherDimension { gallery: DIMENSION, asked: 8 }));
}

#[test]
fn a_second_handle_is_told_that_the_gallery_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery.redb");
    let first = Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap();
    let refused = Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap_err();
    assert!(matches!(&refused, GalleryError::Locked(held) if *held == path), "{refused}");
    drop(first);
    Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap();
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery.redb");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    drop(Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap());
    assert_eq!(mode(&path), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    drop(Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn what_is_no_gallery_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for contents in [&b""[..], b"x", &[0; 8192], b"these are my notes, and not a gallery"] {
        std::fs::write(&path, contents).unwrap();
        let refused = Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap_err();
        assert!(matches!(refused, GalleryError::NotAGallery), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), contents);
    }
    assert!(matches!(
        Gallery::open(folder.path(), &key(1), MODEL, DIMENSION),
        Err(GalleryError::NotAGallery)
    ));
    let nowhere = folder.path().join("missing/gallery.redb");
    assert!(matches!(Gallery::open(&nowhere, &key(1), MODEL, DIMENSION), Err(GalleryError::Io { .. })));
}

#[test]
fn a_power_cut_while_a_file_is_made_leaves_no_gallery_or_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gallery.redb");
    // What an interrupted making leaves: the unfinished neighbour.
    std::fs::write(folder.path().join("gallery.redb.new"), vec![0xa5; 10_000]).unwrap();
    assert!(Gallery::open(&path, &key(1), MODEL, DIMENSION).unwrap().is_empty());
    assert!(!folder.path().join("gallery.redb.new").exists());
}

/// No cut and no changed byte makes it panic, and what opens is whole.
#[test]
fn cut_and_changed_files_are_refused_or_read_right() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk);
    for id in 0..20 {
        gallery.enrol(&name(&format!("subject {id}")), &[template(id, 0.2)], 1).unwrap();
    }
    let expected = gallery.list().to_vec();
    drop(gallery);
    let bytes = disk.bytes();
    let check = |bytes: Vec<u8>, what: String| {
        let Ok(gallery) = Gallery::open_on(MemoryDisk::holding(bytes), &key(1), MODEL, DIMENSION) else {
            return 1;
        };
        assert_eq!(gallery.list(), expected, "{what}");
        assert_eq!(gallery.templates(), 20, "{what}");
        0
    };
    let mut refused = 0;
    for len in (1..bytes.len()).step_by(bytes.len() / 60) {
        refused += check(bytes[..len].to_vec(), format!("cut to {len}"));
    }
    assert!(refused > 0, "no cut was found");
    let used: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] != 0).collect();
    for &at in used.iter().step_by((used.len() / 400).max(1)) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        refused += check(changed, format!("byte {at}"));
    }
    assert!(refused > 20, "changed bytes were not found: {refused}");
}

#[test]
fn re_enrolling_replaces_the_views_and_keeps_the_subject() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk);
    let ada = gallery.enrol(&name("Ada"), &[template(0, 0.0), template(2, 0.0)], 1).unwrap();
    gallery.enrol(&name("Bob"), &[template(4, 0.0)], 1).unwrap();
    gallery.deny(ada, &[template(6, 0.0)]).unwrap();
    gallery.replace_templates(ada, &[template(8, 0.0)]).unwrap();
    assert!(gallery.replace_templates(ada, &[]).is_err());
    assert!(gallery.replace_templates(SubjectId(9), &[template(8, 0.0)]).is_err());
    for gallery in [gallery, open(&disk)] {
        let score = |axis| gallery.verify(ada, &template(axis, 0.0)).unwrap().unwrap().0;
        assert!(score(8) > 0.99 && score(0) < 0.5 && score(2) < 0.5);
        assert_eq!((gallery.len(), gallery.templates(), gallery.list()[0].impostors), (2, 2, 1));
    }
}

#[test]
fn who_was_taken_for_a_subject_is_known_until_it_is_forgotten() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk);
    let ada = gallery.enrol(&name("Ada"), &[template(0, 0.0)], 1).unwrap();
    let bob = gallery.enrol(&name("Bob"), &[template(4, 0.0)], 1).unwrap();
    assert_eq!(gallery.impostor(ada, &template(0, 1.0)).unwrap(), None);
    let found = |gallery: &Gallery| -> Vec<_> {
        let identify = |axis| {
            let mut out = Candidates::new();
            gallery.identify(&template(axis, 0.7), &mut out).unwrap();
            out
        };
        (0..DIMENSION).map(identify).collect()
    };
    let before = found(&gallery);
    gallery.deny(ada, &[template(0, 1.0), template(0, 2.0)]).unwrap();
    assert_eq!(found(&gallery), before, "nobody is a candidate because of them, or with another score");
    assert!(matches!(
        gallery.deny(ada, &vec![template(1, 0.0); 15]),
        Err(GalleryError::TooManyImpostors(17))
    ));
    assert!(matches!(gallery.deny(ada, &[]), Err(GalleryError::NoTemplates)));
    let mut gallery = open(&disk);
    let impostor = gallery.impostor(ada, &template(0, 1.0)).unwrap().unwrap();
    assert!(impostor.0 > 0.999 && impostor > gallery.verify(ada, &template(0, 1.0)).unwrap().unwrap());
    assert_eq!(gallery.impostor(bob, &template(0, 1.0)).unwrap(), None);
    assert_eq!((gallery.templates(), gallery.find(&name("Ada")).unwrap().impostors), (2, 2));
    assert_eq!(gallery.denied_views(ada).unwrap(), (0, 0), "one view has nothing to be compared with");
    gallery.add_templates(ada, &[template(0, 0.9), template(0, 0.05)]).unwrap();
    // The second view scores 0.776 against the third, and 0.999 against the first impostor; the two others
    // score 0.999 against each other.
    assert_eq!(gallery.denied_views(ada).unwrap(), (1, 3));
    assert_eq!(gallery.forget_impostors(ada).unwrap(), 2);
    assert_eq!(gallery.forget_impostors(ada).unwrap(), 0);
    assert_eq!(open(&disk).impostor(ada, &template(0, 1.0)).unwrap(), None);
    gallery.deny(bob, &[template(4, 1.0)]).unwrap();
    gallery.revoke(bob).unwrap();
    assert_eq!(open(&disk).len(), 1, "a template of nobody's would be damage");
}

#[test]
fn a_probe_is_opened_by_its_gallery_number_and_subject_alone() {
    let mut gallery = open(&MemoryDisk::new());
    let ada = gallery.enrol(&name("Ada"), &[template(0, 0.0)], 1).unwrap();
    let probe = template(0, 0.4);
    let sealed = gallery.seal_probe(7, ada, &probe).unwrap();
    assert!(gallery.open_probe(7, ada, &sealed).unwrap().score(&probe).unwrap().0 > 0.999);
    assert!(gallery.open_probe(8, ada, &sealed).is_none());
    assert!(gallery.open_probe(7, SubjectId(2), &sealed).is_none());
    assert!(gallery.open_probe(7, ada, &sealed[..sealed.len() - 1]).is_none());
    assert!(open(&MemoryDisk::new()).open_probe(7, ada, &sealed).is_none(), "another gallery, the same key");
}
