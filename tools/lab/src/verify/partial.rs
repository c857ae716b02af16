//! Counts of some of a task's units in a file. Partial counts of one task whose units differ are added; a run that
//! stopped goes on from its own, and a shard's is one, too.
//!
//! One line of JSON ([`Head`]), then the counts of impostors and of genuine comparisons, u64, little-endian, then the
//! SHA-256 of all that: a changed digit would be another rate.

use std::fs::{self, File};
use std::io::{BufRead, Read, Write};
use std::path::Path;

use anyhow::{Context, Result};
use arcdoor_calib::MAX_ROWS;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::input_file;
use crate::limits::MAX_COUNTS_HEAD_BYTES;
use crate::part_file::part_of;
use crate::trouble::Trouble;
use crate::verify::grid::{BINS, Counts, Step};
use crate::verify::tally::{Highest, Hit};
use crate::verify::task::{LEFTS, RIGHTS};

/// Most units of a task: as many as the most rows make.
const MAX_UNITS: usize = MAX_ROWS.div_ceil(LEFTS) * MAX_ROWS.div_ceil(RIGHTS);
/// Most pairs of a task.
const MAX_PAIRS: u64 = MAX_ROWS as u64 * MAX_ROWS as u64;
const FORMAT: u32 = 2;
const HASH_BYTES: usize = 32;
/// Most bytes of a file.
const MAX_BYTES: u64 = MAX_COUNTS_HEAD_BYTES + 16 * BINS as u64 + HASH_BYTES as u64;

/// Counts, and which units they are of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Partial {
    /// What is compared: equal for every part of one task.
    pub(crate) task: String,
    /// Whether each unit is counted here.
    pub(crate) done: Vec<bool>,
    /// Impostors below it are counted together; none without a sieve.
    pub(crate) floor: Option<Step>,
    pub(crate) below: u64,
    pub(crate) impostors: Counts,
    pub(crate) genuine: Counts,
    /// How many of the highest are kept, and of each left row where there is more than one list.
    pub(crate) kept: usize,
    pub(crate) highest: Vec<Highest>,
    /// CPU seconds of all threads that it took.
    pub(crate) cpu_s: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    task: String,
    units: usize,
    /// First and last of each run of units that are counted.
    done: Vec<[usize; 2]>,
    floor: Option<Step>,
    below: u64,
    /// First bin and how many bins follow.
    impostors: [usize; 2],
    genuine: [usize; 2],
    kept: usize,
    highest: Vec<Vec<Hit>>,
    cpu_s: f64,
}

impl Partial {
    /// Nothing counted yet.
    pub(crate) fn new(task: String, units: usize, floor: Option<Step>, kept: usize, lists: usize) -> Self {
        Self {
            task,
            done: vec![false; units],
            floor,
            below: 0,
            impostors: Counts::default(),
            genuine: Counts::default(),
            kept,
            highest: vec![Highest::new(kept); lists],
            cpu_s: 0.0,
        }
    }

    /// Units that are not counted.
    pub(crate) fn missing(&self) -> usize {
        self.done.iter().filter(|done| !**done).count()
    }

    /// Whether `other` is of the same task.
    pub(crate) fn check(&self, other: &Self) -> Result<()> {
        if (&self.task, self.floor, self.kept, self.done.len(), self.highest.len())
            != (&other.task, other.floor, other.kept, other.done.len(), other.highest.len())
        {
            let text = "these counts are of two tasks: other features, labels or settings";
            return Err(Trouble::BadInput(text.to_owned()).into());
        }
        Ok(())
    }

    /// Adds the counts of other units of the same task.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.check(other)?;
        if self.done.iter().zip(&other.done).any(|(a, b)| *a && *b) {
            let text = "both count the same units: a shard was given twice";
            return Err(Trouble::BadInput(text.to_owned()).into());
        }
        self.done.iter_mut().zip(&other.done).for_each(|(a, b)| *a |= *b);
        self.below += other.below;
        self.impostors.add(&other.impostors);
        self.genuine.add(&other.genuine);
        self.cpu_s += other.cpu_s;
        for (sum, list) in self.highest.iter_mut().zip(&other.highest) {
            list.hits().iter().for_each(|hit| sum.insert(*hit));
        }
        Ok(())
    }

    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bad = |cause: &dyn std::fmt::Display| Trouble::BadInput(format!("{}: {cause}", path.display()));
        let all = input_file::read(path, MAX_BYTES)?;
        let mut file = match all.split_last_chunk::<HASH_BYTES>() {
            Some((bytes, hash)) if Sha256::digest(bytes)[..] == hash[..] => bytes,
            _ => return Err(bad(&"cut off, damaged or of an older lab: count that part anew").into()),
        };
        let mut line = String::new();
        file.read_line(&mut line).map_err(|cause| bad(&cause))?;
        let head: Head = serde_json::from_str(&line).map_err(|cause| bad(&cause))?;
        if head.format != FORMAT {
            return Err(bad(&format!("format {}; this lab reads format {FORMAT}", head.format)).into());
        }
        let scores = head.highest.iter().flatten().map(|hit| hit.score).chain(head.floor);
        let whole = head.units <= MAX_UNITS
            && head.done.iter().all(|[first, last]| first <= last && *last < head.units)
            && head.done.windows(2).all(|two| two[0][1] < two[1][0])
            && scores.into_iter().all(Step::is_real);
        let mut counts = |[first, length]: [usize; 2]| -> Option<Counts> {
            if length > BINS {
                return None;
            }
            let mut bytes = vec![0; 8 * length];
            file.read_exact(&mut bytes).ok()?;
            let counts: Vec<u64> =
                bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect();
            // No sum of so few overflows.
            if counts.iter().any(|count| *count > MAX_PAIRS) {
                None
            } else {
                Counts::from_filled(first, &counts)
            }
        };
        let (Some(impostors), Some(genuine), true) = (counts(head.impostors), counts(head.genuine), whole)
        else {
            return Err(bad(&"its counts are cut off or do not fit: count that part anew").into());
        };
        let totals = [impostors.total(), genuine.total(), head.below];
        if !file.is_empty() || totals.iter().any(|count| *count > MAX_PAIRS) {
            return Err(bad(&"more counts than a task has: count that part anew").into());
        }
        let mut out = Self::new(head.task, head.units, head.floor, head.kept, 0);
        for [first, last] in head.done {
            out.done[first..=last].fill(true);
        }
        for hits in head.highest {
            let mut list = Highest::new(head.kept);
            hits.into_iter().for_each(|hit| list.insert(hit));
            out.highest.push(list);
        }
        Ok(Self { impostors, genuine, below: head.below, cpu_s: head.cpu_s, ..out })
    }

    /// Writes the file anew; it changes in one step.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let part = part_of(path);
        let written = || -> Result<()> {
            let (impostors, genuine) = (self.impostors.filled(), self.genuine.filled());
            let head = Head {
                format: FORMAT,
                task: self.task.clone(),
                units: self.done.len(),
                done: runs(&self.done),
                floor: self.floor,
                below: self.below,
                impostors: [impostors.0, impostors.1.len()],
                genuine: [genuine.0, genuine.1.len()],
                kept: self.kept,
                highest: self.highest.iter().map(|list| list.hits().to_vec()).collect(),
                cpu_s: self.cpu_s,
            };
            let mut bytes = serde_json::to_vec(&head)?;
            bytes.push(b'\n');
            bytes.extend(impostors.1.iter().chain(genuine.1).flat_map(|count| count.to_le_bytes()));
            bytes.extend_from_slice(&Sha256::digest(&bytes));
            let mut file = File::create(&part)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            Ok(fs::rename(&part, path)?)
        };
        written().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// First and last of each run of `true`.
fn runs(done: &[bool]) -> Vec<[usize; 2]> {
    let mut out = Vec::new();
    let mut start = 0;
    for run in done.chunk_by(|a, b| a == b) {
        if run[0] {
            out.push([start, start + run.len() - 1]);
        }
        start += run.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partial(unit: usize, score: i32) -> Partial {
        let mut out = Partial::new("task".to_owned(), 5, Some(Step(3)), 2, 1);
        out.done[unit] = true;
        out.below = 7;
        out.impostors.count(Step(score));
        out.genuine.count(Step(-score));
        out.highest[0].insert(Hit { score: Step(score), left: 1, right: 2 });
        out
    }

    #[test]
    fn parts_come_back_from_their_files_and_add_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counts");
        let (mut one, two) = (partial(0, 40), partial(3, 50));
        one.write(&path).unwrap();
        assert_eq!(Partial::read(&path).unwrap(), one);
        one.add(&two).unwrap();
        assert_eq!((one.missing(), one.below, one.impostors.total()), (3, 14, 2));
        assert_eq!(one.highest[0].hits().iter().map(|hit| hit.score.0).collect::<Vec<_>>(), [50, 40]);
        one.write(&path).unwrap();
        assert_eq!(Partial::read(&path).unwrap(), one);
    }

    #[test]
    fn a_part_twice_or_of_another_task_is_not_added() {
        let mut one = partial(0, 40);
        assert!(one.add(&partial(0, 40)).unwrap_err().to_string().contains("twice"));
        let other = Partial { task: "other".to_owned(), ..partial(1, 40) };
        assert!(one.add(&other).unwrap_err().to_string().contains("two tasks"));
        let floor = Partial { floor: None, ..partial(1, 40) };
        assert!(one.add(&floor).is_err());
        assert_eq!(one, partial(0, 40));
    }

    /// Bytes as a file that says nothing false about itself.
    fn hashed(bytes: &[u8]) -> Vec<u8> {
        [bytes, &Sha256::digest(bytes)].concat()
    }

    #[test]
    fn a_cut_or_changed_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counts");
        partial(0, 40).write(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let text = format!("{:#}", Partial::read(&path).unwrap_err());
            assert!(text.contains("counts") && text.contains("count that part anew"), "{text}");
        };
        for cut in [0, 10, bytes.len() - 1] {
            refused(&bytes[..cut]);
        }
        refused(&[&bytes[..], &[0]].concat());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            refused(&changed);
        }
    }

    #[test]
    fn what_no_task_has_is_refused_though_the_file_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counts");
        partial(0, 40).write(&path).unwrap();
        let bytes = fs::read(&path).unwrap();
        let bytes = &bytes[..bytes.len() - HASH_BYTES];
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        let head = str::from_utf8(&bytes[..line]).unwrap();
        for (from, to) in [
            ("[[0,0]]", "[[0,9]]"),
            ("[[0,0]]", "[[0,1],[1,2]]"),
            ("\"units\":5", "\"units\":5000000000"),
            ("\"floor\":3", "\"floor\":2147483647"),
            ("\"score\":40", "\"score\":-2147483648"),
            ("\"below\":7", "\"below\":18446744073709551615"),
        ] {
            assert!(head.contains(from), "{head}");
            fs::write(&path, hashed(&[head.replace(from, to).as_bytes(), &bytes[line..]].concat())).unwrap();
            assert!(Partial::read(&path).is_err(), "{to}");
        }
        fs::write(&path, hashed(&[bytes, &[0]].concat())).unwrap();
        assert!(Partial::read(&path).is_err(), "more than its counts");
        let mut most = bytes.to_vec();
        *most.last_mut().unwrap() = 255;
        fs::write(&path, hashed(&most)).unwrap();
        assert!(Partial::read(&path).is_err(), "a count beyond every task's");
    }

    #[test]
    fn names_that_differ_behind_a_dot_share_no_unfinished_file() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = ["counts.1-8", "counts.2-8"].map(|name| dir.path().join(name));
        assert_ne!(part_of(&one), part_of(&other));
        partial(0, 40).write(&one).unwrap();
        partial(1, 50).write(&other).unwrap();
        assert_eq!(Partial::read(&one).unwrap(), partial(0, 40));
    }
}
