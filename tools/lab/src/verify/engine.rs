//! Runs a task's units on several threads, all of them or a shard's, and goes on where an earlier run stopped.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use arcdoor_kernels::{Isa, MAX_SIEVE_LEN, SIEVE_LEFTS, SIEVE_RIGHTS, Sieve, scores, scores_picked, sieve};
use indicatif::{ProgressBar, ProgressStyle};

use crate::bench::race::cpu_ms;
use crate::trouble::Trouble;
use crate::verify::block::{Block, Lefts, Rights};
use crate::verify::grid::{AFFINE, Counts, Step, bin};
use crate::verify::partial::Partial;
use crate::verify::tally::{Left, Tally, shifted};
use crate::verify::task::{Task, Unit};
use crate::workers;

/// Left rows of a tile, of which the first cache holds most.
const TILE_LEFTS: usize = 16;
/// Right rows of a tile, which the second cache holds beside the counts. A multiple of what the kernel takes at once.
const TILE_RIGHTS: usize = 100;
/// Right rows that the sieve sees at a time, so that each left row has several to count anew.
const SIEVED_RIGHTS: usize = 8 * SIEVE_RIGHTS;
/// Right rows that the kernel counts anew at once.
const GROUP: usize = 8;
/// Units that a thread counts before it hands them over: a bin's count stays far below 2^32.
const HAND_OVER: usize = 16;
/// How often the counts are written while a task runs.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// Rows of each side that the floor is taken from.
const SAMPLE: usize = 1536;
/// How many more impostors than asked for the sample must have above the floor,
const SPARE: f64 = 1.1;
/// beside so many deviations of their number, and some where they are few: by chance no floor is too high.
const DEVIATIONS: f64 = 5.0;
const FEW: u64 = 8;

/// Whether bytes sift the pairs before f32 counts them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Sieving {
    /// Every score is computed in f32.
    Off,
    /// Counts are exact from the threshold of this false accept rate on; below it they are one number.
    FromFar(f64),
}

/// How a task is run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    pub(crate) sieving: Sieving,
    /// How many of the highest impostors are kept by name.
    pub(crate) kept: usize,
    /// Of each left row.
    pub(crate) by_left: bool,
    /// Shard i of n, counted from 0.
    pub(crate) shard: (usize, usize),
    /// Where counts are kept while it runs; what is there is not counted again.
    pub(crate) state: Option<PathBuf>,
    /// What features and labels hash to.
    pub(crate) data: String,
    /// Which instructions are used.
    pub(crate) isa: Isa,
}

impl Settings {
    /// Everything in f32, on the best instructions there are, nothing kept.
    pub(crate) fn new(threads: usize, data: String) -> Self {
        Self {
            threads,
            sieving: Sieving::Off,
            kept: 0,
            by_left: false,
            shard: (0, 1),
            state: None,
            data,
            isa: Isa::detect(),
        }
    }
}

/// Counts the shard's units.
pub(crate) fn run(task: &Task<'_>, settings: &Settings) -> Result<Partial> {
    resume(task, settings, std::iter::empty())
}

/// Adds up the counts of other runs, and counts what is missing in them.
pub(crate) fn resume(
    task: &Task<'_>,
    settings: &Settings,
    mut parts: impl Iterator<Item = Result<(PathBuf, Partial)>>,
) -> Result<Partial> {
    let (shard, shards) = settings.shard;
    ensure!(shard < shards, "shard {} of {shards}: --shard counts from 1", shard + 1);
    let units = task.units();
    let began_ms = cpu_ms();
    // What was counted already says from where on the rest is.
    let first = parts.next().transpose()?;
    let floor = match (&first, settings.sieving) {
        (Some((_, first)), _) => first.floor,
        (None, Sieving::Off) => None,
        (None, Sieving::FromFar(far)) => Some(floor(task, settings, far)?),
    };
    let lists = if settings.by_left { task.left.count() } else { 1 };
    let name = format!(
        "{} {}x{} units of {} pairs, by left {}",
        settings.data,
        task.left.count(),
        task.right.count(),
        task.pairs(),
        settings.by_left
    );
    let mut counted = Partial::new(name, units.len(), floor, settings.kept, lists);
    counted.cpu_s = (cpu_ms() - began_ms) / 1e3;
    if let Some(path) = settings.state.as_ref().filter(|path| path.exists()) {
        counted.add(&Partial::read(path)?).with_context(|| path.display().to_string())?;
    }
    // A run that was stopped has written what it was given, too.
    let kept = counted.done.clone();
    for part in first.into_iter().map(Ok).chain(parts) {
        let (path, part) = part?;
        counted.check(&part).with_context(|| path.display().to_string())?;
        if !part.done.iter().zip(&kept).all(|(part, kept)| !part || *kept) {
            counted.add(&part).with_context(|| path.display().to_string())?;
        }
    }
    let left_to_do: Vec<usize> =
        (0..units.len()).filter(|unit| unit % shards == shard && !counted.done[*unit]).collect();
    if floor.is_some() && task.dimension() > MAX_SIEVE_LEN {
        let text = format!(
            "the int8 pass takes {MAX_SIEVE_LEN} values at most, not {}: leave it out",
            task.dimension()
        );
        return Err(Trouble::BadInput(text).into());
    }
    let sifting = match (floor, Sieve::detect()) {
        (Some(floor), Some(proof)) => Some((proof, floor)),
        (Some(_), None) if !left_to_do.is_empty() => {
            let text = "this CPU has no AVX-512 VNNI: leave the int8 pass out";
            return Err(Trouble::BadInput(text.to_owned()).into());
        }
        _ => None,
    };
    let bar = ProgressBar::new(left_to_do.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} units, {elapsed} gone, {eta} left")?);
    let counted = Mutex::new((counted, Instant::now()));
    workers::run(settings.threads, left_to_do.len(), |take| {
        let mut worker = Worker::new(task, settings, sifting, lists);
        while let Some(index) = take() {
            worker.unit(left_to_do[index], &units[left_to_do[index]])?;
            bar.inc(1);
            if worker.done.len() == HAND_OVER {
                worker.hand_over(&counted, settings)?;
            }
        }
        worker.hand_over(&counted, settings)
    })?;
    bar.finish_and_clear();
    let (counted, _) = counted.into_inner().unwrap_or_else(PoisonError::into_inner);
    let genuine = counted.genuine.total();
    let pairs = counted.impostors.total() + counted.below + genuine;
    if counted.missing() == 0 && (pairs, genuine) != (task.pairs(), task.genuine()) {
        let text =
            "the counts are not those of every pair: a file of counts is damaged; count anew without it";
        return Err(Trouble::BadInput(text.to_owned()).into());
    }
    if let Some(path) = &settings.state {
        counted.write(path)?;
    }
    Ok(counted)
}

/// A floor that more than the share `far` of impostors reach: from a sample of both sides, the same in every shard.
fn floor(task: &Task<'_>, settings: &Settings, far: f64) -> Result<Step> {
    let spread = |count: usize| {
        let step = count.div_ceil(SAMPLE);
        (0..count).step_by(step.max(1))
    };
    let mut sample = Block::default();
    let mut counts = Counts::default();
    let rights: Vec<usize> = spread(task.right.count()).collect();
    let mut rows = Block::default();
    rows.read_some(&task.right, &rights, task.dimension())?;
    let (mut picked, mut found) = (Vec::new(), Vec::new());
    for (at, left) in spread(task.left.count()).enumerate() {
        sample.read(&task.left, left..left + 1, task.dimension())?;
        let is_impostor = |right: usize| right >= task.first(left) && !task.mates(left).contains(&right);
        // A few right rows to each left one, others each time: all with all would be many more than are needed.
        picked.clear();
        let few = rights.iter().enumerate().skip(at % 7).step_by(7);
        picked.extend(few.filter(|(_, right)| is_impostor(**right)).map(|(row, _)| row as u32));
        found.resize(picked.len(), 0.0);
        scores_picked(settings.isa, &sample.values, &rows.values, &picked, AFFINE, &mut found);
        found.iter().for_each(|score| counts.count(Step::of_bin(bin(*score))));
    }
    ensure!(counts.total() > 0, "no impostor comparisons to take a floor from");
    let expected = far * SPARE * counts.total() as f64;
    let most = (expected + DEVIATIONS * expected.sqrt()).ceil() as u64 + FEW;
    Ok(counts.threshold(most).0)
}

struct Worker<'a> {
    task: &'a Task<'a>,
    isa: Isa,
    sifting: Option<(Sieve, Step)>,
    lists: usize,
    kept: usize,
    by_left: bool,
    left: Block,
    /// Which rows `left` holds.
    held: Option<Range<usize>>,
    right: Block,
    lefts: Lefts,
    rights: Rights,
    scores: Vec<f32>,
    tally: Tally,
    done: Vec<usize>,
    began_ms: f64,
}

impl<'a> Worker<'a> {
    fn new(task: &'a Task<'a>, settings: &Settings, sifting: Option<(Sieve, Step)>, lists: usize) -> Self {
        Self {
            task,
            isa: settings.isa,
            sifting,
            lists,
            kept: settings.kept,
            by_left: settings.by_left,
            left: Block::default(),
            held: None,
            right: Block::default(),
            lefts: Lefts::default(),
            rights: Rights::default(),
            scores: vec![0.0; TILE_LEFTS * TILE_RIGHTS],
            tally: Tally::new(settings.kept, settings.by_left.then_some(lists)),
            done: Vec::new(),
            began_ms: cpu_ms(),
        }
    }

    fn unit(&mut self, number: usize, unit: &Unit) -> Result<()> {
        // Units of the same left rows follow one another.
        let is_new = self.held != Some(unit.left.clone());
        if is_new {
            self.left.read(&self.task.left, unit.left.clone(), self.task.dimension())?;
            self.held = Some(unit.left.clone());
        }
        self.right.read(&self.task.right, unit.right.clone(), self.task.dimension())?;
        match self.sifting {
            None => self.count_all(unit),
            Some((proof, floor)) => {
                if is_new {
                    self.lefts.fill(&self.left, floor);
                }
                self.rights.fill(&self.right);
                self.sift(proof, floor, unit);
            }
        }
        self.done.push(number);
        Ok(())
    }

    fn hand_over(&mut self, counted: &Mutex<(Partial, Instant)>, settings: &Settings) -> Result<()> {
        let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (sum, written) = &mut *counted;
        sum.impostors.take(&mut self.tally.impostors);
        sum.genuine.take(&mut self.tally.genuine);
        sum.below += std::mem::take(&mut self.tally.below);
        let now = cpu_ms();
        sum.cpu_s += (now - std::mem::replace(&mut self.began_ms, now)) / 1e3;
        for (sum, list) in sum.highest.iter_mut().zip(&self.tally.highest) {
            list.hits().iter().for_each(|hit| sum.insert(*hit));
        }
        self.tally.highest = Tally::lists(self.kept, self.by_left.then_some(self.lists));
        self.done.drain(..).for_each(|unit| sum.done[unit] = true);
        if let Some(path) = settings.state.as_ref().filter(|_| written.elapsed() > WRITE_EVERY) {
            sum.write(path)?;
            *written = Instant::now();
        }
        Ok(())
    }

    /// Every score in f32.
    fn count_all(&mut self, unit: &Unit) {
        let dimension = self.left.dimension;
        for (band, rights) in self.right.values.chunks(TILE_RIGHTS * dimension).enumerate() {
            let right = unit.right.start + band * TILE_RIGHTS;
            let columns = rights.len() / dimension;
            for (tile, lefts) in self.left.values.chunks(TILE_LEFTS * dimension).enumerate() {
                let left = unit.left.start + tile * TILE_LEFTS;
                let rows = lefts.len() / dimension;
                // Nothing of what lies below the diagonal counts.
                if right + columns <= self.task.first(left) {
                    continue;
                }
                let found = &mut self.scores[..rows * columns];
                scores(self.isa, dimension, lefts, rights, AFFINE, found);
                for (at, found) in found.chunks_exact(columns).enumerate() {
                    count_row(self.task, &mut self.tally, left + at, right, found);
                }
            }
        }
    }

    /// Bytes first; what may reach the floor, and every genuine pair, in f32.
    fn sift(&mut self, proof: Sieve, floor: Step, unit: &Unit) {
        let dimension = self.left.dimension;
        let mut masks = [[0_u32; SIEVE_LEFTS]; SIEVED_RIGHTS / SIEVE_RIGHTS];
        let mut picked = Vec::with_capacity(SIEVED_RIGHTS);
        let panel_bytes = SIEVE_RIGHTS * dimension;
        let bands = self.rights.bytes.chunks(SIEVED_RIGHTS * dimension);
        let terms = self.rights.terms.chunks(SIEVED_RIGHTS / SIEVE_RIGHTS);
        for (band, (bytes, terms)) in bands.zip(terms).enumerate() {
            let right = unit.right.start + band * SIEVED_RIGHTS;
            let columns = SIEVED_RIGHTS.min(unit.right.end - right);
            let rights = &self.right.values[band * SIEVED_RIGHTS * dimension..][..columns * dimension];
            let panels = self.lefts.bytes.chunks_exact(SIEVE_LEFTS * dimension).zip(&self.lefts.terms);
            for (panel, (left_bytes, left_terms)) in panels.enumerate() {
                let left = unit.left.start + panel * SIEVE_LEFTS;
                if right + columns <= self.task.first(left) {
                    continue;
                }
                for ((bytes, terms), masks) in bytes.chunks_exact(panel_bytes).zip(terms).zip(&mut masks) {
                    sieve(proof, dimension, left_bytes, left_terms, bytes, terms, masks);
                }
                for at in 0..SIEVE_LEFTS.min(unit.left.end - left) {
                    let first = self.task.first(left + at).saturating_sub(right);
                    let mates = shifted(&self.task.mates(left + at), right, columns);
                    let impostors = columns.saturating_sub(first) - mates.len();
                    picked.clear();
                    for (panel, masks) in masks.iter().enumerate().take(columns.div_ceil(SIEVE_RIGHTS)) {
                        let mut mask = masks[at];
                        while mask != 0 {
                            let column = panel * SIEVE_RIGHTS + mask.trailing_zeros() as usize;
                            mask &= mask - 1;
                            if (first..columns).contains(&column) && !mates.contains(&column) {
                                picked.push(column as u32);
                            }
                        }
                    }
                    let others = picked.len();
                    picked.extend(mates.map(|column| column as u32));
                    let count = picked.len();
                    // Whole groups are several times as fast as what remains of one.
                    let group = count.next_multiple_of(GROUP).min(SIEVED_RIGHTS);
                    picked.resize(group, picked.last().copied().unwrap_or(0));
                    let found = &mut self.scores[..picked.len()];
                    let row = self.left.row(left + at - unit.left.start);
                    scores_picked(self.isa, row, rights, &picked, AFFINE, found);
                    let (found, genuine) = found[..count].split_at(others);
                    let from = Left { at: left + at, source: self.task.left.source(left + at) };
                    let source = |at: usize| self.task.right.source(right + picked[at] as usize);
                    let counted = self.tally.impostors_from(floor.bin(), from, found, source);
                    self.tally.below += impostors as u64 - counted;
                    self.tally.genuine(genuine);
                }
            }
        }
    }
}

/// Counts a left row's scores with right rows from `right` on.
fn count_row(task: &Task<'_>, tally: &mut Tally, left: usize, right: usize, found: &[f32]) {
    let first = task.first(left).saturating_sub(right).min(found.len());
    let mates = shifted(&task.mates(left), right, found.len());
    let from = Left { at: left, source: task.left.source(left) };
    let (before, after) = if mates.is_empty() {
        (first..found.len(), 0..0)
    } else {
        (first..mates.start, mates.end..found.len())
    };
    for part in [before, after] {
        let start = right + part.start;
        tally.impostors(from, &found[part], |at| task.right.source(start + at));
    }
    tally.genuine(&found[mates]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::generated::Generated;
    use crate::verify::rows::Rows;
    use arcdoor_calib::LabelList;

    /// More than a unit each way, and no multiple of anything.
    const ROWS: Generated =
        Generated { seed: 5, dimension: 40, subjects: 461, per_subject: 9, distractors: 4100 };

    fn labels(rows: &Generated) -> LabelList {
        let names: Vec<Option<String>> =
            (0..rows.count()).map(|row| rows.subject(row).map(|subject| subject.to_string())).collect();
        LabelList::of(names.iter().map(Option::as_deref)).unwrap()
    }

    fn settings(threads: usize) -> Settings {
        Settings { kept: 20, ..Settings::new(threads, "data".to_owned()) }
    }

    /// Every pair one by one, as plainly as can be.
    fn plain(task: &Task<'_>) -> (Counts, Counts) {
        let (mut impostors, mut genuine) = (Counts::default(), Counts::default());
        let [mut left, mut right] = [Block::default(), Block::default()];
        left.read(&task.left, 0..task.left.count(), task.dimension()).unwrap();
        right.read(&task.right, 0..task.right.count(), task.dimension()).unwrap();
        let mut one = [0.0];
        for l in 0..left.rows() {
            for r in task.first(l)..right.rows() {
                scores(Isa::portable(), left.dimension, left.row(l), right.row(r), AFFINE, &mut one);
                let counts = if task.mates(l).contains(&r) { &mut genuine } else { &mut impostors };
                counts.count(Step::of_bin(bin(one[0])));
            }
        }
        (impostors, genuine)
    }

    #[test]
    fn counts_are_those_of_a_plain_loop_and_equal_for_threads_sets_and_shards() {
        let labels = labels(&ROWS);
        let task = Task::within(&ROWS, &labels).unwrap();
        assert!(task.units().len() > 2);
        let one = run(&task, &settings(1)).unwrap();
        assert_eq!(one.missing(), 0);
        assert_eq!(
            (one.impostors.total() + one.genuine.total(), one.genuine.total()),
            (task.pairs(), task.genuine())
        );
        let same = |other: Partial| assert_eq!(Partial { cpu_s: one.cpu_s, ..other }, one);
        same(run(&task, &settings(3)).unwrap());
        same(run(&task, &Settings { isa: Isa::detect().lesser(), ..settings(2) }).unwrap());
        let mut merged = run(&task, &Settings { shard: (2, 3), ..settings(2) }).unwrap();
        for shard in [0, 1] {
            merged.add(&run(&task, &Settings { shard: (shard, 3), ..settings(1) }).unwrap()).unwrap();
        }
        same(merged);
        // A corner of the task, because one by one is slow.
        let small = Generated { subjects: 40, distractors: 300, ..ROWS };
        let labels = self::labels(&small);
        let task = Task::within(&small, &labels).unwrap();
        let found = run(&task, &settings(2)).unwrap();
        assert_eq!((found.impostors, found.genuine), plain(&task));
    }

    #[test]
    fn the_sieve_counts_what_f32_counts_from_its_floor_on() {
        if Sieve::detect().is_none() {
            println!("skipped: no AVX-512 VNNI here");
            return;
        }
        let labels = labels(&ROWS);
        let task = Task::within(&ROWS, &labels).unwrap();
        let all = run(&task, &settings(1)).unwrap();
        for far in [1e-1, 1e-3] {
            let sifted = run(&task, &Settings { sieving: Sieving::FromFar(far), ..settings(2) }).unwrap();
            let floor = sifted.floor.unwrap();
            let impostors = all.impostors.total();
            assert_eq!(sifted.below, impostors - all.impostors.from(floor));
            assert_eq!(sifted.genuine, all.genuine);
            assert_eq!(sifted.highest, all.highest);
            for most in [0, 1, 10, (far * impostors as f64) as u64] {
                assert_eq!(sifted.impostors.threshold(most), all.impostors.threshold(most));
            }
            let (first, _) = sifted.impostors.filled();
            assert!(first >= floor.bin() && sifted.impostors.total() as f64 > far * impostors as f64);
        }
    }

    #[test]
    fn by_chance_no_floor_is_too_high() {
        for seed in 0..200 {
            let rows = Generated { seed, dimension: 16, subjects: 50, per_subject: 2, distractors: 600 };
            let labels = labels(&rows);
            let task = Task::within(&rows, &labels).unwrap();
            let impostors = run(&task, &settings(1)).unwrap().impostors;
            for far in [1e-3, 1e-4] {
                let above = impostors.from(floor(&task, &settings(1), far).unwrap());
                assert!(above as f64 > far * impostors.total() as f64, "seed {seed}, {far}: {above}");
            }
        }
    }

    #[test]
    fn the_highest_of_each_left_row_are_kept() {
        let (left, right) =
            (Generated { subjects: 30, distractors: 0, ..ROWS }, Generated { seed: 6, subjects: 0, ..ROWS });
        let (left_labels, right_labels) = (vec![Some(1); left.count()], vec![None; right.count()]);
        let task = Task::across((&left, &left_labels), (&right, &right_labels)).unwrap();
        let found = run(&task, &Settings { kept: 3, by_left: true, ..settings(2) }).unwrap();
        assert_eq!(found.highest.len(), left.count());
        let [mut a, mut b] = [Block::default(), Block::default()];
        a.read(&task.left, 7..8, task.dimension()).unwrap();
        b.read(&task.right, 0..right.count(), task.dimension()).unwrap();
        let mut all = vec![0.0; right.count()];
        scores(Isa::portable(), a.dimension, &a.values, &b.values, AFFINE, &mut all);
        let mut expected: Vec<(Step, u32)> =
            all.iter().enumerate().map(|(row, score)| (Step::of_bin(bin(*score)), row as u32)).collect();
        expected.sort_by_key(|(score, row)| (std::cmp::Reverse(*score), *row));
        let hits: Vec<(Step, u32)> =
            found.highest[7].hits().iter().map(|hit| (hit.score, hit.right)).collect();
        assert_eq!(hits, expected[..3]);
    }

    #[test]
    fn a_run_that_stopped_goes_on_and_counts_nothing_twice() {
        let labels = labels(&ROWS);
        let task = Task::within(&ROWS, &labels).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("counts");
        let all = run(&task, &settings(1)).unwrap();
        let part =
            run(&task, &Settings { shard: (1, 4), state: Some(state.clone()), ..settings(1) }).unwrap();
        assert!(part.missing() > 0);
        let whole = run(&task, &Settings { state: Some(state.clone()), ..settings(2) }).unwrap();
        assert_eq!(Partial { cpu_s: all.cpu_s, ..whole }, all);
        let other = Settings { data: "other".to_owned(), state: Some(state.clone()), ..settings(1) };
        assert!(format!("{:#}", run(&task, &other).unwrap_err()).contains("two tasks"));
        let mut bytes = std::fs::read(&state).unwrap();
        *bytes.iter_mut().rev().nth(7).unwrap() += 1;
        std::fs::write(&state, bytes).unwrap();
        let damaged = run(&task, &Settings { state: Some(state), ..settings(1) });
        assert!(
            damaged.unwrap_err().to_string().contains("damaged"),
            "one count more is no count of every pair"
        );
    }

    #[test]
    fn a_merge_that_keeps_its_counts_can_be_repeated() {
        let labels = labels(&ROWS);
        let task = Task::within(&ROWS, &labels).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let shard = |shard| run(&task, &Settings { shard: (shard, 3), ..settings(1) });
        let parts = [shard(0).unwrap(), shard(1).unwrap()];
        let given = |parts: &[Partial]| {
            let named = |part: &Partial| Ok((PathBuf::from("counts.3"), part.clone()));
            parts.iter().map(named).collect::<Vec<_>>().into_iter()
        };
        let merging = Settings { state: Some(dir.path().join("counts")), ..settings(1) };
        let once = resume(&task, &merging, given(&parts)).unwrap();
        assert_eq!(once.missing(), 0);
        let again = resume(&task, &merging, given(&parts)).unwrap();
        assert!(Partial { cpu_s: once.cpu_s, ..again } == once);
        let twice = resume(&task, &settings(1), given(&[parts[0].clone(), parts[0].clone()]));
        assert!(format!("{:#}", twice.unwrap_err()).contains("counts.3: both count the same units"));
        let other = [Partial { task: "other".to_owned(), ..parts[0].clone() }];
        let refused = resume(&task, &merging, given(&other)).unwrap_err();
        assert!(format!("{refused:#}").contains("counts.3: these counts are of two tasks"), "{refused:#}");
    }
}
