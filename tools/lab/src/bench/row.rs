//! A line of the bench of frames.

use std::path::{Path, PathBuf};

use arcdoor_allocations::Allocations;
use serde::Serialize;

use crate::stats::median;

/// One line of the table, and of the JSON array.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) engine: String,
    pub(crate) threads: usize,
    pub(crate) median_ms: Option<f64>,
    pub(crate) min_ms: Option<f64>,
    pub(crate) ratio_best_peer: Option<f64>,
    pub(crate) best_peer: Option<String>,
    /// Each frame after warm-up; only ours are counted.
    pub(crate) allocations: Option<Allocations>,
    /// What is no time: sizes.
    pub(crate) bytes: Option<u64>,
}

impl Row {
    pub(crate) fn new(name: &str, engine: &str) -> Self {
        Self {
            name: name.to_owned(),
            engine: engine.to_owned(),
            threads: 1,
            median_ms: None,
            min_ms: None,
            ratio_best_peer: None,
            best_peer: None,
            allocations: None,
            bytes: None,
        }
    }

    pub(crate) fn timed(mut self, ms: &[f64]) -> Self {
        self.median_ms = median(ms);
        self.min_ms = ms.iter().copied().min_by(f64::total_cmp);
        self
    }

    pub(crate) fn sized(mut self, bytes: u64) -> Self {
        self.bytes = Some(bytes);
        self
    }
}

/// Another binary that cargo built beside the running one; `None` where there is none.
pub(crate) fn beside_us(name: &str) -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.parent().map(Path::to_path_buf)?.join(name);
    path.is_file().then_some(path)
}
