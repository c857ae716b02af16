//! What protocols of LFW's shape have in common: scored pairs, accuracy over folds, and everybody against everybody.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use arcdoor_calib::{Features, Fold, best_threshold};
use arcdoor_core::file::open_regular;
use arcdoor_core::{ModelId, StageTimes, Template};
use arcdoor_models::sha256_hex;

use crate::eval::all_pairs::{AllPairs, MAX_SAMPLES};
use crate::eval::by_group::{self, Groups};
use crate::eval::floor::{self, Floor};
use crate::eval::origin::data_hash;
use crate::eval::report::at_far::{AtFar, ByFar};
use crate::eval::report::curves::{ALL_PAIRS, Curves};
use crate::eval::report::folder;
use crate::eval::report::pair_figures::{curve, figures, histogram, operating, verification};
use crate::eval::report::pairs_file::{self, ScoredPair};
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Maker, Noted, Report};
use crate::eval::report::run::{Run, latency};
use crate::eval::report::table::Table;
use crate::eval::report::thumbnail::Thumbnail;
use crate::eval::set::pair_list::{PairList, noted};
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::{Comparable, NEVER, PathArgs, score};
use crate::eval::set::{bin, pair_list};
use crate::input_file;
use crate::limits::{MAX_LIST_BYTES, MAX_REFERENCE_BYTES};
use crate::say::say;
use crate::trouble::Trouble;

/// Media without a template that are named.
const NAMED: usize = 20;
/// The least cosine of two features of one image, which batches of a network may round apart.
const ONE_IMAGE: f32 = 0.999;
/// Photos above so many bytes are not put into a page.
const MAX_THUMBNAIL_BYTES: usize = 256 << 10;

/// The flags of every protocol of LFW's shape.
#[derive(clap::Args)]
pub(crate) struct PairArgs {
    /// The folder of photos
    #[arg(long, value_name = "DIR", required_unless_present = "bin")]
    pub(crate) images: Option<PathBuf>,
    /// The list of pairs
    #[arg(long, value_name = "FILE")]
    pub(crate) pairs: Option<PathBuf>,
    /// insightface's file of the set, in place of --images and --pairs: its images are aligned already
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "pairs"])]
    pub(crate) bin: Option<PathBuf>,
    /// Features in place of the networks, in LFR's form: a row for each image of --bin, in its order
    #[arg(long, value_name = "FILE", requires = "bin")]
    rows: Option<PathBuf>,
    /// The features were generated, and the report says so
    #[arg(long, requires = "rows")]
    generated: bool,
    /// The photos are crops that are aligned to 112x112 already
    #[arg(long)]
    pub(crate) aligned: bool,
    /// What was before networks, in place of the embedder: on the same aligned crops
    #[arg(long, value_enum, conflicts_with_all = ["rows", "features"])]
    floor: Option<floor::Kind>,
    /// Leave out the rates of everybody against everybody
    #[arg(long)]
    no_all_pairs: bool,
    /// Whose group people are of, a name, a tab and the group in each line: everybody's rates by group, at the thresholds
    /// of all pairs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_all_pairs", "bin"])]
    groups: Option<PathBuf>,
    /// Show the photos of so many pairs that were decided wrong, the worst first, in report.html
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=200))]
    thumbnails: u16,
    /// Where report.json, report.html and CSV files go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) path: PathArgs,
}

/// A protocol's set, as its reader found it.
pub(crate) struct Task {
    /// The protocol's command.
    pub(crate) protocol: &'static str,
    /// What a reader calls it.
    pub(crate) name: String,
    pub(crate) set: Set,
    pub(crate) list: PairList,
    /// The files of lists that were read, by what they were read for.
    pub(crate) lists: Vec<(&'static str, PathBuf)>,
    /// Whether the set itself says who is who; where pairs alone do, two of its subjects may be one person.
    pub(crate) is_named: bool,
    /// Pairs to choose the threshold on, of a protocol without folds.
    pub(crate) choose: Vec<Pair>,
    /// Suspected mislabels, by sample, the lower first.
    pub(crate) suspects: Option<HashSet<(usize, usize)>>,
    /// The sample that each image of a `.bin` is; empty without one.
    bin: Vec<usize>,
    /// Of what each sample's template is pooled; none where a sample is one photo.
    pub(crate) pooled: Option<Pooled>,
}

/// Samples that are several frames each.
pub(crate) struct Pooled {
    pub(crate) frames: Set,
    /// The frames of each sample.
    pub(crate) of: Vec<Vec<usize>>,
}

impl Task {
    /// What templates are made of: photos or frames.
    fn media(&self) -> &Set {
        self.pooled.as_ref().map_or(&self.set, |pooled| &pooled.frames)
    }
}

impl PairArgs {
    /// Reads the set from a `.bin` file, or with `read` from the folder and the list, which is named `default` there where
    /// no other is given.
    pub(crate) fn task(
        &self,
        protocol: &'static str,
        name: &str,
        default: Option<&str>,
        read: impl FnOnce(&Path, Option<&Path>) -> Result<(Set, PairList)>,
    ) -> Result<Task> {
        let pairs = self.pairs.clone().or_else(|| Some(self.images.as_ref()?.join(default?)));
        let (set, list, bin) = match (&self.bin, &self.images) {
            (Some(path), _) => {
                let found = bin::read(path)?;
                (found.set, found.list, found.of)
            }
            (None, Some(images)) => {
                let (set, list) = read(images, pairs.as_deref())?;
                (set, list, Vec::new())
            }
            (None, None) => return Err(Trouble::BadInput("give --images or --bin".to_owned()).into()),
        };
        Ok(Task {
            protocol,
            name: name.to_owned(),
            set: if self.aligned { set.aligned() } else { set },
            list,
            lists: pairs.map(|pairs| ("pairs", pairs)).into_iter().collect(),
            is_named: self.bin.is_none(),
            choose: Vec::new(),
            suspects: None,
            bin,
            pooled: None,
        })
    }

    /// The task of a folder with a list of photos by their paths.
    pub(crate) fn listed(
        &self,
        protocol: &'static str,
        name: &str,
        naming: pair_list::Naming,
    ) -> Result<Task> {
        self.task(protocol, name, None, |images, pairs| pair_list::read(images, given(pairs)?, naming))
    }
}

/// The list, of a protocol that has none without being told.
pub(crate) fn given(list: Option<&Path>) -> Result<&Path, Trouble> {
    list.ok_or_else(|| Trouble::BadInput("give the list of pairs as --pairs".to_owned()))
}

/// Makes the templates, computes every figure and writes the report.
pub(crate) fn run(args: &PairArgs, mut task: Task) -> Result<()> {
    task.lists.extend(args.groups.clone().map(|list| ("groups", list)));
    let began = Instant::now();
    folder::make(&args.out)?;
    match args.floor {
        None => told(args, &task, made(args, &task)?, began),
        Some(floor) => told(args, &task, on_floor(args, &task, floor)?, began),
    }
}

/// Every figure of what was made, and the report.
fn told<T: Comparable>(args: &PairArgs, task: &Task, made: Made<T>, began: Instant) -> Result<()> {
    let groups = args.groups.as_ref().map(|list| Groups::read(list)).transpose()?;
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
        everybody(task, &templates, groups.as_ref(), args.path.threads, &mut report, &mut curves)?;
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

/// The templates of a set, and where they come from.
struct Made<T> {
    templates: Vec<Option<T>>,
    /// Media without a template, and media.
    acquired: (u64, u64),
    times: Vec<StageTimes>,
    made_by: Option<Maker>,
}

fn made(args: &PairArgs, task: &Task) -> Result<Made<Template>> {
    if let Some(rows) = &args.rows {
        let templates = from_rows(rows, &task.bin)?;
        return Ok(Made { acquired: acquired(&templates), templates, times: Vec::new(), made_by: None });
    }
    let pack = args.path.open_pack()?;
    let (templates, times) = args.path.timed_templates(&pack, task.media())?;
    let acquired = acquired(&templates);
    let templates = match &task.pooled {
        Some(pooled) => pool(&templates, &pooled.of)?,
        None => templates,
    };
    Ok(Made { templates, acquired, times, made_by: Some(args.path.maker(&pack)?) })
}

/// Crops of the pack's detector, described without its embedder.
fn on_floor(args: &PairArgs, task: &Task, floor: floor::Kind) -> Result<Made<Floor>> {
    if task.pooled.is_some() {
        return Err(Trouble::BadInput(
            "videos have no --floor: their frames' sum is of embedders".to_owned(),
        )
        .into());
    }
    let pack = args.path.open_pack()?;
    let templates = args.path.floors(&pack, &task.set, floor)?;
    let dimension = templates.iter().flatten().map(Floor::len).next().unwrap_or_default();
    let maker = args.path.maker(&pack)?;
    let made_by = Maker { pack: floor.title().to_owned(), model_id: "none".to_owned(), dimension, ..maker };
    Ok(Made { acquired: acquired(&templates), templates, times: Vec::new(), made_by: Some(made_by) })
}

fn acquired<T>(templates: &[Option<T>]) -> (u64, u64) {
    (templates.iter().filter(|template| template.is_none()).count() as u64, templates.len() as u64)
}

/// The mean of each sample's templates; none where no frame of it has one.
fn pool(frames: &[Option<Template>], of: &[Vec<usize>]) -> Result<Vec<Option<Template>>> {
    let mean = |of: &Vec<usize>| {
        let frames: Vec<&Template> = of.iter().filter_map(|frame| frames[*frame].as_ref()).collect();
        Ok((!frames.is_empty()).then(|| Template::mean(frames)).transpose()?)
    };
    of.iter().map(mean).collect()
}

/// People without one photo that gave a template.
pub(crate) fn failed_to_enrol<T>(set: &Set, templates: &[Option<T>]) -> Rate {
    let mut has_template = vec![false; set.subjects.len()];
    for (sample, template) in set.samples.iter().zip(templates) {
        if let Some(subject) = sample.subject {
            has_template[subject] |= template.is_some();
        }
    }
    let failed = has_template.iter().filter(|has| !**has).count();
    Rate::of(failed as u64, has_template.len() as u64)
}

/// Templates from a file of features: a row for each image, whose sample `of` tells.
fn from_rows(path: &Path, of: &[usize]) -> Result<Vec<Option<Template>>> {
    let refuse = |what: String| Trouble::BadInput(format!("{}: {what}", path.display()));
    let file = open_regular(path).with_context(|| path.display().to_string())?;
    let features = Features::read(file, MAX_REFERENCE_BYTES).map_err(|error| refuse(error.to_string()))?;
    if features.rows() != of.len() {
        return Err(refuse(format!("{} rows, and --bin has {} images", features.rows(), of.len())).into());
    }
    let mut templates: Vec<Option<Template>> = Vec::new();
    for (row, sample) in of.iter().enumerate() {
        let template = Template::new(ModelId::new([0; 16]), features.row(row));
        let template = template.map_err(|error| refuse(format!("row {row}: {error}")))?;
        match templates.get(*sample).and_then(Option::as_ref) {
            None => templates.push(Some(template)),
            Some(first) if first.score(&template)?.0 >= ONE_IMAGE => {}
            Some(_) => {
                let what = format!("row {row} differs from an earlier one of the same image");
                return Err(refuse(what).into());
            }
        }
    }
    Ok(templates)
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
    if nobodys.len() == set.subjects.len() {
        let text =
            format!("--groups names nobody of the set, such as {}", nobodys.first().map_or("", |name| name));
        return Err(Trouble::BadInput(text).into());
    }
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

    #[test]
    fn a_frame_without_a_face_is_counted_though_its_video_has_a_template() {
        let face = Some(Template::new(ModelId::new([1; 16]), &[1.0, 0.0]).unwrap());
        let frames = [face.clone(), None, None];
        assert_eq!(acquired(&frames), (2, 3));
        assert_eq!(pool(&frames, &[vec![0, 1], vec![2]]).unwrap(), [face, None]);
    }

    #[test]
    fn a_photo_without_a_face_counts_as_a_miss() {
        let template = Some(Template::new(ModelId::new([1; 16]), &[1.0, 0.0]).unwrap());
        let templates = [template, None];
        let pairs = [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 1, same: false }];
        assert_eq!(chosen(&templates, &pairs).unwrap().1, 0.5);
        assert_eq!(score(&templates[0], &templates[1]).unwrap(), NEVER);
    }
}
