//! Templates of many pictures, made on several threads or read where an earlier run kept them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};
use arcdoor_core::Template;
use arcdoor_models::{Pack, Role};
use arcdoor_vision::DetectSettings;
use indicatif::{ProgressBar, ProgressStyle};

use crate::eval::set::fillers::Crop;
use crate::eval::set::lfw::{Lfw, stem};
use crate::features::Features;
use crate::sight::{Sight, detector_parser, open_pack};
use crate::workers;
use arcdoor_vision::DetectorKind;

/// The path from a picture to a template: flags of every evaluation that goes it.
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
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// Templates of earlier runs: read from this file where it has them, added to it where not
    #[arg(long, value_name = "FILE")]
    features: Option<PathBuf>,
}

/// A picture to make a template of.
pub(crate) enum Picture<'a> {
    /// The face nearest its centre.
    Photo(&'a Path),
    /// Aligned already.
    Crop(&'a [u8]),
}

/// Pictures and what they are called in a feature file.
pub(crate) type Named<'a> = (String, Picture<'a>);

/// Every photo of a set.
pub(crate) fn photos(lfw: &Lfw) -> Vec<Named<'_>> {
    lfw.photos.iter().map(|photo| (stem(&photo.path), Picture::Photo(&photo.path))).collect()
}

/// Every crop.
pub(crate) fn crops(crops: &[Crop]) -> Vec<Named<'_>> {
    crops.iter().map(|crop| (crop.name.clone(), Picture::Crop(&crop.bytes))).collect()
}

impl PathArgs {
    pub(crate) fn open_pack(&self) -> Result<Pack> {
        ensure!((1..=64).contains(&self.threads), "--threads lies in 1..=64");
        open_pack(&self.pack)
    }

    /// The template of every picture, `None` where no face could be had.
    pub(crate) fn templates(&self, pack: &Pack, pictures: &[Named<'_>]) -> Result<Vec<Option<Template>>> {
        let Some(path) = &self.features else { return self.make(pack, pictures) };
        let detector = pack.net(Role::Detector)?;
        let made_by = format!(
            "embedder {}, {} with {} from {}, min_face {}",
            pack.model_id(),
            self.detector.name(),
            &detector.sha256[..16],
            self.min_score,
            self.min_face
        );
        let mut features = Features::open(path, made_by, pack.model_id())?;
        let (mut missing, mut places) = (Vec::new(), Vec::new());
        for (place, (name, picture)) in pictures.iter().enumerate() {
            if features.get(name).is_none() {
                let picture = match picture {
                    Picture::Photo(path) => Picture::Photo(path),
                    Picture::Crop(bytes) => Picture::Crop(bytes),
                };
                missing.push((name.clone(), picture));
                places.push(place);
            }
        }
        if !missing.is_empty() {
            for (place, template) in places.into_iter().zip(self.make(pack, &missing)?) {
                features.insert(pictures[place].0.clone(), template);
            }
            features.write()?;
        }
        Ok(pictures.iter().map(|(name, _)| features.get(name).cloned().flatten()).collect())
    }

    fn make(&self, pack: &Pack, pictures: &[Named<'_>]) -> Result<Vec<Option<Template>>> {
        let settings = DetectSettings {
            min_face_px: self.min_face,
            min_score: self.min_score,
            ..DetectSettings::default()
        };
        let bar = ProgressBar::new(pictures.len() as u64);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} photos, {per_sec}, {eta} left")?);
        let done = Mutex::new(vec![None; pictures.len()]);
        workers::run(self.threads, pictures.len(), |take| {
            let mut sight = Sight::open(pack, self.detector, settings)?;
            while let Some(index) = take() {
                let (name, picture) = &pictures[index];
                let template = match picture {
                    Picture::Photo(path) => sight.template_at_centre(path)?,
                    Picture::Crop(bytes) => {
                        Some(sight.template_of_crop(bytes).with_context(|| name.clone())?)
                    }
                };
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[index] = template;
                bar.inc(1);
            }
            Ok(())
        })?;
        bar.finish_and_clear();
        Ok(done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}
