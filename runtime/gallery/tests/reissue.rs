//! One subject is issued anew: everything on the disk is another's, and every score is the same.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use arcdoor_core::{ModelId, SubjectId, SubjectName, Template};
use arcdoor_gallery::{Gallery, GalleryError, GalleryKey, KEY_BYTES, MemoryDisk, Precision};
use proptest::prelude::*;

const MODEL: ModelId = ModelId::new([1; 16]);

fn open(disk: &MemoryDisk, key: u8, dimension: usize) -> Gallery {
    Gallery::open_on(disk.clone(), &GalleryKey::new(&[key; KEY_BYTES]), MODEL, dimension).unwrap()
}

fn name(text: &str) -> SubjectName {
    SubjectName::new(text).unwrap()
}

fn template(seed: usize, dimension: usize) -> Template {
    let values: Vec<f32> = (0..dimension).map(|i| ((i * 7 + seed * 13) as f32 * 0.37).sin() + 0.01).collect();
    Template::new(MODEL, &values).unwrap()
}

/// What every probe scores against everybody, own and impostor templates.
fn scores(gallery: &Gallery, dimension: usize) -> Vec<f32> {
    let mut scores = Vec::new();
    for seed in 0..8 {
        let probe = template(seed, dimension);
        for subject in gallery {
            scores.extend(gallery.verify(subject.id, &probe).unwrap().map(|score| score.0));
            scores.extend(gallery.impostor(subject.id, &probe).unwrap().map(|score| score.0));
        }
    }
    scores
}

fn are_near(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scores_stay_through_issues_copies_and_imports(dimension in 2_usize..=512, times in 1_u32..4) {
        let disk = MemoryDisk::new();
        let mut gallery = open(&disk, 1, dimension);
        let views = [template(0, dimension), template(1, dimension)];
        let ada = gallery.enrol(&name("Ada"), &views, 1).unwrap();
        gallery.enrol(&name("Bob"), &[template(2, dimension)], 1).unwrap();
        gallery.deny(ada, &[template(3, dimension)]).unwrap();
        let before = scores(&gallery, dimension);
        for time in 1..=times {
            prop_assert_eq!(gallery.reissue(ada).unwrap(), 1 + time);
        }
        prop_assert!(are_near(&scores(&gallery, dimension), &before), "memory");
        drop(gallery);
        let mut gallery = open(&disk, 1, dimension);
        prop_assert!(are_near(&scores(&gallery, dimension), &before), "after opening");
        let generations: Vec<_> = gallery.iter().map(|subject| subject.generation).collect();
        prop_assert_eq!(generations, [1 + times, 1]);
        gallery.set_precision(Precision::Int8).unwrap();
        gallery.reissue(ada).unwrap();
        gallery.set_precision(Precision::F32).unwrap();
        prop_assert!(are_near(&scores(&gallery, dimension), &before), "int8 in memory costs the disk nothing");
        let copied = MemoryDisk::new();
        let copy = gallery.copy_to(copied, &GalleryKey::new(&[2; KEY_BYTES]), b"").unwrap();
        prop_assert!(are_near(&scores(&copy, dimension), &before), "a copy");
        let mut other = open(&MemoryDisk::new(), 3, dimension);
        other.import(&copy).unwrap();
        prop_assert!(are_near(&scores(&other, dimension), &before), "an import");
        prop_assert!(other.iter().all(|subject| subject.generation == 1));
    }
}

#[test]
fn views_added_after_a_new_issue_lie_beside_the_others() {
    let disk = MemoryDisk::new();
    let mut gallery = open(&disk, 1, 96);
    let ada = gallery.enrol(&name("Ada"), &[template(0, 96)], 1).unwrap();
    gallery.reissue(ada).unwrap();
    gallery.add_templates(ada, &[template(1, 96)]).unwrap();
    gallery.deny(ada, &[template(5, 96)]).unwrap();
    drop(gallery);
    let gallery = open(&disk, 1, 96);
    for seed in [0, 1] {
        assert!(gallery.verify(ada, &template(seed, 96)).unwrap().unwrap().0 > 0.999);
    }
    assert!(gallery.impostor(ada, &template(5, 96)).unwrap().unwrap().0 > 0.999);
}

#[test]
fn nobody_unknown_is_issued() {
    let mut gallery = open(&MemoryDisk::new(), 1, 8);
    assert!(matches!(gallery.reissue(SubjectId(1)), Err(GalleryError::UnknownSubject(SubjectId(1)))));
}
