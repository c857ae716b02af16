//! What is known of the photos of a scenes folder: where the faces are, and whose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::Rect;

/// The overlap from which two boxes are taken for one face. Detectors differ in how much of a head they
/// frame (SeetaFace's boxes are square and end at the brow), so it lies below the usual 0.5.
const SAME_FACE: f32 = 0.3;

/// What a photo is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its largest face is enrolled
    Enrol,
    /// All its faces are identified; exactly the people listed should come out
    Probe,
}

/// Who is on the photos.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// (photo, person)
    pub(crate) enrolled: Vec<(String, String)>,
    /// photo -> the people on it
    pub(crate) probes: BTreeMap<String, BTreeSet<String>>,
}

impl People {
    /// Reads `PHOTO<tab>PERSON<tab>enrol|probe` after a heading. A probe with the person `-` shows nobody
    /// who is enrolled.
    pub(crate) fn read(list: &Path) -> Result<Self> {
        let mut people = Self::default();
        for (place, fields) in rows(list)? {
            let [photo, person, role] = &fields[..] else {
                bail!("{place}: expected photo, person and role")
            };
            match (role_of(role), person.as_str()) {
                (None, _) => bail!("{place}: the role {role} is neither enrol nor probe"),
                (Some(Role::Enrol), "-") => bail!("{place}: nobody to enrol"),
                (Some(Role::Enrol), person) => people.enrolled.push((photo.clone(), person.to_owned())),
                (Some(Role::Probe), "-") => drop(people.probes.entry(photo.clone()).or_default()),
                (Some(Role::Probe), person) => {
                    people.probes.entry(photo.clone()).or_default().insert(person.to_owned());
                }
            }
        }
        ensure!(!people.enrolled.is_empty(), "{} enrols nobody", list.display());
        Ok(people)
    }
}

fn role_of(text: &str) -> Option<Role> {
    match text {
        "enrol" => Some(Role::Enrol),
        "probe" => Some(Role::Probe),
        _ => None,
    }
}

/// Reads `PHOTO<tab>X<tab>Y<tab>W<tab>H` (pixels) after a heading: every face on every photo.
pub(crate) fn read_truth(list: &Path) -> Result<BTreeMap<String, Vec<Rect>>> {
    let mut truth: BTreeMap<String, Vec<Rect>> = BTreeMap::new();
    for (place, fields) in rows(list)? {
        let [photo, x, y, w, h] = &fields[..] else { bail!("{place}: expected a photo and four numbers") };
        let number = |text: &str| -> Result<f32> { text.parse().with_context(|| format!("{place}: {text}")) };
        let rect = Rect::new(number(x)?, number(y)?, number(w)?, number(h)?);
        truth.entry(photo.clone()).or_default().push(rect);
    }
    Ok(truth)
}

fn rows(list: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
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
        let list = std::env::temp_dir().join(format!("arcdoor-people-{}.tsv", std::process::id()));
        fs::write(
            &list,
            "photo\tperson\trole\na.jpg\tAnn\tenrol\nb.jpg\tAnn\tprobe\nb.jpg\tBob\tprobe\nc.jpg\t-\tprobe\n",
        )
        .unwrap();
        let people = People::read(&list).unwrap();
        assert_eq!(people.enrolled, [("a.jpg".to_owned(), "Ann".to_owned())]);
        assert_eq!((people.probes["b.jpg"].len(), people.probes["c.jpg"].len()), (2, 0));
        fs::write(&list, "photo\tperson\trole\na.jpg\tAnn\tenroll\n").unwrap();
        assert!(format!("{:#}", People::read(&list).unwrap_err()).contains("line 2"));
        fs::remove_file(list).unwrap();
    }
}
