//! What is wrong with this device, and what to do. Changes nothing.

use crate::error::Error;
use crate::home::Home;
use crate::keys::{KeySource, Keys};
use crate::message::{Health, Response};
use crate::settings::Settings;
use arcdoor_calib::gallery_threshold;
use arcdoor_models::Pack;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The kernel's TPM device.
const TPM: &str = "/dev/tpmrm0";

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
            findings.extend(examine_gallery(home, chosen, &pack));
            findings.push(examine_probes(chosen));
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

fn examine_gallery(home: &Home, settings: &Settings, pack: &Pack) -> Vec<Finding> {
    let nobody = || warn("gallery", "nobody is enrolled yet: arcdoor enrol NAME --camera".to_owned());
    if !home.gallery().exists() {
        return vec![examine_key(Keys::of(home).source()), nobody(), examine_threshold(settings, pack, 0)];
    }
    match Keys::of(home).open(pack.model_id(), pack.dimension()) {
        Ok(opened) => {
            let key = examine_key(Ok(Some(opened.source())));
            let gallery = opened.gallery;
            let (subjects, templates) = (gallery.len(), gallery.templates());
            let found = ok("gallery", format!("{subjects} subjects, {templates} templates"));
            let found = if gallery.is_empty() { nobody() } else { found };
            vec![key, found, examine_threshold(settings, pack, templates)]
        }
        Err(error) => vec![examine_key(Keys::of(home).source()), fail("gallery", &error)],
    }
}

/// What the threshold promises at this size of the gallery, and what that costs.
fn examine_threshold(settings: &Settings, pack: &Pack, templates: usize) -> Finding {
    let target = settings.target_fpir;
    let single = match pack.threshold(settings.target_fmr) {
        Ok(single) => single,
        Err(error) => return fail("threshold", &error.into()),
    };
    match gallery_threshold(pack.calibration(), target, templates.max(1)) {
        Ok(at) => {
            let text = format!(
                "1:N {:.3}: of strangers, {:.2} % are taken for somebody (target {:.2} %); of the enrolled, \
                 {:.1} % are not recognised at once, on photos like those of the calibration; 1:1 {:.3} for a \
                 false match rate of {}",
                at.threshold.value.0,
                100.0 * at.fpir,
                100.0 * target,
                100.0 * at.fnir,
                single.value.0,
                single.target,
            );
            if at.is_met {
                ok("threshold", text)
            } else {
                let advice = "the gallery has outgrown what this pack can tell apart: let people show a card \
                              or enter a PIN first (1:1), or accept a higher target_fpir";
                warn("threshold", format!("{text}; {advice}"))
            }
        }
        Err(error) => fail("threshold", &error.into()),
    }
}

/// Which key is in use and what it does not protect.
fn examine_key(source: Result<Option<KeySource>, Error>) -> Finding {
    match source {
        Ok(Some(source @ KeySource::File)) => {
            let tpm = if Path::new(TPM).exists() { "; this board has a TPM that can seal one" } else { "" };
            warn("key", format!("{}{tpm}", source.text()))
        }
        Ok(Some(source)) => ok("key", source.text().to_owned()),
        Ok(None) => ok("key", "none yet: the first enrolment makes a key file".to_owned()),
        Err(error) => fail("key", &error),
    }
}

/// What is kept of people who were let in.
fn examine_probes(settings: &Settings) -> Finding {
    ok(
        "probes",
        match settings.keep_probes {
            0 => "none are kept; `log wrong` cannot be used".to_owned(),
            most => format!(
                "of the newest {most} grants, sealed, for {} h (keep_probes, keep_probes_h; 0: none)",
                settings.keep_probes_h
            ),
        },
    )
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
