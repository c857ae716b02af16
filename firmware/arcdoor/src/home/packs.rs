//! The packs of a home: finding one by name, and installing one whole, verified, and in one step.

use super::Home;
use super::embedded::Embedded;
use super::settings::Settings;
use super::versions::Versions;
use crate::error::Error;
use arcdoor_core::ModelId;
use arcdoor_core::file::read_bounded;
use arcdoor_models::{MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, Pack, SIGNATURE_FILE, unpack};
use arcdoor_vision::check_pack_graphs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a pack lies before it has its name; no pack's name begins with a dot.
const PART: &str = ".part";
/// The same for a copy of an installed one.
const KEPT_PART: &str = ".part-kept";
/// What is added to a pack's name where it is kept beside the one that replaced it; no pack's own name holds an `@`.
const BEFORE: &str = "@before";
/// Most entries of the packs' folder that are looked at.
pub const MAX_PACKS: usize = 256;

/// What an installation did.
pub struct Installed {
    /// The folder of the pack in its place.
    pub dir: PathBuf,
    /// The name under which the pack that was there is kept.
    pub before: Option<String>,
}

/// Whether a pack may be installed, given that pack and the one in its place. Says whether the latter is kept.
pub type Consent<'a> = dyn FnMut(&Pack, Option<&Pack>) -> Result<bool, Error> + 'a;

/// The pack that `asked` means: the name of an installed one, or the path of a folder (with a `/`, or `.`). A name never
/// means a folder of the working directory: whoever fills that would choose who is let in.
///
/// # Errors
/// When there is none.
pub fn find(home: &Home, asked: &str) -> Result<PathBuf, Error> {
    let dir = if is_path(Path::new(asked)) { PathBuf::from(asked) } else { home.packs().join(asked) };
    if !asked.is_empty() && dir.join(MANIFEST_FILE).is_file() {
        return Ok(dir);
    }
    Err(Error::NoPack { asked: asked.to_owned(), looked: dir })
}

/// Whether this is the path of a folder, and no name.
#[must_use]
pub fn is_path(asked: &Path) -> bool {
    asked.as_os_str().as_encoded_bytes().contains(&b'/')
        || asked == Path::new(".")
        || asked == Path::new("..")
}

/// The name by which a pack is kept beside the one of its name that replaced it.
#[must_use]
pub fn kept_name(name: &str) -> String {
    format!("{name}{BEFORE}")
}

/// The name of an installed pack with this embedder, as its manifest says; else of the one that is compiled in, where it
/// is that one's and no installed one has its name.
#[must_use]
pub fn of_embedder(home: &Home, model_id: ModelId) -> Option<String> {
    let is_of = |dir: &Path| {
        let text = read_bounded(&dir.join(MANIFEST_FILE), MAX_MANIFEST_BYTES).ok()?;
        Some(Manifest::parse(str::from_utf8(&text).ok()?).ok()?.model_id() == model_id)
    };
    let entries = fs::read_dir(home.packs()).ok()?.take(MAX_PACKS).flatten();
    let found = entries.filter(|entry| is_of(&entry.path()) == Some(true));
    let names = found.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).min().or_else(|| {
        let own = Embedded::find().ok()??;
        let is_meant = own.model_id() == model_id && find(home, own.name()).is_err();
        is_meant.then(|| own.name().to_owned())
    })
}

/// Copies the pack in `from`, a folder or an archive, to the home's packs, and verifies the copy before it
/// gets its name. A pack of that name that is there already is replaced in one step, so that a power cut
/// leaves the old one or the new one. One of a lower version than was ever installed under this name is taken only if
/// `older`. `consent` is asked last of all, before anything is changed.
///
/// # Errors
/// When the settings do not trust the pack, a graph file is not what its network makes, the pack is older than one
/// that was installed, or the disk fails; what was installed before is then as it was.
pub fn install(
    home: &Home,
    settings: &Settings,
    from: &Path,
    older: bool,
    consent: &mut Consent<'_>,
) -> Result<Installed, Error> {
    home.create()?;
    let packs = home.packs();
    fs::create_dir_all(&packs).map_err(failed(&packs))?;
    let part = packs.join(PART);
    remove(&part)?;
    fs::create_dir(&part).map_err(failed(&part))?;
    let installed = fetch(settings, from, &part).and_then(|pack| place(home, &pack, older, consent));
    // By now it holds the pack that was refused, or the one that was replaced.
    remove(&part)?;
    installed
}

/// Copies a pack to `part`, and verifies the copy.
fn fetch(settings: &Settings, from: &Path, part: &Path) -> Result<Pack, Error> {
    if from.is_dir() {
        copy_pack(&settings.open_pack(from)?, part)?;
    } else {
        unpack(from, part)?.iter().try_for_each(|file| sync(&part.join(file)))?;
    }
    sync(part)?;
    let pack = settings.open_pack(part)?;
    check_pack_graphs(&pack)?;
    Ok(pack)
}

/// Gives a verified pack its name, and what had that name the pack's folder.
fn place(home: &Home, pack: &Pack, older: bool, consent: &mut Consent<'_>) -> Result<Installed, Error> {
    // A pack's name is a plain one: its manifest was refused otherwise.
    let packs = home.packs();
    let target = packs.join(pack.name());
    let present = Pack::open(&target).ok();
    if let Some(embedded) = Embedded::find()? {
        embedded.admit(pack)?;
    }
    let mut highest = Versions::read(home)?;
    if !older {
        highest.admit(pack)?;
    }
    let keeps = consent(pack, present.as_ref())?;
    let kept = present.as_ref().filter(|_| keeps);
    let before = kept.map(|present| keep(home, present)).transpose()?;
    // Noted before it is installed: should the power go in between, older packs are refused. The other way round, a
    // version would be installed that is not noted, and an older one taken after it.
    highest.note(pack, present.as_ref())?;
    exchange(pack.dir(), &target)?;
    sync(&packs)?;
    Ok(Installed { dir: target, before })
}

/// Keeps a copy of an installed pack under another name, which it returns, in the place of the one that was kept before.
fn keep(home: &Home, pack: &Pack) -> Result<String, Error> {
    let packs = home.packs();
    let (part, name) = (packs.join(KEPT_PART), kept_name(pack.name()));
    remove(&part)?;
    fs::create_dir(&part).map_err(failed(&part))?;
    let kept =
        copy_pack(pack, &part).and_then(|()| sync(&part)).and_then(|()| exchange(&part, &packs.join(&name)));
    remove(&part)?;
    kept.and_then(|()| sync(&packs)).map(|()| name)
}

/// Gives a folder its name; what had that name gets the folder's.
fn exchange(part: &Path, target: &Path) -> Result<(), Error> {
    if target.exists() {
        renameat_with(CWD, part, CWD, target, RenameFlags::EXCHANGE)
            .map_err(|errno| failed(target)(errno.into()))
    } else {
        fs::rename(part, target).map_err(failed(target))
    }
}

fn copy_pack(pack: &Pack, into: &Path) -> Result<(), Error> {
    let from = pack.dir();
    for file in pack.files() {
        copy(&from.join(&file), &into.join(&file))?;
    }
    if from.join(SIGNATURE_FILE).exists() {
        copy(&from.join(SIGNATURE_FILE), &into.join(SIGNATURE_FILE))?;
    }
    Ok(())
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
    fn a_name_is_an_installed_pack_and_a_path_is_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let pack = dir.path().join("packs/mine");
        assert!(matches!(find(&home, "mine"), Err(Error::NoPack { looked, .. }) if looked == pack));
        fs::create_dir_all(&pack).unwrap();
        fs::write(pack.join(MANIFEST_FILE), "").unwrap();
        assert_eq!(find(&home, "mine").unwrap(), pack);
        assert_eq!(find(&home, pack.to_str().unwrap()).unwrap(), pack);
        assert!(find(&home, "").is_err());
    }
}
