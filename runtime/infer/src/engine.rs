//! The choice between the plan and tract, which runs a network.

use std::fmt;
use std::str::FromStr;

use crate::team::Threads;
use crate::tuning::Tuning;
use crate::watcher::Watcher;

/// Whether this build has tract. Without it, networks run from graph files alone, and packs cannot be checked.
pub const HAS_TRACT: bool = cfg!(feature = "tract");

/// Who may run a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The plan where it supports the graph, else tract.
    #[default]
    Auto,
    /// The plan, or an error.
    Plan,
    /// tract, which is the reference for the plan.
    Tract,
}

/// How networks are loaded and run. The default: the plan where it supports a network, else tract; one thread; no
/// tuning; nobody watches.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// Who may run them.
    pub engine: EngineChoice,
    /// How many threads a session of the plan runs on.
    pub threads: Threads,
    /// How the plan's layers are cut and in which form they are computed; tract takes no notice of it.
    pub tuning: Tuning,
    /// Who is told what the plan has done.
    pub watcher: Watcher,
}

impl From<EngineChoice> for RunOptions {
    /// On one thread, without a tuning or a watcher.
    fn from(engine: EngineChoice) -> Self {
        Self { engine, ..Self::default() }
    }
}

/// Who runs a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The compiled plan on our own kernels.
    Plan,
    /// tract itself.
    Tract,
}

impl Engine {
    /// `plan` or `tract`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tract => "tract",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no engine: auto, plan or tract")]
pub struct NoEngine(String);

impl FromStr for EngineChoice {
    type Err = NoEngine;

    fn from_str(text: &str) -> Result<Self, NoEngine> {
        match text {
            "auto" => Ok(Self::Auto),
            "plan" => Ok(Self::Plan),
            "tract" => Ok(Self::Tract),
            other => Err(NoEngine(other.to_owned())),
        }
    }
}
