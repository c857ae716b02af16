//! Labelled Faces in the Wild on disk: photos, pair lists, suspected mislabels.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::sight::photos_in;

/// One photo and whose it is.
pub(crate) struct Photo {
    pub(crate) path: PathBuf,
    /// Index into [`Lfw::people`].
    pub(crate) person: usize,
}

/// A pair of a list: indices into [`Lfw::photos`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) same: bool,
}

/// Every photo of a folder that has one folder for each person: `NAME/NAME_0001.jpg`.
pub(crate) struct Lfw {
    pub(crate) photos: Vec<Photo>,
    pub(crate) people: usize,
    by_stem: HashMap<String, usize>,
}

impl Lfw {
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            }
        }
        folders.sort();
        ensure!(!folders.is_empty(), "{} holds no folders; LFW has one for each person", dir.display());
        let (mut photos, mut by_stem) = (Vec::new(), HashMap::new());
        for (person, folder) in folders.iter().enumerate() {
            for path in photos_in(folder)? {
                by_stem.insert(stem(&path), photos.len());
                photos.push(Photo { path, person });
            }
        }
        Ok(Self { photos, people: folders.len(), by_stem })
    }

    #[cfg(test)]
    pub(crate) fn of_photos(photos: Vec<Photo>, people: usize) -> Self {
        Self { photos, people, by_stem: HashMap::new() }
    }

    /// Reads a list in LFW's form: a heading, then `NAME I J` for one person or `NAME I OTHER J` for two.
    pub(crate) fn pairs(&self, list: &Path) -> Result<Vec<Pair>> {
        let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        let mut pairs = Vec::new();
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}, line {}", list.display(), number + 1);
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (one, other, same) = match fields[..] {
                [name, i, j] => ((name, i), (name, j), true),
                [name, i, other, j] => ((name, i), (other, j), false),
                _ => bail!("{}: a pair has three or four fields, this has {}", place(), fields.len()),
            };
            let (a, b) = (self.numbered(one).with_context(place)?, self.numbered(other).with_context(place)?);
            pairs.push(Pair { a, b, same });
        }
        ensure!(
            pairs.iter().any(|p| p.same) && pairs.iter().any(|p| !p.same),
            "{} lacks a kind of pair",
            list.display()
        );
        Ok(pairs)
    }

    /// Reads suspected mislabels (`IMAGE_A<tab>IMAGE_B<tab>SCORE` after a heading): those at or above `least`.
    pub(crate) fn suspects(&self, list: &Path, least: f32) -> Result<HashSet<(usize, usize)>> {
        let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
        let mut found = HashSet::new();
        for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
            let place = || format!("{}, line {}", list.display(), number + 1);
            let [a, b, score] = line.split('\t').collect::<Vec<_>>()[..] else {
                bail!("{}: expected two names and a score", place());
            };
            if score.trim().parse::<f32>().with_context(place)? >= least {
                let (a, b) = (self.named(a).with_context(place)?, self.named(b).with_context(place)?);
                found.insert((a.min(b), a.max(b)));
            }
        }
        Ok(found)
    }

    fn numbered(&self, (name, number): (&str, &str)) -> Result<usize> {
        let number: u32 = number.parse().with_context(|| format!("{number} is no photo's number"))?;
        self.named(&format!("{name}_{number:04}"))
    }

    fn named(&self, stem: &str) -> Result<usize> {
        self.by_stem
            .get(stem)
            .copied()
            .with_context(|| format!("there is no photo {stem}; is --images right?"))
    }
}

/// A photo's name without folder and ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("arcdoor-lab-{name}-{}", std::process::id()));
        for photo in ["Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Bob/Bob_0001.jpg"] {
            let path = dir.join(photo);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        dir
    }

    #[test]
    fn both_kinds_of_pair_are_read() {
        let dir = folder("pairs");
        let lfw = Lfw::open(&dir).unwrap();
        let list = dir.join("pairs.txt");
        fs::write(&list, "1\nAnn\t1\t2\nAnn\t2\tBob\t1\n").unwrap();
        let expected = [Pair { a: 0, b: 1, same: true }, Pair { a: 1, b: 2, same: false }];
        assert_eq!(lfw.pairs(&list).unwrap(), expected);
        fs::write(&list, "1\nAnn\t1\t3\nAnn\t2\tBob\t1\n").unwrap();
        let trouble = format!("{:#}", lfw.pairs(&list).unwrap_err());
        assert!(trouble.contains("line 2") && trouble.contains("Ann_0003"), "{trouble}");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn suspects_below_the_limit_are_left() {
        let dir = folder("suspects");
        let lfw = Lfw::open(&dir).unwrap();
        let list = dir.join("suspects.tsv");
        fs::write(&list, "a\tb\tscore\nBob_0001\tAnn_0001\t0.7\nAnn_0002\tBob_0001\t0.5\n").unwrap();
        assert_eq!(lfw.suspects(&list, 0.6).unwrap(), HashSet::from([(0, 2)]));
        fs::remove_dir_all(dir).unwrap();
    }
}
