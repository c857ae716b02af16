//! Exact intervals of a rate from independent trials.

/// Halvings of an interval of length 1: below the spacing of f64 around any rate of interest.
const HALVINGS: usize = 80;
/// Steps of the continued fraction; it converges in O(sqrt(max(a, b))).
const MOST_STEPS: usize = 100_000;

/// The Clopper-Pearson interval (Biometrika 26, 1934) of `hits` in `total` trials: it holds the true rate in
/// at least `confidence` (0..1) of all cases, whatever the rate. At no hits and 95 %, the upper end lies near
/// 3.7 / total; the one-sided rule of three is 3 / total.
#[must_use]
pub(crate) fn clopper_pearson(hits: usize, total: usize, confidence: f64) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let hits = hits.min(total);
    let (k, n, tail) = (hits as f64, total as f64, (1.0 - confidence) / 2.0);
    let low = if hits == 0 { 0.0 } else { inverse(|p| incomplete_beta(k, n - k + 1.0, p), tail) };
    let high = if hits == total { 1.0 } else { inverse(|p| incomplete_beta(k + 1.0, n - k, p), 1.0 - tail) };
    (low, high)
}

/// The probability of at most `hits` in `total` trials that hit half of the time.
#[must_use]
pub(crate) fn at_most_half(hits: usize, total: usize) -> f64 {
    if hits >= total {
        return 1.0;
    }
    1.0 - incomplete_beta(hits as f64 + 1.0, (total - hits) as f64, 0.5)
}

/// Where a function that rises from 0 to 1 over 0..1 reaches `value`.
fn inverse(rising: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if rising(middle) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The regularised incomplete beta function I_x(a, b), for a, b > 0: the probability of at least `a`
/// successes in `a + b - 1` trials of probability `x`. Continued fraction of DLMF 8.17.22.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return f64::from(u8::from(x >= 1.0));
    }
    // Logarithms of `libm`, too: a system's own may differ in their last bit, and reports are equal on every machine.
    let ln_front =
        libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let front = libm::exp(ln_front);
    // The fraction converges fast below the mean; above it, I_x(a, b) = 1 - I_(1-x)(b, a) (DLMF 8.17.4) does.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(a, b, x) / a
    } else {
        1.0 - front * fraction(b, a, 1.0 - x) / b
    }
}

/// The continued fraction, by Lentz's method (Applied Optics 15, 1976) as Thompson and Barnett changed it.
fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..MOST_STEPS {
        let m = step as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            change = c * d;
            value *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The probability of at least `least` hits, summed term by term.
    fn at_least(least: usize, total: usize, rate: f64) -> f64 {
        let term = |k: usize| {
            let (k, n) = (k as f64, total as f64);
            let ln_choose = libm::lgamma(n + 1.0) - libm::lgamma(k + 1.0) - libm::lgamma(n - k + 1.0);
            (ln_choose + k * rate.ln() + (n - k) * (-rate).ln_1p()).exp()
        };
        (least..=total).map(term).sum()
    }

    proptest! {
        #[test]
        fn the_ends_leave_exactly_their_tails(total in 1_usize..400, share in 0.0_f64..=1.0) {
            let hits = (share * total as f64).round() as usize;
            let (low, high) = clopper_pearson(hits, total, 0.95);
            prop_assert!(low <= hits as f64 / total as f64 && hits as f64 / total as f64 <= high);
            if hits > 0 {
                prop_assert!((at_least(hits, total, low) - 0.025).abs() < 1e-9);
            }
            if hits < total {
                prop_assert!((1.0 - at_least(hits + 1, total, high) - 0.025).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn known_intervals_and_the_rule_of_three() {
        // 991 of 1000, as R's binom.test gives it.
        let (low, high) = clopper_pearson(991, 1000, 0.95);
        assert!((low - 0.982_986).abs() < 1e-5 && (high - 0.995_877).abs() < 1e-5, "{low} {high}");
        // One-sided 95 % at no error in n trials: 1 - 0.05^(1/n), which is near 3/n.
        let (_, high) = clopper_pearson(0, 3000, 0.90);
        assert!((high - (1.0 - 0.05_f64.powf(1.0 / 3000.0))).abs() < 1e-12 && (high - 1e-3).abs() < 5e-6);
        assert_eq!(clopper_pearson(0, 0, 0.95), (0.0, 1.0));
        assert_eq!(clopper_pearson(5, 5, 0.95).1, 1.0);
    }

    #[test]
    fn twelve_million_trials_are_no_matter() {
        let (low, high) = clopper_pearson(125, 12_454_344, 0.95);
        assert!((low * 1e6 - 8.355).abs() < 0.05 && (high * 1e6 - 11.958).abs() < 0.05, "{low} {high}");
    }
}
