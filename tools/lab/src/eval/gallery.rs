//! `arcdoor-lab eval gallery`: what a target for strangers is worth at galleries of several sizes.
//!
//! Protocol: thresholds are those that a device takes from the pack's calibration for a gallery of that size.
//! Galleries hold one photo each of people who are not in `--choose` (the people of the calibration); their
//! further photos are the mated probes, and such people who are not enrolled are the strangers, one photo
//! each. Where they do not suffice, people of `--choose` and then aligned crops (`--fill`) fill the gallery;
//! fillers are never probes. Whoever has no photo that gives a template is not enrolled, and is missed with each
//! further photo; a probe without a template matches nobody: both stay in the denominators. Each size is drawn several
//! times; intervals are bootstrapped over the people who probe. Suspected mislabels are not compared; the rate with
//! them stands beside.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Random, Share, gallery_threshold};
use arcdoor_core::{Calibration, Score, Template, Threshold};

use crate::eval::report::rate::Rate;
use crate::eval::set::fillers::first_of_each;
use crate::eval::set::lfw;
use crate::eval::set::people::{self, stem};
use crate::eval::set::templates::{PathArgs, score};
use crate::say::say_on;

/// Strangers that must be left at every size.
const LEAST_STRANGERS: usize = 400;
/// False positives that are named, so that mislabels can be looked at.
const NAMED: usize = 20;

/// Arguments of `eval gallery`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Pairs of the people whom the pack's calibration was chosen on, such as pairsDevTrain.txt: fillers only
    #[arg(long, value_name = "FILE")]
    choose: PathBuf,
    /// Zip archives of aligned 112x112 crops, one folder for each person, that fill galleries further, in order
    #[arg(long, value_name = "ZIP", value_delimiter = ',')]
    fill: Vec<PathBuf>,
    /// Suspected mislabels among the impostor pairs: not compared, and shown beside
    #[arg(long, value_name = "FILE")]
    suspects: Option<PathBuf>,
    /// The suspects' score from which on they are left out
    #[arg(long, default_value_t = 0.6)]
    suspects_above: f32,
    /// Take thresholds from rows of a tail fit, too
    #[arg(long)]
    tail_fit: bool,
    /// Subjects enrolled
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1000, 5000])]
    sizes: Vec<usize>,
    /// Targets: the share of strangers who may be taken for somebody
    #[arg(long, value_delimiter = ',', default_values_t = [1e-2, 1e-3])]
    targets: Vec<f64>,
    /// Galleries drawn of each size
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    draws: u32,
    /// Where gallery.md goes
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// One sample's template.
struct Shot {
    name: String,
    /// Its sample's number in the set of photos, for suspects; none of a crop.
    photo: Option<usize>,
    /// None where no face could be had.
    template: Option<Template>,
}

/// Photos and crops by person; the first is enrolled, and has a template where any of them does.
type People = Vec<Vec<Shot>>;

/// Everybody who may be enrolled, or be searched for.
struct World {
    others: People,
    /// The calibration's people, then the crops of each archive.
    fillers: Vec<(String, People)>,
    suspects: HashSet<(usize, usize)>,
}

/// Runs the protocol and prints its table.
pub(crate) fn run(args: Args) -> Result<()> {
    for target in &args.targets {
        ensure!((1e-9..0.5).contains(target), "a target lies within 1e-9 to 0.5, not at {target}");
    }
    ensure!(!args.sizes.contains(&0), "a gallery has one subject at least");
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let pack = args.path.open_pack()?;
    let world = World::open(&args)?;
    let calibration = pack.calibration();
    let calibration = if args.tail_fit { calibration.clone() } else { calibration.counted() };
    let text = table(&args, &world, &calibration, &pack.manifest().calibration.data)?;
    say_on!("{text}")?;
    fs::write(args.out.join("gallery.md"), text)?;
    Ok(())
}

impl World {
    fn open(args: &Args) -> Result<Self> {
        let (pack, set) = (args.path.open_pack()?, people::read(&args.images)?);
        let choosers = set.subjects_of(&lfw::pairs(&set, &args.choose)?);
        let suspects = args.suspects.as_ref().map(|list| lfw::suspects(&set, list, args.suspects_above));
        let made = args.path.templates(&pack, &set)?;
        let mut people: [BTreeMap<usize, Vec<Shot>>; 2] = Default::default();
        for (number, (sample, template)) in set.samples.iter().zip(made).enumerate() {
            let Some(subject) = sample.subject else { continue };
            let of = &mut people[usize::from(choosers.contains(&subject))];
            let name = sample.name.clone();
            of.entry(subject).or_default().push(Shot { name, photo: Some(number), template });
        }
        let [others, mut choosers] =
            people.map(|of| of.into_values().map(enrolled_first).collect::<People>());
        // They fill, and are never searched for.
        choosers.retain(|shots| shots[0].template.is_some());
        ensure!(others.len() > LEAST_STRANGERS, "{} people are not in --choose; too few", others.len());
        let own = others.len() - LEAST_STRANGERS;
        let most = args.sizes.iter().copied().max().unwrap_or(0);
        let mut missing = most.saturating_sub(own + choosers.len());
        let mut fillers = vec![("of the calibration's people".to_owned(), choosers)];
        for archive in &args.fill {
            if missing == 0 {
                break;
            }
            let (name, found) = (stem(archive), first_of_each(archive, missing)?);
            let made = args.path.templates(&pack, &found)?;
            let filling: People = found
                .samples
                .into_iter()
                .zip(made)
                .filter(|(_, template)| template.is_some())
                .map(|(crop, template)| vec![Shot { name: crop.name, photo: None, template }])
                .collect();
            missing = missing.saturating_sub(filling.len());
            fillers.push((name, filling));
        }
        Ok(Self { others, fillers, suspects: suspects.transpose()?.unwrap_or_default() })
    }

    /// The first photo or crop of each of `count` fillers, source by source, each in an order that the seed decides.
    fn filling(&self, count: usize, seed: u64) -> Vec<&Shot> {
        let mut filling = Vec::new();
        for (_, people) in &self.fillers {
            filling.extend(shuffled(people.len(), seed).into_iter().map(|person| &people[person][0]));
        }
        filling.truncate(count);
        filling
    }

    fn is_suspect(&self, a: &Shot, b: &Shot) -> bool {
        let pair = a.photo.zip(b.photo).map(|(a, b)| (a.min(b), a.max(b)));
        pair.is_some_and(|pair| self.suspects.contains(&pair))
    }

    /// How many fillers come from each source, in words.
    fn sources(&self, mut count: usize) -> String {
        let mut parts = Vec::new();
        for (name, people) in &self.fillers {
            let taken = count.min(people.len());
            count -= taken;
            if taken > 0 {
                parts.push(format!("{taken} {name}"));
            }
        }
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }
}

/// The first photo that gave a template before the others, which keep their order.
fn enrolled_first(mut shots: Vec<Shot>) -> Vec<Shot> {
    if let Some(first) = shots.iter().position(|shot| shot.template.is_some()) {
        shots[..=first].rotate_right(1);
    }
    shots
}

fn table(args: &Args, world: &World, calibration: &Calibration, data: &str) -> Result<String> {
    let mut text = format!(
        "# Strangers at galleries of several sizes\n\nThresholds as a device takes them from the pack's \
         calibration ({data}{}). Reported on {} other people; {} draws of each size; 95 % intervals over people.\n\n\
         | subjects | of them fillers | target FPIR | threshold | FPIR promised | FPIR, unseen strangers | with \
         suspects | FNIR promised | FNIR |\n|---|---|---|---|---|---|---|---|---|\n",
        args.path.tone(),
        world.others.len(),
        args.draws,
    );
    let photos: Vec<&Shot> = world.others.iter().flatten().collect();
    let failed =
        Rate::of(photos.iter().filter(|shot| shot.template.is_none()).count() as u64, photos.len() as u64);
    let not_enrolled = world.others.iter().filter(|shots| shots[0].template.is_none()).count();
    let not_enrolled = Rate::of(not_enrolled as u64, world.others.len() as u64);
    let there: usize = world.fillers.iter().map(|(_, people)| people.len()).sum();
    let most = world.others.len() - LEAST_STRANGERS;
    let mut named = BTreeMap::new();
    for &size in &args.sizes {
        let own = size.min(most);
        let sources = world.sources(size - own);
        if size - own > there {
            let there = own + there;
            writeln!(text, "| {size} | | | | | not measured: there are {there} people to enrol | | | |")?;
            continue;
        }
        for &target in &args.targets {
            let at = gallery_threshold(calibration, target, size)?;
            let rates = rates(args.draws, own, size - own, &at.threshold, world, &mut named)?;
            writeln!(
                text,
                "| {size} | {sources} | {target} | {:.3}{} | {:.2} %{} | {} | {} | {:.2} % | {} |",
                at.threshold.value.0,
                if at.threshold.basis.is_counted() { "" } else { " (tail fit)" },
                100.0 * at.fpir,
                if at.is_met { "" } else { ": **target not met**" },
                rates.fpir.percent(),
                rates.fpir_with_suspects.percent(),
                100.0 * at.fnir,
                rates.fnir.percent(),
            )?;
        }
    }
    writeln!(
        text,
        "\nFailures to acquire: {} of their photos; to enrol: {} of them. Both stay in the denominators.",
        failed.percent(),
        not_enrolled.percent()
    )?;
    text.push_str(
        "\nThe highest false positives, suspects aside:\n\n| stranger | taken for | score |\n|---|---|---|\n",
    );
    let mut named: Vec<((String, String), f32)> = named.into_iter().collect();
    named.sort_by(|a, b| b.1.total_cmp(&a.1));
    for ((stranger, subject), score) in named.iter().take(NAMED) {
        writeln!(text, "| {stranger} | {subject} | {score:.3} |")?;
    }
    Ok(text)
}

/// What was seen at one size and threshold.
struct Rates {
    fpir: Share,
    fpir_with_suspects: Share,
    fnir: Share,
}

/// Rates over several galleries of `own` other people and `fillers`; `named` gets the false positives.
fn rates(
    draws: u32,
    own: usize,
    fillers: usize,
    threshold: &Threshold,
    world: &World,
    named: &mut BTreeMap<(String, String), f32>,
) -> Result<Rates> {
    let (mut positives, mut with_suspects, mut misses) = (Vec::new(), Vec::new(), Vec::new());
    for draw in 0..draws {
        let order = shuffled(world.others.len(), u64::from(draw));
        let (enrolled, strangers) = order.split_at(own);
        let mut gallery: Vec<&Shot> = enrolled.iter().map(|&person| &world.others[person][0]).collect();
        gallery.extend(world.filling(fillers, u64::from(draw)));
        for &person in strangers {
            let probe = &world.others[person][0];
            let (best, suspected) = best(world, &gallery, probe)?;
            let is_positive = threshold.admits(Score(best.1));
            if is_positive {
                named.insert((probe.name.clone(), gallery[best.0].name.clone()), best.1);
            }
            positives.push((person, is_positive));
            with_suspects.push((person, is_positive || threshold.admits(Score(suspected))));
        }
        for (place, &person) in enrolled.iter().enumerate() {
            for probe in &world.others[person][1..] {
                let ((found, score), _) = best(world, &gallery, probe)?;
                misses.push((person, found != place || !threshold.admits(Score(score))));
            }
        }
    }
    let share = |trials: Vec<(usize, bool)>| Share::by_person(world.others.len(), trials);
    Ok(Rates { fpir: share(positives), fpir_with_suspects: share(with_suspects), fnir: share(misses) })
}

/// The probe's best match in the gallery, as its place there and its score, with suspected mislabels left out; and the
/// best score of such a suspect.
fn best(world: &World, gallery: &[&Shot], probe: &Shot) -> Result<((usize, f32), f32)> {
    let (mut best, mut suspected) = ((0, f32::NEG_INFINITY), f32::NEG_INFINITY);
    for (place, shot) in gallery.iter().enumerate() {
        let score = score(&shot.template, &probe.template)?;
        if score > best.1 {
            if world.is_suspect(shot, probe) {
                suspected = suspected.max(score);
            } else {
                best = (place, score);
            }
        }
    }
    Ok((best, suspected))
}

/// 0..count in an order that the seed decides (Fisher and Yates).
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let (mut order, mut random): (Vec<usize>, _) = ((0..count).collect(), Random(seed));
    for last in (1..count).rev() {
        order.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Basis, CalibrationId, Fmr, ModelId};

    fn at(value: f32) -> Threshold {
        Threshold {
            value: Score(value),
            target: Fmr::new(1e-4).unwrap(),
            model_id: ModelId::new([1; 16]),
            calibration_id: CalibrationId::new([2; 16]),
            basis: Basis::Counted,
        }
    }

    fn shot(photo: usize, angle: f32) -> Shot {
        let template = Template::new(ModelId::new([1; 16]), &[angle.cos(), angle.sin()]).unwrap();
        Shot { name: format!("{photo}"), photo: Some(photo), template: Some(template) }
    }

    /// Two people who look alike (0 and 1), one who does not, and a filler; each has two photos.
    fn world(suspects: HashSet<(usize, usize)>) -> World {
        let person =
            |number: usize, angle| vec![shot(10 * number, angle), shot(10 * number + 1, angle + 0.01)];
        let others = vec![person(0, 0.0), person(1, 0.1), person(2, 1.5)];
        let fillers = vec![("fillers".to_owned(), vec![person(3, -1.5)])];
        World { others, fillers, suspects }
    }

    #[test]
    fn strangers_who_look_alike_count_and_suspects_stand_beside() {
        let (mut named, draws) = (BTreeMap::new(), 300);
        let seen = rates(draws, 1, 1, &at(0.9), &world(HashSet::new()), &mut named).unwrap();
        // Of three pairs of enrolled and stranger, one is alike: a third of the attempts, each order as likely.
        assert!((seen.fpir.value - 1.0 / 3.0).abs() < 0.08, "{:?}", seen.fpir);
        assert_eq!((seen.fpir.value, seen.fnir.value), (seen.fpir_with_suspects.value, 0.0));
        assert_eq!(named.len(), 2);
        let beside = rates(draws, 1, 1, &at(0.9), &world(HashSet::from([(0, 10)])), &mut named).unwrap();
        assert_eq!((beside.fpir.value, beside.fpir_with_suspects.value), (0.0, seen.fpir.value));
    }

    #[test]
    fn somebody_else_s_match_is_a_miss() {
        let mut world = world(HashSet::new());
        world.fillers[0].1[0][0] = shot(30, 0.011);
        let seen = rates(50, 2, 1, &at(0.5), &world, &mut BTreeMap::new()).unwrap();
        assert!(
            seen.fnir.value > 0.2 && seen.fnir.value < 0.6,
            "person 0 is taken for the filler: {:?}",
            seen.fnir
        );
        assert_eq!(rates(5, 1, 1, &at(1.1), &world, &mut BTreeMap::new()).unwrap().fnir.value, 1.0);
    }

    #[test]
    fn who_could_not_be_enrolled_or_acquired_is_missed_and_not_left_out() {
        let mut world = world(HashSet::new());
        // Person 2 gave no template at all, person 1 none with the first photo.
        world.others[2].iter_mut().for_each(|shot| shot.template = None);
        world.others[1][0].template = None;
        world.others = world.others.into_iter().map(enrolled_first).collect();
        assert_eq!(world.others[1][0].name, "11");
        let seen = rates(1, 3, 0, &at(0.5), &world, &mut BTreeMap::new()).unwrap();
        assert!((seen.fnir.value - 2.0 / 3.0).abs() < 1e-12, "{:?}", seen.fnir);
        let strangers = rates(60, 1, 1, &at(-1.0), &world, &mut BTreeMap::new()).unwrap();
        assert!((strangers.fpir.value - 2.0 / 3.0).abs() < 0.1, "no face is no match: {:?}", strangers.fpir);
    }

    #[test]
    fn fillers_come_source_by_source() {
        let mut world = world(HashSet::new());
        world.fillers.push(("more".to_owned(), vec![vec![shot(40, 0.0)], vec![shot(50, 0.0)]]));
        assert_eq!(world.sources(2), "1 fillers, 1 more");
        assert_eq!(world.filling(2, 1).len(), 2);
        assert_eq!(world.filling(1, 1)[0].name, "30");
        assert_eq!(world.sources(0), "none");
    }
}
