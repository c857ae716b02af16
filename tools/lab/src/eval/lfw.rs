//! Verification on Labelled Faces in the Wild by the whole path: detect, landmarks, align, embed.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use arcdoor_core::Template;
use arcdoor_models::Pack;
use serde::Serialize;

use crate::eval::det;
use crate::eval::set::lfw;
use crate::eval::set::people;
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::{NEVER, PathArgs, score};
use crate::say::say_on;
use arcdoor_calib::{Share, best_threshold, threshold_at_fmr};

const FMRS: [f64; 4] = [1e-3, 1e-4, 1e-5, 1e-6];
/// The highest impostor pairs that the report names, so that mislabels can be looked at.
const NAMED: usize = 30;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The pairs to report on, such as pairsDevTest.txt
    #[arg(long, value_name = "FILE")]
    pairs: PathBuf,
    /// The pairs to choose the threshold on [default: pairsDevTrain.txt beside --pairs]
    #[arg(long, value_name = "FILE")]
    choose: Option<PathBuf>,
    /// Suspected mislabels among the impostor pairs; the figures are printed without them, too
    #[arg(long, value_name = "FILE")]
    suspects: Option<PathBuf>,
    /// The suspects' score from which on they are left out
    #[arg(long, default_value_t = 0.6)]
    suspects_above: f32,
    /// Where scores.json, report.md and det.svg go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// What scores.json holds.
#[derive(Serialize)]
struct Report {
    pack: String,
    model_id: String,
    detector: &'static str,
    photos: usize,
    people: usize,
    failures_to_acquire: Vec<String>,
    seconds: f64,
    threads: usize,
    chosen_threshold: f32,
    chosen_accuracy: f64,
    accuracy: Share,
    genuine: usize,
    impostors: usize,
    all_pairs: Vec<Operating>,
    without_suspects: Option<Vec<Operating>>,
    suspects_left_out: usize,
    highest_impostors: Vec<(String, String, f32)>,
    pair_scores: Vec<(String, String, bool, f32)>,
    genuine_scores: Vec<f32>,
}

/// What one false match rate costs. LFW's own results call these rates of comparisons FAR and TAR.
#[derive(Serialize)]
struct Operating {
    fmr: f64,
    threshold: f32,
    /// True match rate: the interval is over people, with the threshold held.
    tmr: Share,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let pack = args.path.open_pack()?;
    let set = people::read(&args.images)?;
    let choose = args.choose.clone().unwrap_or_else(|| args.pairs.with_file_name("pairsDevTrain.txt"));
    let (choose, pairs) = (lfw::pairs(&set, &choose)?, lfw::pairs(&set, &args.pairs)?);
    let suspects = match &args.suspects {
        Some(list) => Some(lfw::suspects(&set, list, args.suspects_above)?),
        None => None,
    };
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;

    let began = Instant::now();
    let templates = args.path.templates(&pack, &set)?;
    let seconds = began.elapsed().as_secs_f64();
    let report = measure(&args, &pack, &set, &templates, (&choose, &pairs), suspects.as_ref(), seconds)?;
    let text = markdown(&report);
    say_on!("{text}")?;
    fs::write(args.out.join("report.md"), &text)?;
    fs::write(args.out.join("scores.json"), serde_json::to_vec(&report)?)?;
    eprintln!("written: report.md, scores.json, det.svg in {}", args.out.display());
    Ok(())
}

fn measure(
    args: &Args,
    pack: &Pack,
    set: &Set,
    templates: &[Option<Template>],
    (choose, pairs): (&[Pair], &[Pair]),
    suspects: Option<&HashSet<(usize, usize)>>,
    seconds: f64,
) -> Result<Report> {
    let (chosen_threshold, chosen_accuracy) = chosen(templates, choose)?;
    let name = |index: usize| set.samples[index].name.clone();
    let (mut right, mut pair_scores) = (0, Vec::new());
    for pair in pairs {
        let score = score(&templates[pair.a], &templates[pair.b])?;
        right += usize::from((score >= chosen_threshold) == pair.same);
        pair_scores.push((name(pair.a), name(pair.b), pair.same, score));
    }
    let mut all = AllPairs::of(set, templates, suspects)?;
    let (genuine, impostors) = (all.genuine.len(), all.impostors.len() + all.suspects.len());
    let without_suspects = suspects.map(|_| all.operating());
    let suspects_left_out = all.suspects.len();
    all.take_suspects_in();
    let mut genuine_scores: Vec<f32> = all.genuine.iter().map(|(_, score)| *score).collect();
    genuine_scores.sort_by(|a, b| b.total_cmp(a));
    let title = format!("LFW, all pairs: {} with {}", pack.name(), args.path.detector.name());
    fs::write(args.out.join("det.svg"), det::svg(&title, &genuine_scores, &all.impostors))?;
    Ok(Report {
        pack: pack.name().to_owned(),
        model_id: pack.model_id().to_string(),
        detector: args.path.detector.name(),
        photos: set.samples.len(),
        people: set.subjects.len(),
        failures_to_acquire: (0..templates.len()).filter(|i| templates[*i].is_none()).map(name).collect(),
        seconds,
        threads: args.path.threads,
        chosen_threshold,
        chosen_accuracy,
        accuracy: Share::of(right, pairs.len()),
        genuine,
        impostors,
        all_pairs: all.operating(),
        without_suspects,
        suspects_left_out,
        highest_impostors: all.highest.iter().map(|(score, a, b)| (name(*a), name(*b), *score)).collect(),
        pair_scores,
        genuine_scores,
    })
}

/// The threshold that decides most of `pairs` right, and the share it does.
fn chosen(templates: &[Option<Template>], pairs: &[Pair]) -> Result<(f32, f64)> {
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

/// The scores of every photo against every other.
struct AllPairs {
    people: usize,
    /// (person, score)
    genuine: Vec<(usize, f32)>,
    /// Highest first; without the suspects until they are taken in.
    impostors: Vec<f32>,
    suspects: Vec<f32>,
    /// The highest impostors, suspects among them.
    highest: Vec<(f32, usize, usize)>,
}

impl AllPairs {
    fn of(
        set: &Set,
        templates: &[Option<Template>],
        suspects: Option<&HashSet<(usize, usize)>>,
    ) -> Result<Self> {
        let count = templates.len();
        let (mut genuine, mut left_out) = (Vec::new(), Vec::new());
        let mut impostors = Vec::with_capacity(count * count.saturating_sub(1) / 2);
        let mut highest: Vec<(f32, usize, usize)> = Vec::new();
        for a in 0..count {
            for b in a + 1..count {
                let score = score(&templates[a], &templates[b])?;
                if let Some(subject) = set.same(a, b) {
                    genuine.push((subject, score));
                    continue;
                }
                if highest.len() < NAMED || highest.last().is_some_and(|last| score > last.0) {
                    let place = highest.partition_point(|other| other.0 >= score);
                    highest.insert(place, (score, a, b));
                    highest.truncate(NAMED);
                }
                let suspect = suspects.is_some_and(|suspects| suspects.contains(&(a, b)));
                if suspect { left_out.push(score) } else { impostors.push(score) }
            }
        }
        ensure!(!genuine.is_empty() && !impostors.is_empty(), "no pairs of one kind among the photos");
        impostors.sort_unstable_by(|a, b| b.total_cmp(a));
        Ok(Self { people: set.subjects.len(), genuine, impostors, suspects: left_out, highest })
    }

    fn take_suspects_in(&mut self) {
        self.impostors.append(&mut self.suspects);
        self.impostors.sort_unstable_by(|a, b| b.total_cmp(a));
    }

    fn operating(&self) -> Vec<Operating> {
        let at = |fmr: &f64| {
            let threshold = threshold_at_fmr(&self.impostors, *fmr);
            let trials = self.genuine.iter().map(|(person, score)| (*person, *score >= threshold));
            Operating { fmr: *fmr, threshold, tmr: Share::by_person(self.people, trials) }
        };
        FMRS.iter().map(at).collect()
    }
}

fn markdown(report: &Report) -> String {
    let mut out = format!(
        "# LFW: {} with {}\n\n{} photos of {} people; failures to acquire: {} (they stay in every denominator); \
         {:.0} s on {} threads, {:.1} photos/s.\n\n\
         Threshold {:.3}, chosen on other pairs ({:.2} % right there): **accuracy {}** on {} pairs.\n\n\
         All pairs, {} genuine and {} impostor (95 % intervals over people, threshold held):\n\n",
        report.pack,
        report.detector,
        report.photos,
        report.people,
        report.failures_to_acquire.len(),
        report.seconds,
        report.threads,
        report.photos as f64 / report.seconds,
        report.chosen_threshold,
        100.0 * report.chosen_accuracy,
        report.accuracy.percent(),
        report.pair_scores.len(),
        report.genuine,
        report.impostors,
    );
    table(&mut out, &report.all_pairs);
    if let Some(rows) = &report.without_suspects {
        let _ = write!(out, "\nWithout {} pairs that look like mislabels:\n\n", report.suspects_left_out);
        table(&mut out, rows);
    }
    if !report.failures_to_acquire.is_empty() {
        let _ = writeln!(out, "\nNo face with landmarks in: {}", report.failures_to_acquire.join(", "));
    }
    out
}

fn table(out: &mut String, rows: &[Operating]) {
    out.push_str("| FMR | threshold | TMR |\n|---|---|---|\n");
    for row in rows {
        let _ = writeln!(out, "| {:e} | {:.3} | {} |", row.fmr, row.threshold, row.tmr.percent());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::set::set::{Medium, Sample};
    use arcdoor_core::ModelId;

    fn template(values: &[f32]) -> Option<Template> {
        Some(Template::new(ModelId::new([1; 16]), values).unwrap())
    }

    #[test]
    fn a_photo_without_a_face_counts_as_a_miss() {
        let templates = [template(&[1.0, 0.0]), None];
        let pairs = [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 1, same: false }];
        assert_eq!(chosen(&templates, &pairs).unwrap().1, 0.5);
        assert_eq!(score(&templates[0], &templates[1]).unwrap(), NEVER);
    }

    #[test]
    fn suspects_leave_the_impostors_and_come_back() {
        let people = [0, 0, 1, 2];
        let sample = |person: usize| Sample {
            name: String::new(),
            medium: Medium::Crop(Vec::new()),
            subject: Some(person),
            face: None,
        };
        let set = Set { samples: people.map(sample).to_vec(), subjects: vec![String::new(); 3] };
        let templates =
            [template(&[1.0, 0.0]), template(&[1.0, 0.1]), template(&[0.9, 0.2]), template(&[0.0, 1.0])];
        let suspects = HashSet::from([(0, 2)]);
        let mut all = AllPairs::of(&set, &templates, Some(&suspects)).unwrap();
        assert_eq!((all.genuine.len(), all.impostors.len(), all.suspects.len()), (1, 4, 1));
        all.take_suspects_in();
        assert_eq!(all.impostors.len(), 5);
        assert!(all.impostors.windows(2).all(|pair| pair[0] >= pair[1]));
    }
}
