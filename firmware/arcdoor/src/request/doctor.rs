//! What is wrong with this device, and what to do. Changes nothing.

use crate::error::Error;
use crate::home::Home;
use crate::home::keys::{KeySource, Keys};
use crate::home::settings::Settings;
use crate::home::tuning;
use crate::message::{Health, Response};
use arcdoor_calib::gallery_threshold;
use arcdoor_core::{Basis, Calibration, CalibrationError};
use arcdoor_models::Pack;
use std::fmt::Write as _;
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
            findings.push(examine_tuning(home, &pack));
            match chosen.at(home) {
                Ok(chosen) => findings.extend(examine_gallery(home, &chosen, &pack)),
                Err(error) => findings.push(fail("site", &error)),
            }
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
        let mut findings = vec![examine_key(Keys::of(home).source()), nobody()];
        findings.extend(examine_threshold(settings, pack, 0));
        return findings;
    }
    match Keys::of(home).open(pack.model_id(), pack.dimension()) {
        Ok(opened) => {
            let key = examine_key(Ok(Some(opened.source())));
            let gallery = opened.gallery;
            let (subjects, templates) = (gallery.len(), gallery.templates());
            let found = ok("gallery", format!("{subjects} subject(s), {templates} template(s)"));
            let found = if gallery.is_empty() { nobody() } else { found };
            let mut findings = vec![key, found];
            findings.extend(examine_threshold(settings, pack, templates));
            findings
        }
        Err(error) => vec![examine_key(Keys::of(home).source()), fail("gallery", &error)],
    }
}

/// What the threshold promises at this size of the gallery, and what that costs.
fn examine_threshold(settings: &Settings, pack: &Pack, templates: usize) -> Vec<Finding> {
    let templates = templates.max(1);
    let calibration = match settings.calibration(pack) {
        Ok(calibration) => calibration,
        Err(error) => return vec![fail("site", &error)],
    };
    let mut findings = Vec::new();
    if let Some(site) = &settings.site {
        findings.push(match site.effect(settings, pack, templates) {
            Ok(effect) => ok("site", format!("calibration of {}: {effect}", site.made())),
            Err(error) => fail("site", &error),
        });
    }
    findings.push(match threshold_text(settings, &calibration, pack.calibration(), templates) {
        Ok((text, true)) => ok("threshold", text),
        Ok((text, false)) => warn("threshold", text),
        Err(error) => fail("threshold", &error.into()),
    });
    findings
}

/// The text, and whether the target is met. `whole` also has the rows that the settings leave out.
fn threshold_text(
    settings: &Settings,
    taken: &Calibration,
    whole: &Calibration,
    templates: usize,
) -> Result<(String, bool), CalibrationError> {
    let target = settings.target_fpir;
    let single = taken.threshold(settings.target_fmr)?;
    let at = gallery_threshold(taken, target, templates)?;
    // Raised by the site beyond all rows: nothing was counted there.
    let last = whole.rows().last().map_or(1.0, |row| row.threshold);
    let more = if at.threshold.value.0 > last { " or more" } else { "" };
    let mut text = format!(
        "1:N {:.3}{}: of strangers, {:.2} % are taken for somebody (target {:.2} %); of the enrolled, {:.1} %{more} are \
         not recognised at once, on photos like those of the calibration; 1:1 {:.3}{} for a false match rate of {}",
        at.threshold.value.0,
        mark(at.threshold.basis),
        100.0 * at.fpir,
        100.0 * target,
        100.0 * at.fnir,
        single.value.0,
        mark(single.basis),
        single.target,
    );
    if !at.is_met {
        text.push_str(
            "; the gallery has outgrown what this pack can tell apart: let people show a card or enter a PIN first \
             (1:1), or accept a higher target_fpir",
        );
        let fitted = gallery_threshold(whole, target, templates)?;
        if fitted.is_met {
            let _ = write!(
                text,
                "; {:.3} from the pack's tail fit would reach the target on the word of that fit: allow_tail_fit = \
                 true takes it",
                fitted.threshold.value.0
            );
        }
    }
    Ok((text, at.is_met))
}

fn mark(basis: Basis) -> &'static str {
    if basis.is_counted() { "" } else { " (from a tail fit, not counted)" }
}

/// Whether tiles that were measured here are in use.
fn examine_tuning(home: &Home, pack: &Pack) -> Finding {
    match tuning::read(home, pack) {
        Ok(None) => ok("tuning", "none: the default tiles; `arcdoor tune` measures this device".to_owned()),
        Ok(Some(tuning)) => ok("tuning", format!("{} layers have tiles measured here", tuning.len())),
        Err(problem) => warn(
            "tuning",
            format!(
                "{}: {problem}: left aside, the default tiles hold; `arcdoor tune` measures anew",
                home.tuning().display()
            ),
        ),
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

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{CalibrationId, CalibrationRow, Fmr, ModelId};

    fn text(allow_tail_fit: bool, templates: usize) -> (String, bool) {
        let row = |fmr, threshold, tmr, basis| CalibrationRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            fmr_low: fmr / 2.0,
            fmr_high: fmr * 2.0,
            tmr,
            basis,
        };
        let rows = [
            row(1e-4, 0.42, 0.98, Basis::Counted),
            row(1e-5, 0.47, 0.96, Basis::Counted),
            row(1e-6, 0.53, 0.9, Basis::TailFit),
        ];
        let whole = Calibration::new(ModelId::new([1; 16]), CalibrationId::new([2; 16]), &rows).unwrap();
        let taken = if allow_tail_fit { whole.clone() } else { whole.counted() };
        threshold_text(&Settings::default(), &taken, &whole, templates).unwrap()
    }

    #[test]
    fn a_small_gallery_meets_its_target_and_its_price_is_named() {
        let (text, is_met) = text(false, 100);
        assert!(is_met, "{text}");
        for part in
            ["1:N 0.420:", "1.00 % are taken", "of the enrolled, 2.0 %", "1:1 0.470 for", "rate of 1e-5"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("tail fit") && !text.contains("PIN"), "{text}");
    }

    #[test]
    fn an_outgrown_gallery_is_told_of_card_and_pin_and_of_the_fit_it_does_not_take() {
        let (text, is_met) = text(false, 5000);
        assert!(!is_met && text.contains("1:N 0.470:") && text.contains("4.88 % are taken"), "{text}");
        assert!(text.contains("card") && text.contains("PIN"), "{text}");
        assert!(text.contains("allow_tail_fit"), "{text}");
    }

    #[test]
    fn a_fit_that_is_taken_is_marked_and_ends_too() {
        let (taken, is_met) = text(true, 5000);
        assert!(is_met && taken.contains("(from a tail fit, not counted): of strangers, 1.00 %"), "{taken}");
        let (outgrown, is_met) = text(true, 50_000);
        assert!(!is_met && outgrown.contains("PIN") && !outgrown.contains("allow_tail_fit"), "{outgrown}");
    }
}
