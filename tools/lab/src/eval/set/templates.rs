//! Templates of a set, made on several threads or read where an earlier run kept them.

use std::path::PathBuf;

use anyhow::Result;
use arcdoor_core::{StageTimes, Template};
use arcdoor_models::{Pack, Role, sha256_hex};
use arcdoor_vision::DetectSettings;
use clap::builder::RangedU64ValueParser;

use crate::eval::floor::{self, Floor};
use crate::eval::origin::maker;
use crate::eval::report::report::Maker;
use crate::eval::set::set::{Medium, Sample, Set};
use crate::face_finder::{FaceFinder, detector_parser, open_pack};
use crate::features::{Features, Known};
use crate::workers;
use arcdoor_vision::DetectorKind;

/// What is looked for where nothing else is said: more than at a door, for a photo that shows nobody is an error here.
const MIN_SCORE: f32 = 0.6;
const MIN_FACE_PX: u32 = 20;

/// The same as settings.
pub(crate) fn detect_settings() -> DetectSettings {
    DetectSettings { min_face_px: MIN_FACE_PX, min_score: MIN_SCORE, ..DetectSettings::default() }
}

/// How templates are made of a set: the flags of every evaluation that does so.
#[derive(clap::Args)]
pub(crate) struct PathArgs {
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pub(crate) pack: PathBuf,
    #[arg(long, value_parser = detector_parser(), default_value = "yunet")]
    pub(crate) detector: DetectorKind,
    /// The least score of a face, 0..=1, for YuNet
    #[arg(long, default_value_t = MIN_SCORE)]
    min_score: f32,
    /// The least width of a face, pixels
    #[arg(long, default_value_t = MIN_FACE_PX)]
    min_face: u32,
    #[arg(long, default_value_t = 2, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) threads: usize,
    /// Take the colour away from photos and crops before anything else sees them
    #[arg(long)]
    pub(crate) grey: bool,
    /// Templates of earlier runs: read from this file where it has them, added to it where not
    #[arg(long, value_name = "FILE")]
    pub(crate) features: Option<PathBuf>,
}

/// Below every cosine: what a comparison scores of which a sample gave no template. Never accepted, always counted.
pub(crate) const NEVER: f32 = -2.0;

/// What stands for a sample in a comparison.
pub(crate) trait Comparable: Send + Sync {
    /// How alike two are, -1..=1.
    ///
    /// # Errors
    /// When they are of two kinds.
    fn compare(&self, other: &Self) -> Result<f32>;
}

impl Comparable for Template {
    fn compare(&self, other: &Self) -> Result<f32> {
        Ok(self.score(other)?.0)
    }
}

impl Comparable for Floor {
    fn compare(&self, other: &Self) -> Result<f32> {
        Ok(self.score(other))
    }
}

/// The score of two samples; [`NEVER`] where one of them has nothing to be compared.
pub(crate) fn score<T: Comparable>(a: &Option<T>, b: &Option<T>) -> Result<f32> {
    match (a, b) {
        (Some(a), Some(b)) => a.compare(b),
        _ => Ok(NEVER),
    }
}

/// What a feature file calls a sample: two folders have photos of one name, a photo is replaced under its name, and a
/// file gives another template where it is said to be a crop.
fn key(sample: &Sample) -> Result<String> {
    let aligned = if matches!(sample.medium, Medium::CropFile(_)) { "aligned " } else { "" };
    Ok(format!("{aligned}{}, {}", sample.name, &sha256_hex(&sample.bytes()?)[..16]))
}

impl PathArgs {
    pub(crate) fn open_pack(&self) -> Result<Pack> {
        open_pack(&self.pack)
    }

    /// What is looked for.
    pub(crate) fn detect_settings(&self) -> DetectSettings {
        DetectSettings { min_face_px: self.min_face, min_score: self.min_score, ..DetectSettings::default() }
    }

    /// The template of every sample, `None` where no face could be had.
    pub(crate) fn templates(&self, pack: &Pack, set: &Set) -> Result<Vec<Option<Template>>> {
        Ok(self.timed_templates(pack, set)?.0)
    }

    /// The same, and how long each stage took with each photo that was run now.
    pub(crate) fn timed_templates(
        &self,
        pack: &Pack,
        set: &Set,
    ) -> Result<(Vec<Option<Template>>, Vec<StageTimes>)> {
        let Some(path) = &self.features else {
            let (made, times) = self.make(pack, &set.samples.iter().collect::<Vec<_>>())?;
            return Ok((made.into_iter().map(|known| known.map(|known| known.template)).collect(), times));
        };
        let detector = pack.net(Role::Detector)?;
        let made_by = format!(
            "embedder {}, {} with {} from {}, min_face {}, by content{}",
            pack.model_id(),
            self.detector.name(),
            &detector.sha256[..16],
            self.min_score,
            self.min_face,
            self.tone()
        );
        let table = pack.manifest().recognisability.as_ref();
        let mut features = Features::open(path, made_by, pack.model_id(), table)?;
        let name = |(): &mut (), index: usize| key(&set.samples[index]);
        let keys = workers::each(self.threads, set.samples.len(), "photos hashed", || Ok(()), name)?;
        let missing: Vec<usize> = (0..keys.len()).filter(|at| features.get(&keys[*at]).is_none()).collect();
        let mut times = Vec::new();
        if !missing.is_empty() {
            let samples: Vec<&Sample> = missing.iter().map(|at| &set.samples[*at]).collect();
            let (made, took) = self.make(pack, &samples)?;
            times = took;
            for (at, known) in missing.iter().zip(made) {
                features.insert(keys[*at].clone(), known);
            }
            features.write()?;
        }
        let template = |key: &String| features.get(key)?.as_ref().map(|known| known.template.clone());
        Ok((keys.iter().map(template).collect(), times))
    }

    /// Every sample's crop as `floor` describes it, `None` where no face could be had.
    pub(crate) fn floors(&self, pack: &Pack, set: &Set, floor: floor::Kind) -> Result<Vec<Option<Floor>>> {
        let made = |finder: &mut FaceFinder, index: usize| {
            Ok(finder.crop_of(&set.samples[index])?.map(|crop| floor.describe(&crop)))
        };
        workers::each(self.threads, set.samples.len(), "photos", || self.finder(pack), made)
    }

    /// A finder with the networks of `pack`, for one thread.
    pub(crate) fn finder(&self, pack: &Pack) -> Result<FaceFinder> {
        Ok(FaceFinder::open(pack, self.detector, self.detect_settings())?.in_grey(self.grey))
    }

    /// What follows a name where photos lose their colour.
    pub(crate) fn tone(&self) -> &'static str {
        if self.grey { ", in grey" } else { "" }
    }

    /// What makes the templates, for a report.
    pub(crate) fn maker(&self, pack: &Pack) -> Result<Maker> {
        let maker = maker(pack, self.detector)?;
        Ok(Maker { detector: maker.detector.clone() + self.tone(), ..maker })
    }

    fn make(&self, pack: &Pack, samples: &[&Sample]) -> Result<(Vec<Option<Known>>, Vec<StageTimes>)> {
        let made = |finder: &mut FaceFinder, index: usize| {
            let template = finder.template(samples[index])?;
            let known =
                template.map(|template| Known { template, embedding: finder.vision().embedding().to_vec() });
            // Times are of everything since a photo was searched, and no crop is.
            let times = samples[index].photo().map(|_| *finder.vision().times());
            Ok((known, times))
        };
        let made = workers::each(self.threads, samples.len(), "photos", || self.finder(pack), made)?;
        let (templates, times): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        Ok((templates, times.into_iter().flatten().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_photos_of_one_name_are_two_keys_and_a_photo_is_no_crop() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<String> = [("Ann", "of Ann"), ("Bob", "of Bob"), ("again", "of Ann")]
            .map(|(folder, content)| {
                let photo = dir.path().join(folder).join("1.jpg");
                std::fs::create_dir(photo.parent().unwrap()).unwrap();
                std::fs::write(&photo, content).unwrap();
                let of = |medium| Sample { name: "1".to_owned(), medium, subject: None, face: None };
                [of(Medium::Photo(photo.clone())), of(Medium::CropFile(photo))]
                    .map(|sample| key(&sample).unwrap())
            })
            .concat();
        let [ann, ann_crop, bob, _, again, _] = &keys[..] else { panic!("{keys:?}") };
        assert_eq!(ann, again, "the same photo elsewhere");
        assert!(ann != bob && ann != ann_crop, "{keys:?}");
    }
}
