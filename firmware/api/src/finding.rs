//! What the doctor found.

use arcdoor_core::Basis;
use serde::{Deserialize, Serialize};

use crate::key::KeySource;
use crate::path::FilePath;
use crate::promise::Promised;

/// What the doctor looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The folder of all state.
    Home,
    /// `settings.toml`.
    Settings,
    /// The model pack.
    Pack,
    /// Where the embedder's weights come from.
    Weights,
    /// Tiles that were measured here.
    Tuning,
    /// The gallery's key.
    Key,
    /// The enrolled people.
    Gallery,
    /// What somebody has who takes the card.
    Card,
    /// What the thresholds promise.
    Threshold,
    /// Whether the promised rate of wrong grants stands.
    Promise,
    /// The probes of the newest grants.
    Probes,
    /// The camera.
    Camera,
    /// A file that an earlier version heeded.
    Site,
}

impl Check {
    /// The check's name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Settings => "settings",
            Self::Pack => "pack",
            Self::Weights => "weights",
            Self::Tuning => "tuning",
            Self::Key => "key",
            Self::Gallery => "gallery",
            Self::Card => "card",
            Self::Threshold => "threshold",
            Self::Promise => "promise",
            Self::Probes => "probes",
            Self::Camera => "camera",
            Self::Site => "site",
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Nothing to do.
    Ok,
    /// Works, with a drawback.
    Warn,
    /// Does not work.
    Fail,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Finding {
    /// It does not work.
    Failed {
        /// The exit code that goes with it.
        code: u8,
        /// Why, and what to do.
        error: String,
    },
    /// Not looked at, since what it needs is not there.
    NotLookedAt,
    /// The home folder is not there; the first command that writes makes it.
    NoHome {
        /// The folder.
        dir: FilePath,
    },
    /// The home folder is its owner's alone.
    PrivateHome {
        /// The folder.
        dir: FilePath,
        /// Its permissions: the last nine bits of its mode.
        mode: u32,
    },
    /// Others may look into the home folder.
    OpenHome {
        /// The folder.
        dir: FilePath,
        /// Its permissions: the last nine bits of its mode.
        mode: u32,
    },
    /// The home folder is another user's.
    ForeignHome {
        /// The folder.
        dir: FilePath,
        /// The user id of its owner.
        uid: u32,
    },
    /// Another process has the home folder; what it holds open is not looked at.
    HomeInUse {
        /// Which process, and what to do.
        why: String,
    },
    /// Settings that read well.
    Settings {
        /// The file.
        path: FilePath,
    },
    /// No settings: the defaults hold.
    DefaultSettings,
    /// Keys of the settings that have no effect any more.
    GoneKeys {
        /// The file.
        path: FilePath,
        /// Which, each with what to do.
        keys: Vec<String>,
    },
    /// A pack that a trusted key signed.
    SignedPack {
        /// Its name.
        name: String,
        /// Its folder.
        dir: FilePath,
    },
    /// The pack that is compiled into the program.
    CompiledInPack {
        /// Its name.
        name: String,
        /// Which of the packs of this name it is.
        version: u64,
    },
    /// What the pack says of its embedder's weights.
    Weights {
        /// Under which licence they came.
        licence: String,
        /// What they were made from.
        training_data: String,
    },
    /// A pack that nobody need have signed.
    UnsignedPack {
        /// Its name.
        name: String,
        /// Its folder.
        dir: FilePath,
    },
    /// The default tiles hold.
    DefaultTiles,
    /// Tiles that were measured here are in use.
    MeasuredTiles {
        /// How many layers have one.
        layers: usize,
    },
    /// A file of tiles that does not fit; the defaults hold.
    TilesLeftAside {
        /// The file.
        path: FilePath,
        /// Why.
        why: String,
    },
    /// No key yet: the first enrolment makes a key file.
    NoKey,
    /// The key that is in use.
    Key {
        /// Where it comes from.
        source: KeySource,
        /// Whether the board has a TPM that could seal one.
        tpm: bool,
    },
    /// A key file that opens nothing any more lies beside a gallery that another key opens.
    OldKeyLeft {
        /// The file.
        path: FilePath,
    },
    /// What a stolen card gives away of those who are enrolled.
    StolenCard {
        /// Where the gallery's key comes from.
        source: KeySource,
    },
    /// Nobody is enrolled yet.
    NobodyEnrolled,
    /// Who is enrolled.
    Enrolled {
        /// How many people.
        subjects: usize,
        /// How many templates.
        templates: usize,
    },
    /// What the thresholds promise for the gallery as it is now.
    Thresholds {
        /// The least score that `identify` accepts.
        identify: f32,
        /// What that threshold rests on.
        identify_basis: Basis,
        /// The share of strangers that may be taken for somebody.
        fpir: f64,
        /// The share that the settings ask for.
        target_fpir: f64,
        /// The share of the enrolled that is not recognised at once, on photos like those of the calibration.
        fnir: f64,
        /// The least score that `verify` accepts.
        verify: f32,
        /// What that threshold rests on.
        verify_basis: Basis,
        /// The false match rate that it promises.
        target_fmr: f64,
        /// Whether the pack can tell a gallery of this size apart as well as the settings ask.
        is_met: bool,
        /// The threshold from a tail fit that would reach the target where counted ones do not.
        fitted: Option<f32>,
    },
    /// What was reported speaks not, or not enough, against the promised rate of wrong grants.
    PromiseStands {
        /// What was counted.
        #[serde(flatten)]
        promise: Promised,
    },
    /// What was reported speaks against it.
    PromiseBroken {
        /// What was counted.
        #[serde(flatten)]
        promise: Promised,
    },
    /// No probes are kept.
    NoProbes,
    /// Probes of grants are kept.
    Probes {
        /// Of the newest grants, how many at most.
        most: usize,
        /// For how many hours each is kept.
        hours: u64,
    },
    /// A camera that opens.
    Camera {
        /// Its device.
        camera: String,
    },
    /// A camera that is no device file and was not looked at.
    UnseenCamera {
        /// The camera, as the settings name it.
        camera: String,
    },
    /// No camera.
    NoCamera {
        /// Its device.
        camera: String,
        /// The system's words.
        why: String,
    },
    /// A camera that this user may not open; the exit code is 5.
    ForbiddenCamera {
        /// Its device.
        camera: String,
        /// The system's words.
        why: String,
    },
    /// A site's calibration of an earlier version, without effect.
    SiteLeftOver {
        /// The file.
        path: FilePath,
    },
}

impl Finding {
    /// Whether it is in order, works with a drawback, or does not work.
    #[must_use]
    pub const fn health(&self) -> Health {
        match self {
            Self::Failed { .. } | Self::ForbiddenCamera { .. } => Health::Fail,
            Self::NotLookedAt
            | Self::OpenHome { .. }
            | Self::HomeInUse { .. }
            | Self::ForeignHome { .. }
            | Self::GoneKeys { .. }
            | Self::UnsignedPack { .. }
            | Self::TilesLeftAside { .. }
            | Self::Key { source: KeySource::File, .. }
            | Self::StolenCard { source: KeySource::File }
            | Self::OldKeyLeft { .. }
            | Self::NobodyEnrolled
            | Self::Thresholds { is_met: false, .. }
            | Self::PromiseBroken { .. }
            | Self::NoCamera { .. }
            | Self::SiteLeftOver { .. } => Health::Warn,
            _ => Health::Ok,
        }
    }
}
