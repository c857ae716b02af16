//! A keyed rotation of templates: scores stay as they are, but templates under two keys do not match.
//!
//! A template that leaks from one gallery is useless against another one's, and a gallery can be renewed
//! under a new key. It is renewal, not irreversibility: whoever knows as many pairs of a template and its
//! rotated form as a template has values solves for the matrix, and of the same people, two galleries hold
//! equal Gram matrices, whatever their keys.

use crate::key::KEY_BYTES;
use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{Template, TemplateError};
use arcdoor_kernels::{Isa, dot_f32_rows};
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

/// An orthogonal matrix drawn from a key; wiped from memory when it is dropped.
pub(crate) struct Transform {
    dimension: usize,
    isa: Isa,
    /// Row after row.
    matrix: Zeroizing<Vec<f32>>,
    /// The transpose, which is the inverse.
    inverse: Zeroizing<Vec<f32>>,
}

impl Transform {
    /// The matrix of `key`: Haar-distributed, as a product of Householder reflections of Gaussian vectors
    /// of growing length (G. W. Stewart, SIAM J. Numer. Anal. 17, 1980).
    pub(crate) fn new(key: &[u8; KEY_BYTES], dimension: usize) -> Self {
        let mut random = ChaCha20Rng::from_seed(*key);
        let mut matrix = Zeroizing::new(vec![0.0_f64; dimension * dimension]);
        for i in 0..dimension {
            matrix[i * dimension + i] = if random.next_u32() & 1 == 0 { 1.0 } else { -1.0 };
        }
        let mut mirror = Zeroizing::new(vec![0.0_f64; dimension]);
        for length in 2..=dimension {
            let vector = &mut mirror[..length];
            vector.iter_mut().for_each(|value| *value = gaussian(&mut random));
            reflect(&mut matrix, dimension, vector);
        }
        let rows = Zeroizing::new(matrix.iter().map(|&value| value as f32).collect::<Vec<_>>());
        let transposed = (0..dimension * dimension).map(|i| rows[i % dimension * dimension + i / dimension]);
        let inverse = Zeroizing::new(transposed.collect());
        Self { dimension, isa: Isa::detect(), matrix: rows, inverse }
    }

    /// The template as this gallery holds it.
    pub(crate) fn apply(&self, template: &Template) -> Result<Template, TemplateError> {
        self.multiply(&self.matrix, template)
    }

    /// The template as its embedder made it.
    pub(crate) fn undo(&self, template: &Template) -> Result<Template, TemplateError> {
        self.multiply(&self.inverse, template)
    }

    fn multiply(&self, rows: &[f32], template: &Template) -> Result<Template, TemplateError> {
        let mut buffer = Zeroizing::new([0.0_f32; MAX_DIMENSION]);
        let values = template.values();
        if values.len() != self.dimension {
            return Err(TemplateError::Dimension(values.len()));
        }
        let product = &mut buffer[..self.dimension];
        dot_f32_rows(self.isa, values, rows, product);
        let rotated = Template::new(template.model_id(), product)?;
        let Some(allowance) = template.allowance() else { return Ok(rotated) };
        let Some(shared) = template.shared() else { return rotated.with_allowance(allowance) };
        dot_f32_rows(self.isa, shared.values(), rows, product);
        rotated.with_shared(product, allowance)
    }
}

/// Mirrors each row of `matrix` at the plane normal to `vector`, which lies in the last dimensions.
fn reflect(matrix: &mut [f64], dimension: usize, vector: &[f64]) {
    let square: f64 = vector.iter().map(|value| value * value).sum();
    // Gaussian vectors are never that short.
    if square < f64::MIN_POSITIVE {
        return;
    }
    for row in matrix.chunks_exact_mut(dimension) {
        let part = &mut row[dimension - vector.len()..];
        let along: f64 = part.iter().zip(vector).map(|(a, b)| a * b).sum();
        let twice = 2.0 * along / square;
        part.iter_mut().zip(vector).for_each(|(value, normal)| *value -= twice * normal);
    }
}

/// A normal variate (Box and Muller, Ann. Math. Stat. 29, 1958), the same on every machine.
fn gaussian(random: &mut ChaCha20Rng) -> f64 {
    // 53 bits, and never 0, whose logarithm is infinite.
    let mut uniform = || ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    let (radius, angle) = (uniform(), uniform());
    libm::sqrt(-2.0 * libm::log(radius)) * libm::cos(core::f64::consts::TAU * angle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::ModelId;
    use proptest::prelude::*;

    const MODEL: ModelId = ModelId::new([1; 16]);

    fn templates(dimension: usize) -> impl Strategy<Value = (Template, Template)> {
        let one = || {
            prop::collection::vec(-1.0_f32..1.0, dimension)
                .prop_filter_map("not a zero vector", |values| Template::new(MODEL, &values).ok())
        };
        (one(), one())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn cosines_stay_and_the_way_back_is_exact(
            key in any::<[u8; KEY_BYTES]>(),
            (a, b) in (1_usize..200).prop_flat_map(templates),
        ) {
            let transform = Transform::new(&key, a.values().len());
            let (ta, tb) = (transform.apply(&a).unwrap(), transform.apply(&b).unwrap());
            let (before, after) = (a.score(&b).unwrap().0, ta.score(&tb).unwrap().0);
            prop_assert!((before - after).abs() < 2e-6, "{before} {after}");
            // Any part will do: it is rotated as the template is.
            let part: Vec<f32> = a.values().iter().map(|value| value * 0.7).collect();
            let shared = a.clone().with_shared(&part, 0.1).unwrap();
            let (before, after) = (shared.score(&b).unwrap().0, transform.apply(&shared).unwrap().score(&tb).unwrap().0);
            prop_assert!((before - after).abs() < 4e-6, "shared: {before} {after}");
            let kept = transform.apply(&a.clone().with_allowance(0.3).unwrap()).unwrap();
            prop_assert_eq!(kept.allowance(), Some(0.3));
            let back = transform.undo(&ta).unwrap();
            prop_assert!(back.values().iter().zip(a.values()).all(|(x, y)| (x - y).abs() < 2e-6));
        }
    }

    #[test]
    fn two_keys_share_no_direction() {
        let probe = Template::new(MODEL, &[1.0; 512]).unwrap();
        let [a, b] = [1, 2].map(|key| Transform::new(&[key; KEY_BYTES], 512).apply(&probe).unwrap());
        // Of random unit vectors of 512 values, the cosine's deviation is 1/sqrt(512) = 0.044.
        assert!(a.score(&b).unwrap().0.abs() < 0.2);
        assert!(a.score(&probe).unwrap().0.abs() < 0.2);
    }

    #[test]
    fn a_key_gives_the_same_matrix_everywhere() {
        let transform = Transform::new(&[7; KEY_BYTES], 3);
        let rounded: Vec<i32> = transform.matrix.iter().map(|value| (value * 1e4).round() as i32).collect();
        assert_eq!(rounded, MATRIX_OF_7);
    }

    /// What stored galleries rely on: change it, and none of them matches any more.
    const MATRIX_OF_7: [i32; 9] = [4979, 8659, 485, 2180, -708, -9734, 8394, -4952, 2240];
}
