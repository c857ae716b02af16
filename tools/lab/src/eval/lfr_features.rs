//! LFR's features from aligned crops, in the order of a list, as the organisers' scripts make them; or from photos and
//! frames, whose crops are those that the product makes.
//!
//! A photo: the embeddings of the crop and of its mirror image, summed. A video: the embeddings of the frames in its
//! folder, each of length 1, summed. Either is written with length 1; where no face was found, zeros are.

use std::fs::{self, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{FeatureList, FeatureWriter};
use arcdoor_frame::RgbImage;
use arcdoor_models::Pack;
use arcdoor_vision::DetectorKind;
use arcdoor_vision::align::TEMPLATE_SIDE;

use crate::eval::lfr_track::Track;
use crate::eval::set::templates::detect_settings;
use crate::face_finder::{FaceFinder, mirror, photos_in, read_photo};
use crate::part_file::part_of;
use crate::workers;

/// Most frames of a video: 30 s at 60 a second.
const MAX_FRAMES: usize = 1800;
/// Rows that wait for the one before them to be written.
const MAX_WAITING: usize = 256;

/// What the files of a list show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Aligned crops, as the organisers give them out.
    Crops,
    /// Whole photos or frames, in which the face is found first.
    Photos(DetectorKind),
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Frames of videos in which no face was found; the others stand for theirs.
    pub(crate) frames_without_face: u64,
}

/// Writes the feature of every name of `list`, whose files lie in `dir`: zeros for a photo or a video in which no face was
/// found.
pub(crate) fn write(
    (track, shown): (Track, Shown),
    pack: &Pack,
    list: &FeatureList,
    dir: &Path,
    threads: usize,
    out: &Path,
) -> Result<Written> {
    let names = list.names();
    let cannot = || format!("cannot write {}", out.display());
    // Its owner's alone: templates are personal data.
    let part = part_of(out);
    let mut owned = OpenOptions::new();
    owned.write(true).create(true).truncate(true).mode(0o600);
    let file = owned.open(&part).with_context(cannot)?;
    let writer = FeatureWriter::lfr(BufWriter::new(file), names.len(), pack.dimension())?;
    let rows = Ordered::new(writer);
    let without_face = AtomicU64::new(0);
    workers::run(threads, names.len(), |take| {
        let work = || -> Result<()> {
            let mut embedder = Embedder::open(pack, shown)?;
            while let Some(index) = take() {
                let path = dir.join(&names[index]);
                let feature = match track {
                    Track::Image => embedder.of_photo(&path),
                    Track::Video => embedder.of_video(&path),
                };
                let feature = feature.with_context(|| format!("line {}: {}", index + 1, names[index]))?;
                rows.push(index, feature.unwrap_or_else(|| vec![0.0; pack.dimension()]))?;
            }
            without_face.fetch_add(embedder.frames_without_face, Ordering::Relaxed);
            Ok(())
        };
        work().inspect_err(|_| rows.stop())
    })?;
    rows.finish().with_context(cannot)?;
    fs::rename(&part, out).with_context(cannot)?;
    Ok(Written { frames_without_face: without_face.into_inner() })
}

/// Makes features of photos and videos; each thread needs one of its own.
struct Embedder {
    finder: FaceFinder,
    shown: Shown,
    frames_without_face: u64,
}

impl Embedder {
    fn open(pack: &Pack, shown: Shown) -> Result<Self> {
        let detector = match shown {
            Shown::Crops => DetectorKind::Yunet,
            Shown::Photos(detector) => detector,
        };
        Ok(Self {
            finder: FaceFinder::open(pack, detector, detect_settings())?,
            shown,
            frames_without_face: 0,
        })
    }

    /// `None` where no face was found.
    fn of_photo(&mut self, path: &Path) -> Result<Option<Vec<f32>>> {
        self.embeddings(path, true)?.map(|found| unit(sum(found))).transpose()
    }

    /// `None` where no frame shows a face.
    fn of_video(&mut self, path: &Path) -> Result<Option<Vec<f32>>> {
        let frames = photos_in(path)?;
        ensure!(frames.len() <= MAX_FRAMES, "{} frames; at most {MAX_FRAMES} are read", frames.len());
        let mut features = Vec::with_capacity(frames.len());
        for frame in frames {
            match self.embeddings(&frame, false)? {
                Some(found) => features.push(unit(sum(found))?),
                None => self.frames_without_face += 1,
            }
        }
        if features.is_empty() {
            return Ok(None);
        }
        unit(sum(features)).map(Some)
    }

    /// The embedding of a file's face, and that of its mirror image where it is asked for.
    fn embeddings(&mut self, path: &Path, mirrored: bool) -> Result<Option<Vec<Vec<f32>>>> {
        if let Shown::Photos(_) = self.shown {
            return self.finder.embeddings(path, mirrored);
        }
        let mut image = crop(path)?;
        let mut found = vec![self.finder.judge(&image)?.embedding];
        if mirrored {
            mirror(&mut image);
            found.push(self.finder.judge(&image)?.embedding);
        }
        Ok(Some(found))
    }
}

fn crop(path: &Path) -> Result<RgbImage> {
    let mut image = RgbImage::new();
    read_photo(path, &mut image)?;
    let side = TEMPLATE_SIDE;
    let (width, height) = (image.width(), image.height());
    ensure!(
        (width, height) == (side, side),
        "{} is {width}x{height}, no aligned crop of {side}x{side}: say --photos where faces are to be found first",
        path.display()
    );
    Ok(image)
}

fn sum(features: Vec<Vec<f32>>) -> Vec<f32> {
    let mut features = features.into_iter();
    let mut sum = features.next().unwrap_or_default();
    for feature in features {
        sum.iter_mut().zip(feature).for_each(|(sum, value)| *sum += value);
    }
    sum
}

fn unit(mut feature: Vec<f32>) -> Result<Vec<f32>> {
    let length = feature.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    ensure!(length > 0.0 && length.is_finite(), "its feature has no direction: the network is broken");
    feature.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    Ok(feature)
}

/// Rows that come in any order and are written in theirs; those that are early wait, and too many of them make their
/// threads wait.
struct Ordered<W> {
    state: Mutex<State<W>>,
    written: Condvar,
}

struct State<W> {
    writer: FeatureWriter<W>,
    next: usize,
    waiting: std::collections::BTreeMap<usize, Vec<f32>>,
    stopped: bool,
}

impl<W: std::io::Write> Ordered<W> {
    fn new(writer: FeatureWriter<W>) -> Self {
        let state = State { writer, next: 0, waiting: std::collections::BTreeMap::new(), stopped: false };
        Self { state: Mutex::new(state), written: Condvar::new() }
    }

    fn push(&self, index: usize, row: Vec<f32>) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while index >= state.next + MAX_WAITING && !state.stopped {
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        ensure!(!state.stopped, "another thread failed");
        state.waiting.insert(index, row);
        loop {
            let next = state.next;
            let Some(row) = state.waiting.remove(&next) else { break };
            state.writer.push(&row)?;
            state.next += 1;
        }
        self.written.notify_all();
        Ok(())
    }

    /// Nobody waits for a row that will not come.
    fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.written.notify_all();
    }

    fn finish(self) -> Result<()> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        state.writer.finish().map(drop)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::FeatureTable;

    #[test]
    fn rows_are_written_in_the_order_of_the_list_whatever_order_they_come_in() {
        let mut bytes = Vec::new();
        let rows = Ordered::new(FeatureWriter::lfr(&mut bytes, 3, 1).unwrap());
        for index in [2, 0, 1] {
            rows.push(index, vec![index as f32 + 1.0]).unwrap();
        }
        rows.finish().unwrap();
        let table = FeatureTable::open(&bytes[..]).unwrap();
        let mut values = [0.0; 3];
        table.read(0..3, &mut values).unwrap();
        assert_eq!(values, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_feature_without_a_direction_is_refused() {
        assert!(unit(vec![0.0; 4]).is_err() && unit(vec![f32::INFINITY, 1.0]).is_err());
        assert_eq!(unit(vec![3.0, 4.0]).unwrap(), [0.6, 0.8]);
    }
}
