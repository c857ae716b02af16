//! Where the gallery's key comes from, the strongest first:
//!
//! | source | where | protects, once the card is taken |
//! |---|---|---|
//! | credential | `$CREDENTIALS_DIRECTORY/arcdoor-gallery` (systemd; `systemd-creds encrypt --with-key=tpm2`) | yes, with a TPM |
//! | passphrase | nowhere: typed at start, or in the file that `ARCDOOR_PASSPHRASE_FILE` names | yes, as far as it is hard to guess |
//! | file | `gallery.key` in the home folder, mode 0600 | no: it lies beside what it opens |

use super::Home;
use super::file::read_bytes;
use super::passphrase::{Kdf, Passphrase};
use crate::error::Error;
use arcdoor_api::KeySource;
use arcdoor_core::ModelId;
use arcdoor_gallery::{FileFolder, Folder, Gallery, GalleryError, GalleryKey, KEY_BYTES};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the systemd credential.
pub const CREDENTIAL: &str = "arcdoor-gallery";

/// 64 digits and a line's end.
const MAX_KEY_FILE_BYTES: usize = 2 * KEY_BYTES + 2;

/// A gallery, and the secret that opened it.
pub struct Opened {
    /// The gallery.
    pub gallery: Gallery,
    secret: Secret,
}

enum Secret {
    Credential,
    Passphrase(Passphrase),
    File,
}

impl Opened {
    /// The passphrase that opens it, where it is sealed with one.
    #[must_use]
    pub const fn passphrase(&self) -> Option<&Passphrase> {
        match &self.secret {
            Secret::Passphrase(passphrase) => Some(passphrase),
            Secret::Credential | Secret::File => None,
        }
    }

    /// Where its key came from.
    #[must_use]
    pub const fn source(&self) -> KeySource {
        match self.secret {
            Secret::Credential => KeySource::Credential,
            Secret::Passphrase(_) => KeySource::Passphrase,
            Secret::File => KeySource::File,
        }
    }
}

/// Tries a key.
type Opener<'a> = dyn Fn(&GalleryKey) -> Result<Gallery, GalleryError> + 'a;

const GALLERY: &str = "gallery.redb";
const KEY: &str = "gallery.key";
/// A key that is not in use yet.
const STAGED: &str = "gallery.key.new";

/// The gallery of a folder, and the keys to it.
#[derive(Debug)]
pub struct Keys<F> {
    folder: F,
    /// For messages.
    dir: PathBuf,
}

impl Keys<FileFolder> {
    /// Of this home.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self::new(FileFolder::new(home.dir()), home.dir())
    }
}

impl<F: Folder> Keys<F> {
    /// Of any folder, which messages call `dir`.
    #[must_use]
    pub fn new(folder: F, dir: &Path) -> Self {
        Self { folder, dir: dir.to_owned() }
    }

    /// Which source is tried first; `None` before the first enrolment. Which one opens the gallery, only
    /// [`Opened::source`] tells.
    ///
    /// # Errors
    /// When the gallery cannot be looked at.
    pub fn source(&self) -> Result<Option<KeySource>, Error> {
        // A gallery that is sealed with a passphrase says so; no credential opens it until the key is changed.
        if !self.hint()?.is_empty() {
            return Ok(Some(KeySource::Passphrase));
        }
        if credential_path().is_some() {
            return Ok(Some(KeySource::Credential));
        }
        let has_file = self.folder.exists(KEY) || self.folder.exists(STAGED);
        Ok(has_file.then_some(KeySource::File))
    }

    /// Opens the gallery, or makes an empty one, with a key file where nothing stronger is there. `passphrase` is
    /// needed where the gallery is sealed with one.
    ///
    /// # Errors
    /// When there is no key for it, the key is another one's, or the gallery refuses.
    pub fn open(
        &self,
        model_id: ModelId,
        dimension: usize,
        passphrase: Option<&Passphrase>,
    ) -> Result<Opened, Error> {
        let open = |key: &GalleryKey| Gallery::open_in(&self.folder, GALLERY, key, model_id, dimension);
        self.try_keys(&open, passphrase)
    }

    /// Opens the gallery that is there, whatever its embedder: for all that needs no pack.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open_existing(&self, passphrase: Option<&Passphrase>) -> Result<Opened, Error> {
        self.try_keys(&|key| Gallery::open_existing(&self.folder, GALLERY, key), passphrase)
    }

    fn try_keys(&self, open: &Opener<'_>, passphrase: Option<&Passphrase>) -> Result<Opened, Error> {
        match self.source()? {
            Some(KeySource::Passphrase) => {
                let passphrase = passphrase.ok_or(Error::NoPassphrase)?;
                let gallery = open(&Kdf::from_hint(&self.hint()?)?.key(passphrase)?)?;
                Ok(Opened { gallery, secret: Secret::Passphrase(passphrase.clone()) })
            }
            Some(KeySource::Credential) => match open(&read_credential()?) {
                // Until `key change --to credential` has run, the gallery is still under its key file.
                Err(GalleryError::OtherKey) => self.open_by_file(open),
                result => Ok(Opened { gallery: result?, secret: Secret::Credential }),
            },
            Some(KeySource::File) => self.open_by_file(open),
            None if self.folder.exists(GALLERY) => Err(Error::NoKey(self.dir.join(KEY))),
            None => {
                self.stage(&GalleryKey::generate()?)?;
                self.open_by_file(open)
            }
        }
    }

    fn open_by_file(&self, open: &Opener<'_>) -> Result<Opened, Error> {
        // The power may have gone between the change of the gallery and that of the key's name.
        let mut refused = Error::NoKey(self.dir.join(KEY));
        for name in [KEY, STAGED] {
            let opened = match self.read_key(name) {
                Ok(Some(key)) => open(&key).map_err(Error::from),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match opened {
                Ok(gallery) => {
                    if name == STAGED {
                        self.folder.publish(STAGED, KEY)?;
                    }
                    return Ok(Opened { gallery, secret: Secret::File });
                }
                Err(error @ (Error::Gallery(GalleryError::OtherKey) | Error::BadKey(_))) => refused = error,
                Err(error) => return Err(error),
            }
        }
        // What was cut while the very first key was written never sealed anything.
        if self.folder.exists(GALLERY) || self.folder.exists(KEY) {
            return Err(refused);
        }
        self.stage(&GalleryKey::generate()?)?;
        self.open_by_file(open)
    }

    /// Seals the gallery anew under a new key from `source`; a passphrase comes with it. A power cut at any instant
    /// leaves it under the old key or the new one, and the key that opens it in its place.
    ///
    /// # Errors
    /// When there is no such source, or the disk fails.
    pub fn change(
        &self,
        gallery: Gallery,
        source: KeySource,
        passphrase: Option<&Passphrase>,
    ) -> Result<Opened, Error> {
        let secret = match source {
            KeySource::File => Secret::File,
            KeySource::Passphrase => Secret::Passphrase(passphrase.ok_or(Error::NoPassphrase)?.clone()),
            KeySource::Credential => Secret::Credential,
        };
        self.reseal(gallery, secret)
    }

    /// Issues every template anew: under another rotation, and a new key from where the old one came from (a
    /// passphrase or credential stays, the key that is made from it does not). As durable as
    /// [`Keys::change`].
    ///
    /// # Errors
    /// When the disk fails.
    pub fn renew(&self, opened: Opened) -> Result<Opened, Error> {
        self.reseal(opened.gallery, opened.secret)
    }

    fn reseal(&self, gallery: Gallery, secret: Secret) -> Result<Opened, Error> {
        let rewrite = |key: &GalleryKey, hint: &[u8]| gallery.rewrite(&self.folder, GALLERY, key, hint);
        let gallery = match &secret {
            Secret::File => {
                let key = GalleryKey::generate()?;
                self.stage(&key)?;
                rewrite(&key, &[])?
            }
            Secret::Passphrase(passphrase) => {
                let kdf = Kdf::fresh()?;
                rewrite(&kdf.key(passphrase)?, &kdf.to_hint())?
            }
            Secret::Credential => rewrite(&read_credential()?, &[])?,
        };
        self.folder.wipe(KEY)?;
        if matches!(secret, Secret::File) {
            self.folder.publish(STAGED, KEY)?;
        } else {
            self.folder.wipe(STAGED)?;
        }
        Ok(Opened { gallery, secret })
    }

    fn hint(&self) -> Result<Vec<u8>, Error> {
        if self.folder.exists(GALLERY) { Ok(Gallery::hint(&self.folder, GALLERY)?) } else { Ok(Vec::new()) }
    }

    /// Writes a key that the gallery does not have yet.
    fn stage(&self, key: &GalleryKey) -> Result<(), Error> {
        Ok(self.folder.store(STAGED, to_hex(key).as_bytes())?)
    }

    fn read_key(&self, name: &str) -> Result<Option<GalleryKey>, Error> {
        let failed = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::InvalidInput => Error::BadKey(self.dir.join(name)),
            _ => Error::File { path: self.dir.join(name), source },
        };
        let bytes = self.folder.peek(name, MAX_KEY_FILE_BYTES).map_err(failed)?.map(Zeroizing::new);
        bytes.map(|bytes| parse_key(&bytes).ok_or_else(|| Error::BadKey(self.dir.join(name)))).transpose()
    }
}

fn credential_path() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(CREDENTIAL);
    path.is_file().then_some(path)
}

fn read_credential() -> Result<GalleryKey, Error> {
    let path = credential_path().ok_or(Error::NoCredential { name: CREDENTIAL })?;
    let bytes = match read_bytes(&path, MAX_KEY_FILE_BYTES as u64) {
        Err(Error::BadFile { .. }) => return Err(Error::BadKey(path)),
        bytes => bytes?,
    };
    bytes.and_then(|bytes| parse_key(&bytes)).ok_or(Error::BadKey(path))
}

/// 64 hexadecimal digits and white space, or 32 bytes.
fn parse_key(bytes: &[u8]) -> Option<GalleryKey> {
    if let Ok(key) = <&[u8; KEY_BYTES]>::try_from(bytes) {
        return Some(GalleryKey::new(key));
    }
    let (pairs, rest) = bytes.trim_ascii_end().as_chunks::<2>();
    if pairs.len() != KEY_BYTES || !rest.is_empty() {
        return None;
    }
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    for (pair, byte) in pairs.iter().zip(key.iter_mut()) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(GalleryKey::new(&key))
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn to_hex(key: &GalleryKey) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * KEY_BYTES + 1));
    for byte in key.bytes() {
        text.push_str(&format!("{byte:02x}"));
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{SubjectName, Template};
    use arcdoor_gallery::MemoryFolder;
    use std::io::Write as _;

    const MODEL: ModelId = ModelId::new([1; 16]);

    fn keys(folder: &MemoryFolder) -> Keys<MemoryFolder> {
        Keys::new(folder.clone(), Path::new(""))
    }

    fn open(folder: &MemoryFolder) -> Result<Opened, Error> {
        keys(folder).open(MODEL, 2, None)
    }

    fn folder() -> MemoryFolder {
        let folder = MemoryFolder::new();
        let template = Template::new(MODEL, &[0.6, 0.8]).unwrap();
        open(&folder).unwrap().gallery.enrol(&SubjectName::new("Ada").unwrap(), &[template], 1).unwrap();
        folder
    }

    /// Runs `work` again and again, cut after every change, and hands over what could be left.
    fn cut_everywhere(
        what: &str,
        begin: impl Fn() -> MemoryFolder,
        work: impl Fn(&MemoryFolder) -> Result<(), Error>,
        check: impl Fn(&MemoryFolder),
    ) {
        let mut cuts = 0;
        for cut in 0.. {
            let folder = begin();
            folder.fail_after(Some(cut));
            let done = work(&folder).is_ok();
            for seed in 0..16 {
                check(&folder.power_cut(seed));
                cuts += 1;
            }
            if done {
                break;
            }
        }
        let points = cuts / 16;
        let _ = writeln!(std::io::stderr(), "power cuts, {what}: {points} points, 16 outcomes each");
        assert!(points > 30, "{what}: {points}");
    }

    #[test]
    fn a_power_cut_before_the_first_enrolment_costs_nothing() {
        cut_everywhere(
            "first key and gallery",
            MemoryFolder::new,
            |folder| open(folder).map(drop),
            |left| {
                assert!(open(left).unwrap().gallery.is_empty());
                assert!(left.exists(KEY) && !left.exists(STAGED));
            },
        );
    }

    #[test]
    fn a_power_cut_while_the_key_changes_leaves_the_gallery_and_the_key_to_it() {
        cut_everywhere(
            "changing the key",
            folder,
            |folder| {
                let keys = keys(folder);
                keys.change(keys.open(MODEL, 2, None)?.gallery, KeySource::File, None).map(drop)
            },
            |left| {
                assert_eq!(open(left).unwrap().gallery.len(), 1);
                assert!(!left.exists("gallery.redb.old") && !left.exists("gallery.redb.new"));
                let keys = keys(left);
                keys.renew(keys.open_existing(None).unwrap()).unwrap();
                assert!(!left.exists("gallery.redb.old") && !left.exists(STAGED));
                assert_eq!(open(left).unwrap().gallery.len(), 1);
            },
        );
    }

    #[test]
    fn a_gallery_without_its_key_is_not_made_anew() {
        let folder = folder();
        folder.remove(KEY).unwrap();
        assert!(matches!(open(&folder), Err(Error::NoKey(_))));
        folder.store(KEY, b"not a key").unwrap();
        assert!(matches!(open(&folder), Err(Error::BadKey(_))));
        folder.store(KEY, to_hex(&GalleryKey::new(&[3; KEY_BYTES])).as_bytes()).unwrap();
        assert!(matches!(open(&folder), Err(Error::Gallery(GalleryError::OtherKey))));
    }

    #[test]
    fn a_key_is_read_as_digits_or_bytes() {
        let key = GalleryKey::new(&[0xa7; KEY_BYTES]);
        for bytes in [to_hex(&key).as_bytes(), key.bytes(), to_hex(&key).trim_end().as_bytes()] {
            assert_eq!(parse_key(bytes).unwrap().bytes(), key.bytes());
        }
        for bytes in [&b""[..], &[0; 31], &[b'g'; 64], &[b'0'; 63], &[b'0'; 66]] {
            assert!(parse_key(bytes).is_none());
        }
    }
}
