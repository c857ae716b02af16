//! What is asked of whoever types the command: passphrases, and whether they are sure.

use crate::device::Device;
use crate::error::{DoorError, Error};
use crate::home::Home;
use crate::home::file::read_text;
use crate::home::passphrase::{MAX_BYTES, Passphrase};
use crate::request::Secrets;
use arcdoor_api::{KeySource, Request};
use arcdoor_core::SubjectName;
use arcdoor_log::VerificationKey;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A passphrase, and the variable that names a file with it, where nobody is there to type it.
struct Asked {
    prompt: &'static str,
    file: &'static str,
}

const GALLERY: Asked = Asked { prompt: "Passphrase of the gallery", file: "ARCDOOR_PASSPHRASE_FILE" };
const NEW: Asked = Asked { prompt: "New passphrase of the gallery", file: "ARCDOOR_NEW_PASSPHRASE_FILE" };
/// A file that travels has a passphrase of its own.
const EXPORT: Asked =
    Asked { prompt: "New passphrase of the exported file", file: "ARCDOOR_EXPORT_PASSPHRASE_FILE" };
const IMPORT: Asked =
    Asked { prompt: "Passphrase of the exported file", file: "ARCDOOR_EXPORT_PASSPHRASE_FILE" };

const PIN: Asked = Asked { prompt: "New PIN, 4 to 12 digits", file: "ARCDOOR_PIN_FILE" };

/// The gallery's passphrase, where it has one and the request needs the gallery.
pub(super) fn gallery_for(home: &Home, request: &Request) -> Result<Option<Passphrase>, Error> {
    match request {
        Request::PackCheck { .. }
        | Request::Replay { .. }
        | Request::Tune { .. }
        | Request::LogVerify { .. }
        | Request::LogWhy { .. }
        | Request::LogNote
        | Request::DoorState
        | Request::Door(_)
        | Request::Log { of: None, names: false, .. } => Ok(None),
        // They can do without: where there is nobody to type it, or the gallery cannot be looked at.
        Request::PackInstall { .. } | Request::PackUse { .. } => Ok(gallery(home).ok().flatten()),
        _ => gallery(home),
    }
}

/// The gallery's passphrase, where it has one.
pub(super) fn gallery(home: &Home) -> Result<Option<Passphrase>, Error> {
    if !Device::needs_passphrase(home)? {
        return Ok(None);
    }
    Ok(Some(Passphrase::given(GALLERY.ask()?)))
}

/// The other passphrases that a request needs.
pub(super) fn secrets(request: &Request) -> Result<Secrets, Error> {
    let mut secrets = Secrets::default();
    match request {
        Request::Export { .. } => secrets.new = Some(EXPORT.ask_new()?),
        Request::KeyChange { to: KeySource::Passphrase } => secrets.new = Some(NEW.ask_new()?),
        Request::PinSet { .. } => secrets.new = Some(Passphrase::given(PIN.ask_twice()?)),
        Request::Import { .. } => secrets.file = Some(Passphrase::given(IMPORT.ask()?)),
        _ => {}
    }
    Ok(secrets)
}

/// The log's verification key, from a file.
pub(super) fn log_key(path: &Path) -> Result<VerificationKey, Error> {
    let missing = || Error::File { path: path.to_owned(), source: io::ErrorKind::NotFound.into() };
    let text = read_text(path, MAX_BYTES)?.ok_or_else(missing)?;
    text.trim().parse().map_err(|source| Error::LogKey { path: path.to_owned(), source })
}

/// Asks before somebody is removed.
pub(super) fn confirm(name: &SubjectName) -> Result<(), Error> {
    let question = format!("Remove {name} and all templates?");
    sure(&question, Error::Unconfirmed(name.clone()), Error::Declined)
}

/// Asks before a pack is taken that may know nobody who is enrolled; where there is nobody to ask, `unasked` stays.
pub(super) fn confirm_pack(unasked: Error) -> Result<(), Error> {
    sure("Take this pack all the same?", unasked, Error::PackDeclined)
}

/// Asks before the relay is moved.
pub(super) fn confirm_relay() -> Result<(), Error> {
    sure(
        "The door is released, or locked, for a moment. Move the relay?",
        DoorError::RelayUnconfirmed.into(),
        DoorError::RelayUnconfirmed.into(),
    )
}

/// Asks; `unasked` where there is nobody to ask, `declined` where the answer is no.
fn sure(question: &str, unasked: Error, declined: Error) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(unasked);
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(declined) }
}

impl Asked {
    fn path(&self) -> Option<PathBuf> {
        std::env::var_os(self.file).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Takes the passphrase from the file that the variable names, else from the terminal.
    fn ask(&self) -> Result<Zeroizing<String>, Error> {
        if let Some(path) = self.path() {
            let missing = || Error::File { path: path.clone(), source: io::ErrorKind::NotFound.into() };
            let mut text = read_text(&path, MAX_BYTES)?.ok_or_else(missing)?;
            let end = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(end);
            return Ok(text);
        }
        self.type_in(self.prompt)
    }

    /// A new one, typed twice where somebody types it.
    fn ask_new(&self) -> Result<Passphrase, Error> {
        Passphrase::new(self.ask_twice()?)
    }

    fn ask_twice(&self) -> Result<Zeroizing<String>, Error> {
        let first = self.ask()?;
        if self.path().is_none() && first != self.type_in("Again")? {
            return Err(Error::PassphrasesDiffer);
        }
        Ok(first)
    }

    fn type_in(&self, prompt: &str) -> Result<Zeroizing<String>, Error> {
        if !io::stdin().is_terminal() {
            return Err(Error::NobodyToAsk { prompt: self.prompt, file: self.file });
        }
        Ok(Zeroizing::new(rpassword::prompt_password(format!("{prompt}: "))?))
    }
}
