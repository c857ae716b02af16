//! The run that made a report: what may differ on another machine, so that no digest holds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Latency of one stage over all photos, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
    pub(crate) count: u64,
}

/// Latency by stage's name; empty where no photo was run.
pub(crate) type LatencyMs = BTreeMap<String, Latency>;

/// Where and how a report was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Of the lab.
    pub(crate) version: String,
    pub(crate) seconds: f64,
    pub(crate) threads: usize,
    /// Such as `x86_64`.
    pub(crate) machine: String,
    /// Of the process, bytes; none where the system does not say.
    pub(crate) peak_memory: Option<u64>,
}
