//! What a subject's templates are stored under, on top of the gallery's rotation: an orthogonal transform of
//! the subject's own, so that one subject can be issued anew and nobody else is touched.
//!
//! It stays on the disk: on the way into memory it is undone, so that one rotated probe meets everybody.

use crate::error::GalleryError;
use crate::gallery::{Gallery, record};
use crate::key::KEY_BYTES;
use crate::record::Kind;
use crate::store::{Entry, Part};
use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{SubjectId, Template};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// Rounds of signs, permutation and Walsh-Hadamard transform. Three of signs and transform behave like a random
/// rotation (Andoni, Indyk, Laarhoven, Razenshteyn and Schmidt, NeurIPS 2015, section 5); after fewer, a
/// template with few large values would show.
const ROUNDS: usize = 3;

/// The seed of every issue of a gallery.
pub(crate) struct Issues(Zeroizing<[u8; KEY_BYTES]>);

impl Issues {
    pub(crate) const fn new(seed: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(seed)
    }

    /// The transform of a subject's `generation`, for templates of `dimension` values (1 to 512).
    pub(crate) fn issue(&self, subject: SubjectId, generation: u32, dimension: usize) -> Issue {
        let mut info = *b"arcdoor issue 1 id.. gen";
        info[16..20].copy_from_slice(&subject.0.to_le_bytes());
        info[20..].copy_from_slice(&generation.to_le_bytes());
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        let done = Hkdf::<Sha256>::new(None, self.0.as_slice()).expand(&info, seed.as_mut_slice());
        debug_assert!(done.is_ok(), "8160 bytes can be had, and 32 are asked for");
        Issue::new(&seed, dimension)
    }
}

/// An orthogonal transform in O(n log n); wiped from memory when it is dropped.
pub(crate) struct Issue([Round; ROUNDS]);

struct Round {
    /// -1 or 1.
    signs: Zeroizing<Vec<f64>>,
    /// Where each value comes from.
    places: Zeroizing<Vec<u16>>,
}

impl Issue {
    fn new(seed: &[u8; KEY_BYTES], dimension: usize) -> Self {
        let mut random = ChaCha20Rng::from_seed(*seed);
        Self(std::array::from_fn(|_| Round::new(&mut random, dimension)))
    }

    /// From the gallery's rotation to what is stored. In f64: a template may be issued anew many times.
    pub(crate) fn apply(&self, values: &mut [f32]) {
        through_f64(values, |values, spare| self.0.iter().for_each(|round| round.apply(values, spare)));
    }

    /// The way back.
    pub(crate) fn undo(&self, values: &mut [f32]) {
        through_f64(values, |values, spare| self.0.iter().rev().for_each(|round| round.undo(values, spare)));
    }
}

impl Round {
    fn new(random: &mut ChaCha20Rng, dimension: usize) -> Self {
        let mut signs = Zeroizing::new(Vec::with_capacity(dimension));
        while signs.len() < dimension {
            let bits = random.next_u32();
            let sign = |bit: usize| if bits >> bit & 1 == 0 { 1.0 } else { -1.0 };
            let count = (dimension - signs.len()).min(32);
            signs.extend((0..count).map(sign));
        }
        let mut places: Zeroizing<Vec<u16>> = Zeroizing::new((0..dimension as u16).collect());
        // Fisher and Yates; the bias of a draw is below 2^-22.
        for last in (1..dimension).rev() {
            let drawn = (u64::from(random.next_u32()) * (last as u64 + 1)) >> 32;
            places.swap(last, drawn as usize);
        }
        Self { signs, places }
    }

    fn apply(&self, values: &mut [f64], spare: &mut [f64]) {
        spare.copy_from_slice(values);
        for (value, place) in values.iter_mut().zip(self.places.iter()) {
            let from = usize::from(*place);
            *value = spare[from] * self.signs[from];
        }
        let (first, last) = stretches(values.len());
        hadamard(&mut values[first]);
        if let Some(last) = last {
            hadamard(&mut values[last]);
        }
    }

    fn undo(&self, values: &mut [f64], spare: &mut [f64]) {
        let (first, last) = stretches(values.len());
        if let Some(last) = last {
            hadamard(&mut values[last]);
        }
        hadamard(&mut values[first]);
        spare.copy_from_slice(values);
        for (value, place) in spare.iter().zip(self.places.iter()) {
            let from = usize::from(*place);
            values[from] = value * self.signs[from];
        }
    }
}

/// What covers `dimension` values with lengths that are powers of two: the first ones, and, where some are
/// left, the last ones.
fn stretches(dimension: usize) -> (std::ops::Range<usize>, Option<std::ops::Range<usize>>) {
    let length = if dimension == 0 { 0 } else { 1 << dimension.ilog2() };
    (0..length, (length < dimension).then(|| dimension - length..dimension))
}

/// The orthonormal Walsh-Hadamard transform, its own inverse; the length is a power of two (Fino and Algazi,
/// IEEE Trans. Computers C-25, 1976).
fn hadamard(values: &mut [f64]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (values.len() as f64).sqrt();
    values.iter_mut().for_each(|value| *value *= scale);
}

fn through_f64(values: &mut [f32], work: impl Fn(&mut [f64], &mut [f64])) {
    let (mut wide, mut spare) = ([0.0_f64; MAX_DIMENSION], [0.0_f64; MAX_DIMENSION]);
    let (wide, spare) = (&mut wide[..values.len()], &mut spare[..values.len()]);
    wide.iter_mut().zip(values.iter()).for_each(|(wide, value)| *wide = f64::from(*value));
    work(wide, spare);
    values.iter_mut().zip(wide.iter()).for_each(|(value, wide)| *value = *wide as f32);
    wide.zeroize();
    spare.zeroize();
}

impl Gallery {
    /// Stores a subject's templates, own and impostor ones, under another transform, in one change, durable as
    /// [`Gallery::enrol`]; returns the new generation. Nobody need come: the templates are the same, and so is
    /// every score. What the file's freed pages held stays, sealed, until [`Gallery::rewrite`].
    ///
    /// # Errors
    /// When the subject is unknown, it was issued 2^32 times, or the disk fails.
    pub fn reissue(&mut self, id: SubjectId) -> Result<u32, GalleryError> {
        let at = self.position(id)?;
        let mut subject = self.subjects[at].clone();
        subject.generation = subject.generation.checked_add(1).ok_or(GalleryError::Full)?;
        let (own, impostors) = (self.stored(id, Kind::Own)?, self.stored(id, Kind::Impostor)?);
        let entry = Entry {
            id,
            record: record(&subject),
            own: Part { first: 0, templates: &own },
            impostors: Part { first: 0, templates: &impostors },
        };
        self.store.put(&self.meta, &[entry])?;
        self.subjects[at] = subject;
        Ok(self.subjects[at].generation)
    }

    /// A subject's templates from the store, under the gallery's rotation.
    pub(crate) fn stored(&self, id: SubjectId, kind: Kind) -> Result<Vec<Template>, GalleryError> {
        let mut templates = Vec::new();
        self.store.templates(kind, &self.subjects, Some(id), self.dimension(), |_, _, values| {
            templates.push(Template::new(self.meta.model_id, values)?);
            Ok(())
        })?;
        Ok(templates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn issues(seed: u8) -> Issues {
        Issues::new(Zeroizing::new([seed; KEY_BYTES]))
    }

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    fn stored(seed: u8, id: u32, generation: u32, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        issues(seed).issue(SubjectId(id), generation, values.len()).apply(&mut values);
        values
    }

    fn unit(values: &[f32]) -> Vec<f32> {
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values.iter().map(|value| value / length).collect()
    }

    fn two(dimension: usize) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        let one = || {
            prop::collection::vec(-1.0_f32..1.0, dimension).prop_filter_map("hardly any length", |values| {
                values.iter().any(|value| value.abs() > 0.1).then(|| unit(&values))
            })
        };
        (one(), one())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn cosines_stay_and_the_way_back_is_exact(
            (id, generation) in any::<(u32, u32)>(),
            (a, b) in (1_usize..=MAX_DIMENSION).prop_flat_map(two),
        ) {
            let (sa, sb) = (stored(1, id, generation, &a), stored(1, id, generation, &b));
            prop_assert!((cosine(&sa, &sb) - cosine(&a, &b)).abs() < 2e-6);
            let mut back = sa;
            issues(1).issue(SubjectId(id), generation, a.len()).undo(&mut back);
            prop_assert!(back.iter().zip(&a).all(|(x, y)| (x - y).abs() < 2e-6));
        }
    }

    /// Stored forms of one template under 200 generations, subjects and galleries are like unrelated ones: of
    /// random unit vectors the cosine's deviation is 1/sqrt(n). Templates of few large values are the hardest.
    /// What a permutation and signs alone would leave, the sorted magnitudes, is as far apart as that of two
    /// templates that have nothing in common.
    #[test]
    fn what_is_stored_of_one_template_links_no_two_issues() {
        for dimension in [96, 128, 192, 509, 512] {
            let one_hot: Vec<f32> = (0..dimension).map(|i| f32::from(u8::from(i == 3))).collect();
            let even = unit(&vec![1.0; dimension]);
            let slope = unit(&(0..dimension).map(|i| i as f32 - 40.0).collect::<Vec<_>>());
            for template in [one_hot, even, slope] {
                let first = stored(1, 1, 1, &template);
                let (mut squares, mut same, mut unrelated) = (0.0, 0.0, 0.0);
                for other in 0..200 {
                    let (seed, id, generation) = match other % 3 {
                        0 => (1, 1, 2 + other),
                        1 => (1, 2 + other, 1),
                        _ => (2 + other as u8, 1, 1),
                    };
                    let second = stored(seed, id, generation, &template);
                    squares += cosine(&first, &second).powi(2);
                    same += sorted_distance(&first, &second);
                    let stranger: Vec<f32> =
                        (0..dimension).map(|i| ((i * (other as usize + 3)) as f32).sin()).collect();
                    unrelated += sorted_distance(&first, &stored(seed, id, generation, &unit(&stranger)));
                }
                // A sum of 200 squared cosines, each 1/n in the mean: within four deviations of 200/n.
                let ratio = squares * dimension as f64 / 200.0;
                assert!((0.6..1.4).contains(&ratio), "{dimension}: {ratio}");
                assert!(same > 0.8 * unrelated, "{dimension}: magnitudes link, {same} against {unrelated}");
            }
        }
    }

    /// Length of the difference of the sorted magnitudes; 0 for a permutation with signs.
    fn sorted_distance(a: &[f32], b: &[f32]) -> f32 {
        let sorted = |values: &[f32]| {
            let mut values: Vec<f32> = values.iter().map(|value| value.abs()).collect();
            values.sort_by(f32::total_cmp);
            values
        };
        sorted(a).iter().zip(sorted(b)).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
    }

    #[test]
    fn a_thousand_issues_wear_nothing_off() {
        let template = unit(&(0..128).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>());
        let mut values = template.clone();
        for generation in 1..=1000 {
            let issue = issues(1).issue(SubjectId(1), generation, 128);
            issue.apply(&mut values);
            issue.undo(&mut values);
        }
        assert!((cosine(&values, &template) - 1.0).abs() < 1e-9);
        let length: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }

    #[test]
    fn a_seed_gives_the_same_issue_everywhere() {
        let rounded: Vec<i32> =
            stored(7, 5, 3, &[0.6, 0.8, 0.0]).iter().map(|value| (value * 1e4).round() as i32).collect();
        assert_eq!(rounded, ISSUE_OF_7);
    }

    /// What stored galleries rely on: change it, and none of them matches any more.
    const ISSUE_OF_7: [i32; 3] = [-4879, -6914, 5328];
}
