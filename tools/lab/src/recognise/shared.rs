//! The directions that embeddings of damaged faces share.

use anyhow::{Result, ensure};
use nalgebra::{DMatrix, SymmetricEigen};

use super::digits::short;
use super::samples::{Face, Samples};
use super::subject::Subject;
use crate::degrade::Family;

/// The `count` directions in which damaged faces, the families counted by their weights, agree most beyond what undamaged
/// ones do: the first eigenvectors of the difference of their second moments.
pub(super) fn shared(
    samples: &Samples,
    is_known: impl Fn(Family) -> bool,
    count: usize,
) -> Result<Vec<Vec<f32>>> {
    let clean = moment(&samples.clean)?;
    let known = || Family::ALL.into_iter().zip(&samples.damaged).filter(|(family, _)| is_known(*family));
    let weight = |family| Subject::Family(family).weight();
    let all: f64 = known().map(|(family, _)| weight(family)).sum();
    let mut excess = -clean;
    for (family, faces) in known() {
        excess += moment(faces)? * (weight(family) / all);
    }
    ensure!(count <= excess.nrows(), "an embedding has {} directions, fewer than {count}", excess.nrows());
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(excess);
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
    let direction = |at: &usize| eigenvectors.column(*at).iter().map(|value| short(*value)).collect();
    Ok(order[..count].iter().map(direction).collect())
}

/// The mean of `u u^T` over the embeddings' directions u.
fn moment(faces: &[Face]) -> Result<DMatrix<f64>> {
    let dimension = faces.first().map_or(0, |face| face.embedding.len());
    ensure!(dimension > 0, "no damaged face of a family");
    let columns = faces.iter().flat_map(|face| {
        let length = face.embedding.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        face.embedding.iter().map(move |value| f64::from(*value) / length)
    });
    let units = DMatrix::from_iterator(dimension, faces.len(), columns);
    Ok(&units * units.transpose() / faces.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_damaged_faces_agree_on_is_found_and_what_all_faces_agree_on_is_not() {
        // All faces lie along the first axis; those of one family along the third as well, of the others the fourth.
        let face = |embedding: [f32; 4]| Face { person: 0, embedding: embedding.to_vec() };
        let clean = vec![face([1.0, 0.3, 0.0, 0.0]), face([1.0, -0.3, 0.0, 0.0])];
        let of = |family| match family {
            Family::Turn => vec![face([1.0, 0.3, 0.8, 0.0]), face([1.0, -0.3, 0.8, 0.0])],
            _ => vec![face([1.0, 0.3, 0.0, 0.5]), face([1.0, -0.3, 0.0, 0.5])],
        };
        let samples = Samples { people: 1, clean, damaged: Family::ALL.map(of).to_vec() };
        let found = |is_known: &dyn Fn(Family) -> bool| {
            let shared = shared(&samples, is_known, 1).unwrap();
            shared[0].iter().map(|value| value.abs()).collect::<Vec<_>>()
        };
        let most = found(&|_| true);
        assert!(most[3] > 0.8 && most[2] < 0.1, "most families: {most:?}");
        let turned = found(&|family| family == Family::Turn);
        assert!(turned[2] > 0.8 && turned[3] < 1e-6, "{turned:?}");
    }
}
