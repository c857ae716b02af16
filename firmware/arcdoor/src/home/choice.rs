//! Which pack is in use: one from outside, or the one that is compiled in.
//!
//! | asked for | taken |
//! |---|---|
//! | a path | the pack in that folder |
//! | a name | the installed pack of that name |
//! | the name of the pack that is compiled in | the installed one, unless it is trusted and older: then, or where none is installed, the one compiled in |
//! | nothing | `yunet-sface` where it is installed; where nothing else is, the one compiled in, by its name as above |
//!
//! An installed pack that is broken or not trusted stays chosen, and is refused by whoever opens it: damage must not put
//! another model at the door unseen. For the same reason the one compiled in is refused where a newer one of its name
//! was installed and is gone, and where packs are installed and none is named.

use super::Home;
use super::embedded::Embedded;
use super::packs;
use super::settings::Settings;
use super::versions::Versions;
use crate::error::Error;
use arcdoor_models::{Pack, Problem};
use std::fs;
use std::path::{Path, PathBuf};

/// What is in use where nothing is named and it is installed: devices had it before a pack was compiled in.
const FIRST: &str = "yunet-sface";

/// A pack that was chosen, and is not verified yet.
#[derive(Debug)]
pub enum Choice {
    /// One in a folder, which the settings must trust.
    Folder(PathBuf),
    /// The one that is compiled in.
    CompiledIn(Embedded),
}

impl Choice {
    /// What `asked`, a name or a path, means in this home; `None`: what is in use where nothing is named.
    ///
    /// # Errors
    /// When there is no such pack, or it is not clear which is meant.
    pub fn of(home: &Home, settings: &Settings, asked: Option<&str>) -> Result<Self, Error> {
        Self::among(home, settings, asked, Embedded::find()?)
    }

    fn among(
        home: &Home,
        settings: &Settings,
        asked: Option<&str>,
        embedded: Option<Embedded>,
    ) -> Result<Self, Error> {
        let asked = match asked {
            Some(asked) => asked,
            None => unnamed(home, embedded.as_ref())?,
        };
        match embedded {
            Some(embedded) if embedded.name() == asked => Self::by_its_name(home, settings, embedded),
            _ => packs::find(home, asked).map(Self::Folder),
        }
    }

    fn by_its_name(home: &Home, settings: &Settings, embedded: Embedded) -> Result<Self, Error> {
        let Ok(dir) = packs::find(home, embedded.name()) else {
            Versions::read(home)?.admit_embedded(&embedded)?;
            return Ok(Self::CompiledIn(embedded));
        };
        let is_older = |pack: Pack| pack.manifest().version < embedded.version();
        Ok(if settings.open_pack(&dir).is_ok_and(is_older) {
            Self::CompiledIn(embedded)
        } else {
            Self::Folder(dir)
        })
    }

    /// Verifies it, if these settings trust it.
    ///
    /// # Errors
    /// When it is broken, or not signed as the settings want it.
    pub fn open(&self, settings: &Settings) -> Result<Pack, Error> {
        match self {
            Self::Folder(dir) => settings.open_pack(dir),
            Self::CompiledIn(embedded) => embedded.open(),
        }
    }

    /// The name by which `pack use` finds it; none of a pack that was named by its path.
    #[must_use]
    pub fn installed_name(&self, home: &Home) -> Option<String> {
        match self {
            Self::Folder(dir) if dir.parent() != Some(&home.packs()) => None,
            Self::Folder(dir) => Some(dir.file_name()?.to_string_lossy().into_owned()),
            Self::CompiledIn(embedded) => Some(embedded.name().to_owned()),
        }
    }

    /// Its folder, and everything that is wrong with it. The one that is compiled in has no folder, and what is wrong
    /// with it is found by [`Choice::open`].
    #[must_use]
    pub fn problems(&self, settings: &Settings) -> Option<(&Path, Vec<Problem>)> {
        match self {
            Self::Folder(dir) => Some((dir, Pack::check(dir, settings.pack_keys()))),
            Self::CompiledIn(_) => None,
        }
    }
}

/// Whether a pack that is installed under `name` is in use from then on.
///
/// # Errors
/// When the pack that is compiled in is broken, or the folder of packs cannot be read.
pub fn takes_installed(home: &Home, settings: &Settings, name: &str) -> Result<bool, Error> {
    Ok(match &settings.pack {
        Some(asked) => asked == name || Path::new(asked) == home.packs().join(name),
        None if name == FIRST => true,
        None => match unnamed(home, Embedded::find()?.as_ref()) {
            Err(Error::NoPackNamed { .. }) => false,
            meant => meant? == name,
        },
    })
}

/// The name that is meant where none is named.
fn unnamed<'a>(home: &Home, embedded: Option<&'a Embedded>) -> Result<&'a str, Error> {
    let Some(embedded) = embedded.filter(|_| packs::find(home, FIRST).is_err()) else { return Ok(FIRST) };
    match another(home, embedded.name())? {
        Some(installed) => Err(Error::NoPackNamed { installed }),
        None => Ok(embedded.name()),
    }
}

/// An installed pack of another name than this, if there is one.
fn another(home: &Home, name: &str) -> Result<Option<String>, Error> {
    let path = home.packs();
    let failed = |source| Error::File { path: path.clone(), source };
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let found = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        // A pack on its way has a name with a dot in front, one that was replaced an `@` in it.
        if found != name && !found.starts_with('.') && !found.contains('@') {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_models::{MANIFEST_FILE, PackFile};

    const FILES: &[PackFile] =
        &[(MANIFEST_FILE, include_bytes!("../../../../models/packs/doornet/pack.toml").as_slice())];

    fn embedded() -> Option<Embedded> {
        Some(Embedded::of(FILES).unwrap())
    }

    /// A home where nothing is installed.
    fn home() -> (tempfile::TempDir, Home) {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        (dir, home)
    }

    fn install(home: &Home, name: &str) {
        let dir = home.packs().join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(MANIFEST_FILE), "").unwrap();
    }

    fn chosen(home: &Home, asked: Option<&str>, embedded: Option<Embedded>) -> Result<Choice, Error> {
        Choice::among(home, &Settings::default(), asked, embedded)
    }

    #[test]
    fn a_build_without_a_pack_says_what_to_do() {
        let (_dir, home) = home();
        for asked in [None, Some("doornet")] {
            let said = chosen(&home, asked, None).unwrap_err().to_string();
            assert!(said.contains("arcdoor pack install") && said.contains("cargo xtask pack"), "{said}");
        }
        install(&home, FIRST);
        assert!(matches!(chosen(&home, None, None), Ok(Choice::Folder(dir)) if dir.ends_with(FIRST)));
    }

    #[test]
    fn a_device_keeps_the_pack_that_its_people_are_enrolled_with() {
        let (_dir, home) = home();
        assert!(matches!(chosen(&home, None, embedded()), Ok(Choice::CompiledIn(_))));
        install(&home, FIRST);
        assert!(matches!(chosen(&home, None, embedded()), Ok(Choice::Folder(dir)) if dir.ends_with(FIRST)));
        let named = chosen(&home, Some("doornet"), embedded());
        assert!(matches!(named, Ok(Choice::CompiledIn(_))));
    }

    #[test]
    fn among_installed_packs_none_is_guessed() {
        let (_dir, home) = home();
        install(&home, "mine");
        let refused = chosen(&home, None, embedded());
        assert!(matches!(refused, Err(Error::NoPackNamed { installed }) if installed == "mine"));
        assert!(matches!(chosen(&home, Some("mine"), embedded()), Ok(Choice::Folder(_))));
        assert!(matches!(chosen(&home, Some("other"), embedded()), Err(Error::NoPack { .. })));
    }
}
