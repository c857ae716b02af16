//! What is wrong with this device, and what to do. Changes nothing.

use crate::error::Error;
use crate::home::Home;
use crate::keys::{KeySource, Keys};
use crate::message::{Health, Response};
use crate::settings::Settings;
use arcdoor_models::Pack;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// One finding.
pub struct Finding {
    /// What is printed.
    pub response: Response,
    /// The exit code, where it failed.
    pub code: u8,
}

fn finding(check: &str, health: Health, code: u8, text: String) -> Finding {
    Finding { response: Response::Check { check: check.to_owned(), health, text }, code }
}

fn ok(check: &str, text: String) -> Finding {
    finding(check, Health::Ok, 0, text)
}

fn warn(check: &str, text: String) -> Finding {
    finding(check, Health::Warn, 0, text)
}

fn fail(check: &str, error: &Error) -> Finding {
    finding(check, Health::Fail, error.code(), error.to_string())
}

/// Looks at home, settings, pack, gallery and camera, in this order. `pack` is the one that the flag
/// names, if any.
#[must_use]
pub fn examine(home: &Home, settings: Result<&Settings, &Error>, pack: Option<&str>) -> Vec<Finding> {
    let defaults = Settings::default();
    let chosen = settings.unwrap_or(&defaults);
    let mut findings = vec![examine_home(home)];
    findings.push(match settings {
        Ok(_) if home.settings().exists() => ok("settings", home.settings().display().to_string()),
        Ok(_) => ok("settings", "none: the defaults hold".to_owned()),
        Err(error) => fail("settings", error),
    });
    match open_pack(home, chosen, pack.unwrap_or(&chosen.pack)) {
        Ok(pack) => {
            let place = format!("{} in {}", pack.name(), pack.dir().display());
            findings.push(match chosen.pack_keys() {
                Some(_) => ok("pack", format!("{place}, signed by a trusted key")),
                None => warn(
                    "pack",
                    format!("{place}; unsigned packs are allowed: who can write there chooses who is let in"),
                ),
            });
            findings.push(match pack.threshold(chosen.target_fmr) {
                Ok(threshold) => ok(
                    "threshold",
                    format!("{} for a false match rate of {}", threshold.value, threshold.target),
                ),
                Err(error) => fail("threshold", &error.into()),
            });
            findings.push(examine_key(home));
            findings.push(examine_gallery(home, &pack));
        }
        Err(error) => {
            findings.push(fail("pack", &error));
            findings.push(warn("gallery", "not looked at: it needs the pack".to_owned()));
        }
    }
    findings.push(examine_camera(&chosen.camera));
    findings
}

fn open_pack(home: &Home, settings: &Settings, asked: &str) -> Result<Pack, Error> {
    settings.open_pack(&home.pack(asked)?)
}

fn examine_home(home: &Home) -> Finding {
    let dir = home.dir().display();
    let metadata = match fs::metadata(home.dir()) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return ok("home", format!("{dir} is not there yet: the first command that writes makes it"));
        }
        Err(source) => return fail("home", &Error::File { path: home.dir().to_owned(), source }),
    };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_dir() {
        let source = std::io::ErrorKind::NotADirectory.into();
        return fail("home", &Error::File { path: home.dir().to_owned(), source });
    }
    if mode & 0o077 != 0 {
        return warn("home", format!("others may look into {dir} (mode {mode:03o}): chmod 700 {dir}"));
    }
    let me = rustix::process::geteuid();
    if metadata.uid() != me.as_raw() && !me.is_root() {
        return warn("home", format!("{dir} belongs to user {}: run as that user", metadata.uid()));
    }
    ok("home", format!("{dir}, mode {mode:03o}"))
}

fn examine_gallery(home: &Home, pack: &Pack) -> Finding {
    let path = home.gallery();
    if !path.exists() {
        return warn("gallery", "nobody is enrolled yet: arcdoor enrol NAME --camera".to_owned());
    }
    match Keys::of(home).open(pack.model_id(), pack.dimension()) {
        Ok(gallery) if gallery.is_empty() => {
            warn("gallery", "nobody is enrolled yet: arcdoor enrol NAME --camera".to_owned())
        }
        Ok(gallery) => ok("gallery", format!("{} subjects", gallery.len())),
        Err(error) => fail("gallery", &error),
    }
}

/// Which key is in use and what it does not protect.
fn examine_key(home: &Home) -> Finding {
    match Keys::of(home).source() {
        Ok(Some(source @ KeySource::File)) => warn("key", source.text().to_owned()),
        Ok(Some(source)) => ok("key", source.text().to_owned()),
        Ok(None) => ok("key", "none yet: the first enrolment makes a key file".to_owned()),
        Err(error) => fail("key", &error),
    }
}

/// Only whether it could be opened: a door in use keeps its camera.
fn examine_camera(spec: &str) -> Finding {
    if !spec.starts_with('/') {
        return ok("camera", format!("{spec} (not looked at)"));
    }
    match fs::OpenOptions::new().read(true).write(true).open(spec) {
        Ok(_) => ok("camera", spec.to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let advice = "add this user to the group `video`, then log in again";
            finding("camera", Health::Fail, crate::error::DEVICE, format!("{spec}: {error}: {advice}"))
        }
        Err(error) => {
            let advice = "plug one in, or set `camera` in settings.toml; photos and --replay work without";
            warn("camera", format!("{spec}: {error}: {advice}"))
        }
    }
}
