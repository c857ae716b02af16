//! Galleries of format 4, which are read once and written in the present form.
//!
//! In format 4 each subject's templates lay under an orthogonal transform of the subject's own, on top of the
//! gallery's rotation, and the subject's record said which one (its generation, from 1). Here is what takes that
//! transform off again; nothing is written in this form any more.

use crate::error::GalleryError;
use crate::key::KEY_BYTES;
use crate::record::{Place, SubjectRecord, damaged};
use crate::sealer::Sealer;
use arcdoor_core::SubjectId;
use arcdoor_core::limits::MAX_DIMENSION;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize as _, Zeroizing};

/// Rounds of signs, permutation and Walsh-Hadamard transform (Andoni, Indyk, Laarhoven, Razenshteyn and Schmidt,
/// NeurIPS 2015, section 5).
const ROUNDS: usize = 3;

/// The seed of every subject's transform.
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

    /// Takes stored values back to the gallery's rotation. It computes in f64, so that one rounding to f32 is its
    /// only error.
    pub(crate) fn undo(&self, values: &mut [f32]) {
        let (mut wide, mut spare) = ([0.0_f64; MAX_DIMENSION], [0.0_f64; MAX_DIMENSION]);
        let (wide, spare) = (&mut wide[..values.len()], &mut spare[..values.len()]);
        wide.iter_mut().zip(values.iter()).for_each(|(wide, value)| *wide = f64::from(*value));
        self.0.iter().rev().for_each(|round| round.undo(wide, spare));
        values.iter_mut().zip(wide.iter()).for_each(|(value, wide)| *value = *wide as f32);
        wide.zeroize();
        spare.zeroize();
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

/// Stretches of a length that is a power of two, the largest up to `dimension`, which cover all values: one at the
/// beginning and, where that leaves some out, one at the end. The two may overlap.
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

/// A subject's record, and its generation.
pub(crate) fn open_subject(
    sealer: &Sealer,
    id: SubjectId,
    bytes: &[u8],
) -> Result<(SubjectRecord, u32), GalleryError> {
    let what = "a subject's record";
    let contents = Place::SubjectOfFormat4(id).open(sealer, bytes, what)?;
    let (enrolled, rest) = contents.split_first_chunk::<8>().ok_or_else(|| damaged(what))?;
    let (generation, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged(what))?;
    let present = Zeroizing::new([&enrolled[..], rest].concat());
    Ok((SubjectRecord::parse(&present)?, u32::from_le_bytes(*generation)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken_off(seed: u8, id: u32, generation: u32, values: &[f32]) -> Vec<f32> {
        let mut values = values.to_vec();
        let issues = Issues::new(Zeroizing::new([seed; KEY_BYTES]));
        issues.issue(SubjectId(id), generation, values.len()).undo(&mut values);
        values
    }

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn lengths_and_cosines_stay_whatever_the_dimension(
            (id, generation) in any::<(u32, u32)>(),
            (a, b) in (1_usize..=MAX_DIMENSION).prop_flat_map(|dimension| {
                let one = || prop::collection::vec(-1.0_f32..1.0, dimension);
                (one(), one())
            }),
        ) {
            let (x, y) = (taken_off(1, id, generation, &a), taken_off(1, id, generation, &b));
            for (left, right, expected) in [(&x, &y, dot(&a, &b)), (&x, &x, dot(&a, &a))] {
                prop_assert!((dot(left, right) - expected).abs() < 1e-4, "{expected}");
            }
        }
    }

    #[test]
    fn a_record_of_one_format_is_none_of_the_other() {
        let sealer = Sealer::new(&[5; KEY_BYTES]);
        let contents = [&9_u64.to_le_bytes()[..], &6_u32.to_le_bytes(), &[1, 0, 2, 0], b"Ada"].concat();
        let sealed = Place::SubjectOfFormat4(SubjectId(1)).seal(&sealer, &contents).unwrap();
        let (record, generation) = open_subject(&sealer, SubjectId(1), &sealed).unwrap();
        assert_eq!((record.name.as_str(), record.enrolled_unix_s, generation), ("Ada", 9, 6));
        assert_eq!((record.templates, record.impostors), (1, 2));
        assert!(SubjectRecord::open(&sealer, SubjectId(1), &sealed).is_err());
        let present = record.seal(&sealer, SubjectId(1)).unwrap();
        assert_eq!(SubjectRecord::open(&sealer, SubjectId(1), &present).unwrap(), record);
        assert!(open_subject(&sealer, SubjectId(1), &present).is_err());
        assert!(open_subject(&sealer, SubjectId(2), &sealed).is_err());
    }

    /// What format 4 wrote of `[0.6, 0.8, 0.0]` for subject 5 in its third generation.
    #[test]
    fn what_was_stored_comes_home() {
        let home = taken_off(7, 5, 3, &[-0.4879, -0.6914, 0.5328]);
        assert!(home.iter().zip([0.6, 0.8, 0.0]).all(|(value, was)| (value - was).abs() < 2e-4), "{home:?}");
    }
}
