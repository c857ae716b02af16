//! MegaFace, challenge 1, as its devkit defines it. Identification: every two photos of one person, in either order, are
//! a probe and its mate among the distractors; the mate's rank is one more than the distractors that score as high. And
//! verification: those pairs against every probe with every distractor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use arcdoor_calib::{LabelList, Share};

use crate::eval::counted::{self, FARS, HELD};
use crate::eval::megaface_set::{FeatureFiles, Listed};
use crate::eval::out;
use crate::eval::report::at_far::ByFar;
use crate::eval::report::curves::{Cmc, Curves};
use crate::eval::report::identification::Identification;
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Eer, Noted, Report};
use crate::eval::report::run::Run;
use crate::verify::block::Block;
use crate::verify::grid::{AFFINE, Step, bin};
use crate::verify::rows::Rows;
use crate::verify::task::Task;
use crate::verify::{Partial, Settings, run as count};

/// Ranks that are told apart; whoever stands further behind is a miss.
const RANKS: usize = 100;
const TOLD: [u32; 4] = [1, 10, 50, 100];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder of the probes' features, such as feature_out/facescrub
    #[arg(long, value_name = "DIR")]
    probes: PathBuf,
    /// The probes: facescrub_lst, or the devkit's facescrub_features_list.json
    #[arg(long, value_name = "FILE")]
    probe_list: PathBuf,
    /// The folder of the distractors' features, such as feature_out/megaface
    #[arg(long, value_name = "DIR")]
    distractors: PathBuf,
    /// The distractors: megaface_lst, or the devkit's list
    #[arg(long, value_name = "FILE")]
    distractor_list: PathBuf,
    /// What follows a photo's name in its feature's
    #[arg(long, value_name = "TEXT", default_value = ".bin")]
    ending: String,
    /// The refined list: probes that are left out, facescrub_noises.txt
    #[arg(long, value_name = "FILE")]
    probe_noise: Option<PathBuf>,
    /// The refined list: distractors that are left out, megaface_noises.txt
    #[arg(long, value_name = "FILE")]
    distractor_noise: Option<PathBuf>,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
    /// The features are generated: the report says so
    #[arg(long)]
    generated: bool,
    /// Where the report goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let began = Instant::now();
    let probes = Listed::read(&args.probe_list, args.probe_noise.as_deref(), 1)?;
    let distractors = Listed::read(&args.distractor_list, args.distractor_noise.as_deref(), 3)?;
    let people = probes.people()?;
    let left = FeatureFiles::open(&args.probes, &probes.names, &args.ending)?;
    let right = FeatureFiles::open(&args.distractors, &distractors.names, &args.ending)?;
    let found = Found::of(&left, &people, &right, usize::from(args.threads))?;
    let mut lists = BTreeMap::new();
    for (role, list) in [
        ("probes", Some(&args.probe_list)),
        ("distractors", Some(&args.distractor_list)),
        ("noise of the probes", args.probe_noise.as_ref()),
        ("noise of the distractors", args.distractor_noise.as_ref()),
    ] {
        if let Some(list) = list {
            lists.insert(role.to_owned(), counted::sha256(list)?);
        }
    }
    let noted = |what: &str, count| Noted { what: what.to_owned(), count, such_as: Vec::new() };
    let noise = [
        noted("probes left out: the list of noise has them", probes.noise),
        noted("distractors left out: the list of noise has them", distractors.noise),
    ];
    let data = Data {
        name: if args.probe_noise.is_some() { "MegaFace, refined".to_owned() } else { "MegaFace".to_owned() },
        sha256: found.data.clone(),
        lists,
        media: (left.count() + right.count()) as u64,
        subjects: Some(people.subjects() as u64),
        genuine: found.ranks.len() as u64 / 2,
        impostors: found.counted.impostors.total(),
        is_generated: args.generated,
    };
    let fta = Rate::of(0, (left.count() + right.count()) as u64);
    let (tar_at_far, eer) = found.by_far()?;
    let run = Run::of(began.elapsed().as_secs_f64(), usize::from(args.threads));
    let report = Report {
        tar_at_far,
        eer,
        identification: vec![found.identification(right.count())],
        noted: noise.into_iter().filter(|noted| noted.count > 0).collect(),
        limits: vec![
            "Who scores as high as the mate stands before it. What the lists of noise name is left out; remove_noises.py \
             puts the mean of the person's features in a noisy probe's place instead, which is found more easily."
                .to_owned(),
            "A score is the cosine, rounded to 2^-18; counts of those are exact.".to_owned(),
            HELD.to_owned(),
        ],
        ..Report::new("megaface", data, fta, run)
    };
    let curves = Curves {
        operating: vec![counted::curve("megaface", &found.counted)],
        histograms: counted::histogram("megaface", &found.counted).into_iter().collect(),
        cmc: vec![Cmc { name: "megaface".to_owned(), shares: found.shares() }],
    };
    out::write(&args.out, report, &curves)
}

/// Everything that is counted.
struct Found {
    /// Person and rank of the mate of each probe and mate; none beyond [`RANKS`].
    ranks: Vec<(usize, Option<usize>)>,
    /// Person and score of every two photos of one person.
    genuine: Vec<(usize, Step)>,
    /// Probes with distractors, and the genuine pairs.
    counted: Partial,
    people: usize,
    data: String,
}

impl Found {
    fn of(left: &dyn Rows, people: &LabelList, right: &dyn Rows, threads: usize) -> Result<Self> {
        let data = hash(left)? + &hash(right)?;
        let data = arcdoor_models::sha256_hex(data.as_bytes());
        let nobody = vec![None; right.count()];
        let task = Task::across((left, people.labels()), (right, &nobody))?;
        let settings = Settings { kept: RANKS, by_left: true, ..Settings::new(threads, data.clone()) };
        let within = Task::within(left, people)?;
        let mut counted = count(&task, &settings)?;
        let (mut ranks, mut genuine) = (Vec::new(), Vec::new());
        let [mut all, mut one] = [Block::default(), Block::default()];
        let mut scores = Vec::new();
        for (person, group) in within.groups().into_iter().enumerate() {
            all.read(&within.right, group.clone(), within.dimension())?;
            for (at, probe) in group.clone().enumerate() {
                one.copy_row(&all, at);
                scores.resize(group.len(), 0.0);
                let isa = settings.isa;
                arcdoor_kernels::scores(isa, all.dimension, &one.values, &all.values, AFFINE, &mut scores);
                let others = &counted.highest[within.left.source(probe) as usize];
                for (mate, score) in scores.iter().enumerate().filter(|(mate, _)| *mate != at) {
                    let score = Step::of_bin(bin(*score));
                    let ahead = others.hits().partition_point(|hit| hit.score >= score);
                    ranks.push((person, (ahead < RANKS).then_some(ahead + 1)));
                    if mate > at {
                        genuine.push((person, score));
                    }
                }
            }
        }
        genuine.iter().for_each(|(_, score)| counted.genuine.count(*score));
        Ok(Self { ranks, genuine, counted, people: people.subjects(), data })
    }

    fn rank(&self, rank: usize) -> Rate {
        let is_hit = |found: &Option<usize>| found.is_some_and(|found| found <= rank);
        let hits = self.ranks.iter().filter(|(_, found)| is_hit(found)).count() as u64;
        let trials = self.ranks.iter().map(|(person, found)| (*person, is_hit(found)));
        let share = Share::by_person(self.people, trials);
        Rate::from_share(share, (hits, self.ranks.len() as u64), Over::Subjects)
    }

    fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0_u64; RANKS + 1];
        self.ranks.iter().filter_map(|(_, rank)| *rank).for_each(|rank| counts[rank] += 1);
        let total = self.ranks.len().max(1) as f64;
        let mut sum = 0;
        let mut within = |count: &u64| {
            sum += count;
            sum as f64 / total
        };
        counts[1..].iter().map(&mut within).collect()
    }

    fn identification(&self, distractors: usize) -> Identification {
        Identification {
            name: "a mate among the distractors".to_owned(),
            gallery: distractors as u64 + 1,
            mated: self.ranks.len() as u64,
            non_mated: 0,
            rank: TOLD.map(|rank| (rank, self.rank(rank as usize))).into(),
            fnir_at_fpir: ByFar::new(),
        }
    }

    fn by_far(&self) -> Result<(ByFar, Option<Eer>)> {
        counted::by_far_of(&self.counted, &FARS, |thresholds| {
            Ok(counted::BySubject::of_scores(self.people, &self.genuine, thresholds))
        })
    }
}

/// Over the bytes of every feature, in the order of the list.
fn hash(rows: &dyn Rows) -> Result<String> {
    let mut values = vec![0.0; rows.dimension()];
    let mut hash = counted::Hash::default();
    for row in 0..rows.count() {
        rows.read(row..row + 1, &mut values)?;
        hash.floats(&values);
    }
    Ok(hash.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::rows::Held;

    #[test]
    fn every_two_photos_are_probe_and_mate_both_ways_and_ties_count_against_us() {
        // Two photos of one person, 0.8 apart; another person with one photo; three distractors.
        let left = Held { dimension: 2, values: vec![1.0, 0.0, 0.8, 0.6, 0.0, 1.0] };
        let right = Held { dimension: 2, values: vec![0.9, -0.436, 0.0, 1.0, 0.8, 0.6] };
        let people = LabelList::of([Some("a"), Some("a"), Some("b")]).unwrap();
        let found = Found::of(&left, &people, &right, 1).unwrap();
        // From the first photo the mate has 0.8; distractors 0.9, 0.0 and 0.8. From the second 0.8 again: 0.46, 0.6, 1.0.
        assert_eq!(found.ranks, [(0, Some(3)), (0, Some(2))]);
        assert_eq!((found.genuine.len(), found.counted.impostors.total()), (1, 9));
        assert_eq!(found.rank(2).hits, 1);
        assert_eq!(found.shares()[..4], [0.0, 0.5, 1.0, 1.0]);
    }
}
