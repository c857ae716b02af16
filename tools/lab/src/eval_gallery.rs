//! `arcdoor-lab eval gallery`: what a target for strangers is worth at galleries of several sizes.
//!
//! Protocol: thresholds come from all impostor pairs of the people in `--choose` (LFW's DevTrain). Galleries
//! hold one photo each of the *other* people; their further photos are the mated probes, and people who are
//! not enrolled are the strangers, one photo each. Where the other people do not suffice, people of
//! `--choose` fill the gallery; they are never probes. Each size is drawn several times; intervals are
//! bootstrapped over the people who probe.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Random, Share, fmr_for_fpir, score_at_far};
use arcdoor_core::Template;

use crate::lfw::Lfw;
use crate::templates::{PathArgs, photos};

/// Impostor pairs that must lie above a threshold for it to be taken from the data.
const LEAST_ABOVE: f64 = 10.0;
/// Strangers that must be left at every size.
const LEAST_STRANGERS: usize = 200;

/// Arguments of `eval gallery`.
#[derive(clap::Args)]
pub(crate) struct EvalGalleryArgs {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Pairs of the people who give the thresholds, such as pairsDevTrain.txt
    #[arg(long, value_name = "FILE")]
    choose: PathBuf,
    /// Suspected mislabels among the impostor pairs, left out of the choice of thresholds
    #[arg(long, value_name = "FILE")]
    suspects: Option<PathBuf>,
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

/// Templates by person.
type People<'a> = Vec<Vec<&'a Template>>;

/// Runs the protocol and prints its table.
pub(crate) fn run(args: EvalGalleryArgs) -> Result<()> {
    let (pack, lfw) = (args.path.open_pack()?, Lfw::open(&args.images)?);
    let choosers: BTreeSet<usize> = lfw
        .pairs(&args.choose)?
        .iter()
        .flat_map(|pair| [lfw.photos[pair.a].person, lfw.photos[pair.b].person])
        .collect();
    let suspects =
        args.suspects.as_ref().map(|list| lfw.suspects(list, 0.6)).transpose()?.unwrap_or_default();
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let made = args.path.templates(&pack, &photos(&lfw))?;
    let mut impostors = Vec::new();
    for (a, first) in made.iter().enumerate() {
        for (b, second) in made.iter().enumerate().skip(a + 1) {
            let [p, q] = [a, b].map(|photo| lfw.photos[photo].person);
            if p == q || !choosers.contains(&p) || !choosers.contains(&q) || suspects.contains(&(a, b)) {
                continue;
            }
            if let (Some(first), Some(second)) = (first, second) {
                impostors.push(first.score(second)?.0);
            }
        }
    }
    impostors.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut people: [BTreeMap<usize, Vec<&Template>>; 2] = Default::default();
    for (photo, template) in lfw.photos.iter().zip(&made) {
        let of = &mut people[usize::from(choosers.contains(&photo.person))];
        of.entry(photo.person).or_default().extend(template);
    }
    let [others, choosers] =
        people.map(|of| of.into_values().filter(|t| !t.is_empty()).collect::<People<'_>>());
    let text = table(&args, &others, &choosers, &impostors)?;
    print!("{text}");
    fs::write(args.out.join("gallery.md"), text)?;
    Ok(())
}

fn table(
    args: &EvalGalleryArgs,
    others: &People<'_>,
    choosers: &People<'_>,
    impostors: &[f32],
) -> Result<String> {
    let mut text = format!(
        "# Strangers at galleries of several sizes\n\nThresholds from {} impostor pairs of {} people. Reported \
         on {} other people; {} draws of each size.\n\n| subjects | of them fillers | target FPIR | FMR | \
         threshold | FPIR | FNIR |\n|---|---|---|---|---|---|---|\n",
        impostors.len(),
        choosers.len(),
        others.len(),
        args.draws,
    );
    let most = others.len().saturating_sub(LEAST_STRANGERS);
    for &size in &args.sizes {
        let own = size.min(most);
        if size - own > choosers.len() {
            let there = own + choosers.len();
            writeln!(text, "| {size} | | | | | not measured: there are {there} people to enrol | |")?;
            continue;
        }
        for &target in &args.targets {
            ensure!((1e-9..0.5).contains(&target), "a target lies within 1e-9 to 0.5, not at {target}");
            let fmr = fmr_for_fpir(target, size);
            write!(text, "| {size} | {} | {target} | {fmr:.2e} | ", size - own)?;
            if fmr * (impostors.len() as f64) < LEAST_ABOVE {
                let needed = (LEAST_ABOVE / fmr).ceil();
                writeln!(text, "the data do not support it: it needs {needed:.1e} impostor pairs | | |")?;
                continue;
            }
            let threshold = score_at_far(impostors, fmr);
            let (fpir, fnir) = rates(args.draws, own, size - own, threshold, others, choosers)?;
            writeln!(text, "{threshold:.3} | {} | {} |", fpir.percent(), fnir.percent())?;
        }
    }
    Ok(text)
}

/// FPIR and FNIR over several galleries of `own` other people and `fillers`.
fn rates(
    draws: u32,
    own: usize,
    fillers: usize,
    threshold: f32,
    others: &People<'_>,
    choosers: &People<'_>,
) -> Result<(Share, Share)> {
    let (mut false_positives, mut misses) = (vec![(0, 0); others.len()], vec![(0, 0); others.len()]);
    for draw in 0..draws {
        let order = shuffled(others.len(), u64::from(draw));
        let (enrolled, strangers) = order.split_at(own);
        let filling = shuffled(choosers.len(), u64::from(draw));
        let gallery: Vec<&Template> = enrolled
            .iter()
            .map(|&person| others[person][0])
            .chain(filling[..fillers].iter().map(|&person| choosers[person][0]))
            .collect();
        for &person in strangers {
            let (_, score) = best(&gallery, others[person][0])?;
            false_positives[person].0 += usize::from(score > threshold);
            false_positives[person].1 += 1;
        }
        for (place, &person) in enrolled.iter().enumerate() {
            for probe in &others[person][1..] {
                let (found, score) = best(&gallery, probe)?;
                misses[person].0 += usize::from(found != place || score <= threshold);
                misses[person].1 += 1;
            }
        }
    }
    let share = |groups: Vec<(usize, usize)>| {
        Share::of_groups(&groups.into_iter().filter(|group| group.1 > 0).collect::<Vec<_>>())
    };
    Ok((share(false_positives), share(misses)))
}

fn best(gallery: &[&Template], probe: &Template) -> Result<(usize, f32)> {
    let mut best = (0, f32::NEG_INFINITY);
    for (place, template) in gallery.iter().enumerate() {
        let score = template.score(probe)?.0;
        if score > best.1 {
            best = (place, score);
        }
    }
    Ok(best)
}

/// 0..count in an order that the seed decides (Fisher and Yates).
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let (mut order, mut random): (Vec<usize>, _) = ((0..count).collect(), Random(seed));
    for last in (1..count).rev() {
        order.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
    order
}
