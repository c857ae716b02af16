//! The run that made a report: what may differ on another machine, so that no digest holds it.

use std::collections::BTreeMap;

use arcdoor_core::{Stage, StageTimes};
use serde::{Deserialize, Serialize};

use crate::bench::footprint::peak_memory;
use crate::stats::quantile;

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

impl Run {
    /// Of this process, which has run for `seconds`.
    pub(crate) fn of(seconds: f64, threads: usize) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let machine = std::env::consts::ARCH.to_owned();
        Self { version, seconds, threads, machine, peak_memory: peak_memory() }
    }
}

/// Latency by stage of so many photos' times.
pub(crate) fn latency(times: &[StageTimes]) -> LatencyMs {
    let of = |stage: Stage| {
        // A stage that did not run took no time.
        let ms = times.iter().map(|times| f64::from(times.us(stage)) / 1e3).filter(|ms| *ms > 0.0);
        let ms: Vec<f64> = ms.collect();
        let at = |share| quantile(&ms, share).unwrap_or_default();
        let latency = Latency { p50: at(0.5), p95: at(0.95), p99: at(0.99), count: ms.len() as u64 };
        (!ms.is_empty()).then(|| (stage.field().trim_end_matches("_us").to_owned(), latency))
    };
    Stage::ALL.into_iter().filter_map(of).collect()
}
