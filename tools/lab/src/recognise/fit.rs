//! One head: logistic regression between undamaged faces and those of one family.

use anyhow::{Result, ensure};

use super::samples::{Face, Samples};
use super::subject::Subject;
use crate::degrade::Family;

/// Weight of the squared weights against the sum of losses, for features of variance 1.
const RIDGE: f64 = 10.0;
/// Newton's steps: the loss is convex, and changes no more after some six.
const STEPS: usize = 10;

/// `bias + norm * |e| + direction . e / |e|`, with mean 0 and variance 1 over the undamaged faces it was fitted on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) bias: f64,
    pub(super) norm: f64,
    pub(super) direction: Vec<f64>,
}

impl Head {
    pub(super) fn value(&self, embedding: &[f32]) -> f64 {
        let features = features(embedding);
        self.bias + self.norm * features[0] + dot(&self.direction, &features[1..])
    }
}

/// Fits the head of a subject on the people that `is_fitted` says.
pub(super) fn fit(samples: &Samples, subject: Subject, is_fitted: impl Fn(usize) -> bool) -> Result<Head> {
    let of = |faces: &[Face]| -> Vec<Vec<f64>> {
        faces.iter().filter(|face| is_fitted(face.person)).map(|face| features(&face.embedding)).collect()
    };
    let clean = of(&samples.clean);
    let dimension = clean.first().map_or(0, Vec::len);
    ensure!(clean.len() > 1, "no face was found in the photos");
    let weights = match subject {
        Subject::Length => unit(dimension),
        Subject::Family(family) => {
            let index = Family::ALL.into_iter().position(|other| other == family).unwrap_or_default();
            logistic(&clean, &of(&samples.damaged[index]))?
        }
    };
    let values: Vec<f64> = clean.iter().map(|features| dot(&weights, features)).collect();
    let (mean, deviation) = moments(&values);
    ensure!(deviation > 0.0, "all embeddings are equal");
    let weights: Vec<f64> = weights.iter().map(|weight| weight / deviation).collect();
    Ok(Head { bias: -mean / deviation, norm: weights[0], direction: weights[1..].to_vec() })
}

/// The embedding's length, and its direction.
fn features(embedding: &[f32]) -> Vec<f64> {
    let values = || embedding.iter().map(|value| f64::from(*value));
    let length = values().map(|value| value * value).sum::<f64>().sqrt();
    [length].into_iter().chain(values().map(|value| value / length)).collect()
}

fn unit(dimension: usize) -> Vec<f64> {
    (0..dimension).map(|index| f64::from(u8::from(index == 0))).collect()
}

/// The weights of the features that tell `clean` (high) from `worse`; both classes count alike.
fn logistic(clean: &[Vec<f64>], worse: &[Vec<f64>]) -> Result<Vec<f64>> {
    ensure!(!worse.is_empty(), "no damaged face of a family");
    let all = || clean.iter().chain(worse);
    let dimension = clean[0].len();
    let scales: Vec<(f64, f64)> = (0..dimension)
        .map(|index| {
            let (mean, deviation) = moments(&all().map(|features| features[index]).collect::<Vec<_>>());
            (mean, deviation.max(1e-9))
        })
        .collect();
    let standard = |features: &Vec<f64>| -> Vec<f64> {
        let scaled =
            features.iter().zip(&scales).map(|(value, (mean, deviation))| (value - mean) / deviation);
        // The last one is the bias.
        scaled.chain([1.0]).collect()
    };
    let rows: Vec<Vec<f64>> = all().map(standard).collect();
    let count = rows.len() as f64;
    let class = |index: usize| {
        let is_clean = index < clean.len();
        let size = if is_clean { clean.len() } else { worse.len() };
        (f64::from(u8::from(is_clean)), count / 2.0 / size as f64)
    };
    let mut weights = vec![0.0; dimension + 1];
    for _ in 0..STEPS {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| RIDGE * weight).collect();
        let mut curvature = vec![vec![0.0; dimension + 1]; dimension + 1];
        for (index, row) in curvature.iter_mut().enumerate() {
            row[index] = RIDGE;
        }
        for (index, row) in rows.iter().enumerate() {
            let (label, share) = class(index);
            let odds = 1.0 / (1.0 + (-dot(&weights, row)).exp());
            let (slope, bend) = (share * (odds - label), share * odds * (1.0 - odds));
            for (at, value) in row.iter().enumerate() {
                gradient[at] += slope * value;
                let bent = bend * value;
                // The lower half: the matrix is symmetric.
                curvature[at].iter_mut().zip(&row[..=at]).for_each(|(sum, other)| *sum += bent * other);
            }
        }
        let step = solve(curvature, gradient)?;
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step);
    }
    weights.truncate(dimension);
    Ok(weights.iter().zip(&scales).map(|(weight, (_, deviation))| weight / deviation).collect())
}

/// Solves `a x = b` for a symmetric positive definite `a`, of which the lower half is given: Cholesky.
fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Result<Vec<f64>> {
    for column in 0..b.len() {
        let (before, below) = a.split_at_mut(column + 1);
        let head = &mut before[column];
        let pivot = head[column] - dot(&head[..column], &head[..column]);
        ensure!(pivot > 0.0, "the fit has no solution: too few faces");
        head[column] = pivot.sqrt();
        for row in below {
            row[column] = (row[column] - dot(&row[..column], &head[..column])) / head[column];
        }
    }
    for row in 0..b.len() {
        b[row] = (b[row] - dot(&a[row][..row], &b[..row])) / a[row][row];
    }
    for row in (0..b.len()).rev() {
        let after: f64 = (row + 1..b.len()).map(|other| a[other][row] * b[other]).sum();
        b[row] = (b[row] - after) / a[row][row];
    }
    Ok(b)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Mean and standard deviation.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;

    #[test]
    fn the_system_is_solved() {
        let a = vec![vec![4.0, 0.0, 0.0], vec![2.0, 5.0, 0.0], vec![1.0, 3.0, 6.0]];
        let x = solve(a, vec![11.0, 21.0, 25.0]).unwrap();
        let full = [[4.0, 2.0, 1.0], [2.0, 5.0, 3.0], [1.0, 3.0, 6.0]];
        for (row, expected) in full.iter().zip([11.0, 21.0, 25.0]) {
            assert!((dot(row, &x) - expected).abs() < 1e-9);
        }
        assert!(solve(vec![vec![-1.0]], vec![1.0]).is_err());
    }

    #[test]
    fn a_head_tells_short_and_bent_embeddings_from_others() {
        let mut random = Random(3);
        let mut faces = |length: f32, along: f32| -> Vec<Face> {
            let mut one = |person| {
                let values: Vec<f32> = (0..8).map(|_| random.signed()).collect();
                let embedding = values
                    .iter()
                    .enumerate()
                    .map(|(i, value)| length * (value + if i == 3 { along } else { 0.0 }));
                Face { person, embedding: embedding.collect() }
            };
            (0..400).map(&mut one).collect()
        };
        let clean = faces(10.0, 0.0);
        let damaged = Family::ALL.map(|family| match family {
            Family::Blur => faces(4.0, 0.0),
            _ => faces(10.0, 2.0),
        });
        let samples = Samples { people: 400, clean, damaged: damaged.to_vec() };
        for (index, family) in Family::ALL.into_iter().enumerate() {
            let head = fit(&samples, Subject::Family(family), |person| person < 200).unwrap();
            let mean = |faces: &[Face]| {
                faces[200..].iter().map(|face| head.value(&face.embedding)).sum::<f64>() / 200.0
            };
            assert!(mean(&samples.clean).abs() < 0.2, "{family:?}");
            assert!(mean(&samples.damaged[index]) < -1.5, "{family:?}: {}", mean(&samples.damaged[index]));
        }
    }
}
