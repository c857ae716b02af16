//! Where features come from.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arcdoor_calib::FeatureTable;
use arcdoor_core::file::open_regular;

use crate::trouble::Trouble;

/// Features that any thread may ask for.
pub(crate) trait Rows: Sync {
    fn count(&self) -> usize;
    fn dimension(&self) -> usize;
    /// Rows of `range`, one after the other, as they are: of any length but none broken.
    fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()>;
    /// Whether a row of zeros stands for a photo or video in which no face was found; else it is a fault.
    fn may_miss(&self) -> bool {
        false
    }
}

/// A feature file that stays on disk.
#[derive(Debug)]
pub(crate) struct RowFile {
    path: PathBuf,
    table: FeatureTable<File>,
    may_miss: bool,
}

/// Rows that are read at once where all are looked through.
const AT_ONCE: usize = 4096;

impl RowFile {
    /// Opens an LFR or npy file.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let bad = |cause: &dyn std::fmt::Display| Trouble::BadInput(format!("{}: {cause}", path.display()));
        let file = open_regular(path).map_err(|cause| bad(&cause))?;
        let table = FeatureTable::open(file).map_err(|cause| bad(&cause))?;
        Ok(Self { path: path.to_owned(), table, may_miss: false })
    }

    /// Takes rows of zeros for photos or videos in which no face was found.
    pub(crate) fn missing_some(self) -> Self {
        Self { may_miss: true, ..self }
    }

    /// The rows of zeros.
    pub(crate) fn missing(&self) -> Result<Vec<usize>> {
        let (count, columns) = (self.count(), self.dimension());
        let (mut values, mut missing) = (Vec::new(), Vec::new());
        for first in (0..count).step_by(AT_ONCE) {
            let range = first..count.min(first + AT_ONCE);
            values.resize(range.len() * columns, 0.0);
            self.read(range.clone(), &mut values)?;
            let rows = range.zip(values.chunks_exact(columns));
            missing.extend(rows.filter(|(_, row)| row.iter().all(|value| *value == 0.0)).map(|(at, _)| at));
        }
        Ok(missing)
    }
}

impl Rows for RowFile {
    fn count(&self) -> usize {
        self.table.rows()
    }

    fn dimension(&self) -> usize {
        self.table.columns()
    }

    fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        let read = self.table.read(range, out);
        read.map_err(|cause| Trouble::BadInput(format!("{}: {cause}", self.path.display())).into())
    }

    fn may_miss(&self) -> bool {
        self.may_miss
    }
}

/// Features in memory.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) dimension: usize,
    pub(crate) values: Vec<f32>,
}

impl Rows for Held {
    fn count(&self) -> usize {
        self.values.len() / self.dimension
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        let (from, to) = (range.start * self.dimension, range.end * self.dimension);
        out.copy_from_slice(self.values.get(from..to).context("rows beyond the last")?);
        Ok(())
    }
}
