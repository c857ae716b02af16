//! From scores and targets to rows, each with what it rests on.

use anyhow::{Result, ensure};
use arcdoor_calib::{Counted, Impostors, LEAST_ABOVE, Share, TAIL_REACH, TailCheck, TailFit, rounded_up};
use arcdoor_core::{Basis, CalibrationRow, Fmr};

use crate::calibrate::data::{Data, Grouped};

/// Where a row's threshold comes from.
pub(crate) enum Choice {
    /// The comparisons, counted at the threshold.
    Counted { threshold: f32, counted: Counted },
    /// A fit of the tail, which passed its check.
    Fitted { threshold: f32, interval: (f64, f64), text: String },
    /// There is no threshold, and why.
    Refused { why: String },
}

/// A target, and the threshold for it or why there is none.
pub(crate) struct Made {
    pub(crate) target: Fmr,
    pub(crate) choice: Choice,
    /// The group within which it takes the highest threshold; none where everybody together does.
    pub(crate) group: Option<String>,
    /// Genuine comparisons at or above the threshold, interval over people.
    pub(crate) tmr: Option<Share>,
}

impl Choice {
    fn threshold(&self) -> Option<f32> {
        match self {
            Self::Counted { threshold, .. } | Self::Fitted { threshold, .. } => Some(*threshold),
            Self::Refused { .. } => None,
        }
    }
}

impl Made {
    pub(crate) fn threshold(&self) -> Option<f32> {
        self.choice.threshold()
    }

    pub(crate) fn refusal(&self) -> Option<String> {
        match &self.choice {
            Choice::Refused { why } => Some(why.clone()),
            _ => None,
        }
    }

    /// The row of the table.
    pub(crate) fn row(&self) -> Option<CalibrationRow> {
        let (fmr, tmr) = (self.target, self.tmr?.value);
        let (threshold, (low, high), basis) = match &self.choice {
            Choice::Counted { threshold, counted, .. } => (*threshold, counted.outer(), Basis::Counted),
            Choice::Fitted { threshold, interval, .. } => (*threshold, *interval, Basis::TailFit),
            Choice::Refused { .. } => return None,
        };
        // Four digits of an interval, its ends moved outwards.
        let digits = |value: f64, up: bool| {
            if value <= 0.0 {
                return 0.0;
            }
            let unit = 10_f64.powi(value.log10().floor() as i32 - 3);
            let steps = if up { (value / unit).ceil() } else { (value / unit).floor() };
            // Through text: a product such as 9448 * 1e-8 has an ugly end.
            format!("{:.3e}", steps * unit).parse().unwrap_or(value)
        };
        let (fmr_low, fmr_high) = (digits(low, false), digits(high, true).min(1.0));
        let tmr = (tmr * 1e4).round() / 1e4;
        Some(CalibrationRow { fmr, threshold, fmr_low, fmr_high, tmr, basis })
    }
}

/// A row or a refusal for each target: the highest of the thresholds that everybody and each group needs, so that the
/// rate holds within every group.
pub(crate) fn choose(targets: &[Fmr], data: &Data, may_fit: bool) -> Result<Vec<Made>> {
    let mut of_targets: Vec<Vec<(Option<&str>, Choice)>> = targets.iter().map(|_| Vec::new()).collect();
    let within = data.grouped.as_ref().map(Grouped::within).unwrap_or_default();
    let groups = within.iter().map(|(name, impostors)| (Some(*name), impostors));
    for (name, impostors) in std::iter::once((None, &data.chosen.impostors)).chain(groups) {
        for (all, choice) in of_targets.iter_mut().zip(choices(targets, impostors, may_fit)) {
            all.push((name, choice));
        }
    }
    let mut made = Vec::new();
    let mut least = f32::NEG_INFINITY;
    for (target, all) in targets.iter().zip(of_targets) {
        let (group, choice) = strictest(all);
        let mut row = Made { target: *target, choice, group: group.map(str::to_owned), tmr: None };
        if let Some(threshold) = row.threshold() {
            ensure!(threshold >= least, "the threshold at {target} lies below the one before it");
            least = threshold;
            row.tmr = Some(tmr(&data.chosen.genuine, data.chosen.people.len(), threshold));
        }
        made.push(row);
    }
    Ok(made)
}

/// The choice with the highest threshold; where one is refused, all are, and every refusal says whose it is.
fn strictest<'a>(all: Vec<(Option<&'a str>, Choice)>) -> (Option<&'a str>, Choice) {
    let refusals = all.iter().filter_map(|(name, choice)| match (name, choice) {
        (None, Choice::Refused { why }) => Some(why.clone()),
        (Some(name), Choice::Refused { why }) => Some(format!("within {name}, {why}")),
        _ => None,
    });
    let why: Vec<String> = refusals.collect();
    if !why.is_empty() {
        return (None, Choice::Refused { why: why.join("; ") });
    }
    let nothing = || (None, Choice::Refused { why: "there is nobody to compare".to_owned() });
    // Of equal ones the first: everybody.
    let higher = |best: (Option<&'a str>, Choice), next: (Option<&'a str>, Choice)| {
        if next.1.threshold() > best.1.threshold() { next } else { best }
    };
    all.into_iter().reduce(higher).unwrap_or_else(nothing)
}

/// What each target asks of some impostors.
fn choices(targets: &[Fmr], impostors: &Impostors, may_fit: bool) -> Vec<Choice> {
    let thresholds: Vec<Option<f32>> =
        targets.iter().map(|target| impostors.threshold(target.get())).collect();
    let counted = impostors.counted(&thresholds.iter().flatten().copied().collect::<Vec<_>>());
    let mut counted = counted.into_iter();
    // The check is the same for all targets, and slow.
    let fit = (may_fit && thresholds.contains(&None)).then(|| (impostors.tail(), impostors.check_tail()));
    let choice =
        |(target, threshold): (&Fmr, Option<f32>)| match threshold.and_then(|t| Some((t, counted.next()?))) {
            Some((threshold, counted)) => Choice::Counted { threshold, counted },
            None => below_counts(impostors, *target, fit.as_ref()),
        };
    targets.iter().zip(thresholds).map(choice).collect()
}

fn below_counts(
    impostors: &Impostors,
    target: Fmr,
    fit: Option<&(Option<TailFit>, Option<TailCheck>)>,
) -> Choice {
    let (rate, total) = (target.get(), impostors.len());
    let needed = (LEAST_ABOVE / rate).ceil();
    let refused = |why: String| Choice::Refused { why: format!("{target}: {why}") };
    let Some((fit, check)) = fit else {
        return refused(format!(
            "{total} impostor comparisons support rates down to {:.1e}, ten errors; this one needs {needed:.1e} \
             of them, or --tail-fit, which marks the row",
            impostors.least_rate()
        ));
    };
    let least = impostors.least_rate() / TAIL_REACH;
    if rate < least {
        return refused(format!(
            "a tail fit goes down to {least:.1e}, {TAIL_REACH} times below what is counted, as far as its check \
             goes; this one needs {:.1e} impostor comparisons",
            needed / TAIL_REACH
        ));
    }
    let (Some(fit), Some(check)) = (fit, check) else {
        return refused("too few high scores for a tail fit and its check".to_owned());
    };
    let check_text = format!(
        "fitted to the comparisons of a third of the people (a tenth of all) and asked for ten times below what \
         those support, the others show {:.2} times the promised rate in the middle of {} splits ({:.2} to {:.2})",
        check.median(),
        check.ratios.len(),
        check.ratios.first().copied().unwrap_or_default(),
        check.ratios.last().copied().unwrap_or_default(),
    );
    if !check.is_passed() {
        return refused(format!("the tail fit fails its check (0.5 to 2 times): {check_text}"));
    }
    let threshold = rounded_up(fit.threshold(rate));
    if threshold > 1.0 {
        return refused("the tail fit finds no score that is high enough".to_owned());
    }
    let Some((low, high)) = impostors.tail_interval(fit, f64::from(threshold)) else {
        return refused("a tail fit needs to know who is compared, for its interval over people".to_owned());
    };
    let text = format!(
        "generalised Pareto distribution (shape {:.3}, scale {:.4}; Zhang and Stephens 2009) of the {:.0} highest \
         impostor scores, those above {:.4}; {check_text}",
        fit.shape,
        fit.scale,
        fit.share * total as f64,
        fit.floor,
    );
    Choice::Fitted { threshold, interval: (low.min(rate), high.max(rate)), text }
}

/// The share of genuine comparisons at or above `threshold`, its interval over people where they are known.
pub(crate) fn tmr(genuine: &[(u32, f32)], people: usize, threshold: f32) -> Share {
    let trials = genuine.iter().map(|(person, score)| (*person as usize, *score >= threshold));
    if people == 0 {
        return Share::of(trials.filter(|(_, is_hit)| *is_hit).count(), genuine.len());
    }
    Share::by_person(people, trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::score_file::Scores;
    use crate::eval::by_group::Groups;
    use arcdoor_calib::{Comparison, Random};

    fn impostors(count: usize, people: u32, scale: f32) -> Impostors {
        let mut random = Random(3);
        let mut exponential = || {
            let uniform = ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
            (-uniform.ln()) as f32 * scale
        };
        let mut pairs = Vec::new();
        for index in 0..count as u32 {
            let a = index % people;
            let b = (a + 1 + (index / people) % (people - 1)) % people;
            pairs.push(Comparison { score: exponential(), people: [a, b] });
        }
        Impostors::new(pairs, people as usize)
    }

    fn data(chosen: Impostors, people: usize) -> Data {
        let people = vec![String::new(); people];
        let chosen = Scores { genuine: vec![(0, 0.9), (1, 0.1)], impostors: chosen, people };
        Data { chosen, suspects: Vec::new(), reported: None, text: String::new(), grouped: None }
    }

    fn rates(rates: &[f64]) -> Vec<Fmr> {
        rates.iter().map(|rate| Fmr::new(*rate).unwrap()).collect()
    }

    #[test]
    fn a_target_beyond_the_data_is_refused_and_says_what_it_needs() {
        let data = data(impostors(100_000, 100, 0.02), 100);
        let made = choose(&rates(&[1e-2, 1e-4, 1e-5]), &data, false).unwrap();
        assert!(made[0].refusal().is_none() && made[1].refusal().is_none());
        let why = made[2].refusal().unwrap();
        assert!(why.contains("1.0e6") && why.contains("--tail-fit"), "{why}");
        assert!(made[2].row().is_none());
    }

    #[test]
    fn a_fit_is_marked_near_the_truth_and_ends_where_its_check_does() {
        let data = data(impostors(2_000_000, 1_000, 0.02), 1_000);
        let made = choose(&rates(&[1e-5, 1e-6, 1e-7]), &data, true).unwrap();
        let row = made[1].row().unwrap();
        assert_eq!((made[0].row().unwrap().basis, row.basis), (Basis::Counted, Basis::TailFit));
        // Exponential scores reach 0.02 ln(1e6) = 0.2763 once in a million.
        assert!((row.threshold - 0.2763).abs() < 0.03, "{row:?}");
        assert!(row.fmr_low <= 1e-6 && 1e-6 <= row.fmr_high);
        assert!(made[2].refusal().unwrap().contains("down to 5.0e-7"));
    }

    #[test]
    fn rows_have_few_digits_and_their_interval_only_grows() {
        let data = data(impostors(1_000_000, 300, 0.02), 300);
        let made = choose(&rates(&[1e-4]), &data, false).unwrap();
        let (row, Choice::Counted { counted, .. }) = (made[0].row().unwrap(), &made[0].choice) else {
            panic!()
        };
        let (low, high) = counted.outer();
        assert!(row.fmr_low <= low && high <= row.fmr_high && row.fmr_high < high * 1.002, "{row:?}");
        assert!(format!("{:?}", row.fmr_low).len() <= 10, "{row:?}");
        assert_eq!(row.tmr, 0.5);
    }

    /// Everybody, and two groups of which one's people look more alike.
    fn grouped(people: u32) -> Data {
        let all = impostors(400_000, people, 0.02);
        let of = (0..people).map(|person| Some(usize::from(person < people / 4))).collect::<Vec<_>>();
        let alike = |pair: &Comparison| Comparison {
            score: if pair.people.iter().all(|person| *person < people / 4) {
                pair.score + 0.1
            } else {
                pair.score
            },
            ..*pair
        };
        let pairs: Vec<Comparison> = all.comparisons().iter().map(alike).collect();
        let mut data = data(Impostors::new(pairs.clone(), people as usize), people as usize);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("groups"), "a\teast\nb\tnorth\n").unwrap();
        let groups = Groups::read(&dir.path().join("groups")).unwrap();
        data.grouped =
            Some(Grouped { groups, of, impostors: pairs, genuine: Vec::new(), text: String::new() });
        data
    }

    #[test]
    fn the_worst_groups_impostors_give_the_threshold_and_its_interval() {
        let data = grouped(200);
        let within = data.grouped.as_ref().unwrap().within();
        let (name, north) = &within[1];
        assert_eq!(*name, "north");
        let made = choose(&rates(&[1e-3]), &data, false).unwrap();
        let row = made[0].row().unwrap();
        assert_eq!(made[0].group.as_deref(), Some("north"));
        assert_eq!(Some(row.threshold), north.threshold(1e-3));
        assert!(row.threshold > data.chosen.impostors.threshold(1e-3).unwrap() + 0.02);
        // Of everybody, far fewer than the rate are accepted there: the interval is the group's.
        assert!(row.fmr_low <= 1e-3 && 1e-3 <= row.fmr_high * 1.2, "{row:?}");
        for (_, impostors) in &within {
            assert!(impostors.above(row.threshold) as f64 <= 1e-3 * impostors.len() as f64);
        }
    }

    #[test]
    fn a_group_too_small_for_a_rate_refuses_it_by_name() {
        let made = choose(&rates(&[1e-3, 1e-4]), &grouped(200), false).unwrap();
        assert!(made[0].refusal().is_none());
        let why = made[1].refusal().unwrap();
        assert!(why.starts_with("within north, 1e-4: ") && !why.contains("east"), "{why}");
    }
}
