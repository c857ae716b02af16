//! Putting a pack among the home's packs: whole, verified, and in one step.

use crate::error::Error;
use crate::home::Home;
use crate::settings::Settings;
use arcdoor_models::{MANIFEST_FILE, Pack, SIGNATURE_FILE};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Copies the pack in `from` to the home's packs, and verifies the copy before it gets its name. A pack of
/// that name that is there already is replaced in one step, so that a power cut leaves the old one or the
/// new one.
///
/// # Errors
/// When the settings do not trust the pack, its name is no plain file name, or the disk fails; what was
/// installed before is then as it was.
pub fn install(home: &Home, settings: &Settings, from: &Path) -> Result<Pack, Error> {
    let pack = settings.open_pack(from)?;
    let name = pack.name();
    if !is_plain(name) {
        return Err(Error::PackName(name.to_owned()));
    }
    home.create()?;
    let packs = home.packs();
    let (part, target) = (packs.join(format!(".{name}.part")), packs.join(name));
    fs::create_dir_all(&packs).map_err(failed(&packs))?;
    remove(&part)?;
    fs::create_dir(&part).map_err(failed(&part))?;
    let nets = pack.manifest().nets().map(|(_, net)| net.file.clone());
    for file in nets.chain([MANIFEST_FILE.to_owned()]) {
        copy(&from.join(&file), &part.join(&file))?;
    }
    if from.join(SIGNATURE_FILE).exists() {
        copy(&from.join(SIGNATURE_FILE), &part.join(SIGNATURE_FILE))?;
    }
    sync(&part)?;
    settings.open_pack(&part)?;
    if target.exists() {
        renameat_with(CWD, &part, CWD, &target, RenameFlags::EXCHANGE)
            .map_err(|errno| failed(&target)(errno.into()))?;
    } else {
        fs::rename(&part, &target).map_err(failed(&target))?;
    }
    sync(&packs)?;
    remove(&part)?;
    settings.open_pack(&target)
}

/// Letters, digits, dot, dash and underscore, not beginning with a dot: nothing that leaves the folder.
fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !name.is_empty() && name.len() <= 64 && !name.starts_with('.') && name.chars().all(allowed)
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map_err(failed(from))?;
    sync(to)
}

fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(failed(path))
}

fn remove(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(dir)(error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path: PathBuf = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_become_folders() {
        assert!(is_plain("yunet-sface_1.0"));
        for name in ["", ".", "..", ".hidden", "a/b", "a\\b", "\u{e9}", "a b", "a\n"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }
}
