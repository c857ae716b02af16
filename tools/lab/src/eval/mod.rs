//! Evaluations: each is a protocol, which reads a set and computes a metric over it.

mod agedb;
mod all_pairs;
pub(crate) mod by_group;
mod calfw;
mod cfp;
mod counted;
mod cplfw;
mod degraded;
pub(crate) mod floor;
mod gallery;
pub(crate) mod groups;
mod ijb;
mod ijb_1n;
mod ijb_lists;
mod ijb_templates;
mod ijbb;
mod ijbc;
mod label;
mod lfr;
mod lfr_features;
mod lfr_image;
mod lfr_track;
mod lfr_video;
mod lfw;
mod made;
mod megaface;
mod megaface_set;
mod origin;
mod out;
mod pair_protocol;
mod pair_task;
mod quality;
pub(crate) mod report;
mod same_views;
mod scenes;
mod second_looks;
pub(crate) mod set;
mod staff;
mod ytf;

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
    /// Labelled Faces in the Wild: View 1, or View 2 where the list has folds; and all pairs
    Lfw = lfw;
    /// LFR2019, images: everybody against everybody, TAR at FAR 1e-8
    LfrImage = lfr_image;
    /// LFR2019, videos: everybody against everybody, TAR at FAR 1e-4
    LfrVideo = lfr_video;
    /// MegaFace: FaceScrub's people among distractors, identification and verification
    Megaface = megaface;
    /// IJB-B 1:1: templates of several media against one another
    Ijbb = ijbb;
    /// IJB-C 1:1: templates of several media against one another
    Ijbc = ijbc;
    /// IJB-B and IJB-C 1:N: mixed probes among two galleries
    #[command(name = "ijb-1n")]
    Ijb1n = ijb_1n;
    /// Celebrities in Frontal-Profile, frontal against profile: ten folds
    CfpFp = cfp;
    /// AgeDB with thirty years between: ten folds
    #[command(name = "agedb-30")]
    AgeDb = agedb;
    /// Cross-Age LFW: ten folds
    Calfw = calfw;
    /// Cross-Pose LFW: ten folds
    Cplfw = cplfw;
    /// YouTube Faces: pairs of videos, ten splits
    Ytf = ytf;
    /// A folder of one's own people: what they can support, and the pack's thresholds on them
    Staff = staff;
    /// What each part of quality is worth: false non-matches left when the lowest are discarded
    Quality = quality;
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
