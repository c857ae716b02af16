//! What the installer chose: `settings.toml` in the home folder. Every key has a default.
//!
//! ```toml
//! pack = "yunet-sface"      # a name under packs/, or a folder
//! detector = "yunet"        # or "seetaface"
//! min_face_px = 40          # faces narrower than this are not looked for
//! target_fmr = 1e-5         # false match rate of one comparison; gives the threshold
//! camera = "/dev/video0"    # what `--camera` without a value means
//! ```

use crate::error::Error;
use arcdoor_core::Fmr;
use arcdoor_vision::DetectorKind;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::io::{ErrorKind, Read};
use std::path::Path;

const MAX_BYTES: u64 = 64 * 1024;

/// Which detector looks for faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DetectorName {
    /// The pack's YuNet.
    #[default]
    Yunet,
    /// SeetaFace, compiled in; the pack's YuNet then gives the landmarks.
    Seetaface,
}

impl From<DetectorName> for DetectorKind {
    fn from(name: DetectorName) -> Self {
        match name {
            DetectorName::Yunet => Self::Yunet,
            DetectorName::Seetaface => Self::Rustface,
        }
    }
}

/// The settings; see the module for the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The pack's name or folder.
    pub pack: String,
    /// Which detector looks for faces.
    pub detector: DetectorName,
    /// Narrowest face that is looked for, in frame pixels, 16 to 4096.
    #[serde(deserialize_with = "face_width")]
    pub min_face_px: u32,
    /// The false match rate that the threshold is taken for.
    pub target_fmr: Fmr,
    /// The camera that `--camera` without a value means.
    pub camera: String,
    /// How many frames must agree, and when the door locks out.
    pub policy: PolicySettings,
}

impl Default for Settings {
    #[allow(clippy::expect_used, reason = "a constant within the range")]
    fn default() -> Self {
        Self {
            pack: "yunet-sface".to_owned(),
            detector: DetectorName::Yunet,
            min_face_px: 40,
            target_fmr: Fmr::new(1e-5).expect("1e-5 is a rate"),
            camera: "/dev/video0".to_owned(),
            policy: PolicySettings::default(),
        }
    }
}

/// The policy of [`run`](crate::run); photos are decided one by one.
pub type PolicySettings = arcdoor_pipeline::Policy;

fn face_width<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let width = u32::deserialize(deserializer)?;
    if (16..=4096).contains(&width) {
        Ok(width)
    } else {
        Err(D::Error::custom("min_face_px lies within 16 to 4096 pixels"))
    }
}

impl Settings {
    /// Reads the file; the defaults where there is none.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 64 KiB, or holds an unknown key or a wrong value.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(failed(error)),
        };
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > MAX_BYTES {
            return Err(failed(std::io::Error::new(ErrorKind::FileTooLarge, "settings end at 64 KiB")));
        }
        toml::from_str(&text)
            .map_err(|source| Error::Settings { path: path.to_owned(), source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Error> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        std::fs::write(&path, text).unwrap();
        Settings::read(&path)
    }

    #[test]
    fn missing_keys_take_their_default() {
        assert_eq!(read("").unwrap(), Settings::default());
        assert_eq!(Settings::read(Path::new("/nonexistent/settings.toml")).unwrap(), Settings::default());
        let some = read("detector = \"seetaface\"\nmin_face_px = 80\ntarget_fmr = 1e-4").unwrap();
        assert_eq!((some.detector, some.min_face_px), (DetectorName::Seetaface, 80));
        let back = toml::to_string(&some).unwrap();
        assert_eq!(read(&back).unwrap(), some);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_refused() {
        for bad in ["min_face = 3", "min_face_px = 3", "target_fmr = 0.0", "detector = \"dlib\"", "["] {
            let error = read(bad).unwrap_err();
            assert!(matches!(error, Error::Settings { .. }), "{bad}: {error}");
            assert_eq!(error.code(), 3);
        }
    }
}
