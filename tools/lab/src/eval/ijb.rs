//! IJB-B and IJB-C 1:1: templates of several media, in the pairs of a list; and in the same run the figures as
//! insightface's ijb_11.py has them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use arcdoor_calib::{Comparison, Verification};

use crate::eval::counted::sha256;
use crate::eval::ijb_lists::{Lists, Target, TemplatePair};
use crate::eval::ijb_templates::{Pooling, Templates};
use crate::eval::out;
use crate::eval::report::at_far::key;
use crate::eval::report::curves::Curves;
use crate::eval::report::pair_figures;
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Noted, Report};
use crate::eval::report::run::Run;
use crate::eval::report::table::Table;
use crate::eval::set::templates;
use crate::trouble::Trouble;

/// The false accept rates of the field's tables of IJB.
pub(crate) const FARS: [f64; 6] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) pooling: Pooling,
    /// The features are generated: the report says so
    #[arg(long)]
    pub(crate) generated: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

pub(crate) fn run(target: Target, args: &Args) -> Result<()> {
    let began = Instant::now();
    let lists = Lists { dir: &args.pooling.meta, target };
    let templates = args.pooling.templates(&lists)?;
    let pairs = lists.pairs()?;
    let scored = Scored::of(&templates, &pairs)?;
    let verification = scored.verification();
    let (tar_at_far, eer) = pair_figures::operating(&verification, Over::Subjects);
    let mut hashed = args.pooling.lists();
    hashed.push("template_pair_label.txt");
    let data = Data {
        name: format!("{} 1:1", target.title()),
        sha256: sha256(&args.pooling.features)?,
        lists: lists.hashes(&hashed)?,
        media: templates.images as u64,
        subjects: Some(scored.people as u64),
        genuine: verification.genuine() as u64,
        impostors: verification.impostors() as u64,
        is_generated: args.generated,
    };
    let fta = Rate::of(scored.missing.len() as u64, (templates.values.len() + scored.missing.len()) as u64);
    let report = Report {
        tar_at_far,
        eer,
        tables: vec![nearest(&scored)],
        noted: scored.noted(),
        limits: vec![
            args.pooling.describe(),
            "Intervals are by resampling subjects; two templates are of one subject where genuine \
             pairs join them."
                .to_owned(),
        ],
        ..Report::new(target.name(), data, fta, Run::of(began.elapsed().as_secs_f64(), 1))
    };
    let scores = scored.pairs.iter().map(|pair| (pair.0 as f32, pair.1));
    let curves = Curves {
        operating: vec![pair_figures::curve(target.title(), &verification)],
        histograms: vec![pair_figures::histogram(target.title(), scores)],
        cmc: Vec::new(),
    };
    out::write(&args.out, report, &curves)
}

/// What stands for the score of a template that is not there: never accepted, always counted.
pub(crate) const NEVER: f64 = templates::NEVER as f64;

/// Pairs with their scores, in f64.
struct Scored {
    /// Score, same, and the subjects of both.
    pairs: Vec<(f64, bool, [u32; 2])>,
    people: usize,
    /// Templates of the list of pairs without an image.
    missing: Vec<u32>,
    repeated: u64,
}

impl Scored {
    /// # Errors
    /// When a pair is of two subjects and others, or the pair itself, make one of them: one such impostor that scores
    /// 1 would be the threshold of the lowest rates.
    fn of(templates: &Templates, pairs: &[TemplatePair]) -> Result<Self> {
        let subjects = subjects(pairs);
        let of_one = |pair: &TemplatePair| subjects[&pair.one] == subjects[&pair.two];
        if let Some(at) = pairs.iter().position(|pair| !pair.same && of_one(pair)) {
            let text = format!(
                "template_pair_label.txt: line {}: a pair of two subjects, and by the other lines of one",
                at + 1
            );
            return Err(Trouble::BadInput(text).into());
        }
        let people = subjects.values().map(|subject| *subject as usize + 1).max().unwrap_or(0);
        let mut missing: Vec<u32> =
            subjects.keys().filter(|template| !templates.values.contains_key(template)).copied().collect();
        missing.sort_unstable();
        let score = |pair: &TemplatePair| {
            let score = templates.score(pair.one, pair.two).unwrap_or(NEVER);
            (score, pair.same, [subjects[&pair.one], subjects[&pair.two]])
        };
        Ok(Self { pairs: pairs.iter().map(score).collect(), people, missing, repeated: repeated(pairs) })
    }

    fn verification(&self) -> Verification {
        let genuine: Vec<(u32, f32)> =
            self.pairs.iter().filter(|pair| pair.1).map(|pair| (pair.2[0], pair.0 as f32)).collect();
        let impostors = self.pairs.iter().filter(|pair| !pair.1);
        let impostors = impostors.map(|pair| Comparison { score: pair.0 as f32, people: pair.2 }).collect();
        Verification::new(&genuine, impostors, self.people)
    }

    fn noted(&self) -> Vec<Noted> {
        let missing = Noted {
            what: "templates of pairs without an image: their pairs are never accepted".to_owned(),
            count: self.missing.len() as u64,
            such_as: self.missing.iter().take(5).map(u32::to_string).collect(),
        };
        let repeated = Noted {
            what: "pairs that came before, in either order, or of a template with itself".to_owned(),
            count: self.repeated,
            such_as: Vec::new(),
        };
        [missing, repeated].into_iter().filter(|noted| noted.count > 0).collect()
    }
}

/// How many pairs came before or are of one template.
fn repeated(pairs: &[TemplatePair]) -> u64 {
    let mut all: Vec<_> = pairs.iter().map(|pair| (pair.one.min(pair.two), pair.one.max(pair.two))).collect();
    all.sort_unstable();
    let of_one = all.iter().filter(|pair| pair.0 == pair.1).count();
    let again = all.windows(2).filter(|two| two[0] == two[1] && two[0].0 != two[0].1).count();
    (of_one + again) as u64
}

/// Each template's subject: those that genuine pairs join.
fn subjects(pairs: &[TemplatePair]) -> HashMap<u32, u32> {
    let mut parent: HashMap<u32, u32> = HashMap::new();
    fn root(parent: &mut HashMap<u32, u32>, of: u32) -> u32 {
        let mut at = of;
        while let Some(up) = parent.get(&at).copied().filter(|up| *up != at) {
            at = up;
        }
        parent.insert(of, at);
        at
    }
    for pair in pairs {
        let (one, two) = (root(&mut parent, pair.one), root(&mut parent, pair.two));
        if pair.same {
            parent.insert(one.max(two), one.min(two));
        }
    }
    let mut templates: Vec<u32> = parent.keys().copied().collect();
    templates.sort_unstable();
    let mut numbers = HashMap::new();
    let number = |template: u32| {
        let root = root(&mut parent, template);
        let next = numbers.len() as u32;
        (template, *numbers.entry(root).or_insert(next))
    };
    templates.into_iter().map(number).collect()
}

/// What ijb_11.py prints: at each rate the true accepts at the point of the ROC whose false accept rate is nearest, which
/// may lie above the rate.
fn nearest(scored: &Scored) -> Table {
    let mut sorted: Vec<(f64, bool)> = scored.pairs.iter().map(|pair| (pair.0, pair.1)).collect();
    sorted.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let genuine = sorted.iter().filter(|pair| pair.1).count();
    let impostors = sorted.len() - genuine;
    // (false accepts, true accepts) at each score.
    let mut points: Vec<(usize, usize)> = Vec::new();
    let (mut false_accepts, mut true_accepts) = (0, 0);
    for (at, (score, same)) in sorted.iter().enumerate() {
        if *same {
            true_accepts += 1
        } else {
            false_accepts += 1
        }
        if sorted.get(at + 1).is_none_or(|next| next.0 < *score) {
            points.push((false_accepts, true_accepts));
        }
    }
    // Points on a straight line between their neighbours are left out, as roc_curve leaves them out.
    let is_corner = |at: usize| match (at.checked_sub(1).and_then(|at| points.get(at)), points.get(at + 1)) {
        (Some(before), Some(after)) => {
            let here = points[at];
            2 * here.0 != before.0 + after.0 || 2 * here.1 != before.1 + after.1
        }
        _ => true,
    };
    let mut kept = vec![(0, 0)];
    kept.extend((0..points.len()).filter(|at| is_corner(*at)).map(|at| points[at]));
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let rows = FARS.iter().rev().map(|far| {
        let off = |point: &(usize, usize)| (share(point.0, impostors) - far).abs();
        // Of equally near ones, that with the most accepts: theirs are turned round, and the first is taken.
        let best = kept.iter().rev().min_by(|a, b| off(a).total_cmp(&off(b))).copied().unwrap_or((0, 0));
        vec![key(*far), format!("{:.8}", share(best.1, genuine)), format!("{:.3e}", share(best.0, impostors))]
    });
    Table {
        title: "As ijb_11.py prints it".to_owned(),
        note: "It takes the point of the ROC whose false accept rate is nearest to the one asked for, be it higher: \
               beside few impostors it claims more than they support. The figures above take none that is higher."
            .to_owned(),
        head: ["FAR asked for", "TAR", "FAR of it"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_genuine_pairs_join_are_of_one_subject() {
        let pair = |one, two, same| TemplatePair { one, two, same };
        let found = subjects(&[pair(9, 5, true), pair(5, 2, true), pair(7, 9, false), pair(3, 7, true)]);
        let same = |a: u32, b: u32| found[&a] == found[&b];
        assert!(same(9, 2) && same(3, 7) && !same(2, 3));
        assert_eq!(found.values().max(), Some(&1));
    }

    #[test]
    fn pairs_that_come_twice_are_counted() {
        let pair = |one, two, same| TemplatePair { one, two, same };
        let list = [
            pair(1, 2, true),
            pair(2, 1, true),
            pair(5, 5, true),
            pair(5, 5, true),
            pair(1, 3, false),
            pair(1, 3, false),
        ];
        assert_eq!(repeated(&list), 4);
    }

    #[test]
    fn an_impostor_of_one_subject_is_refused_by_its_line() {
        let pair = |one, two, same| TemplatePair { one, two, same };
        let templates = Templates { values: std::collections::BTreeMap::new(), images: 0 };
        let refused =
            |pairs: &[TemplatePair]| Scored::of(&templates, pairs).err().map(|error| error.to_string());
        let sound = [pair(1, 2, true), pair(2, 3, true), pair(1, 4, false), pair(5, 5, true)];
        assert_eq!(refused(&sound), None);
        for (pairs, line) in [
            // The same pair both ways; a template and itself; two that a third joins, wherever it is said.
            (vec![pair(1, 2, true), pair(4, 5, true), pair(2, 1, false)], "line 3:"),
            (vec![pair(1, 2, true), pair(5, 5, false)], "line 2:"),
            (vec![pair(1, 2, true), pair(2, 3, true), pair(1, 3, false)], "line 3:"),
            (vec![pair(1, 3, false), pair(1, 2, true), pair(2, 3, true)], "line 1:"),
        ] {
            let text = refused(&pairs).unwrap();
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn the_nearest_point_may_lie_above_the_rate_and_ours_does_not() {
        // Two impostors: at FAR 0.1 the nearest point accepts none; one that accepts one is 0.5.
        let pairs =
            vec![(0.9, true, [0, 0]), (0.8, false, [0, 1]), (0.7, true, [1, 1]), (0.6, false, [0, 1])];
        let scored = Scored { pairs, people: 2, missing: vec![], repeated: 0 };
        let table = nearest(&scored);
        let row = table.rows.iter().find(|row| row[0] == "1e-1").unwrap();
        assert_eq!(row[1..], ["0.50000000".to_owned(), "0.000e0".to_owned()]);
        let (ours, _) = pair_figures::operating(&scored.verification(), Over::Subjects);
        assert!(matches!(ours["1e-1"], crate::eval::report::at_far::AtFar::NotSupported { .. }));
    }
}
