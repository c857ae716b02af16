//! Labelled Faces in the Wild's lists: pairs to compare, and suspected mislabels among them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::eval::set::set::{Pair, Set};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;

/// Reads a list in LFW's form: a heading, then `NAME I J` for one person or `NAME I OTHER J` for two.
pub(crate) fn pairs(set: &Set, list: &Path) -> Result<Vec<Pair>> {
    let (text, numbers) = (read_text(list, MAX_LIST_BYTES)?, numbers(set));
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}, line {}", list.display(), number + 1);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (one, other, same) = match fields[..] {
            [name, i, j] => ((name, i), (name, j), true),
            [name, i, other, j] => ((name, i), (other, j), false),
            _ => bail!("{}: a pair has three or four fields, this has {}", place(), fields.len()),
        };
        let find = |(name, number): (&str, &str)| {
            let number: u32 = number.parse().with_context(|| format!("{number} is no photo's number"))?;
            named(&numbers, &format!("{name}_{number:04}"))
        };
        let (a, b) = (find(one).with_context(place)?, find(other).with_context(place)?);
        pairs.push(Pair { a, b, same });
    }
    ensure!(
        pairs.iter().any(|p| p.same) && pairs.iter().any(|p| !p.same),
        "{} lacks a kind of pair",
        list.display()
    );
    Ok(pairs)
}

/// Reads suspected mislabels (`IMAGE_A<tab>IMAGE_B<tab>SCORE` after a heading): those at or above `least`, the lower
/// index first.
pub(crate) fn suspects(set: &Set, list: &Path, least: f32) -> Result<HashSet<(usize, usize)>> {
    let (text, numbers) = (read_text(list, MAX_LIST_BYTES)?, numbers(set));
    let mut found = HashSet::new();
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}, line {}", list.display(), number + 1);
        let [a, b, score] = line.split('\t').collect::<Vec<_>>()[..] else {
            bail!("{}: expected two names and a score", place());
        };
        if score.trim().parse::<f32>().with_context(place)? >= least {
            let (a, b) = (named(&numbers, a).with_context(place)?, named(&numbers, b).with_context(place)?);
            found.insert((a.min(b), a.max(b)));
        }
    }
    Ok(found)
}

fn numbers(set: &Set) -> HashMap<&str, usize> {
    set.samples.iter().enumerate().map(|(number, sample)| (sample.name.as_str(), number)).collect()
}

fn named(numbers: &HashMap<&str, usize>, name: &str) -> Result<usize> {
    numbers.get(name).copied().with_context(|| format!("there is no photo {name}; is --images right?"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::set::set::{Medium, Sample};
    use std::fs;

    fn set() -> Set {
        let sample = |(name, subject): (&str, usize)| Sample {
            name: name.to_owned(),
            medium: Medium::Photo(name.into()),
            subject: Some(subject),
            face: None,
        };
        let samples = [("Ann_0001", 0), ("Ann_0002", 0), ("Bob_0001", 1)].map(sample).to_vec();
        Set { samples, subjects: vec!["Ann".to_owned(), "Bob".to_owned()] }
    }

    #[test]
    fn both_kinds_of_pair_are_read() {
        let (dir, set) = (tempfile::tempdir().unwrap(), set());
        let list = dir.path().join("pairs.txt");
        fs::write(&list, "1\nAnn\t1\t2\nAnn\t2\tBob\t1\n").unwrap();
        let expected = [Pair { a: 0, b: 1, same: true }, Pair { a: 1, b: 2, same: false }];
        assert_eq!(pairs(&set, &list).unwrap(), expected);
        fs::write(&list, "1\nAnn\t1\t3\nAnn\t2\tBob\t1\n").unwrap();
        let trouble = format!("{:#}", pairs(&set, &list).unwrap_err());
        assert!(trouble.contains("line 2") && trouble.contains("Ann_0003"), "{trouble}");
    }

    #[test]
    fn suspects_below_the_limit_are_left() {
        let (dir, set) = (tempfile::tempdir().unwrap(), set());
        let list = dir.path().join("suspects.tsv");
        fs::write(&list, "a\tb\tscore\nBob_0001\tAnn_0001\t0.7\nAnn_0002\tBob_0001\t0.5\n").unwrap();
        assert_eq!(suspects(&set, &list, 0.6).unwrap(), HashSet::from([(0, 2)]));
    }
}
