//! Where the gallery's key comes from, the strongest first:
//!
//! | source | where | protects, once the card is taken |
//! |---|---|---|
//! | credential | `$CREDENTIALS_DIRECTORY/arcdoor-gallery` (systemd; `systemd-creds encrypt --with-key=tpm2`) | yes, with a TPM |
//! | passphrase | nowhere: typed at start, or in the file that `ARCDOOR_PASSPHRASE_FILE` names | yes, as far as it is hard to guess |
//! | file | `gallery.key` in the home folder, mode 0600 | no: it lies beside what it opens |

use crate::error::Error;
use crate::home::Home;
use crate::passphrase::{self, Kdf};
use arcdoor_core::ModelId;
use arcdoor_gallery::{Gallery, GalleryError, GalleryKey, KEY_BYTES};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the systemd credential.
pub const CREDENTIAL: &str = "arcdoor-gallery";

/// Where a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum KeySource {
    /// A systemd credential; sealed by the TPM where it was encrypted so.
    Credential,
    /// A passphrase.
    Passphrase,
    /// A file beside the gallery.
    File,
}

impl KeySource {
    /// What it protects, for the operator.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Credential => {
                "systemd credential; a taken card is useless without it, if a TPM sealed it \
                 (systemd-creds encrypt --with-key=tpm2)"
            }
            Self::Passphrase => "passphrase; a taken card is as safe as the passphrase is hard to guess",
            Self::File => {
                "key file beside the gallery: who takes the card has both, it protects nothing then; \
                 `arcdoor key change --to passphrase`, or a systemd credential, does"
            }
        }
    }
}

/// Tries a key.
type Opener<'a> = dyn Fn(&GalleryKey) -> Result<Gallery, GalleryError> + 'a;

/// The keys of one home folder.
pub struct Keys<'a> {
    home: &'a Home,
}

impl<'a> Keys<'a> {
    /// Of this home.
    #[must_use]
    pub const fn of(home: &'a Home) -> Self {
        Self { home }
    }

    /// Which source is in use; `None` before the first enrolment. Asks nobody for anything.
    ///
    /// # Errors
    /// When the gallery cannot be looked at.
    pub fn source(&self) -> Result<Option<KeySource>, Error> {
        if credential_path().is_some() {
            return Ok(Some(KeySource::Credential));
        }
        if self.home.gallery().exists() && !Gallery::hint(&self.home.gallery())?.is_empty() {
            return Ok(Some(KeySource::Passphrase));
        }
        let has_file = self.home.key().exists() || staged(&self.home.key()).exists();
        Ok(has_file.then_some(KeySource::File))
    }

    /// Opens the gallery, or makes an empty one, with a key file where nothing stronger is there.
    ///
    /// # Errors
    /// When there is no key for it, the key is another one's, or the gallery refuses.
    pub fn open(&self, model_id: ModelId, dimension: usize) -> Result<Gallery, Error> {
        let path = self.home.gallery();
        self.try_keys(&|key| Gallery::open(&path, key, model_id, dimension))
    }

    /// Opens the gallery that is there, whatever its embedder: for all that needs no pack.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open_existing(&self) -> Result<Gallery, Error> {
        let path = self.home.gallery();
        self.try_keys(&|key| Gallery::open_existing(&path, key))
    }

    fn try_keys(&self, open: &Opener<'_>) -> Result<Gallery, Error> {
        let path = self.home.gallery();
        match self.source()? {
            Some(KeySource::Credential) => match open(&read_credential()?) {
                // Until `key change --to credential` has run, the gallery is still under its old key.
                Err(GalleryError::OtherKey) => self.open_without_credential(open),
                result => Ok(result?),
            },
            Some(_) => self.open_without_credential(open),
            None if path.exists() => Err(Error::NoKey(self.home.key())),
            None => {
                let key = GalleryKey::generate()?;
                write_key(&self.home.key(), &key)?;
                Ok(open(&key)?)
            }
        }
    }

    fn open_without_credential(&self, open: &Opener<'_>) -> Result<Gallery, Error> {
        let hint = Gallery::hint(&self.home.gallery()).or_else(|error| match error {
            GalleryError::Io { source, .. } if source.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            error => Err(error),
        })?;
        if !hint.is_empty() {
            let passphrase = passphrase::ask("Passphrase of the gallery")?;
            return Ok(open(&Kdf::from_hint(&hint)?.key(&passphrase)?)?);
        }
        let (current, next) = (self.home.key(), staged(&self.home.key()));
        // The power may have gone between the change of the gallery and that of the file's name.
        for path in [&current, &next] {
            let Some(key) = read_key(path)? else { continue };
            match open(&key) {
                Err(GalleryError::OtherKey) => {}
                Ok(gallery) if path == &next => {
                    publish(&next, &current)?;
                    return Ok(gallery);
                }
                result => return Ok(result?),
            }
        }
        if current.exists() { Err(GalleryError::OtherKey.into()) } else { Err(Error::NoKey(current)) }
    }

    /// Seals the gallery anew under a new key from `source`. A power cut at any instant leaves it under the
    /// old key or the new one, and the key that opens it in its place.
    ///
    /// # Errors
    /// When there is no such source, the passphrase is too short, or the disk fails.
    pub fn change(&self, gallery: Gallery, source: KeySource) -> Result<Gallery, Error> {
        let (path, file) = (self.home.gallery(), self.home.key());
        match source {
            KeySource::File => {
                let key = GalleryKey::generate()?;
                write_key(&staged(&file), &key)?;
                let gallery = gallery.rewrite(&path, &key, &[])?;
                wipe(&file)?;
                publish(&staged(&file), &file)?;
                Ok(gallery)
            }
            KeySource::Passphrase => {
                let kdf = Kdf::fresh()?;
                let key = kdf.key(&passphrase::ask_new()?)?;
                let gallery = gallery.rewrite(&path, &key, &kdf.to_hint())?;
                wipe(&file)?;
                Ok(gallery)
            }
            KeySource::Credential => {
                let gallery = gallery.rewrite(&path, &read_credential()?, &[])?;
                wipe(&file)?;
                Ok(gallery)
            }
        }
    }
}

fn staged(path: &Path) -> PathBuf {
    path.with_extension("key.new")
}

fn credential_path() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.is_file().then_some(path)
}

fn read_credential() -> Result<GalleryKey, Error> {
    let path = credential_path().ok_or(Error::NoCredential)?;
    read_key(&path)?.ok_or(Error::NoCredential)
}

/// A key in a file: 64 hexadecimal digits, or 32 bytes. `None` where there is no file.
fn read_key(path: &Path) -> Result<Option<GalleryKey>, Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * KEY_BYTES + 2));
    file.take(2 * KEY_BYTES as u64 + 2).read_to_end(&mut bytes).map_err(failed)?;
    if let Ok(key) = <&[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
        return Ok(Some(GalleryKey::new(key)));
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    let digits = bytes.trim_ascii_end();
    let (pairs, rest) = digits.as_chunks::<2>();
    let parsed = pairs.len() == KEY_BYTES
        && rest.is_empty()
        && pairs.iter().zip(key.iter_mut()).all(|(pair, byte)| match (digit(pair[0]), digit(pair[1])) {
            (Some(high), Some(low)) => {
                *byte = high << 4 | low;
                true
            }
            _ => false,
        });
    if parsed { Ok(Some(GalleryKey::new(&key))) } else { Err(Error::BadKey(path.to_owned())) }
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Writes a key, durably, readable by its owner only.
fn write_key(path: &Path, key: &GalleryKey) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
    for byte in key.bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    sync_folder(path)
}

fn publish(from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|source| Error::File { path: to.to_owned(), source })?;
    sync_folder(to)
}

/// Overwrites a key file and removes it; none is fine.
fn wipe(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed)?,
    };
    file.write_all(&[b'0'; 2 * KEY_BYTES]).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::remove_file(path).map_err(failed)?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| Error::File { path: folder.to_owned(), source })
}
