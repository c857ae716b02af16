//! Embeddings of faces as they came, and damaged.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use arcdoor_calib::Random;
use arcdoor_models::Pack;
use indicatif::{ProgressBar, ProgressStyle};

use crate::degrade::{Family, draw};
use crate::eval::set::set::{Sample, Set};
use crate::eval::set::templates::PathArgs;
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
    let bar = ProgressBar::new(people.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} people, {eta} left")?);
    let none =
        Samples { people: people.len(), clean: Vec::new(), damaged: vec![Vec::new(); Family::ALL.len()] };
    let done = Mutex::new(none);
    workers::run(path.threads, people.len(), |take| {
        let mut finder = path.finder(pack)?;
        while let Some(person) = take() {
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
            let mut samples = done.lock().unwrap_or_else(PoisonError::into_inner);
            samples.clean.extend(clean);
            worse.into_iter().for_each(|(family, face)| samples.damaged[family].push(face));
            bar.inc(1);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    let mut samples = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    // The same table from any number of threads.
    samples.clean.sort_by_key(|face| face.person);
    samples.damaged.iter_mut().for_each(|family| family.sort_by_key(|face| face.person));
    Ok(samples)
}
