//! Evaluations: each is a protocol, which reads a set and computes a metric over it.

mod counted;
mod degraded;
mod det;
mod gallery;
mod groups;
mod lfr;
mod lfr_features;
mod lfr_image;
mod lfr_video;
mod lfw;
mod out;
#[expect(dead_code, reason = "protocols are moved to it one by one")]
mod report;
mod same_views;
mod scenes;
mod second_looks;
pub(crate) mod set;

use anyhow::Result;
use clap::Subcommand;

/// Declares [`Eval`] and [`run`]: a line is a protocol's name and its module, which has `Args` and `run`.
macro_rules! protocols {
    ($($(#[$doc:meta])* $name:ident = $module:ident;)+) => {
        #[derive(Subcommand)]
        pub(crate) enum Eval {
            $($(#[$doc])* $name($module::Args),)+
        }

        /// Runs the protocol that was asked for.
        pub(crate) fn run(what: Eval) -> Result<()> {
            match what {
                $(Eval::$name(args) => $module::run(args),)+
            }
        }
    };
}

protocols! {
    /// Labelled Faces in the Wild: verification on the given pairs and on all pairs
    Lfw = lfw;
    /// LFR2019, images: everybody against everybody, TAR at FAR 1e-8
    LfrImage = lfr_image;
    /// LFR2019, videos: everybody against everybody, TAR at FAR 1e-4
    LfrVideo = lfr_video;
    /// Faces that are covered, turned, blurred, ...: who is taken for somebody else, and what the gates refuse
    Degraded = degraded;
    /// Strangers and enrolled people at galleries of several sizes, the threshold from a target
    Gallery = gallery;
    /// False match rates within and across labelled groups, from aligned crops of whom each shows another person
    Groups = groups;
    /// Ordinary photos of several people: faces found and missed, people identified among strangers
    Scenes = scenes;
    /// What a second look at a face refuses: of good photos, and of photos and landmarks that were spoilt
    SecondLooks = second_looks;
    /// How near two frames of one view score, and two photos of one person
    SameViews = same_views;
}
