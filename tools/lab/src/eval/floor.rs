//! What the field did before networks: pixels that are correlated, and histograms of local binary patterns. Floors that
//! an embedder is set beside.

use arcdoor_frame::{RgbImage, RgbView};
use arcdoor_vision::align::TEMPLATE_SIDE;

/// A crop's side, pixels.
const SIDE: usize = TEMPLATE_SIDE as usize;
/// Cells along a side, whose histograms stand one after another (Ahonen, Hadid and Pietikainen, ECCV 2004: 7 x 7).
const CELLS: usize = 7;
/// Patterns of eight neighbours that change at most twice around, 58, and all others as one.
const PATTERNS: usize = 59;
/// Sums that are made beside each other, in one order on every machine.
const LANES: usize = 8;

/// How a crop is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Grey values: the correlation of two crops
    Pixels,
    /// Histograms of uniform local binary patterns, 8 neighbours, 7 x 7 cells: 1 less their chi-square distance
    Lbp,
}

impl Kind {
    /// What reports call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Pixels => "pixel correlation",
            Self::Lbp => "LBP histograms, chi-square",
        }
    }

    /// Of an aligned crop.
    pub(crate) fn describe(self, crop: &RgbImage) -> Floor {
        let grey = grey(crop.view());
        match self {
            Self::Pixels => Floor(self, without_mean(&grey)),
            Self::Lbp => Floor(self, histograms(&grey)),
        }
    }
}

/// A crop, described.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Floor(Kind, Vec<f32>);

impl Floor {
    /// How alike two crops are, -1..=1.
    pub(crate) fn score(&self, other: &Self) -> f32 {
        match self.0 {
            Kind::Pixels => sum(&self.1, &other.1, |a, b| a * b),
            // Of each cell between 0 and 2.
            Kind::Lbp => 1.0 - sum(&self.1, &other.1, chi_square) / (CELLS * CELLS) as f32,
        }
        .clamp(-1.0, 1.0)
    }

    /// How many values.
    pub(crate) fn len(&self) -> usize {
        self.1.len()
    }
}

fn chi_square(a: f32, b: f32) -> f32 {
    // Nothing in both adds nothing.
    (a - b) * (a - b) / (a + b).max(f32::MIN_POSITIVE)
}

fn sum(one: &[f32], other: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
    let (mut lanes, ends) = ([0.0; LANES], [one.chunks_exact(LANES), other.chunks_exact(LANES)]);
    let rest = ends[0].remainder().iter().zip(ends[1].remainder());
    let rest: f32 = rest.map(|(a, b)| term(*a, *b)).sum();
    let [one, other] = ends;
    for (a, b) in one.zip(other) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += term(*a, *b);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// Luma by ITU-R BT.601, in whole numbers: the same on every machine.
fn luma(pixel: &[u8]) -> u8 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((299 * r + 587 * g + 114 * b + 500) / 1000) as u8
}

fn grey(image: RgbView<'_>) -> Vec<u8> {
    image.data().chunks_exact(3).map(luma).collect()
}

/// Takes the colour away.
pub(crate) fn make_grey(image: &mut RgbImage) {
    for pixel in image.data_mut().chunks_exact_mut(3) {
        pixel.fill(luma(pixel));
    }
}

/// Length 1 about the mean; nothing of a crop without contrast.
fn without_mean(grey: &[u8]) -> Vec<f32> {
    let mean = grey.iter().map(|value| f64::from(*value)).sum::<f64>() / grey.len().max(1) as f64;
    let length = grey.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum::<f64>().sqrt();
    grey.iter().map(|value| ((f64::from(*value) - mean) / length.max(f64::MIN_POSITIVE)) as f32).collect()
}

/// The share of each pattern in each cell.
fn histograms(grey: &[u8]) -> Vec<f32> {
    let number = numbers();
    let mut counts = vec![0_u32; CELLS * CELLS * PATTERNS];
    for y in 1..SIDE - 1 {
        for x in 1..SIDE - 1 {
            let centre = grey[y * SIDE + x];
            let around = [(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (1, 2), (0, 2), (0, 1)];
            let bits = around.iter().enumerate().fold(0_u8, |bits, (bit, (dx, dy))| {
                let is_set = grey[(y + dy - 1) * SIDE + x + dx - 1] >= centre;
                bits | (u8::from(is_set) << bit)
            });
            let cell = (y * CELLS / SIDE) * CELLS + x * CELLS / SIDE;
            counts[cell * PATTERNS + number[usize::from(bits)]] += 1;
        }
    }
    let share = |cell: &[u32]| {
        let total = cell.iter().sum::<u32>().max(1) as f32;
        cell.iter().map(|count| *count as f32 / total).collect::<Vec<f32>>()
    };
    counts.chunks_exact(PATTERNS).flat_map(share).collect()
}

/// The number of each pattern: the uniform ones by themselves, all others the last.
fn numbers() -> [usize; 256] {
    let (mut next, mut numbers) = (0, [PATTERNS - 1; 256]);
    for (bits, number) in (0_u8..=255).zip(&mut numbers) {
        if (bits ^ bits.rotate_left(1)).count_ones() <= 2 {
            *number = next;
            next += 1;
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;

    fn crop(of: impl Fn(usize, usize, &mut Random) -> [u8; 3]) -> RgbImage {
        let (mut random, mut crop) = (Random(1), RgbImage::with_size(TEMPLATE_SIDE, TEMPLATE_SIDE));
        for (at, pixel) in crop.data_mut().chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&of(at % SIDE, at / SIDE, &mut random));
        }
        crop
    }

    #[test]
    fn there_are_58_uniform_patterns_and_one_for_the_rest() {
        let numbers = numbers();
        assert_eq!(numbers.iter().filter(|number| **number < PATTERNS - 1).count(), 58);
        assert_eq!((numbers[0], numbers[255], numbers[0b0101]), (0, 57, PATTERNS - 1));
    }

    #[test]
    fn a_crop_is_most_like_itself_and_light_moves_neither() {
        let noise = crop(|_, _, random| [(random.next_u64() % 128) as u8; 3]);
        let brighter = crop(|_, _, random| [(random.next_u64() % 128) as u8 + 60; 3]);
        let ramp = crop(|x, y, _| [(x + y) as u8, (x + y) as u8, (x + y) as u8]);
        for kind in [Kind::Pixels, Kind::Lbp] {
            let [noise, brighter, ramp] = [&noise, &brighter, &ramp].map(|crop| kind.describe(crop));
            assert!((noise.score(&noise) - 1.0).abs() < 1e-4, "{kind:?} {}", noise.score(&noise));
            assert!((noise.score(&brighter) - 1.0).abs() < 1e-4);
            assert!(noise.score(&ramp) < 0.5 && noise.score(&ramp) == ramp.score(&noise));
        }
    }

    #[test]
    fn correlation_and_chi_square_are_those_of_their_definitions() {
        let one = crop(|x, y, random| [(x * y % 199) as u8, (random.next_u64() % 200) as u8, y as u8]);
        let other = crop(|x, y, random| [(x + 2 * y % 199) as u8, (random.next_u64() % 100) as u8, x as u8]);
        let [a, b] =
            [&one, &other].map(|crop| grey(crop.view()).iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
        let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
        let (ma, mb) = (mean(&a), mean(&b));
        let product =
            |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(&b).map(|(x, y)| f(x - ma, y - mb)).sum::<f64>();
        let expected = product(&|x, y| x * y) / (product(&|x, _| x * x) * product(&|_, y| y * y)).sqrt();
        let found = Kind::Pixels.describe(&one).score(&Kind::Pixels.describe(&other));
        assert!((f64::from(found) - expected).abs() < 1e-5, "{found} {expected}");
        let [one, other] = [&one, &other].map(|crop| Kind::Lbp.describe(crop));
        assert_eq!(one.len(), 2_891);
        let distance: f64 = one
            .1
            .iter()
            .zip(&other.1)
            .filter(|(a, b)| *a + *b > 0.0)
            .map(|(a, b)| f64::from(a - b).powi(2) / f64::from(a + b))
            .sum();
        assert!((f64::from(one.score(&other)) - (1.0 - distance / 49.0)).abs() < 1e-5);
    }

    #[test]
    fn a_flat_crop_is_like_nobody_and_grey_has_no_colour() {
        let flat = Kind::Pixels.describe(&crop(|_, _, _| [9, 9, 9]));
        assert_eq!(flat.score(&flat), 0.0);
        let mut colours = crop(|x, y, _| [x as u8, y as u8, 200]);
        make_grey(&mut colours);
        assert!(colours.data_mut().chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        assert_eq!((luma(&[255; 3]), luma(&[0; 3]), luma(&[0, 0, 255])), (255, 0, 29));
    }
}
