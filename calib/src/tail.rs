//! Rates below what the data can count, from a distribution fitted to the highest scores.

/// Fewest scores above the floor that a fit is made of.
pub const LEAST_EXCEEDANCES: usize = 50;

/// A generalised Pareto distribution of the scores above a floor. Whatever the distribution of scores, the
/// excess over a high floor tends to this form (Pickands, Annals of Statistics 3, 1975); how high is high
/// enough is for a check against held-out scores to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailFit {
    /// The score above which the distribution holds.
    pub floor: f64,
    /// The share of all impostor scores above the floor.
    pub share: f64,
    /// Shape: above 0 a heavy tail, at 0 exponential, below 0 one that ends.
    pub shape: f64,
    /// Scale, in units of score.
    pub scale: f64,
}

impl TailFit {
    /// Fits scores above `floor`, a share of `share` of all, by the estimator of Zhang and Stephens
    /// (Technometrics 51, 2009): the posterior mean of `theta = -shape / scale` under a weak prior, which
    /// always exists and is nearly as efficient as maximum likelihood. `None` with fewer than
    /// [`LEAST_EXCEEDANCES`] scores or where they do not spread.
    #[must_use]
    pub fn of(above: &[f64], floor: f64, share: f64) -> Option<Self> {
        let mut excess: Vec<f64> = above.iter().map(|score| score - floor).collect();
        excess.sort_by(f64::total_cmp);
        let count = excess.len();
        if count < LEAST_EXCEEDANCES || !(share > 0.0 && share <= 1.0) || excess[0] < 0.0 {
            return None;
        }
        let (quartile, most) = (excess[(count as f64 / 4.0 + 0.5) as usize - 1], excess[count - 1]);
        if !(quartile > 0.0 && most.is_finite()) {
            return None;
        }
        let points = 20 + (count as f64).sqrt() as usize;
        let theta = |point: usize| {
            1.0 / most + (1.0 - (points as f64 / (point as f64 + 0.5)).sqrt()) / (3.0 * quartile)
        };
        let shape = |theta: f64| excess.iter().map(|x| (-theta * x).ln_1p()).sum::<f64>() / count as f64;
        let likelihood: Vec<(f64, f64)> = (0..points)
            .map(theta)
            .map(|theta| {
                let shape = shape(theta);
                (theta, count as f64 * ((-theta / shape).ln() - shape - 1.0))
            })
            .filter(|(_, ln)| ln.is_finite())
            .collect();
        let best = likelihood.iter().map(|(_, ln)| *ln).fold(f64::NEG_INFINITY, f64::max);
        let weight: f64 = likelihood.iter().map(|(_, ln)| (ln - best).exp()).sum();
        let theta = likelihood.iter().map(|(theta, ln)| theta * (ln - best).exp()).sum::<f64>() / weight;
        let shape = shape(theta);
        let scale = -shape / theta;
        (shape.is_finite() && scale.is_finite() && scale > 0.0).then_some(Self { floor, share, shape, scale })
    }

    /// The score that impostors reach at `rate`, which lies below the share above the floor.
    #[must_use]
    pub fn threshold(&self, rate: f64) -> f64 {
        let fold = (self.share / rate).ln();
        let reach = if self.shape.abs() < 1e-9 { fold } else { (self.shape * fold).exp_m1() / self.shape };
        self.floor + self.scale * reach
    }

    /// The share of impostors at or above `threshold`, which lies at or above the floor.
    #[must_use]
    pub fn rate(&self, threshold: f64) -> f64 {
        let reach = ((threshold - self.floor) / self.scale).max(0.0);
        if self.shape.abs() < 1e-9 {
            return self.share * (-reach).exp();
        }
        let base = 1.0 + self.shape * reach;
        if base <= 0.0 { 0.0 } else { self.share * (-base.ln() / self.shape).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use proptest::prelude::*;

    /// Uniform in 0..1, never 0.
    fn uniform(random: &mut Random) -> f64 {
        ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn pareto(count: usize, shape: f64, scale: f64, seed: u64) -> Vec<f64> {
        let mut random = Random(seed);
        let truth = TailFit { floor: 0.4, share: 1.0, shape, scale };
        (0..count).map(|_| truth.threshold(uniform(&mut random))).collect()
    }

    #[test]
    fn known_shapes_and_scales_are_recovered() {
        for (shape, seed) in [(-0.4, 1), (-0.1, 2), (0.0, 3), (0.2, 4), (0.5, 5)] {
            let fit = TailFit::of(&pareto(20_000, shape, 0.03, seed), 0.4, 1e-3).unwrap();
            // Asymptotic deviation of the shape: (1 + shape) / sqrt(n), here at most 0.011.
            assert!(
                (fit.shape - shape).abs() < 0.04 && (fit.scale / 0.03 - 1.0).abs() < 0.05,
                "{shape}: {fit:?}"
            );
        }
    }

    /// Of a normal distribution, whose tail only tends to the form: fitted where counted, asked for ten times
    /// less, the true rate is within a factor of two; over 20 samples, right in the middle.
    #[test]
    fn a_normal_tail_is_continued_tenfold() {
        let truth = |score: f64| 0.5 * libm::erfc(score / core::f64::consts::SQRT_2);
        let (count, kept) = (200_000, 200);
        let mut ratios = Vec::new();
        for seed in 0..20 {
            let mut random = Random(seed);
            let mut normal = || {
                let (a, b) = (uniform(&mut random), uniform(&mut random));
                (-2.0 * a.ln()).sqrt() * (core::f64::consts::TAU * b).cos()
            };
            let mut scores: Vec<f64> = (0..count).map(|_| normal()).collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            let fit = TailFit::of(&scores[..kept], scores[kept], kept as f64 / count as f64).unwrap();
            ratios.push(truth(fit.threshold(5e-6)) / 5e-6);
        }
        ratios.sort_by(f64::total_cmp);
        assert!((0.6..1.7).contains(&ratios[10]), "{ratios:?}");
        assert!(ratios[1] > 0.15 && ratios[18] < 4.0, "{ratios:?}");
    }

    #[test]
    fn too_few_or_equal_scores_give_no_fit() {
        assert_eq!(TailFit::of(&pareto(LEAST_EXCEEDANCES - 1, 0.0, 0.1, 1), 0.4, 1e-3), None);
        assert_eq!(TailFit::of(&[0.5; 100], 0.5, 1e-3), None);
        assert_eq!(TailFit::of(&[f64::NAN; 100], 0.5, 1e-3), None);
        assert_eq!(TailFit::of(&pareto(100, 0.0, 0.1, 1), 0.6, 1e-3), None, "scores below the floor");
    }

    proptest! {
        #[test]
        fn thresholds_rise_as_rates_fall_and_lead_back(shape in -0.5_f64..0.5, fold in 1.0_f64..1e4) {
            let fit = TailFit { floor: 0.4, share: 1e-3, shape, scale: 0.02 };
            let rate = 1e-3 / fold;
            let threshold = fit.threshold(rate);
            prop_assert!((fit.rate(threshold) / rate - 1.0).abs() < 1e-6);
            prop_assert!(fit.threshold(rate / 2.0) > threshold && threshold >= 0.4);
        }
    }
}
