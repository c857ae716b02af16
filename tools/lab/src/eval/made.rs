//! What stands for the samples of a protocol of LFW's shape: templates of photos, rows of a file, or crops described
//! without a network.

use std::path::Path;

use anyhow::{Context, Result};
use arcdoor_calib::Features;
use arcdoor_core::file::open_regular;
use arcdoor_core::{ModelId, StageTimes, Template};

use crate::eval::floor::{self, Floor};
use crate::eval::pair_task::{PairArgs, Task};
use crate::eval::report::rate::Rate;
use crate::eval::report::report::Maker;
use crate::eval::set::set::Set;
use crate::limits::MAX_REFERENCE_BYTES;
use crate::trouble::Trouble;

/// The least cosine of two features of one image, which batches of a network may round apart.
const ONE_IMAGE: f32 = 0.999;

/// The templates of a set, and where they come from.
pub(crate) struct Made<T> {
    pub(crate) templates: Vec<Option<T>>,
    /// Media without a template, and media.
    pub(crate) acquired: (u64, u64),
    pub(crate) times: Vec<StageTimes>,
    pub(crate) made_by: Option<Maker>,
}

pub(crate) fn made(args: &PairArgs, task: &Task) -> Result<Made<Template>> {
    if let Some(rows) = &args.rows {
        let templates = from_rows(rows, &task.bin)?;
        return Ok(Made { acquired: acquired(&templates), templates, times: Vec::new(), made_by: None });
    }
    let pack = args.path.open_pack()?;
    let (templates, times) = args.path.timed_templates(&pack, task.media())?;
    let acquired = acquired(&templates);
    let templates = match &task.pooled {
        Some(pooled) => pool(&templates, &pooled.of)?,
        None => templates,
    };
    Ok(Made { templates, acquired, times, made_by: Some(args.path.maker(&pack)?) })
}

/// Crops of the pack's detector, described without its embedder.
pub(crate) fn on_floor(args: &PairArgs, task: &Task, floor: floor::Kind) -> Result<Made<Floor>> {
    if task.pooled.is_some() {
        return Err(Trouble::BadInput(
            "videos have no --floor: their frames' sum is of embedders".to_owned(),
        )
        .into());
    }
    let pack = args.path.open_pack()?;
    let templates = args.path.floors(&pack, &task.set, floor)?;
    let dimension = templates.iter().flatten().map(Floor::len).next().unwrap_or_default();
    let maker = args.path.maker(&pack)?;
    let made_by = Maker { pack: floor.title().to_owned(), model_id: "none".to_owned(), dimension, ..maker };
    Ok(Made { acquired: acquired(&templates), templates, times: Vec::new(), made_by: Some(made_by) })
}

fn acquired<T>(templates: &[Option<T>]) -> (u64, u64) {
    (templates.iter().filter(|template| template.is_none()).count() as u64, templates.len() as u64)
}

/// The mean of each sample's templates; none where no frame of it has one.
fn pool(frames: &[Option<Template>], of: &[Vec<usize>]) -> Result<Vec<Option<Template>>> {
    let mean = |of: &Vec<usize>| {
        let frames: Vec<&Template> = of.iter().filter_map(|frame| frames[*frame].as_ref()).collect();
        Ok((!frames.is_empty()).then(|| Template::mean(frames)).transpose()?)
    };
    of.iter().map(mean).collect()
}

/// People without one photo that gave a template.
pub(crate) fn failed_to_enrol<T>(set: &Set, templates: &[Option<T>]) -> Rate {
    let mut has_template = vec![false; set.subjects.len()];
    for (sample, template) in set.samples.iter().zip(templates) {
        if let Some(subject) = sample.subject {
            has_template[subject] |= template.is_some();
        }
    }
    let failed = has_template.iter().filter(|has| !**has).count();
    Rate::of(failed as u64, has_template.len() as u64)
}

/// Templates from a file of features: a row for each image, whose sample `of` tells.
fn from_rows(path: &Path, of: &[usize]) -> Result<Vec<Option<Template>>> {
    let refuse = |what: String| Trouble::BadInput(format!("{}: {what}", path.display()));
    let file = open_regular(path).with_context(|| path.display().to_string())?;
    let features = Features::read(file, MAX_REFERENCE_BYTES).map_err(|error| refuse(error.to_string()))?;
    if features.rows() != of.len() {
        return Err(refuse(format!("{} rows, and --bin has {} images", features.rows(), of.len())).into());
    }
    let mut templates: Vec<Option<Template>> = Vec::new();
    for (row, sample) in of.iter().enumerate() {
        let template = Template::new(ModelId::new([0; 16]), features.row(row));
        let template = template.map_err(|error| refuse(format!("row {row}: {error}")))?;
        match templates.get(*sample).and_then(Option::as_ref) {
            None => templates.push(Some(template)),
            Some(first) if first.score(&template)?.0 >= ONE_IMAGE => {}
            Some(_) => {
                let what = format!("row {row} differs from an earlier one of the same image");
                return Err(refuse(what).into());
            }
        }
    }
    Ok(templates)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_without_a_face_is_counted_though_its_video_has_a_template() {
        let face = Some(Template::new(ModelId::new([1; 16]), &[1.0, 0.0]).unwrap());
        let frames = [face.clone(), None, None];
        assert_eq!(acquired(&frames), (2, 3));
        assert_eq!(pool(&frames, &[vec![0, 1], vec![2]]).unwrap(), [face, None]);
    }
}
