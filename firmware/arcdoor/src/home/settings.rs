//! What the installer chose: `settings.toml` in the home folder. Every key has a default.
//!
//! ```toml
//! pack = "yunet-sface"      # a name under packs/, or a folder; default: see home::choice
//! detector = "yunet"        # or "seetaface"
//! engine = "auto"           # or "plan", "tract": what runs the networks
//! threads = 1               # or 2: a second core for the networks, for the same answers sooner
//! min_face_px = 40          # faces narrower than this are not looked for
//! region = { x = 0, y = 100, w = 640, h = 380 }   # look here alone, frame pixels; default: everywhere
//! faces = "nearest"         # or "refuse": nobody is decided about while a second face is seen
//! target_fpir = 0.01        # of strangers at the whole gallery, so many may be taken for somebody (1:N)
//! target_fmr = 1e-5         # false match rate of one comparison (1:1)
//! allow_tail_fit = false    # true: thresholds may rest on a fit where the pack's data cannot count
//! camera = "/dev/video0"    # what `--camera` without a value means; also DEVICE@WIDTHxHEIGHT@RATE
//! rotate = 0                # or 90, 180, 270: degrees clockwise that make its frames upright; replays as well
//! mirror = false            # true: left and right change places, before the turn
//! doze = true               # `run` looks at two frames a second alone while nothing moves before the camera
//! frontal_check = true      # enrolments: a second detector must see the face upright and uncovered, too
//!
//! keep_probes = 0           # sealed probes of so many of the newest grants, for `log wrong`; 0 to 256, 0: none
//! keep_probes_h = 72        # hours; 1 to 720
//! keep_log_days = 90        # the log; 7 to 3650, and at most 64 MiB
//!
//! trusted_keys = ["RW..."]        # whose packs are taken: minisign public keys
//! allow_unsigned_packs = false    # true: packs need no signature
//!
//! [policy]                  # of `run`
//! agree = 3                 # so many frames must name the same subject
//! of = 5                    # of the last so many
//! window_ms = 3000          # and none of them longer ago; 100 to 60000
//! gap_ms = 1000             # a face unseen for so long is a new one
//! margin = 0.02             # a rival this near makes a match ambiguous
//! lockout = { after = 5, within_ms = 60000, for_ms = 30000 }   # for_ms = 0: none
//!
//! [policy.intent]           # what a face must show at `run` before it may be granted
//! required = true           # false: whoever is recognised is granted, a passer-by as well
//! width = 0.07              # so wide at least, as a share of the frame's width; 0 to 1
//! hold_ms = 400             # for so long, without a break; 0 to 10000
//! sideways = 0.1            # and moving no farther to a side meanwhile, as a share of the frame's width; 0 to 1
//! yaw_deg = 25              # turned to a side no farther; 0 to 90
//! pitch_deg = 25            # nor up or down; 0 to 90
//!
//! [socket]                  # who may ask a running door, beside its own user and root: numbers of users (`id -u`)
//! operators = []            # enrol, revoke, list; no files, keys or packs
//! auditors = []             # the log without names, and the doctor
//! ```

use super::file::read_text;
use super::probes::{MOST_HOURS, MOST_PROBES};
use crate::error::Error;
use arcdoor_core::{Calibration, Fmr, Rect};
use arcdoor_door::Policy;
use arcdoor_frame::{Orientation, Turn};
use arcdoor_log::Retention;
use arcdoor_models::{AboutPack, Pack, TrustedKey};
use arcdoor_panel::Language;
use arcdoor_pipeline::FaceChoice;
use arcdoor_vision::tuning::Tuning;
use arcdoor_vision::{DetectorKind, EngineChoice, RunOptions, Threads};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::path::Path;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;
/// Most users of each role that may ask a running door.
pub const MOST_USERS: usize = 64;

/// What runs the networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineName {
    /// The compiled plan where it supports a network, else tract.
    #[default]
    Auto,
    /// The compiled plan; a network that it does not support is refused.
    Plan,
    /// tract, the slower reference.
    Tract,
}

impl From<EngineName> for EngineChoice {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Auto => Self::Auto,
            EngineName::Plan => Self::Plan,
            EngineName::Tract => Self::Tract,
        }
    }
}

/// The settings; see the module for the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The pack's name or folder; see [`choice`](crate::home::choice) for what holds without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
    /// Which detector looks for faces.
    pub detector: DetectorKind,
    /// What runs the networks.
    pub engine: EngineName,
    /// Threads that run the networks, 1 or 2.
    #[serde(deserialize_with = "threads")]
    pub threads: u8,
    /// Narrowest face that is looked for, in frame pixels, 16 to 4096.
    #[serde(deserialize_with = "face_width")]
    pub min_face_px: u32,
    /// Where faces are looked for, in frame pixels; everywhere without it. A smaller region costs less.
    #[serde(deserialize_with = "region", skip_serializing_if = "Option::is_none")]
    pub region: Option<Rect>,
    /// Which of several faces is decided about; an enrolment takes a face that is alone.
    pub faces: FaceChoice,
    /// The share of strangers that may be taken for somebody, 1e-6 to 0.5; the threshold of identification
    /// follows the gallery's size.
    #[serde(deserialize_with = "fpir")]
    pub target_fpir: f64,
    /// The false match rate of one comparison: of `verify`, and of an enrolment's views among each other.
    pub target_fmr: Fmr,
    /// Whether thresholds may come from rows of the pack's calibration that rest on a tail fit.
    pub allow_tail_fit: bool,
    /// The camera that `--camera` without a value means.
    pub camera: String,
    /// Degrees clockwise, 0, 90, 180 or 270, by which frames of cameras and replays are turned upright.
    #[serde(deserialize_with = "degrees")]
    pub rotate: u16,
    /// Whether `run` looks at two frames a second alone while nothing moves before the camera.
    pub doze: bool,
    /// Whether left and right of these frames change places, before the turn.
    pub mirror: bool,
    /// Whether SeetaFace, too, must find the face of an enrolment's view, brought upright.
    pub frontal_check: bool,
    /// Probes of the newest grants that are kept, 0 to 256; see [`probes`](crate::home::probes).
    #[serde(deserialize_with = "probes")]
    pub keep_probes: usize,
    /// For how many hours, 1 to 720.
    #[serde(deserialize_with = "hours")]
    pub keep_probes_h: u64,
    /// For how many days the log is kept, 7 to 3650; at most 64 MiB of it.
    #[serde(deserialize_with = "days")]
    pub keep_log_days: u16,
    /// Whose signatures on packs are taken.
    pub trusted_keys: Vec<TrustedKey>,
    /// Whether a pack needs no signature.
    pub allow_unsigned_packs: bool,
    /// How many frames must agree, and when the door locks out.
    pub policy: PolicySettings,
    /// Who may ask the door while it runs.
    pub socket: SocketSettings,
    /// The lock that `run` holds; without it, `run` only recognises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub door: Option<DoorSettings>,
}

/// The lock, and what it is wired to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoorSettings {
    /// The board: a name that comes with arcdoor, or the path of a file.
    pub board: String,
    /// The zone of its hours; without it, the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The panel's language.
    #[serde(default)]
    pub language: PanelLanguage,
    /// The panel's light.
    #[serde(default)]
    pub light: PanelLight,
    /// Whether the keys of a PIN lie in another order each time.
    #[serde(default)]
    pub shuffle_keys: bool,
    /// Its rules.
    pub policy: Policy,
}

/// What the panel speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelLanguage {
    /// Korean.
    Korean,
    /// English.
    #[default]
    English,
    /// German.
    German,
}

/// How bright the panel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelLight {
    /// Light ground by day (7:00 to 19:00), dark by night.
    #[default]
    Auto,
    /// Light ground.
    Day,
    /// Dark ground.
    Night,
}

impl From<PanelLanguage> for Language {
    fn from(language: PanelLanguage) -> Self {
        match language {
            PanelLanguage::Korean => Self::Korean,
            PanelLanguage::English => Self::English,
            PanelLanguage::German => Self::German,
        }
    }
}

/// Users that may ask a running door, beside its own user and root; see [`Role`](arcdoor_api::Role).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SocketSettings {
    /// Operators, by their number.
    #[serde(deserialize_with = "users")]
    pub operators: Vec<u32>,
    /// Auditors, by their number.
    #[serde(deserialize_with = "users")]
    pub auditors: Vec<u32>,
}

fn users<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
    let users = Vec::deserialize(deserializer)?;
    if users.len() <= MOST_USERS {
        Ok(users)
    } else {
        Err(D::Error::custom("operators and auditors are at most 64 each"))
    }
}

impl Default for Settings {
    #[allow(clippy::expect_used, reason = "a constant within the range")]
    fn default() -> Self {
        Self {
            pack: None,
            detector: DetectorKind::Yunet,
            engine: EngineName::Auto,
            threads: 1,
            min_face_px: 40,
            region: None,
            faces: FaceChoice::default(),
            target_fpir: 0.01,
            target_fmr: Fmr::new(1e-5).expect("1e-5 is a rate"),
            allow_tail_fit: false,
            camera: "/dev/video0".to_owned(),
            rotate: 0,
            doze: true,
            mirror: false,
            frontal_check: true,
            keep_probes: 0,
            keep_probes_h: 72,
            keep_log_days: Retention::DEFAULT.days,
            trusted_keys: Vec::new(),
            allow_unsigned_packs: false,
            policy: PolicySettings::default(),
            socket: SocketSettings::default(),
            door: None,
        }
    }
}

/// The policy of [`Loop`](crate::daemon::Loop); photos are decided one by one.
pub type PolicySettings = arcdoor_pipeline::Policy;

fn face_width<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let width = u32::deserialize(deserializer)?;
    if (16..=4096).contains(&width) {
        Ok(width)
    } else {
        Err(D::Error::custom("min_face_px lies within 16 to 4096 pixels"))
    }
}

fn threads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let threads = u8::deserialize(deserializer)?;
    if (1..=2).contains(&threads) { Ok(threads) } else { Err(D::Error::custom("threads is 1 or 2")) }
}

fn fpir<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let rate = f64::deserialize(deserializer)?;
    if (1e-6..=0.5).contains(&rate) {
        Ok(rate)
    } else {
        Err(D::Error::custom("target_fpir lies within 1e-6 to 0.5"))
    }
}

fn probes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let most = usize::deserialize(deserializer)?;
    if most <= MOST_PROBES { Ok(most) } else { Err(D::Error::custom("keep_probes lies within 0 to 256")) }
}

fn hours<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let hours = u64::deserialize(deserializer)?;
    if (1..=MOST_HOURS).contains(&hours) {
        Ok(hours)
    } else {
        Err(D::Error::custom("keep_probes_h lies within 1 to 720 hours"))
    }
}

fn degrees<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let degrees = u16::deserialize(deserializer)?;
    match Turn::from_degrees(degrees) {
        Some(_) => Ok(degrees),
        None => Err(D::Error::custom("rotate is 0, 90, 180 or 270")),
    }
}

fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let days = u16::deserialize(deserializer)?;
    if (7..=3650).contains(&days) {
        Ok(days)
    } else {
        Err(D::Error::custom("keep_log_days lies within 7 to 3650 days"))
    }
}

fn region<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Rect>, D::Error> {
    let Some(rect) = Option::<Rect>::deserialize(deserializer)? else { return Ok(None) };
    let sides = [rect.x, rect.y, rect.w, rect.h];
    if sides.iter().all(|side| (0.0..=16_384.0).contains(side)) && rect.w >= 16.0 && rect.h >= 16.0 {
        Ok(Some(rect))
    } else {
        Err(D::Error::custom("region lies within 0 to 16384 pixels and is at least 16 wide and high"))
    }
}

impl Settings {
    /// How these settings run networks, cut as `tuning` says.
    #[must_use]
    pub fn run_options(&self, tuning: Tuning) -> RunOptions {
        let threads = if self.threads == 2 { Threads::Two } else { Threads::One };
        RunOptions { engine: self.engine.into(), threads, tuning, ..RunOptions::default() }
    }

    /// How frames of cameras and replays are turned upright.
    #[must_use]
    pub fn upright(&self) -> Orientation {
        Orientation { mirror: self.mirror, turn: Turn::from_degrees(self.rotate).unwrap_or_default() }
    }

    /// Opens the pack in `dir`, if these settings trust it.
    ///
    /// # Errors
    /// When it is broken, or not signed as the settings want it.
    pub fn open_pack(&self, dir: &Path) -> Result<Pack, Error> {
        Ok(match self.pack_keys() {
            Some(keys) => Pack::open_signed(dir, keys)?,
            None => Pack::open(dir)?,
        })
    }

    /// The pack's calibration, without the rows of a tail fit unless these settings allow them.
    #[must_use]
    pub fn calibration(&self, pack: &AboutPack) -> Calibration {
        if self.allow_tail_fit { pack.calibration().clone() } else { pack.calibration().counted() }
    }

    /// Who must have signed a pack; `None` where nobody need.
    #[must_use]
    pub fn pack_keys(&self) -> Option<&[TrustedKey]> {
        (!self.allow_unsigned_packs).then_some(&self.trusted_keys)
    }

    /// Reads the file; the defaults where there is none. Keys that have no effect any more come beside the settings,
    /// each with what to do; the rest of the file is heeded.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 64 KiB, or holds an unknown key or a wrong value.
    pub fn read(path: &Path) -> Result<(Self, Vec<&'static GoneKey>), Error> {
        let Some(text) = read_text(path, MAX_BYTES)? else { return Ok((Self::default(), Vec::new())) };
        let wrong = |source| Error::Settings { path: path.to_owned(), source: Box::new(source) };
        let gone = |text: &str| -> Result<Vec<&GoneKey>, toml::de::Error> {
            let table: toml::Table = toml::from_str(text)?;
            Ok(GONE.iter().filter(|gone| table.contains_key(gone.key)).collect())
        };
        let gone = gone(&text).map_err(wrong)?;
        let settings = if gone.is_empty() {
            // As the file has it, so that an error names its line.
            toml::from_str(&text)
        } else {
            let mut table: toml::Table = toml::from_str(&text).map_err(wrong)?;
            gone.iter().for_each(|gone| drop(table.remove(gone.key)));
            table.try_into()
        };
        Ok((settings.map_err(wrong)?, gone))
    }
}

/// A key of an earlier version's settings.
#[derive(Debug, PartialEq, Eq)]
pub struct GoneKey {
    /// The key.
    pub key: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// Keys that have no effect any more.
const GONE: [GoneKey; 1] = [GoneKey {
    key: "site",
    advice: "a site's own calibration is no more, thresholds come from the pack and target_fpir: delete the key",
}];

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_pipeline::Intent;

    fn read(text: &str) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path).map(|(settings, _)| settings)
    }

    #[test]
    fn missing_keys_take_their_default() {
        assert_eq!(read("").unwrap(), Settings::default());
        let missing = Settings::read(Path::new("/nonexistent/settings.toml")).unwrap();
        assert_eq!(missing, (Settings::default(), Vec::new()));
        let text = "detector = \"seetaface\"\nmin_face_px = 80\ntarget_fmr = 1e-4\n\
                    region = { x = 0, y = 100, w = 640, h = 380 }\n[policy]\nagree = 2";
        let some = read(text).unwrap();
        let threads = |text: &str| read(text).unwrap().run_options(Tuning::default()).threads;
        assert_eq!((threads(""), threads("threads = 2")), (Threads::One, Threads::Two));
        assert_eq!((some.detector, some.min_face_px), (DetectorKind::Seetaface, 80));
        assert_eq!(some.region, Some(Rect::new(0.0, 100.0, 640.0, 380.0)));
        assert_eq!((some.policy.fields().agree, some.policy.fields().of), (2, 5));
        let intent = |text: &str| read(text).unwrap().policy.fields().intent;
        assert_eq!(intent(""), Intent::default());
        assert!(!intent("policy.intent = { required = false }").required);
        assert_eq!(intent("[policy.intent]\nhold_ms = 900").hold_ms, 900);
        assert_eq!(
            (some.faces, read("faces = \"refuse\"").unwrap().faces),
            (FaceChoice::Nearest, FaceChoice::Refuse)
        );
        let back = toml::to_string(&some).unwrap();
        assert_eq!(read(&back).unwrap(), some);
    }

    const BAD_REGION: &str = "region = { x = 0, y = -1, w = 9, h = 9 }";

    #[test]
    fn unknown_keys_and_wrong_values_are_refused() {
        for bad in [
            "min_face = 3",
            "min_face_px = 3",
            "threads = 0",
            "threads = 3",
            "target_fmr = 0.0",
            "target_fpir = 0.0",
            "detector = \"dlib\"",
            "keep_probes = 257",
            "rotate = 45",
            "keep_log_days = 1",
            "keep_probes_h = 0",
            "[",
            BAD_REGION,
            "policy.of = 99",
            "faces = \"all\"",
            "policy.intent.width = 2",
            "policy.intent.hold = 1",
        ] {
            let error = read(bad).unwrap_err();
            assert!(matches!(error, Error::Settings { .. }), "{bad}: {error}");
            assert_eq!(error.code(), 3);
        }
    }

    #[test]
    fn a_key_that_is_gone_is_named_and_the_rest_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, "threads = 2\nsite = \"site.toml\"\n").unwrap();
        let (settings, gone) = Settings::read(&path).unwrap();
        assert_eq!((settings.threads, gone.len(), gone[0].key), (2, 1, "site"));
        std::fs::write(&path, "threads = 9\nsite = \"site.toml\"\n").unwrap();
        assert!(
            matches!(Settings::read(&path), Err(Error::Settings { .. })),
            "wrong values are wrong beside it"
        );
    }
}
