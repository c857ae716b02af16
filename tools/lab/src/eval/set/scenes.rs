//! What is known of the photos of a scenes folder: where the faces are, and whose.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::Rect;

use crate::eval::set::set::{Medium, Sample, Set};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;

/// The overlap from which two boxes are taken for one face. Detectors differ in how much of a head they
/// frame (SeetaFace's boxes are square and end at the brow), so it lies below the usual 0.5.
pub(crate) const SAME_FACE: f32 = 0.3;

/// Who is on which photo, and what the photo is for.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    /// A sample is the largest face of its photo.
    pub(crate) enrolled: Set,
    /// All faces of these photos are identified; exactly the subjects of their samples should come out. A sample
    /// without a subject says that its photo shows nobody who is enrolled.
    pub(crate) probes: Set,
}

impl Roles {
    /// Reads `PHOTO<tab>PERSON<tab>enrol|probe` after a heading, of photos in `dir`. A probe with the person `-` shows
    /// nobody who is enrolled.
    pub(crate) fn read(list: &Path, dir: &Path) -> Result<Self> {
        let mut roles = Self::default();
        for (place, fields) in rows(list)? {
            let [photo, person, role] = &fields[..] else {
                bail!("{place}: expected photo, person and role")
            };
            let person = Some(person.as_str()).filter(|person| *person != "-");
            match (role.as_str(), person) {
                ("enrol", None) => bail!("{place}: nobody to enrol"),
                ("enrol", person) => add(&mut roles.enrolled, dir, photo, person, None),
                ("probe", person) => add(&mut roles.probes, dir, photo, person, None),
                _ => bail!("{place}: the role {role} is neither enrol nor probe"),
            }
        }
        ensure!(!roles.enrolled.samples.is_empty(), "{} enrols nobody", list.display());
        Ok(roles)
    }
}

/// Reads `PHOTO<tab>X<tab>Y<tab>W<tab>H` (pixels) after a heading: every face on every photo in `dir`, of nobody known.
pub(crate) fn read_truth(list: &Path, dir: &Path) -> Result<Set> {
    let mut truth = Set::default();
    for (place, fields) in rows(list)? {
        let [photo, x, y, w, h] = &fields[..] else { bail!("{place}: expected a photo and four numbers") };
        let number = |text: &str| -> Result<f32> { text.parse().with_context(|| format!("{place}: {text}")) };
        let rect = Rect::new(number(x)?, number(y)?, number(w)?, number(h)?);
        add(&mut truth, dir, photo, None, Some(rect));
    }
    Ok(truth)
}

fn add(set: &mut Set, dir: &Path, photo: &str, person: Option<&str>, face: Option<Rect>) {
    let subject = person.map(|person| {
        let known = set.subjects.iter().position(|name| name == person);
        known.unwrap_or_else(|| {
            set.subjects.push(person.to_owned());
            set.subjects.len() - 1
        })
    });
    set.samples.push(Sample {
        name: photo.to_owned(),
        medium: Medium::Photo(dir.join(photo)),
        subject,
        face,
    });
}

fn rows(list: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let text = read_text(list, MAX_LIST_BYTES)?;
    let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
    let row = |(number, line): (usize, &str)| {
        let place = format!("{}, line {}", list.display(), number + 1);
        (place, line.split('\t').map(|field| field.trim().to_owned()).collect())
    };
    Ok(lines.map(row).collect())
}

/// Every face that any of `found` has, once.
pub(crate) fn union(found: &[Vec<Rect>]) -> Vec<Rect> {
    let mut faces: Vec<Rect> = Vec::new();
    for rect in found.iter().flatten() {
        if faces.iter().all(|face| face.iou(rect) < SAME_FACE) {
            faces.push(*rect);
        }
    }
    faces
}

/// How many of `truth` are among `found`; each box serves once, the best overlap first.
pub(crate) fn hits(truth: &[Rect], found: &[Rect]) -> usize {
    let mut overlaps = Vec::new();
    for (t, face) in truth.iter().enumerate() {
        for (f, rect) in found.iter().enumerate() {
            if face.iou(rect) >= SAME_FACE {
                overlaps.push((face.iou(rect), t, f));
            }
        }
    }
    overlaps.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut taken, mut used) = (BTreeSet::new(), BTreeSet::new());
    for (_, t, f) in overlaps {
        if !taken.contains(&t) && !used.contains(&f) {
            taken.insert(t);
            used.insert(f);
        }
    }
    taken.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_serves_one_face() {
        let face = Rect::new(0.0, 0.0, 10.0, 10.0);
        assert_eq!(hits(&[face, face.moved(1.0, 0.0)], &[face]), 1);
        assert_eq!(hits(&[face, face.moved(50.0, 0.0)], &[face.moved(51.0, 0.0), face]), 2);
        assert_eq!(hits(&[face], &[face.moved(9.0, 9.0)]), 0);
    }

    #[test]
    fn the_union_has_each_face_once() {
        let face = Rect::new(0.0, 0.0, 10.0, 10.0);
        assert_eq!(union(&[vec![face], vec![face.moved(1.0, 1.0), face.moved(40.0, 0.0)]]).len(), 2);
    }

    #[test]
    fn people_are_read_by_role() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("people.tsv");
        std::fs::write(
            &list,
            "photo\tperson\trole\na.jpg\tAnn\tenrol\nb.jpg\tAnn\tprobe\nb.jpg\tBob\tprobe\nc.jpg\t-\tprobe\n",
        )
        .unwrap();
        let roles = Roles::read(&list, Path::new("photos")).unwrap();
        let ann = &roles.enrolled.samples[0];
        assert_eq!(ann.medium, Medium::Photo("photos/a.jpg".into()));
        assert_eq!(
            (ann.name.as_str(), ann.subject, &roles.enrolled.subjects[..]),
            ("a.jpg", Some(0), &["Ann".to_owned()][..])
        );
        let probes: Vec<_> =
            roles.probes.samples.iter().map(|sample| (&*sample.name, sample.subject)).collect();
        assert_eq!(probes, [("b.jpg", Some(0)), ("b.jpg", Some(1)), ("c.jpg", None)]);
        std::fs::write(&list, "photo\tperson\trole\na.jpg\tAnn\tenroll\n").unwrap();
        assert!(format!("{:#}", Roles::read(&list, dir.path()).unwrap_err()).contains("line 2"));
    }

    #[test]
    fn every_face_of_a_photo_is_a_sample() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("truth.tsv");
        std::fs::write(&list, "photo\tx\ty\tw\th\na.jpg\t1\t2\t3\t4\na.jpg\t5\t6\t7\t8\n").unwrap();
        let truth = read_truth(&list, dir.path()).unwrap();
        let faces: Vec<_> = truth.samples.iter().filter_map(|sample| sample.face).collect();
        assert_eq!(faces, [Rect::new(1.0, 2.0, 3.0, 4.0), Rect::new(5.0, 6.0, 7.0, 8.0)]);
        assert!(truth.samples.iter().all(|sample| sample.name == "a.jpg" && sample.subject.is_none()));
    }
}
