//! What is asked of whoever types the command: passphrases, and whether they are sure.

use crate::device::Device;
use crate::error::Error;
use crate::home::Home;
use crate::home::file::read_text;
use crate::home::passphrase::{MAX_BYTES, Passphrase};
use crate::request::Secrets;
use arcdoor_api::{KeySource, Request};
use arcdoor_core::SubjectName;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// The variable that names a file with the passphrase, where nobody is there to type it.
const PASSPHRASE_FILE: &str = "ARCDOOR_PASSPHRASE_FILE";

/// Whether a request needs the gallery at all.
pub(super) const fn opens_gallery(request: &Request) -> bool {
    !matches!(
        request,
        Request::PackCheck { .. }
            | Request::PackInstall { .. }
            | Request::Replay { .. }
            | Request::Tune { .. }
            | Request::Log { of: None, names: false, .. }
    )
}

/// The gallery's passphrase, where it has one.
pub(super) fn gallery(home: &Home) -> Result<Option<Passphrase>, Error> {
    if !Device::needs_passphrase(home)? {
        return Ok(None);
    }
    Ok(Some(Passphrase::given(ask("Passphrase of the gallery")?)))
}

/// The other passphrases that a request needs.
pub(super) fn secrets(request: &Request) -> Result<Secrets, Error> {
    let mut secrets = Secrets::default();
    match request {
        Request::Export { .. } | Request::KeyChange { to: KeySource::Passphrase } => {
            secrets.new = Some(ask_new()?);
        }
        Request::Import { .. } => {
            secrets.file = Some(Passphrase::given(ask("Passphrase of the exported file")?));
        }
        _ => {}
    }
    Ok(secrets)
}

/// Asks before somebody is removed.
pub(super) fn confirm(name: &SubjectName) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(Error::Unconfirmed(name.clone()));
    }
    write!(io::stderr(), "Remove {name} and all templates? [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Error::Declined) }
}

fn passphrase_file() -> Option<PathBuf> {
    std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// A passphrase from the file that the variable names, else from the terminal.
fn ask(prompt: &str) -> Result<Zeroizing<String>, Error> {
    if let Some(path) = passphrase_file() {
        let missing = || Error::File { path: path.clone(), source: io::ErrorKind::NotFound.into() };
        let mut text = read_text(&path, MAX_BYTES)?.ok_or_else(missing)?;
        let end = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(end);
        return Ok(text);
    }
    if !io::stdin().is_terminal() {
        return Err(Error::NoPassphrase);
    }
    Ok(Zeroizing::new(rpassword::prompt_password(format!("{prompt}: "))?))
}

/// A new passphrase, typed twice where somebody types it.
fn ask_new() -> Result<Passphrase, Error> {
    let first = Passphrase::new(ask("New passphrase")?)?;
    if passphrase_file().is_none() && !first.is(&ask("Again")?) {
        return Err(Error::PassphrasesDiffer);
    }
    Ok(first)
}
