//! IJB-B and IJB-C 1:N: the end-to-end protocol with mixed probes, each searched in both galleries; and in the same run
//! the figures as insightface's ijb_1n.py has them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use arcdoor_calib::{Share, Verification, most_accepted};

use crate::eval::counted::sha256;
use crate::eval::ijb::NEVER;
use crate::eval::ijb_lists::{Lists, Target};
use crate::eval::ijb_templates::{Pooling, Templates};
use crate::eval::out;
use crate::eval::report::at_far::{AtFar, key};
use crate::eval::report::curves::{Cmc, Curves};
use crate::eval::report::identification::Identification;
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Noted, Report};
use crate::eval::report::run::Run;
use crate::eval::report::table::Table;
use crate::trouble::Trouble;

/// False positive identification rates.
const FPIRS: [f64; 5] = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1];
const RANKS: [u32; 4] = [1, 5, 10, 20];
/// Ranks of the drawn curve.
const DRAWN: usize = 50;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which set
    #[arg(long, value_enum)]
    target: Target,
    #[command(flatten)]
    pooling: Pooling,
    /// The features are generated: the report says so
    #[arg(long)]
    generated: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// One search: whose, the mate's score and rank where there is a mate, and the highest score of anybody else.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Search {
    subject: u32,
    mate: Option<(f64, usize)>,
    other: f64,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let began = Instant::now();
    let lists = Lists { dir: &args.pooling.meta, target: args.target };
    let templates = args.pooling.templates(&lists)?;
    let (galleries, probes) = (lists.galleries()?, lists.probes()?);
    let (mut identification, mut cmc) = (Vec::new(), Vec::new());
    for (name, gallery) in &galleries {
        let searches = search(&templates, gallery, &probes)?;
        let name = format!("{} {name}", args.target.title());
        cmc.push(Cmc { name: name.clone(), shares: shares(&searches) });
        identification.push(measure(name, gallery.len(), &searches));
    }
    let mut both = galleries[0].1.clone();
    for (template, subject) in &galleries[1].1 {
        let before = both.insert(*template, *subject).unwrap_or(*subject);
        if before != *subject {
            let text = format!(
                "template {template} is of subject {before} in one gallery and of {subject} in the other"
            );
            return Err(Trouble::BadInput(text).into());
        }
    }
    let searches = search(&templates, &both, &probes)?;
    let table = as_insightface(&templates, &both, &probes, &searches);
    identification.push(measure(format!("{} both", args.target.title()), both.len(), &searches));
    let sum = |of: fn(&Identification) -> u64| identification.iter().take(2).map(of).sum();
    let without = |all: &HashMap<u32, u32>| {
        all.keys().filter(|template| !templates.values.contains_key(template)).count() as u64
    };
    let (missing, lost) = (without(&probes), without(&both));
    let searched = lists.searched();
    let hashed: Vec<&str> =
        args.pooling.lists().into_iter().chain(searched.iter().map(String::as_str)).collect();
    let data = Data {
        name: format!("{} 1:N, mixed probes", args.target.title()),
        sha256: sha256(&args.pooling.features)?,
        lists: lists.hashes(&hashed)?,
        media: templates.images as u64,
        subjects: Some(both.len() as u64),
        genuine: sum(|search| search.mated),
        impostors: sum(|search| search.non_mated),
        is_generated: args.generated,
    };
    let fta = Rate::of(missing, probes.len() as u64);
    let noted = |what: &str, count| Noted { what: what.to_owned(), count, such_as: Vec::new() };
    let noted = [
        noted("probes without an image: they find nobody", missing),
        noted("templates of the galleries without an image: nobody finds them", lost),
    ];
    let report = Report {
        identification,
        fte: Some(Rate::of(lost, both.len() as u64)),
        tables: vec![table],
        noted: noted.into_iter().filter(|noted| noted.count > 0).collect(),
        limits: vec![
            args.pooling.describe(),
            "A probe is searched in each gallery; where its subject is in the other one, nobody may be found. A miss is a \
             mate below the threshold, whatever its rank. Intervals are over subjects, with the threshold held."
                .to_owned(),
        ],
        ..Report::new("ijb-1n", data, fta, Run::of(began.elapsed().as_secs_f64(), 1))
    };
    out::write(&args.out, report, &Curves { cmc, ..Curves::default() })
}

/// Every probe in a gallery of templates by their subjects.
fn search(
    templates: &Templates,
    gallery: &HashMap<u32, u32>,
    probes: &HashMap<u32, u32>,
) -> Result<Vec<Search>> {
    let mut subjects: HashMap<u32, u32> = HashMap::new();
    for (template, subject) in gallery {
        if let Some(other) = subjects.insert(*subject, *template) {
            let text = format!("subject {subject} is enrolled twice, by templates {template} and {other}");
            return Err(Trouble::BadInput(text).into());
        }
    }
    let mut sorted: Vec<(&u32, &u32)> = probes.iter().collect();
    sorted.sort_unstable();
    let searches = sorted.into_iter().map(|(probe, subject)| {
        let mate = subjects.get(subject).copied();
        let score = |template: u32| templates.score(*probe, template).unwrap_or(f64::NEG_INFINITY);
        let of_mate = mate.map(score);
        let others =
            gallery.keys().filter(|template| Some(**template) != mate).map(|template| score(*template));
        let (mut ahead, mut other) = (0, f64::NEG_INFINITY);
        for score in others {
            // Who scores as high as the mate stands before it.
            ahead += usize::from(of_mate.is_some_and(|mate| score >= mate));
            other = other.max(score);
        }
        Search { subject: *subject, mate: of_mate.map(|score| (score, ahead + 1)), other }
    });
    Ok(searches.collect())
}

fn mated(searches: &[Search]) -> impl Iterator<Item = (u32, f64, usize)> {
    searches.iter().filter_map(|search| search.mate.map(|(score, rank)| (search.subject, score, rank)))
}

fn by_subject(searches: &[Search], is_hit: impl Fn(f64, usize) -> bool) -> Rate {
    let mut numbers = HashMap::new();
    let trials: Vec<(usize, bool)> = mated(searches)
        .map(|(subject, score, rank)| {
            let next = numbers.len();
            (*numbers.entry(subject).or_insert(next), is_hit(score, rank))
        })
        .collect();
    let hits = trials.iter().filter(|trial| trial.1).count() as u64;
    let counts = (hits, trials.len() as u64);
    Rate::from_share(Share::by_person(numbers.len(), trials), counts, Over::Subjects)
}

fn measure(name: String, gallery: usize, searches: &[Search]) -> Identification {
    let mut strangers: Vec<f64> =
        searches.iter().filter(|search| search.mate.is_none()).map(|search| search.other).collect();
    strangers.sort_unstable_by(|a, b| b.total_cmp(a));
    let non_mated = strangers.len() as u64;
    let fnir = |fpir: f64| {
        if non_mated < Verification::needed(fpir) {
            return AtFar::not_supported(non_mated, Verification::needed(fpir));
        }
        // The first that must not be found; whoever scores as high as it stays out, too. Where strangers without an
        // image remain alone, it lies below every score.
        let refused =
            strangers.get(most_accepted(fpir, non_mated) as usize).copied().unwrap_or(NEVER).max(NEVER);
        let found = strangers.iter().filter(|score| **score > refused).count() as u64;
        AtFar::Counted {
            rate: by_subject(searches, |score, _| score <= refused),
            threshold: refused.next_up(),
            far: Rate::of(found, non_mated),
        }
    };
    Identification {
        name,
        gallery: gallery as u64,
        mated: mated(searches).count() as u64,
        non_mated,
        rank: RANKS
            .map(|rank| {
                (rank, by_subject(searches, |score, found| found <= rank as usize && score.is_finite()))
            })
            .into(),
        fnir_at_fpir: FPIRS.map(|fpir| (key(fpir), fnir(fpir))).into(),
    }
}

/// Mates within a rank; who has no image has none.
fn found(searches: &[Search], rank: usize) -> usize {
    mated(searches).filter(|(_, score, found)| score.is_finite() && *found <= rank).count()
}

/// The share of mated searches whose mate is among the first 1, 2, 3, ...
fn shares(searches: &[Search]) -> Vec<f64> {
    let total = mated(searches).count().max(1) as f64;
    let within = |rank: usize| found(searches, rank) as f64 / total;
    (1..=DRAWN).map(within).collect()
}

/// What ijb_1n.py prints: both galleries as one, so that every probe has a mate and nobody is a stranger; its false
/// positives are the highest comparisons with others, as many of them as that share of the probes.
fn as_insightface(
    templates: &Templates,
    gallery: &HashMap<u32, u32>,
    probes: &HashMap<u32, u32>,
    searches: &[Search],
) -> Table {
    let wanted = |far: f64| (probes.len() as f64 * far).ceil() as usize;
    let mut highest: Vec<f64> = Vec::new();
    for (probe, subject) in probes {
        for (template, other) in gallery {
            if subject != other {
                highest.extend(templates.score(*probe, *template));
            }
        }
        // Those beyond the most that are asked for are never looked at.
        if highest.len() > 4 * wanted(0.1) + gallery.len() {
            cut(&mut highest, wanted(0.1));
        }
    }
    cut(&mut highest, wanted(0.1));
    let total = probes.len().max(1) as f64;
    let top = |rank: usize| found(searches, rank) as f64 / total;
    let mut rows: Vec<Vec<String>> = [1, 5, 10]
        .map(|rank| vec![format!("top{rank}"), format!("{:.8}", top(rank)), String::new()])
        .to_vec();
    for far in [0.01, 0.1] {
        let Some(threshold) = wanted(far).checked_sub(1).and_then(|at| highest.get(at)) else { continue };
        let found = mated(searches).filter(|(_, score, _)| score > threshold).count() as f64 / total;
        rows.push(vec![format!("far {far}"), format!("{found:.8}"), format!("{threshold:.8}")]);
    }
    Table {
        title: "As ijb_1n.py prints it".to_owned(),
        note: "Both galleries are one, every probe has its mate there, and a false positive is a comparison, not a search: \
               this is no open set. The figures above search each gallery, and strangers in it."
            .to_owned(),
        head: ["", "share", "threshold"].map(str::to_owned).to_vec(),
        rows,
    }
}

/// The `most` highest, highest first.
fn cut(scores: &mut Vec<f64>, most: usize) {
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    scores.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(values: &[(u32, [f64; 2])]) -> Templates {
        let values = values.iter().map(|(number, value)| (*number, value.to_vec())).collect();
        Templates { values, images: 0 }
    }

    #[test]
    fn mates_are_ranked_strangers_found_and_ties_count_against_us() {
        let all = templates(&[
            (1, [1.0, 0.0]),
            (2, [0.6, 0.8]),
            (11, [0.8, 0.6]),
            (12, [0.6, 0.8]),
            (13, [1.0, 0.0]),
        ]);
        let gallery = HashMap::from([(1, 100), (2, 200)]);
        // 11 is of subject 100 but nearer to 200; 12 of 200; 13 of nobody; 14 has no image.
        let probes = HashMap::from([(11, 100), (12, 200), (13, 300), (14, 100)]);
        let searches = search(&all, &gallery, &probes).unwrap();
        assert_eq!(shares(&searches)[1], 2.0 / 3.0, "who has no image has no rank");
        let found = measure("x".to_owned(), 2, &searches);
        assert_eq!((found.mated, found.non_mated), (3, 1));
        assert_eq!((found.rank[&1].hits, found.rank[&1].total), (1, 3));
        assert_eq!(found.rank[&5].hits, 2, "who has no image is never found");
        assert!(matches!(found.fnir_at_fpir["1e-1"], AtFar::NotSupported { .. }));
        let tie = templates(&[(1, [1.0, 0.0]), (2, [1.0, 0.0]), (11, [1.0, 0.0])]);
        let searches = search(&tie, &gallery, &HashMap::from([(11, 100)])).unwrap();
        assert_eq!(searches[0].mate, Some((1.0, 2)));
        let twice = HashMap::from([(1, 100), (2, 100)]);
        assert!(search(&all, &twice, &probes).is_err());
    }

    #[test]
    fn no_more_strangers_are_found_than_the_rate_allows() {
        let search = |mate, other| Search { subject: 0, mate, other };
        let mut searches: Vec<Search> = (0..1000).map(|i| search(None, f64::from(i) / 1000.0)).collect();
        searches.extend([search(Some((0.9985, 1)), 0.0), search(Some((0.5, 1)), 0.0)]);
        let found = measure("x".to_owned(), 10, &searches);
        let AtFar::Counted { rate, far, .. } = &found.fnir_at_fpir["1e-3"] else { panic!() };
        assert_eq!((far.hits, rate.hits, rate.total), (1, 1, 2));
    }
}
