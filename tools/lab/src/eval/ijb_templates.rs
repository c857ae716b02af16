//! Templates of IJB: the images of a medium averaged, media summed, length 1.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use crate::eval::ijb_lists::{Lists, Medium};
use crate::trouble::Trouble;
use crate::verify::rows::{RowFile, Rows};

/// How images become templates.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Pooling {
    /// The images' features (LFR's file or npy), in the order of face_tid_mid.txt
    #[arg(long, value_name = "FILE")]
    pub(crate) features: PathBuf,
    /// The folder of the lists
    #[arg(long, value_name = "DIR")]
    pub(crate) meta: PathBuf,
    /// Rows hold an image's feature and that of its mirror image, one after the other: they are summed
    #[arg(long)]
    flip: bool,
    /// Give each image length 1 first: else a feature's length weighs it
    #[arg(long)]
    unit: bool,
    /// Do not weigh images by the detector's score
    #[arg(long)]
    no_detector_score: bool,
    /// Sum a template's images without averaging those of a medium first
    #[arg(long)]
    by_image: bool,
}

/// Templates of length 1, by their numbers.
pub(crate) struct Templates {
    pub(crate) values: BTreeMap<u32, Vec<f64>>,
    pub(crate) images: usize,
}

impl Templates {
    /// Score of two templates.
    pub(crate) fn score(&self, one: u32, two: u32) -> Option<f64> {
        Some(dot(self.values.get(&one)?, self.values.get(&two)?))
    }
}

pub(crate) fn dot(one: &[f64], two: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let ((ones, one_rest), (twos, two_rest)) = (one.as_chunks::<8>(), two.as_chunks::<8>());
    for (one, two) in ones.iter().zip(twos) {
        for lane in 0..8 {
            sums[lane] += one[lane] * two[lane];
        }
    }
    sums.iter().sum::<f64>() + one_rest.iter().zip(two_rest).map(|(a, b)| a * b).sum::<f64>()
}

impl Pooling {
    /// Every template of the lists.
    pub(crate) fn templates(&self, lists: &Lists<'_>) -> Result<Templates> {
        let bad = |text: String| Trouble::BadInput(text);
        let rows = RowFile::open(&self.features)?;
        let media = lists.media()?;
        let count = |found: usize, what: &str| {
            let text = format!(
                "{found} lines in {}, {} rows in {}",
                lists.file(what).display(),
                rows.count(),
                self.features.display()
            );
            if found == rows.count() { Ok(()) } else { Err(bad(text)) }
        };
        count(media.len(), "face_tid_mid.txt")?;
        let weights = if self.no_detector_score {
            None
        } else {
            let scores = lists.detector_scores()?;
            count(scores.len(), "name_5pts_score.txt")?;
            Some(scores)
        };
        if self.flip && rows.dimension() % 2 == 1 {
            return Err(bad(format!(
                "{} values to a row cannot be a feature and its mirror's",
                rows.dimension()
            ))
            .into());
        }
        let dimension = if self.flip { rows.dimension() / 2 } else { rows.dimension() };
        let mut raw = vec![0.0; rows.dimension()];
        // Sums by template and medium, and how many images each has.
        let mut sums: BTreeMap<u32, BTreeMap<u32, (Vec<f64>, u32)>> = BTreeMap::new();
        for (row, Medium { template, medium }) in media.into_iter().enumerate() {
            rows.read(row..row + 1, &mut raw)?;
            let mut image: Vec<f64> = raw[..dimension].iter().map(|value| f64::from(*value)).collect();
            if self.flip {
                image.iter_mut().zip(&raw[dimension..]).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            if self.unit {
                unit(&mut image).ok_or_else(|| bad(format!("row {row} has no direction")))?;
            }
            let weight = weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]));
            // Without media there is one sum, and nothing to average.
            let medium = if self.by_image { 0 } else { medium };
            let (sum, images) =
                sums.entry(template).or_default().entry(medium).or_insert_with(|| (vec![0.0; dimension], 0));
            sum.iter_mut().zip(image).for_each(|(sum, value)| *sum += weight * value);
            *images += 1;
        }
        let pooled = sums.into_iter().map(|(template, media)| {
            let mut all = vec![0.0; dimension];
            for (sum, images) in media.values() {
                let images = if self.by_image { 1 } else { *images };
                all.iter_mut().zip(sum).for_each(|(all, value)| *all += value / f64::from(images));
            }
            unit(&mut all).ok_or_else(|| bad(format!("template {template} has no direction")))?;
            Ok((template, all))
        });
        Ok(Templates { values: pooled.collect::<Result<_>>()?, images: rows.count() })
    }

    /// The lists that templates are made of.
    pub(crate) fn lists(&self) -> Vec<&'static str> {
        let scores = (!self.no_detector_score).then_some("name_5pts_score.txt");
        std::iter::once("face_tid_mid.txt").chain(scores).collect()
    }

    /// What a report says of it.
    pub(crate) fn describe(&self) -> String {
        let detector = if self.no_detector_score { "not weighed" } else { "weighed by the detector's score" };
        let length = if self.unit { "of length 1" } else { "of their own length" };
        let flip = if self.flip { "image and mirror image summed, " } else { "" };
        let pooling = if self.by_image { "images summed" } else { "media averaged, then summed" };
        format!("Images {flip}{length}, {detector}; {pooling}.")
    }
}

fn unit(values: &mut [f64]) -> Option<()> {
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    (length > 0.0).then(|| values.iter_mut().for_each(|value| *value /= length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::ijb_lists::Target;
    use arcdoor_calib::FeatureWriter;

    /// One template of `rows` with their media and detector scores.
    fn pooled(rows: &[(&[f32], u32, f32)], of: impl Fn(&mut Pooling)) -> Vec<f64> {
        let dir = tempfile::tempdir().unwrap();
        let features = dir.path().join("features.bin");
        let file = std::fs::File::create(&features).unwrap();
        let mut writer = FeatureWriter::lfr(file, rows.len(), rows[0].0.len()).unwrap();
        let (mut media, mut scores) = (String::new(), String::new());
        for (row, medium, score) in rows {
            writer.push(row).unwrap();
            media += &format!("x.jpg 7 {medium}\n");
            scores += &format!("x.jpg 1 2 3 4 5 6 7 8 9 10 {score}\n");
        }
        writer.finish().unwrap();
        let mut pooling = Pooling {
            features,
            meta: dir.path().to_owned(),
            flip: false,
            unit: false,
            no_detector_score: false,
            by_image: false,
        };
        of(&mut pooling);
        let lists = Lists { dir: dir.path(), target: Target::Ijbb };
        std::fs::write(lists.file("face_tid_mid.txt"), media).unwrap();
        std::fs::write(lists.file("name_5pts_score.txt"), scores).unwrap();
        pooling.templates(&lists).unwrap().values.remove(&7).unwrap()
    }

    fn is_along(found: &[f64], direction: [f64; 2]) -> bool {
        let mut direction = direction;
        unit(&mut direction).unwrap();
        found.iter().zip(direction).all(|(found, value)| (found - value).abs() < 1e-12)
    }

    #[test]
    fn media_are_averaged_images_weighed_and_mirror_images_summed() {
        let rows: [(&[f32], u32, f32); 3] =
            [(&[1.0, 0.0], 1, 1.0), (&[0.0, 1.0], 1, 1.0), (&[0.0, 2.0], 2, 1.0)];
        assert!(is_along(&pooled(&rows, |_| ()), [0.5, 2.5]));
        assert!(is_along(&pooled(&rows, |pooling| pooling.by_image = true), [1.0, 3.0]));
        assert!(is_along(&pooled(&rows, |pooling| pooling.unit = true), [0.5, 1.5]));
        let mut weighed = rows;
        weighed[2].2 = 0.0;
        assert!(is_along(&pooled(&weighed, |_| ()), [1.0, 1.0]));
        assert!(is_along(&pooled(&weighed, |pooling| pooling.no_detector_score = true), [0.5, 2.5]));
        let row: &[f32] = &[1.0, 0.0, 0.0, 1.0];
        assert!(is_along(&pooled(&[(row, 1, 1.0)], |pooling| pooling.flip = true), [1.0, 1.0]));
    }
}
