//! Galleries of earlier versions open with everybody in them, and every score is the same.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor_core::{Candidates, ModelId, SubjectId, SubjectName, Template};
use arcdoor_gallery::{Folder as _, Gallery, GalleryError, GalleryKey, KEY_BYTES, MemoryDisk, MemoryFolder};

mod earlier;

const MODEL: ModelId = ModelId::new([1; 16]);
const DIMENSION: usize = 16;

fn key(byte: u8) -> GalleryKey {
    GalleryKey::new(&[byte; KEY_BYTES])
}

fn open(disk: &MemoryDisk) -> Gallery {
    Gallery::open_on(disk.clone(), &key(1), MODEL, DIMENSION).unwrap()
}

fn name(text: &str) -> SubjectName {
    SubjectName::new(text).unwrap()
}

/// As they were when the gallery of format 4 was written.
fn template(seed: usize) -> Template {
    let values: Vec<f32> = (0..DIMENSION).map(|i| ((i * 7 + seed * 13) as f32 * 0.37).sin() + 0.01).collect();
    Template::new(MODEL, &values).unwrap()
}

/// Somebody in the gallery of format 4; templates by their seeds.
struct Person {
    id: u32,
    name: &'static str,
    enrolled_unix_s: u64,
    own: &'static [usize],
    impostors: &'static [usize],
}

const PEOPLE: [Person; 3] = [
    Person { id: 1, name: "Ada", enrolled_unix_s: 5, own: &[0, 1], impostors: &[7] },
    Person { id: 2, name: "Bob", enrolled_unix_s: 6, own: &[2, 3, 4], impostors: &[8, 9] },
    Person { id: 4, name: "Dee", enrolled_unix_s: 8, own: &[6, 10], impostors: &[11] },
];

fn best(probe: &Template, seeds: &[usize]) -> f32 {
    seeds.iter().map(|seed| probe.score(&template(*seed)).unwrap().0).fold(-1.0, f32::max)
}

fn holds_everybody(gallery: &Gallery) {
    let found: Vec<_> = gallery
        .iter()
        .map(|one| (one.id.0, one.name.as_str(), one.enrolled_unix_s, one.templates, one.impostors))
        .collect();
    let expected = PEOPLE.map(|Person { id, name, enrolled_unix_s, own, impostors }| {
        (id, name, enrolled_unix_s, own.len(), impostors.len())
    });
    assert_eq!(found, expected);
    for seed in 0..12 {
        let probe = template(seed);
        for Person { id, name, own, impostors, .. } in PEOPLE {
            let score = gallery.verify(SubjectId(id), &probe).unwrap().unwrap().0;
            assert!((score - best(&probe, own)).abs() < 2e-6, "{name}, own, {seed}: {score}");
            let score = gallery.impostor(SubjectId(id), &probe).unwrap().unwrap().0;
            assert!((score - best(&probe, impostors)).abs() < 2e-6, "{name}, impostors, {seed}: {score}");
        }
    }
    let mut candidates = Candidates::new();
    gallery.identify(&template(10), &mut candidates).unwrap();
    assert_eq!(candidates[0].subject, SubjectId(4));
}

#[test]
fn a_gallery_of_format_4_comes_home_once() {
    let disk = earlier::format_4();
    holds_everybody(&open(&disk));
    let written = earlier::records(&disk);
    holds_everybody(&open(&disk));
    assert!(earlier::records(&disk) == written, "the second opening wrote again");
    let mut gallery = open(&disk);
    assert_eq!(gallery.enrol(&name("Eve"), &[template(5)], 9).unwrap(), SubjectId(5), "ids go on");
    gallery.add_templates(SubjectId(2), &[template(5)]).unwrap();
    gallery.revoke(SubjectId(5)).unwrap();
    drop(gallery);
    let score = open(&disk).verify(SubjectId(2), &template(5)).unwrap().unwrap().0;
    assert!(score > 0.999, "a view that is added lies beside the others: {score}");
}

#[test]
fn it_goes_on_to_a_new_key_and_into_other_galleries() {
    let folder = MemoryFolder::new();
    let copied = open(&earlier::format_4()).copy_to(folder.open("gallery", true).unwrap(), &key(1), b"");
    drop(copied.unwrap());
    let gallery = Gallery::open_in(&folder, "gallery", &key(1), MODEL, DIMENSION).unwrap();
    holds_everybody(&gallery.rewrite(&folder, "gallery", &key(2), b"").unwrap());
    let mut other = open(&MemoryDisk::new());
    other.import(&open(&earlier::format_4())).unwrap();
    for (Person { name, own, .. }, subject) in PEOPLE.iter().zip(&other) {
        assert_eq!(subject.name.as_str(), *name);
        let score = other.verify(subject.id, &template(own[0])).unwrap().unwrap().0;
        assert!(score > 0.999, "{name}: {score}");
    }
}

#[test]
fn another_key_is_told_from_damage_and_changes_nothing() {
    let disk = earlier::format_4();
    let refused = Gallery::open_on(disk.clone(), &key(2), MODEL, DIMENSION);
    assert!(matches!(refused, Err(GalleryError::OtherKey)), "{refused:?}");
    holds_everybody(&open(&disk));
}

/// This file is of the first arcdoor that wrote format 3, which knew no allowances.
#[test]
fn a_gallery_of_format_3_becomes_one_of_the_present_its_records_as_they_are() {
    let axis = |axis: usize| {
        let mut values = [0.01; DIMENSION];
        values[axis] = 1.0;
        Template::new(MODEL, &values).unwrap()
    };
    let disk = earlier::format_3();
    let gallery = open(&disk);
    let found: Vec<_> =
        gallery.iter().map(|one| (one.id.0, one.name.as_str(), one.templates, one.impostors)).collect();
    assert_eq!(found, [(1, "Ada", 1, 0), (3, "Bob", 2, 1)]);
    for (id, view) in [(1, 0), (3, 4), (3, 5)] {
        assert!(gallery.verify(SubjectId(id), &axis(view)).unwrap().unwrap().0 > 0.999, "{id}, {view}");
    }
    assert!(gallery.impostor(SubjectId(3), &axis(13)).unwrap().unwrap().0 > 0.999);
    drop(gallery);
    let (written, before) = (earlier::records(&disk), earlier::records(&earlier::format_3()));
    let other: Vec<_> = written.iter().zip(&before).filter(|(record, old)| record != old).collect();
    assert!(matches!(other[..], [(header, _)] if header[0] == 5), "the header alone says another format");
    drop(open(&disk));
    assert!(earlier::records(&disk) == written, "the second opening wrote again");
}

/// Of a score, half lies in what the probe shares: without an allowance that half is nothing, with one of 1 it is all.
#[test]
fn an_allowance_is_kept_over_openings_keys_and_galleries() {
    let (folder, view) = (MemoryFolder::new(), template(2));
    let half: Vec<f32> = view.values().iter().map(|value| value / 2.0).collect();
    let probe = view.clone().with_shared(&half, 0.0).unwrap();
    let score = |gallery: &Gallery, id| gallery.verify(id, &probe).unwrap().unwrap().0;
    let mut gallery = Gallery::open_in(&folder, "gallery", &key(1), MODEL, DIMENSION).unwrap();
    let ada = gallery.enrol(&name("Ada"), std::slice::from_ref(&view), 1).unwrap();
    let bob = gallery.enrol(&name("Bob"), &[view.with_allowance(1.0).unwrap()], 1).unwrap();
    let is_kept = |gallery: &Gallery, ids: [SubjectId; 2], when: &str| {
        let [ada, bob] = ids.map(|id| score(gallery, id));
        assert!((ada - 0.5).abs() < 1e-5 && (bob - 1.0).abs() < 1e-5, "{when}: {ada}, {bob}");
    };
    is_kept(&gallery, [ada, bob], "enrolled");
    drop(gallery);
    let gallery = Gallery::open_in(&folder, "gallery", &key(1), MODEL, DIMENSION).unwrap();
    is_kept(&gallery, [ada, bob], "opened again");
    let gallery = gallery.rewrite(&folder, "gallery", &key(2), b"").unwrap();
    is_kept(&gallery, [ada, bob], "under another key");
    let mut other = open(&MemoryDisk::new());
    other.import(&gallery).unwrap();
    let ids = ["Ada", "Bob"].map(|one| other.find(&name(one)).unwrap().id);
    is_kept(&other, ids, "in another gallery");
}
