//! What protocols of LFW's shape have in common: scored pairs, accuracy over folds, and everybody against everybody.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use arcdoor_calib::{Fold, best_threshold};
use arcdoor_models::sha256_hex;

use crate::eval::all_pairs::{AllPairs, MAX_SAMPLES};
use crate::eval::by_group::{self, Groups};
use crate::eval::made::{Made, failed_to_enrol, made, on_floor};
use crate::eval::origin::data_hash;
use crate::eval::pair_task::{PairArgs, Task};
use crate::eval::report::at_far::{AtFar, ByFar};
use crate::eval::report::curves::{ALL_PAIRS, Curves};
use crate::eval::report::folder;
use crate::eval::report::pair_figures::{curve, figures, histogram, operating, verification};
use crate::eval::report::pairs_file::{self, ScoredPair};
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Noted, Report};
use crate::eval::report::run::{Run, latency};
use crate::eval::report::table::Table;
use crate::eval::report::thumbnail::Thumbnail;
use crate::eval::set::pair_list::noted;
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::{Comparable, NEVER, score};
use crate::input_file;
use crate::limits::MAX_LIST_BYTES;
use crate::say::say;
use crate::trouble::Trouble;

/// Media without a template that are named.
const NAMED: usize = 20;
/// Photos above so many bytes are not put into a page.
const MAX_THUMBNAIL_BYTES: usize = 256 << 10;

/// Makes the templates, computes every figure and writes the report.
pub(crate) fn run(args: &PairArgs, mut task: Task) -> Result<()> {
    task.lists.extend(args.groups.clone().map(|list| ("groups", list)));
    let began = Instant::now();
    let groups = groups(args, &task)?;
    folder::make(&args.out)?;
    match args.floor {
        None => told(args, &task, groups.as_ref(), made(args, &task)?, began),
        Some(floor) => told(args, &task, groups.as_ref(), on_floor(args, &task, floor)?, began),
    }
}

/// The list of groups, which is refused before hours of work where it cannot be used.
fn groups(args: &PairArgs, task: &Task) -> Result<Option<Groups>> {
    let Some(list) = &args.groups else { return Ok(None) };
    let groups = Groups::read(list)?;
    let subjects = &task.set.subjects;
    let why = if !task.is_named || task.set.samples.len() > MAX_SAMPLES {
        format!("--groups wants all pairs, of {MAX_SAMPLES} photos at most whose people are known")
    } else if groups.of(subjects).iter().all(Option::is_none) {
        format!("--groups names nobody of the set, such as {}", subjects.first().map_or("", |name| name))
    } else {
        return Ok(Some(groups));
    };
    Err(Trouble::BadInput(why).into())
}

/// Every figure of what was made, and the report.
fn told<T: Comparable>(
    args: &PairArgs,
    task: &Task,
    groups: Option<&Groups>,
    made: Made<T>,
    began: Instant,
) -> Result<()> {
    let Made { templates, acquired, times, made_by } = made;
    let mut pairs = scored(task, &templates)?;
    let chosen = choose(task, &templates, &mut pairs)?;
    let figures = figures(&mut pairs);
    let failed: Vec<String> = (0..templates.len())
        .filter(|at| templates[*at].is_none())
        .map(|at| task.set.samples[at].name.clone())
        .collect();
    let genuine = pairs.iter().filter(|pair| pair.same).count();
    let data = Data {
        name: task.name.clone(),
        sha256: data_hash(task.media(), args.path.threads)?,
        lists: lists(&task.lists)?,
        media: task.media().samples.len() as u64,
        subjects: task.is_named.then_some(task.set.subjects.len() as u64),
        genuine: genuine as u64,
        impostors: (pairs.len() - genuine) as u64,
        is_generated: args.generated,
    };
    let mut curves = Curves::default();
    curves.operating.push(curve("the protocol's pairs", &verification(&pairs)));
    curves
        .histograms
        .push(histogram("the protocol's pairs", pairs.iter().map(|pair| (pair.score, pair.same))));
    let fta = Rate::of(acquired.0, acquired.1);
    let mut report = Report::new(task.protocol, data, fta, Run::of(0.0, args.path.threads));
    report.made_by = made_by;
    report.fte = match &task.pooled {
        Some(_) => Some(Rate::of(failed.len() as u64, templates.len() as u64)),
        None => task.is_named.then(|| failed_to_enrol(&task.set, &templates)),
    };
    (report.accuracy_mean, report.accuracy_sd) = (figures.accuracy_mean, figures.accuracy_sd);
    (report.accuracy, report.eer, report.tar_at_far) = (figures.accuracy, figures.eer, figures.tar_at_far);
    report.tables.extend(folds(&figures.folds));
    report.limits = limits(task);
    report.limits.extend(chosen);
    if figures.accuracy.is_none() {
        let text = "No accuracy: fewer than ten pairs of a kind, and nothing to choose a threshold on.";
        report.limits.push(text.to_owned());
    }
    report.noted = noted(&task.set, &task.list);
    report.noted.extend(chose_themselves(task));
    if !failed.is_empty() {
        let what = "samples without a face that has landmarks; they stay in every denominator".to_owned();
        let such_as = failed.iter().take(NAMED).cloned().collect();
        report.noted.push(Noted { what, count: failed.len() as u64, such_as });
    }
    let is_crossed = !args.no_all_pairs && task.is_named && templates.len() <= MAX_SAMPLES;
    if is_crossed {
        everybody(task, &templates, groups, args.path.threads, &mut report, &mut curves)?;
    } else if !args.no_all_pairs {
        if task.suspects.is_some() {
            report.limits.push("The suspects were not used.".to_owned());
        }
        report
            .limits
            .push("All pairs are not compared: who is who is not known, or there are too many.".to_owned());
    }
    report.latency_ms = latency(&times);
    report.run = Run::of(began.elapsed().as_secs_f64(), args.path.threads);
    let thumbnails = worst(task, &pairs, args.thumbnails.into())?;
    let files = vec![(pairs_file::NAME.to_owned(), pairs_file::write(&pairs))];
    summary(&folder::write(&args.out, report, &curves, files, &thumbnails)?)
}

fn scored<T: Comparable>(task: &Task, templates: &[Option<T>]) -> Result<Vec<ScoredPair>> {
    let of = |(index, pair): (usize, &Pair)| {
        let subject = |at: usize| task.set.samples[at].subject;
        let people = match (subject(pair.a), subject(pair.b)) {
            (Some(a), Some(b)) => [a as u32, b as u32],
            _ => [index as u32; 2],
        };
        Ok(ScoredPair {
            names: [pair.a, pair.b].map(|at| task.set.samples[at].name.clone()),
            same: pair.same,
            fold: task.list.folds.get(index).copied(),
            score: score(&templates[pair.a], &templates[pair.b])?,
            people,
            threshold: None,
        })
    };
    task.list.pairs.iter().enumerate().map(of).collect()
}

/// People whose pairs are decided by a threshold that others of their pairs chose.
fn chose_themselves(task: &Task) -> Option<Noted> {
    let choosers = task.set.subjects_of(&task.choose);
    let both: Vec<usize> = task.set.subjects_of(&task.list.pairs).intersection(&choosers).copied().collect();
    (!both.is_empty()).then(|| Noted {
        what: "people on whose pairs the threshold was chosen, too".to_owned(),
        count: both.len() as u64,
        such_as: both.iter().take(NAMED).map(|subject| task.set.subjects[*subject].clone()).collect(),
    })
}

/// Decides every pair by the threshold that is best on the protocol's other list; says so.
fn choose<T: Comparable>(
    task: &Task,
    templates: &[Option<T>],
    pairs: &mut [ScoredPair],
) -> Result<Option<String>> {
    if task.choose.is_empty() {
        return Ok(None);
    }
    let (threshold, share) = chosen(templates, &task.choose)?;
    pairs.iter_mut().for_each(|pair| pair.threshold = Some(threshold));
    Ok(Some(format!(
        "The threshold {threshold:.4} was chosen on {} other pairs, {:.2} % of them right.",
        task.choose.len(),
        100.0 * share
    )))
}

/// The threshold that decides most of `pairs` right, and the share it does.
fn chosen<T: Comparable>(templates: &[Option<T>], pairs: &[Pair]) -> Result<(f32, f64)> {
    let (mut scored, mut unscored) = (Vec::new(), (0, 0));
    for pair in pairs {
        match (score(&templates[pair.a], &templates[pair.b])?, pair.same) {
            (NEVER, true) => unscored.0 += 1,
            (NEVER, false) => unscored.1 += 1,
            (score, same) => scored.push((score, same)),
        }
    }
    Ok(best_threshold(&scored, unscored))
}

fn everybody<T: Comparable>(
    task: &Task,
    templates: &[Option<T>],
    groups: Option<&Groups>,
    threads: usize,
    report: &mut Report,
    curves: &mut Curves,
) -> Result<()> {
    let all = AllPairs::of(&task.set, templates, task.suspects.as_ref(), threads)?;
    if all.verification.genuine() == 0 || all.verification.impostors() == 0 {
        let text = "No rates of everybody against everybody: the photos make pairs of one kind alone.";
        report.limits.push(text.to_owned());
        report.limits.extend(groups.map(|_| "The groups were not used.".to_owned()));
        return Ok(());
    }
    report.all_pairs_tar_at_far = operating(&all.verification, Over::Subjects).0;
    curves.operating.push(curve(ALL_PAIRS, &all.verification));
    if let Some(groups) = groups {
        by_group(groups, &task.set, &all, report)?;
    }
    if let Some((without, left_out)) = &all.without_suspects {
        let title = format!("All pairs without {left_out} that look like mislabels");
        report.tables.push(rates(&title, &operating(without, Over::Subjects).0));
    }
    let name = |at: usize| task.set.samples[at].name.clone();
    let row = |(score, a, b): &(f32, usize, usize)| vec![name(*a), name(*b), format!("{score:.4}")];
    report.tables.push(Table {
        title: "The highest impostors".to_owned(),
        note: "Pairs that score high may be one person under two names.".to_owned(),
        head: ["one", "the other", "score"].map(str::to_owned).to_vec(),
        rows: all.highest.iter().map(row).collect(),
    });
    Ok(())
}

/// The groups' rates at every threshold that all pairs support, and who is of no group.
fn by_group(groups: &Groups, set: &Set, all: &AllPairs, report: &mut Report) -> Result<()> {
    let of = groups.of(&set.subjects);
    let nobodys: Vec<String> = set
        .subjects
        .iter()
        .zip(&of)
        .filter(|(_, group)| group.is_none())
        .map(|(name, _)| name.clone())
        .collect();
    let chosen: Vec<(String, f64)> = report
        .all_pairs_tar_at_far
        .iter()
        .filter_map(|(far, at)| match at {
            AtFar::Counted { threshold, .. } => Some((far.clone(), *threshold)),
            AtFar::NotSupported { .. } => None,
        })
        .collect();
    report.by_group = by_group::rates(&groups.names, &of, all.verification.comparisons(), &chosen);
    report.noted.extend((!nobodys.is_empty()).then(|| Noted {
        what: "people of whom --groups does not speak; they are in no group's rates".to_owned(),
        count: nobodys.len() as u64,
        such_as: nobodys.into_iter().take(NAMED).collect(),
    }));
    Ok(())
}

/// A table of rates by false accept rate.
fn rates(title: &str, all: &ByFar) -> Table {
    let row = |(far, at): (&String, &AtFar)| match at {
        AtFar::Counted { rate, threshold, .. } => {
            vec![far.clone(), rate.percent(), format!("{threshold:.4}")]
        }
        AtFar::NotSupported { reason, .. } => {
            vec![far.clone(), format!("no number: {reason}"), String::new()]
        }
    };
    Table {
        title: title.to_owned(),
        note: String::new(),
        head: ["FAR", "TAR", "threshold"].map(str::to_owned).to_vec(),
        rows: all.iter().map(row).collect(),
    }
}

fn folds(folds: &[Fold]) -> Option<Table> {
    let row = |(number, fold): (usize, &Fold)| {
        let accuracy = format!("{:.3} %", 100.0 * fold.accuracy());
        vec![(number + 1).to_string(), format!("{:.4}", fold.threshold), accuracy, fold.total.to_string()]
    };
    (!folds.is_empty()).then(|| Table {
        title: "Folds".to_owned(),
        note: "Each is decided by the threshold that is best on all others.".to_owned(),
        head: ["fold", "threshold", "accuracy", "pairs"].map(str::to_owned).to_vec(),
        rows: folds.iter().enumerate().map(row).collect(),
    })
}

fn limits(task: &Task) -> Vec<String> {
    let mut limits = vec![
        "Intervals are 95 %: people are drawn anew 500 times; true accept rates and the equal error choose their \
         threshold anew each time, accuracy and false accept rates keep theirs; a pair of two people counts as often as \
         both were drawn together, which errs on the wide side."
            .to_owned(),
        "A rate that fewer impostors would decide than one is no number.".to_owned(),
        "Templates are of photos as they are; insightface's own figures sum each with its mirror image.".to_owned(),
    ];
    if !task.is_named {
        limits.push("Who is who was told from the pairs: two of its people may be one.".to_owned());
    }
    limits
}

fn lists(lists: &[(&'static str, PathBuf)]) -> Result<BTreeMap<String, String>> {
    let hash = |(role, path): &(&str, PathBuf)| {
        Ok(((*role).to_owned(), sha256_hex(&input_file::read(path, MAX_LIST_BYTES)?)))
    };
    lists.iter().map(hash).collect()
}

/// The pairs that were decided wrong, those farthest from their threshold first and those without a face last.
fn worst(task: &Task, pairs: &[ScoredPair], count: usize) -> Result<Vec<Thumbnail>> {
    let off = |at: usize| pairs[at].threshold.map_or(0.0, |threshold| (pairs[at].score - threshold).abs());
    let is_lost = |at: usize| pairs[at].score == NEVER;
    let mut wrong: Vec<usize> = (0..pairs.len()).filter(|at| pairs[*at].is_right() == Some(false)).collect();
    wrong.sort_by(|a, b| is_lost(*a).cmp(&is_lost(*b)).then(off(*b).total_cmp(&off(*a))));
    let mut thumbnails = Vec::new();
    for at in wrong.into_iter().take(count) {
        let (pair, [a, b]) = (&task.list.pairs[at], &pairs[at].names);
        let kind = if pair.same { "one person" } else { "two people" };
        let score = if is_lost(at) { "no face found".to_owned() } else { format!("{:.3}", pairs[at].score) };
        let mut caption = format!("{a} and {b}, {kind}: {score}");
        let mut photos = Vec::new();
        for sample in [pair.a, pair.b] {
            let bytes = task.set.samples[sample].bytes()?;
            if bytes.len() <= MAX_THUMBNAIL_BYTES {
                photos.push(bytes.into_owned());
            } else {
                caption.push_str(" (a photo is too large to show)");
            }
        }
        thumbnails.push(Thumbnail { caption, photos });
    }
    Ok(thumbnails)
}

/// What the terminal shows of a report.
pub(crate) fn summary(report: &Report) -> Result<()> {
    let by = report
        .made_by
        .as_ref()
        .map_or(String::new(), |maker| format!(": {} with {}", maker.pack, maker.detector));
    say!("# {}{by}\n", report.data.name)?;
    say!("{} media; failures to acquire {}", report.data.media, report.fta.percent())?;
    if let Some(mean) = report.accuracy_mean {
        let deviation = report.accuracy_sd.map_or(String::new(), |sd| format!(" +- {sd:.3} over folds"));
        let interval =
            report.accuracy.map_or(String::new(), |rate| format!("; of all pairs {}", rate.percent()));
        say!("accuracy {mean:.3} %{deviation}{interval}")?;
    }
    if let Some(eer) = &report.eer {
        say!(
            "equal error rate {:.3} % [{:.3}, {:.3}]",
            100.0 * eer.value,
            100.0 * eer.low,
            100.0 * eer.high
        )?;
    }
    for (title, all) in
        [("The protocol's pairs", &report.tar_at_far), ("All pairs", &report.all_pairs_tar_at_far)]
    {
        if all.values().any(|at| at.rate().is_some()) {
            say!("\n{title}:\n\n| FAR | threshold | TAR |\n|---|---|---|")?;
        }
        for (far, at) in all {
            if let AtFar::Counted { rate, threshold, .. } = at {
                say!("| {far} | {threshold:.3} | {} |", rate.percent())?;
            }
        }
    }
    for noted in &report.noted {
        say!("\n{}: {}", noted.what, noted.count)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{ModelId, Template};

    #[test]
    fn a_photo_without_a_face_counts_as_a_miss() {
        let template = Some(Template::new(ModelId::new([1; 16]), &[1.0, 0.0]).unwrap());
        let templates = [template, None];
        let pairs = [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 1, same: false }];
        assert_eq!(chosen(&templates, &pairs).unwrap().1, 0.5);
        assert_eq!(score(&templates[0], &templates[1]).unwrap(), NEVER);
    }
}
