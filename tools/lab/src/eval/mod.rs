//! Evaluations: a set that a reader fills, and a metric.

mod det;
mod gallery;
mod lfw;
mod scenes;
pub(crate) mod set;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum Eval {
    /// Labelled Faces in the Wild: verification on the given pairs and on all pairs
    Lfw(lfw::EvalLfwArgs),
    /// Strangers and enrolled people at galleries of several sizes, the threshold from a target
    Gallery(gallery::EvalGalleryArgs),
    /// Ordinary photos of several people: faces found and missed, people identified among strangers
    Scenes(scenes::EvalScenesArgs),
}

/// Runs one.
pub(crate) fn run(what: Eval) -> Result<()> {
    match what {
        Eval::Lfw(args) => lfw::run(args),
        Eval::Gallery(args) => gallery::run(args),
        Eval::Scenes(args) => scenes::run(args),
    }
}
