//! What is wrong with this device. Changes nothing.

use crate::device::{Device, Outcome, Reply};
use crate::error::{DEVICE, Error};
use crate::home::Home;
use crate::home::settings::Settings;
use arcdoor_api::{Check, FilePath, Finding, KeySource, Response};
use arcdoor_calib::gallery_threshold;
use arcdoor_core::{Calibration, CalibrationError};
use arcdoor_models::AboutPack;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The kernel's TPM device.
const TPM: &str = "/dev/tpmrm0";

/// What was wrong already when the device was opened.
#[derive(Debug, Default)]
pub struct Trouble {
    /// Why the settings do not read; the device has the defaults.
    pub settings: Option<Error>,
    /// Who else has the home.
    pub home: Option<Error>,
}

/// Looks at home, settings, pack, gallery and camera, in this order.
///
/// # Errors
/// When an answer cannot be given.
pub fn doctor(device: &mut Device, trouble: &Trouble, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    let mut say = |check, finding: Finding| {
        outcome = outcome.and(match finding {
            Finding::Failed { code, .. } => Outcome::Failed(code),
            Finding::ForbiddenCamera { .. } => Outcome::Failed(DEVICE),
            _ => Outcome::Done,
        });
        reply.answer(&Response::Check { check, health: finding.health(), finding })
    };
    say(Check::Home, home(device.home()))?;
    if let Some(in_use) = &trouble.home {
        say(Check::Home, Finding::HomeInUse { why: in_use.to_string() })?;
    }
    say(Check::Settings, settings(device, trouble.settings.as_ref()))?;
    if device.home().site().exists() {
        say(Check::Site, Finding::SiteLeftOver { path: device.home().site().into() })?;
    }
    let signed = device.settings().pack_keys().is_some();
    match device.pack().map(|pack| (chosen(pack, signed), weights(pack))) {
        Ok((found, weights)) => {
            say(Check::Pack, found)?;
            say(Check::Weights, weights)?;
            say(Check::Tuning, tiles(device))?;
            for (check, finding) in gallery(device) {
                say(check, finding)?;
            }
            say(Check::Promise, promised(device))?;
            say(Check::Probes, probes(device.settings()))?;
        }
        Err(error) => {
            say(Check::Pack, failed(&error))?;
            say(Check::Gallery, Finding::NotLookedAt)?;
        }
    }
    say(Check::Camera, camera(&device.settings().camera))?;
    Ok(outcome)
}

/// The pack in use. `signed`: whether one from outside must be.
fn chosen(pack: &AboutPack, signed: bool) -> Finding {
    let name = pack.name().to_owned();
    match pack.folder().map(FilePath::from) {
        None => Finding::CompiledInPack { name, version: pack.manifest().version },
        Some(dir) if signed => Finding::SignedPack { name, dir },
        Some(dir) => Finding::UnsignedPack { name, dir },
    }
}

/// What whoever installs it must know of where its embedder comes from.
fn weights(pack: &AboutPack) -> Finding {
    let embedder = &pack.manifest().embedder;
    Finding::Weights { licence: embedder.licence.clone(), training_data: embedder.training_data.clone() }
}

fn failed(error: &Error) -> Finding {
    Finding::Failed { code: error.code(), error: error.to_string() }
}

fn home(home: &Home) -> Finding {
    let dir = home.dir().to_owned();
    let metadata = match fs::metadata(&dir) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::NoHome { dir: dir.into() };
        }
        Err(source) => return failed(&Error::File { path: dir, source }),
    };
    let mode = metadata.permissions().mode() & 0o777;
    let me = rustix::process::geteuid();
    if !metadata.is_dir() {
        failed(&Error::File { path: dir, source: std::io::ErrorKind::NotADirectory.into() })
    } else if mode & 0o077 != 0 {
        Finding::OpenHome { dir: dir.into(), mode }
    } else if metadata.uid() != me.as_raw() && !me.is_root() {
        Finding::ForeignHome { dir: dir.into(), uid: metadata.uid() }
    } else {
        Finding::PrivateHome { dir: dir.into(), mode }
    }
}

fn settings(device: &Device, broken: Option<&Error>) -> Finding {
    let path: FilePath = device.home().settings().into();
    match broken {
        Some(error) => failed(error),
        None if !device.gone_keys().is_empty() => {
            let named = |gone: &&crate::home::settings::GoneKey| format!("{}: {}", gone.key, gone.advice);
            Finding::GoneKeys { path, keys: device.gone_keys().iter().map(named).collect() }
        }
        None if path.exists() => Finding::Settings { path },
        None => Finding::DefaultSettings,
    }
}

/// Whether tiles that were measured here are in use.
fn tiles(device: &mut Device) -> Finding {
    let path = device.home().tuning().into();
    match device.tuning() {
        Err(error) => failed(&error),
        Ok(Ok(None)) => Finding::DefaultTiles,
        Ok(Ok(Some(tuning))) => Finding::MeasuredTiles { layers: tuning.len() },
        Ok(Err(problem)) => Finding::TilesLeftAside { path, why: problem.to_string() },
    }
}

/// Key, gallery and thresholds.
fn gallery(device: &mut Device) -> Vec<(Check, Finding)> {
    let key = |source: Result<Option<KeySource>, Error>| match source {
        Ok(Some(source)) => Finding::Key { source, tpm: Path::new(TPM).exists() },
        Ok(None) => Finding::NoKey,
        Err(error) => failed(&error),
    };
    let mut found = Vec::new();
    let mut templates = 0;
    // Looking makes no gallery.
    if !device.home().gallery().exists() {
        found.push((Check::Key, key(source(device))));
        found.push((Check::Gallery, Finding::NobodyEnrolled));
    } else {
        let (opened, people) = match device.gallery().map(|gallery| (gallery.len(), gallery.templates())) {
            Ok((0, _)) => (true, Finding::NobodyEnrolled),
            Ok((subjects, of)) => {
                templates = of;
                (true, Finding::Enrolled { subjects, templates })
            }
            Err(error) => (false, failed(&error)),
        };
        // Which key it is, only the gallery that it opened can tell.
        let source = match device.enrolled() {
            Ok(Some(gallery)) if opened => Ok(Some(gallery.source())),
            _ => source(device),
        };
        if let Ok(Some(KeySource::Credential | KeySource::Passphrase)) = source
            && opened
            && let Some(path) = device.keys().ok().and_then(|keys| keys.key_file())
        {
            found.push((Check::Key, Finding::OldKeyLeft { path: path.into() }));
        }
        let card = source.as_ref().ok().copied().flatten().map(|source| Finding::StolenCard { source });
        found.push((Check::Key, key(source)));
        found.push((Check::Gallery, people));
        found.extend(card.filter(|_| templates > 0).map(|card| (Check::Card, card)));
        if !opened {
            return found;
        }
    }
    let settings = device.settings().clone();
    found.push((
        Check::Threshold,
        match device.pack() {
            Ok(pack) => promise_of(&settings, pack, templates),
            Err(error) => failed(&error),
        },
    ));
    found
}

fn source(device: &Device) -> Result<Option<KeySource>, Error> {
    device.keys()?.source()
}

fn promise_of(settings: &Settings, pack: &AboutPack, templates: usize) -> Finding {
    let taken = settings.calibration(pack);
    promise(settings, &taken, pack.calibration(), templates.max(1))
        .unwrap_or_else(|error| failed(&error.into()))
}

/// What the thresholds promise at this size of the gallery, and what that costs. `whole` also has the rows that the
/// settings leave out.
fn promise(
    settings: &Settings,
    taken: &Calibration,
    whole: &Calibration,
    templates: usize,
) -> Result<Finding, CalibrationError> {
    let target_fpir = settings.target_fpir;
    let verify = taken.threshold(settings.target_fmr)?;
    let at = gallery_threshold(taken, target_fpir, templates)?;
    let fitted = gallery_threshold(whole, target_fpir, templates)?;
    Ok(Finding::Thresholds {
        identify: at.threshold.value.0,
        identify_basis: at.threshold.basis,
        fpir: at.fpir,
        target_fpir,
        fnir: at.fnir,
        verify: verify.value.0,
        verify_basis: verify.basis,
        target_fmr: verify.target.get(),
        is_met: at.is_met,
        fitted: (!at.is_met && fitted.is_met).then_some(fitted.threshold.value.0),
    })
}

/// Whether the promised rate of wrong grants stands.
fn promised(device: &mut Device) -> Finding {
    match device.tally().and_then(|tally| tally.promised()) {
        Ok(promise) if promise.at_least.is_some() => Finding::PromiseBroken { promise },
        Ok(promise) => Finding::PromiseStands { promise },
        Err(error) => failed(&error),
    }
}

/// What is kept of people who were let in.
const fn probes(settings: &Settings) -> Finding {
    match settings.keep_probes {
        0 => Finding::NoProbes,
        most => Finding::Probes { most, hours: settings.keep_probes_h },
    }
}

/// Only whether it could be opened: a door in use keeps its camera.
fn camera(spec: &str) -> Finding {
    let camera = spec.to_owned();
    if !spec.starts_with('/') {
        return Finding::UnseenCamera { camera };
    }
    // After the device come its mode and how it is mounted.
    let device = spec.split(['@', ',']).next().unwrap_or(spec);
    match fs::OpenOptions::new().read(true).write(true).open(device) {
        Ok(_) => Finding::Camera { camera },
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Finding::ForbiddenCamera { camera, why: error.to_string() }
        }
        Err(error) => Finding::NoCamera { camera, why: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Basis, CalibrationId, CalibrationRow, Fmr, ModelId};

    /// Threshold, basis, FPIR, whether the target is met, and the threshold of a fit that would meet it.
    fn promised(allow_tail_fit: bool, templates: usize) -> (f32, Basis, f64, bool, Option<f32>) {
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
        match promise(&Settings::default(), &taken, &whole, templates).unwrap() {
            Finding::Thresholds { identify, identify_basis, fpir, is_met, fitted, verify, .. } => {
                assert!((verify - 0.47).abs() < 1e-6);
                (identify, identify_basis, (fpir * 1e4).round() / 1e4, is_met, fitted)
            }
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn a_small_gallery_meets_its_target() {
        assert_eq!(promised(false, 100), (0.42, Basis::Counted, 0.01, true, None));
    }

    #[test]
    fn an_outgrown_gallery_is_told_of_the_fit_that_it_does_not_take() {
        let (threshold, basis, fpir, is_met, fitted) = promised(false, 5000);
        assert_eq!((threshold, basis, fpir, is_met), (0.47, Basis::Counted, 0.0488, false));
        assert!(fitted.is_some_and(|fitted| fitted > threshold));
    }

    #[test]
    fn a_fit_that_is_taken_is_marked_and_ends_too() {
        let (_, basis, fpir, is_met, fitted) = promised(true, 5000);
        assert_eq!((basis, fpir, is_met, fitted), (Basis::TailFit, 0.01, true, None));
        let (.., is_met, fitted) = promised(true, 50_000);
        assert_eq!((is_met, fitted), (false, None));
    }
}
