//! Labelled Faces in the Wild's lists: pairs to compare, and suspected mislabels among them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::eval::set::pair_list::{PairList, kinds, whole};
use crate::eval::set::set::{Pair, Set};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;

/// The pairs of a list in LFW's form; see [`list`].
pub(crate) fn pairs(set: &Set, path: &Path) -> Result<Vec<Pair>> {
    Ok(list(set, path)?.pairs)
}

/// Reads a list in LFW's form: a heading, then `NAME I J` for one person or `NAME I OTHER J` for two. The heading is how
/// many pairs of each kind there are, those of one person first; or, as in View 2, the number of folds and how many pairs
/// of each kind each of them has.
pub(crate) fn list(set: &Set, path: &Path) -> Result<PairList> {
    let (text, numbers) = (read_text(path, MAX_LIST_BYTES)?, numbers(set));
    let refuse =
        |line: usize, what: String| Trouble::BadInput(format!("{}, line {line}: {what}", path.display()));
    let heading: Option<Vec<usize>> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .map(|number| number.parse().ok())
        .collect();
    let (folds, each) = match heading.as_deref() {
        Some([each]) => (1, *each),
        Some([folds, each]) => (*folds, *each),
        _ => return Err(refuse(1, "a heading such as 1100 or 10 300 is expected".to_owned()).into()),
    };
    let per_fold = each.checked_mul(2).ok_or_else(|| refuse(1, format!("{each} pairs of each kind")))?;
    let mut found = PairList::default();
    for (number, line) in text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty()) {
        let line_number = number + 1;
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (one, other, same) = match fields[..] {
            [name, i, j] => ((name, i), (name, j), true),
            [name, i, other, j] => ((name, i), (other, j), false),
            _ => {
                let what = format!("a pair has three or four fields, this has {}", fields.len());
                return Err(refuse(line_number, what).into());
            }
        };
        let find = |(name, number): (&str, &str)| {
            let number: u32 =
                number.parse().map_err(|_| refuse(line_number, format!("{number} is no photo's number")))?;
            named(&numbers, &format!("{name}_{number:04}"))
                .map_err(|error| anyhow::Error::from(refuse(line_number, error.to_string())))
        };
        let place = found.pairs.len();
        if each > 0 && same != (place % per_fold < each) {
            let what =
                format!("the heading says {each} pairs of one person and then {each} of two in each fold");
            return Err(refuse(line_number, what).into());
        }
        found.pairs.push(Pair { a: find(one)?, b: find(other)?, same });
        if folds > 1 {
            found.folds.push((place / per_fold.max(1)) as u32);
        }
    }
    if folds.checked_mul(per_fold) != Some(found.pairs.len()) {
        let what =
            format!("the heading says {folds} times {each} pairs of each kind; {} follow", found.pairs.len());
        return Err(refuse(1, what).into());
    }
    kinds(&found.pairs).and_then(|()| whole(&found.folds)).with_context(|| path.display().to_string())?;
    Ok(found)
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
    fn folds_come_from_the_heading_which_must_count_right() {
        let (dir, set) = (tempfile::tempdir().unwrap(), set());
        let path = dir.path().join("pairs.txt");
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            list(&set, &path)
        };
        let (same, other) = ("Ann\t1\t2\n", "Ann\t1\tBob\t1\n");
        assert_eq!(read(&format!("2\t1\n{same}{other}{same}{other}")).unwrap().folds, [0, 0, 1, 1]);
        assert!(read(&format!("1\n{same}{other}")).unwrap().folds.is_empty());
        for (text, what) in [
            (
                format!("2 1\n{same}{other}{same}"),
                "line 1: the heading says 2 times 1 pairs of each kind; 3 follow",
            ),
            (format!("1\n{other}{same}"), "line 2: the heading says 1 pairs of one person and then"),
            (format!("{same}{other}"), "line 1: a heading such as"),
            (format!("1\n{same}Ann 1 Bob x\n"), "line 3: x is no photo's number"),
            ("0\n".to_owned(), "both kinds are needed"),
            ("9223372036854775808\n".to_owned(), "line 1: 9223372036854775808 pairs of each kind"),
            (format!("101 1\n{}", format!("{same}{other}").repeat(101)), "2 to 100 of them; 101 were found"),
        ] {
            let refused = format!("{:#}", read(&text).unwrap_err());
            assert!(refused.contains(what), "{text}: {refused}");
        }
    }

    #[test]
    fn suspects_below_the_limit_are_left() {
        let (dir, set) = (tempfile::tempdir().unwrap(), set());
        let list = dir.path().join("suspects.tsv");
        fs::write(&list, "a\tb\tscore\nBob_0001\tAnn_0001\t0.7\nAnn_0002\tBob_0001\t0.5\n").unwrap();
        assert_eq!(suspects(&set, &list, 0.6).unwrap(), HashSet::from([(0, 2)]));
    }
}
