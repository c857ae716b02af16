//! Templates of a set, made on several threads or read where an earlier run kept them.

use std::borrow::Cow;
use std::path::PathBuf;

use anyhow::Result;
use arcdoor_core::{StageTimes, Template};
use arcdoor_models::{Pack, Role};
use arcdoor_vision::DetectSettings;
use clap::builder::RangedU64ValueParser;

use crate::eval::set::set::{Medium, Sample, Set};
use crate::face_finder::{FaceFinder, detector_parser, open_pack};
use crate::features::Features;
use crate::workers;
use arcdoor_vision::DetectorKind;

/// How templates are made of a set: the flags of every evaluation that does so.
#[derive(clap::Args)]
pub(crate) struct PathArgs {
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pub(crate) pack: PathBuf,
    #[arg(long, value_parser = detector_parser(), default_value = "yunet")]
    pub(crate) detector: DetectorKind,
    /// The least score of a face, 0..=1, for YuNet
    #[arg(long, default_value_t = 0.6)]
    min_score: f32,
    /// The least width of a face, pixels
    #[arg(long, default_value_t = 20)]
    min_face: u32,
    #[arg(long, default_value_t = 2, value_parser = RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub(crate) threads: usize,
    /// Templates of earlier runs: read from this file where it has them, added to it where not
    #[arg(long, value_name = "FILE")]
    pub(crate) features: Option<PathBuf>,
}

/// Below every cosine: what a comparison scores of which a sample gave no template. Never accepted, always counted.
pub(crate) const NEVER: f32 = -2.0;

/// The score of two samples' templates; [`NEVER`] where one of them has none.
pub(crate) fn score(a: &Option<Template>, b: &Option<Template>) -> Result<f32> {
    match (a, b) {
        (Some(a), Some(b)) => Ok(a.score(b)?.0),
        _ => Ok(NEVER),
    }
}

/// What a feature file calls a sample: a file gives another template where it is said to be a crop.
fn key(sample: &Sample) -> Cow<'_, str> {
    match sample.medium {
        Medium::CropFile(_) => Cow::Owned(format!("aligned {}", sample.name)),
        Medium::Photo(_) | Medium::Crop(_) => Cow::Borrowed(&sample.name),
    }
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
            return self.make(pack, &set.samples.iter().collect::<Vec<_>>());
        };
        let detector = pack.net(Role::Detector)?;
        let made_by = format!(
            "embedder {}, {} with {} from {}, min_face {}",
            pack.model_id(),
            self.detector.name(),
            &detector.sha256[..16],
            self.min_score,
            self.min_face
        );
        let shared = pack.manifest().recognisability.as_ref().and_then(|table| table.shared.as_ref());
        let mut features = Features::open(path, made_by, pack.model_id(), shared)?;
        let is_missing = |sample: &&Sample| features.get(&key(sample)).is_none();
        let missing: Vec<&Sample> = set.samples.iter().filter(is_missing).collect();
        let mut times = Vec::new();
        if !missing.is_empty() {
            let (made, took) = self.make(pack, &missing)?;
            times = took;
            for (sample, template) in missing.iter().zip(made) {
                features.insert(key(sample).into_owned(), template);
            }
            features.write()?;
        }
        let template = |sample: &Sample| features.get(&key(sample)).cloned().flatten();
        Ok((set.samples.iter().map(template).collect(), times))
    }

    /// A finder with the networks of `pack`, for one thread.
    pub(crate) fn finder(&self, pack: &Pack) -> Result<FaceFinder> {
        FaceFinder::open(pack, self.detector, self.detect_settings())
    }

    fn make(&self, pack: &Pack, samples: &[&Sample]) -> Result<(Vec<Option<Template>>, Vec<StageTimes>)> {
        let made = |finder: &mut FaceFinder, index: usize| {
            let template = finder.template(samples[index])?;
            // Times are of everything since a photo was searched, and no crop is.
            let times = samples[index].photo().map(|_| *finder.vision().times());
            Ok((template, times))
        };
        let made = workers::each(self.threads, samples.len(), "photos", || self.finder(pack), made)?;
        let (templates, times): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        Ok((templates, times.into_iter().flatten().collect()))
    }
}
