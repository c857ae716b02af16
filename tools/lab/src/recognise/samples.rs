//! Embeddings of faces as they came, and damaged.

use std::collections::BTreeSet;

use anyhow::Result;
use arcdoor_calib::Random;
use arcdoor_models::Pack;

use crate::degrade::{Family, draw};
use crate::eval::set::set::{Sample, Set};
use crate::eval::set::templates::PathArgs;
use crate::face_finder::FaceFinder;
use crate::workers;

/// An embedding, and whose face it is of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Face {
    pub(super) person: usize,
    pub(super) embedding: Vec<f32>,
}

/// Faces as they came, and damaged ones by family, in the order of [`Family::ALL`].
pub(super) struct Samples {
    pub(super) people: usize,
    pub(super) clean: Vec<Face>,
    pub(super) damaged: Vec<Vec<Face>>,
}

/// Embeds every photo of the chosen people, and the first of each in `damaged` damaged forms.
pub(super) fn collect(
    pack: &Pack,
    path: &PathArgs,
    set: &Set,
    chosen: &BTreeSet<usize>,
    damaged: usize,
) -> Result<Samples> {
    let of = |person: &usize| set.samples.iter().filter(|sample| sample.subject == Some(*person)).collect();
    let people: Vec<Vec<&Sample>> = chosen.iter().map(of).collect();
    let embed = |finder: &mut FaceFinder, person: usize| {
        let mut random = Random(person as u64);
        let (mut clean, mut worse) = (Vec::new(), Vec::new());
        for (index, photo) in people[person].iter().filter_map(|sample| sample.photo()).enumerate() {
            let Some(crop) = finder.aligned(photo)? else { continue };
            clean.push(Face { person, embedding: finder.judge(&crop)?.embedding });
            for number in (0..damaged).filter(|_| index == 0) {
                let family = number % Family::ALL.len();
                let mut crop = crop.clone();
                draw(Family::ALL[family], &mut random).apply(&mut crop, &mut random);
                worse.push((family, Face { person, embedding: finder.judge(&crop)?.embedding }));
            }
        }
        Ok((clean, worse))
    };
    let (mut clean, mut by_family) = (Vec::new(), vec![Vec::new(); Family::ALL.len()]);
    for (faces, worse) in workers::each(path.threads, people.len(), "people", || path.finder(pack), embed)? {
        clean.extend(faces);
        worse.into_iter().for_each(|(family, face)| by_family[family].push(face));
    }
    Ok(Samples { people: people.len(), clean, damaged: by_family })
}
