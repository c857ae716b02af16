//! Verification: true accepts at false accept rates, equal error, and intervals over people for both.

use std::ops::ControlFlow;

use crate::impostors::Comparison;
use crate::rates::most_accepted;
use crate::resample::{ROUNDS, draws, percentiles, times};

/// The lowest score there is. One below it stands for a comparison that could not be made, and is never accepted.
pub const LOWEST_SCORE: f32 = -1.0;

/// Genuine and impostor comparisons of numbered people.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// Highest first; a comparison's two people are one.
    genuine: Vec<Comparison>,
    /// Highest first.
    impostors: Vec<Comparison>,
    people: usize,
    /// How many media each person has, where everybody is compared with everybody.
    crossed: Option<Vec<u32>>,
    /// The people of pairs of media that were left out of it.
    missing: Vec<[u32; 2]>,
}

/// What a false accept rate costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtRate {
    /// The least threshold that at most that share of the impostors reach.
    pub threshold: f32,
    /// Genuine comparisons at or above it.
    pub genuine: usize,
    /// Impostors at or above it.
    pub impostors: usize,
}

/// A point of a ROC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The lowest score that is accepted.
    pub threshold: f32,
    /// Share of impostors accepted, 0..=1.
    pub far: f64,
    /// Share of genuine comparisons accepted, 0..=1.
    pub tar: f64,
}

/// Where as many impostors are accepted as genuine comparisons are refused, in shares: on the straight line between the
/// two points of the ROC beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EqualError {
    /// The rate, 0..=1.
    pub rate: f64,
    /// The score at the point after it.
    pub threshold: f32,
}

/// 95 % intervals over resampled people, who choose each round's threshold anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervals {
    /// Of the true accept rate at each rate that was asked for.
    pub tar: Vec<(f64, f64)>,
    /// Of the false accept rate at the threshold of each, held.
    pub far: Vec<(f64, f64)>,
    /// Of the equal error rate; none where the curve does not reach it.
    pub equal_error: Option<(f64, f64)>,
}

/// What people who were drawn anew come to.
pub(crate) struct Round {
    /// True accept rate at each rate that was asked for.
    pub(crate) tar: Vec<f64>,
    equal_error: Option<f64>,
    /// The impostors' weight in all.
    impostors: u64,
    draws: Vec<u16>,
}

/// All that is accepted from one score on.
struct Step {
    score: f32,
    genuine: u64,
    impostors: u64,
}

/// Sums of weights.
#[derive(Clone, Copy)]
struct Totals {
    genuine: u64,
    impostors: u64,
}

impl Verification {
    /// Genuine comparisons as (person, score), impostors, and how many people there are, who are numbered from 0.
    ///
    /// Where nobody knows who is compared, each comparison stands for a person of its own: the intervals then take
    /// comparisons for independent.
    #[must_use]
    pub fn new(genuine: &[(u32, f32)], mut impostors: Vec<Comparison>, people: usize) -> Self {
        let pair = |(person, score): &(u32, f32)| Comparison { score: *score, people: [*person; 2] };
        let mut genuine: Vec<Comparison> = genuine.iter().map(pair).collect();
        for list in [&mut genuine, &mut impostors] {
            list.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
        }
        Self { genuine, impostors, people, crossed: None, missing: Vec::new() }
    }

    /// Says that every medium was compared with every other, and how many each person has, but for the pairs of
    /// two people that are `missing`: rounds need not look at every impostor then.
    #[must_use]
    pub fn crossed(self, media: Vec<u32>, missing: Vec<[u32; 2]>) -> Self {
        Self { crossed: Some(media), missing, ..self }
    }

    /// The genuine and the impostor comparisons, each list's highest score first.
    #[must_use]
    pub fn comparisons(&self) -> [&[Comparison]; 2] {
        [&self.genuine, &self.impostors]
    }

    /// How many genuine comparisons there are.
    #[must_use]
    pub fn genuine(&self) -> usize {
        self.genuine.len()
    }

    /// How many impostor comparisons there are.
    #[must_use]
    pub fn impostors(&self) -> usize {
        self.impostors.len()
    }

    /// Impostors and genuine comparisons at or above a threshold.
    #[must_use]
    pub fn above(&self, threshold: f32) -> (usize, usize) {
        let threshold = threshold.max(LOWEST_SCORE);
        let above = |list: &[Comparison]| list.partition_point(|pair| pair.score >= threshold);
        (above(&self.impostors), above(&self.genuine))
    }

    /// How many impostors a false accept rate asks for: one, at least, would be accepted.
    #[must_use]
    pub fn needed(far: f64) -> u64 {
        // 1 / 1e-3 must not be rounded up to 1001.
        (1.0 / far * (1.0 - 1e-12)).ceil() as u64
    }

    /// True accepts at a false accept rate (0..=1); none where the impostors are fewer than [`needed`](Self::needed).
    #[must_use]
    pub fn at(&self, far: f64) -> Option<AtRate> {
        if (self.impostors.len() as u64) < Self::needed(far) || self.genuine.is_empty() {
            return None;
        }
        let refused = self.refused(far);
        let threshold = refused.map_or(LOWEST_SCORE, |score| score.next_up().max(LOWEST_SCORE));
        let (impostors, genuine) = self.above(threshold);
        Some(AtRate { threshold, genuine, impostors })
    }

    /// The highest score of an impostor that must be refused.
    fn refused(&self, far: f64) -> Option<f32> {
        let most = most_accepted(far, self.impostors.len() as u64);
        self.impostors.get(most as usize).map(|pair| pair.score)
    }

    /// The points of the ROC at these rates, which rise: of those that accept no larger share, the last.
    #[must_use]
    pub fn curve(&self, fars: &[f64]) -> Vec<Point> {
        let totals = Totals { genuine: self.genuine.len() as u64, impostors: self.impostors.len() as u64 };
        let mut points: Vec<Point> = Vec::with_capacity(fars.len());
        let mut last = Point { threshold: f32::INFINITY, far: 0.0, tar: 0.0 };
        let mut wanted = fars.iter().peekable();
        let _ = self.steps(&|_| 1, &mut |step| {
            let point = point(&step, totals);
            while wanted.next_if(|far| point.far > **far).is_some() {
                points.push(last);
            }
            last = point;
            if wanted.peek().is_none() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        points.resize(fars.len(), last);
        points
    }

    /// The equal error rate; none where the curve ends before it, since too many comparisons could not be made.
    #[must_use]
    pub fn equal_error(&self) -> Option<EqualError> {
        let totals = Totals { genuine: self.genuine.len() as u64, impostors: self.impostors.len() as u64 };
        self.walk(&[], totals, &|_| 1).1
    }

    /// Intervals of what [`at`](Self::at) says of `fars`, and of the equal error rate. The same on every machine.
    #[must_use]
    pub fn intervals(&self, fars: &[f64]) -> Intervals {
        let thresholds: Vec<f32> =
            fars.iter().map(|far| self.at(*far).map_or(f32::INFINITY, |at| at.threshold)).collect();
        let above: Vec<usize> = thresholds
            .iter()
            .map(|threshold| self.impostors.partition_point(|pair| pair.score >= *threshold))
            .collect();
        let (mut tar, mut far) = (vec![Vec::new(); fars.len()], vec![Vec::new(); fars.len()]);
        let mut equal = Vec::new();
        for round in self.rounds(fars).flatten() {
            tar.iter_mut().zip(round.tar).for_each(|(all, tar)| all.push(tar));
            equal.extend(round.equal_error);
            let (mut counted, mut seen) = (0, 0);
            // The least rate first: each begins where the one before it ended.
            let mut order: Vec<usize> = (0..fars.len()).collect();
            order.sort_by_key(|index| above[*index]);
            for index in order {
                let between = self.impostors[seen..above[index]].iter();
                counted += between.map(|pair| times(&round.draws, pair.people)).sum::<u64>();
                seen = above[index];
                far[index].push(counted as f64 / round.impostors as f64);
            }
        }
        let ends =
            |all: Vec<Vec<f64>>| all.into_iter().map(|all| percentiles(all).unwrap_or((0.0, 1.0))).collect();
        Intervals { tar: ends(tar), far: ends(far), equal_error: percentiles(equal) }
    }

    /// Each round's people, and what they come to; none of a round that draws nobody who is compared.
    pub(crate) fn rounds(&self, fars: &[f64]) -> impl Iterator<Item = Option<Round>> {
        (0..ROUNDS).map(move |round| {
            let draws = draws(self.people, round as u64);
            let weight = |pair: &Comparison| times(&draws, pair.people);
            let genuine = self.genuine.iter().map(weight).sum();
            let totals = Totals { genuine, impostors: self.impostor_weight(&draws) };
            if totals.genuine == 0 || totals.impostors == 0 {
                return None;
            }
            let (tar, equal_error) = self.walk(fars, totals, &weight);
            let equal_error = equal_error.map(|found| found.rate);
            Some(Round { tar, equal_error, impostors: totals.impostors, draws })
        })
    }

    fn impostor_weight(&self, draws: &[u16]) -> u64 {
        let Some(media) = &self.crossed else {
            return self.impostors.iter().map(|pair| times(draws, pair.people)).sum();
        };
        let of = |(media, draws): (&u32, &u16)| u64::from(*media) * u64::from(*draws);
        let drawn = media.iter().zip(draws).map(of);
        let (sum, squares) =
            drawn.fold((0, 0), |(sum, squares), drawn| (sum + drawn, squares + drawn * drawn));
        (sum * sum - squares) / 2 - self.missing.iter().map(|pair| times(draws, *pair)).sum::<u64>()
    }

    /// The true accept rate at each of `fars`, and the equal error, with comparisons that count `weight` times.
    fn walk(
        &self,
        fars: &[f64],
        totals: Totals,
        weight: &dyn Fn(&Comparison) -> u64,
    ) -> (Vec<f64>, Option<EqualError>) {
        let (mut tars, mut equal) = (vec![0.0; fars.len()], None);
        let most = fars.iter().copied().fold(0.0, f64::max);
        let mut last = Point { threshold: f32::INFINITY, far: 0.0, tar: 0.0 };
        let _ = self.steps(weight, &mut |step| {
            let here = point(&step, totals);
            for (tar, _) in tars.iter_mut().zip(fars).filter(|(_, far)| here.far <= **far) {
                *tar = here.tar;
            }
            if equal.is_none() && here.far >= 1.0 - here.tar {
                let (before, rise) =
                    (1.0 - last.tar - last.far, (here.far - last.far) + (here.tar - last.tar));
                // By the rounding of the quotient it may lie beside the step.
                let rate = (last.far + (here.far - last.far) * before / rise).clamp(last.far, here.far);
                equal = Some(EqualError { rate, threshold: here.threshold });
            }
            last = here;
            if equal.is_some() && here.far > most {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        (tars, equal)
    }

    /// Each score from the highest on, with the weight of everything at or above it; equal scores are one step.
    fn steps(
        &self,
        weight: &dyn Fn(&Comparison) -> u64,
        visit: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (mut genuine, mut impostors) = (self.genuine.iter().peekable(), self.impostors.iter().peekable());
        let mut sums = (0, 0);
        loop {
            let heads = [genuine.peek(), impostors.peek()]
                .map(|head| head.map_or(f32::NEG_INFINITY, |pair| pair.score));
            let score = heads[0].max(heads[1]);
            if score < LOWEST_SCORE {
                return ControlFlow::Continue(());
            }
            while let Some(pair) = genuine.next_if(|pair| pair.score >= score) {
                sums.0 += weight(pair);
            }
            while let Some(pair) = impostors.next_if(|pair| pair.score >= score) {
                sums.1 += weight(pair);
            }
            visit(Step { score, genuine: sums.0, impostors: sums.1 })?;
        }
    }
}

fn point(step: &Step, totals: Totals) -> Point {
    let share = |part: u64, whole: u64| part as f64 / whole.max(1) as f64;
    let (far, tar) = (share(step.impostors, totals.impostors), share(step.genuine, totals.genuine));
    Point { threshold: step.score, far, tar }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use proptest::prelude::*;

    fn standard(random: &mut Random) -> f64 {
        let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        (-2.0 * uniform().ln()).sqrt() * (core::f64::consts::TAU * uniform()).cos()
    }

    /// The share of a standard normal distribution above `score`.
    fn above(score: f64) -> f64 {
        0.5 * libm::erfc(score / core::f64::consts::SQRT_2)
    }

    /// As a cosine: within -1..1, in the same order.
    fn squeezed(score: f64) -> f32 {
        (score / 20.0) as f32
    }

    fn independent(genuine: &[f32], impostors: &[f32]) -> Verification {
        let own: Vec<(u32, f32)> = (0..).zip(genuine.iter().copied()).collect();
        let first = genuine.len() as u32;
        let pair = |(person, score): (u32, &f32)| Comparison { score: *score, people: [person; 2] };
        let others = (first..).zip(impostors).map(pair).collect();
        Verification::new(&own, others, genuine.len() + impostors.len())
    }

    #[test]
    fn a_rate_that_the_impostors_cannot_support_has_no_number() {
        let scores: Vec<f32> = (0..1000).map(|i| i as f32 / 1000.0).collect();
        let all = independent(&scores, &scores);
        assert_eq!(
            all.at(1e-3).unwrap(),
            AtRate { threshold: 0.998_f32.next_up(), genuine: 1, impostors: 1 }
        );
        assert_eq!(all.at(9.9e-4), None);
        assert_eq!((Verification::needed(1e-3), Verification::needed(1e-8)), (1_000, 100_000_000));
    }

    #[test]
    fn comparisons_that_could_not_be_made_stay_in_the_denominator_and_are_never_accepted() {
        let all = independent(&[0.9, -2.0], &[0.1, -2.0, -2.0, -2.0]);
        assert_eq!(all.at(1.0).unwrap(), AtRate { threshold: -1.0, genuine: 1, impostors: 1 });
        assert_eq!(all.curve(&[1.0])[0], Point { threshold: 0.1, far: 0.25, tar: 0.5 });
        assert_eq!(
            all.equal_error(),
            None,
            "half of the genuine are refused, and a quarter of the impostors reached"
        );
    }

    #[test]
    fn the_equal_error_lies_between_two_points_of_the_curve() {
        // (0, 1/2) and (1/2, 1/2) and (1/2, 1): FNMR 1/2 meets FMR 1/2 at the second.
        let all = independent(&[0.9, 0.3], &[0.5, 0.1]);
        assert_eq!(all.equal_error().unwrap(), EqualError { rate: 0.5, threshold: 0.5 });
        // Tied: one step from (0, 0) to (1, 1), whose middle is the answer.
        assert_eq!(independent(&[0.5; 3], &[0.5; 7]).equal_error().unwrap().rate, 0.5);
        assert_eq!(independent(&[0.9; 3], &[0.1; 7]).equal_error().unwrap().rate, 0.0);
    }

    proptest! {
        /// Few different scores, so that most are tied.
        #[test]
        fn curve_and_table_agree_with_counting(
            genuine in proptest::collection::vec(-10_i8..=10, 1..60),
            impostors in proptest::collection::vec(-10_i8..=10, 1..60),
            far in 0.0_f64..=1.0,
        ) {
            let tenths = |list: &[i8]| list.iter().map(|tenth| f32::from(*tenth) / 10.0).collect::<Vec<f32>>();
            let (genuine, impostors) = (tenths(&genuine), tenths(&impostors));
            let all = independent(&genuine, &impostors);
            let share = |list: &[f32], from: f32| list.iter().filter(|score| **score >= from).count() as f64 / list.len() as f64;
            let point = all.curve(&[far])[0];
            prop_assert!(point.far <= far);
            prop_assert_eq!((share(&impostors, point.threshold), share(&genuine, point.threshold)), (point.far, point.tar));
            if let Some(at) = all.at(far) {
                prop_assert_eq!(at.genuine as f64 / genuine.len() as f64, point.tar);
                prop_assert_eq!(at.impostors as f64 / impostors.len() as f64, point.far);
            }
            let equal = all.equal_error().unwrap();
            let (at, before) = (share(&impostors, equal.threshold), share(&impostors, equal.threshold.next_up()));
            prop_assert!((before..=at).contains(&equal.rate));
            prop_assert!(1.0 - share(&genuine, equal.threshold) <= equal.rate + 1e-12);
        }
    }

    /// Scores of people who differ: a share of each score's variance is the person's own, so that comparisons of one
    /// person hang together.
    struct World {
        people: u32,
        /// Genuine comparisons of each.
        genuine: u32,
        /// The share of a person's own variance.
        own: f64,
        /// Distance of the two means, in deviations.
        apart: f64,
    }

    impl World {
        fn crossed(&self, seed: u64) -> Verification {
            let random = &mut Random(seed.wrapping_mul(0xD134_2543_DE82_EF95));
            let likes: Vec<[f64; 2]> =
                (0..self.people).map(|_| [standard(random), standard(random)]).collect();
            let (own, rest) = (self.own.sqrt(), (1.0 - self.own).sqrt());
            let (mut genuine, mut impostors) = (Vec::new(), Vec::new());
            for a in 0..self.people {
                let [of_genuine, of_a] = likes[a as usize];
                for _ in 0..self.genuine {
                    genuine.push((a, squeezed(self.apart + own * of_genuine + rest * standard(random))));
                }
                for b in a + 1..self.people {
                    let both = (of_a + likes[b as usize][1]) / core::f64::consts::SQRT_2;
                    let score = squeezed(own * both + rest * standard(random));
                    impostors.push(Comparison { score, people: [a, b] });
                }
            }
            Verification::new(&genuine, impostors, self.people as usize)
                .crossed(vec![1; self.people as usize], Vec::new())
        }
    }

    /// How often the interval over people holds the true TAR, FAR and equal error, in so many worlds.
    fn coverage(worlds: u64, world: impl Fn(u64) -> Verification, far: f64, apart: f64) -> [f64; 3] {
        // The threshold that impostors reach at `far`, by halving.
        let (mut low, mut high) = (0.0, 9.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if above(middle) > far { low = middle } else { high = middle }
        }
        let (tar, equal) = (above(low - apart), above(apart / 2.0));
        let mut held = [0_u64; 3];
        for seed in 0..worlds {
            let all = world(seed);
            let found = all.intervals(&[far]);
            let holds = |(low, high): (f64, f64), truth: f64| (low..=high).contains(&truth);
            let at_own = f64::from(all.at(far).unwrap().threshold) * 20.0;
            held[0] += u64::from(holds(found.tar[0], tar));
            held[1] += u64::from(holds(found.far[0], above(at_own)));
            held[2] += u64::from(holds(found.equal_error.unwrap(), equal));
        }
        held.map(|held| held as f64 / worlds as f64)
    }

    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        // With 200 worlds, a true coverage of 95 % shows less than 91 % once in 100 times.
        const WORLDS: u64 = 200;
        let world = World { people: 60, genuine: 5, own: 0.3, apart: 3.0 };
        let found = coverage(WORLDS, |seed| world.crossed(seed), 0.02, world.apart);
        println!("crossed, people who differ: TAR, FAR, equal error held in {found:.3?} of {WORLDS}");
        assert!(found.iter().all(|share| *share >= 0.9), "{found:?}");
        let alone = |seed: u64| {
            let random = &mut Random(seed.wrapping_mul(0xD134_2543_DE82_EF95));
            let genuine: Vec<f32> = (0..300).map(|_| squeezed(2.5 + standard(random))).collect();
            let impostors: Vec<f32> = (0..1500).map(|_| squeezed(standard(random))).collect();
            independent(&genuine, &impostors)
        };
        let found = coverage(WORLDS, alone, 0.02, 2.5);
        println!("each comparison by itself: TAR, FAR, equal error held in {found:.3?} of {WORLDS}");
        assert!(found.iter().all(|share| (0.9..=0.995).contains(share)), "{found:?}");
    }

    #[test]
    fn intervals_are_the_same_each_time_and_wider_where_people_differ() {
        let world = |own| World { people: 60, genuine: 10, own, apart: 2.0 };
        let width = |own| {
            let (low, high) = world(own).crossed(1).intervals(&[0.02]).tar[0];
            high - low
        };
        assert!(width(0.8) > 1.5 * width(0.0), "{} {}", width(0.8), width(0.0));
        assert_eq!(world(0.3).crossed(2).intervals(&[0.1]), world(0.3).crossed(2).intervals(&[0.1]));
    }

    #[test]
    fn a_crossed_set_is_weighed_without_looking_at_each_impostor() {
        let media = vec![2, 1, 3];
        let mut impostors = Vec::new();
        for (a, b, count) in [(0, 1, 2), (0, 2, 6), (1, 2, 3)] {
            impostors.extend((0..count).map(|_| Comparison { score: 0.1, people: [a, b] }));
        }
        let plain = Verification::new(&[(0, 0.9)], impostors.clone(), 3);
        let draws = [2, 1, 0];
        let crossed = plain.clone().crossed(media.clone(), Vec::new());
        assert_eq!(plain.impostor_weight(&draws), crossed.impostor_weight(&draws));
        impostors.remove(0);
        let plain = Verification::new(&[(0, 0.9)], impostors, 3);
        let crossed = plain.clone().crossed(media, vec![[0, 1]]);
        assert_eq!(plain.impostor_weight(&draws), crossed.impostor_weight(&draws));
    }
}
