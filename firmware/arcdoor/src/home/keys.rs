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
use super::pin::Pin;
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
    /// Why an old key may be left on the disk.
    left: Option<GalleryError>,
}

enum Secret {
    Credential,
    Passphrase(Passphrase),
    File,
}

impl Secret {
    const fn source(&self) -> KeySource {
        match self {
            Self::Credential => KeySource::Credential,
            Self::Passphrase(_) => KeySource::Passphrase,
            Self::File => KeySource::File,
        }
    }
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
        self.secret.source()
    }

    /// Why bytes of an earlier gallery or key may be left on the disk: removed, and not overwritten.
    #[must_use]
    pub fn left(&self) -> Option<&GalleryError> {
        self.gallery.left().or(self.left.as_ref())
    }
}

/// Opens the gallery with a key that is tried.
type Opener<'a> = dyn Fn(&GalleryKey) -> Result<Gallery, GalleryError> + 'a;

const GALLERY: &str = "gallery.redb";
const KEY: &str = "gallery.key";
/// A key that is not in use yet.
const STAGED: &str = "gallery.key.new";

/// The gallery of a folder, and the keys to it.
#[derive(Debug)]
pub struct Keys<F> {
    folder: F,
    /// The folder's path, for messages.
    dir: PathBuf,
    /// The home's word on the source.
    pin: Option<Pin>,
    /// Whether a key from any source is taken, whatever `pin` says.
    any_source: bool,
    /// Whether nothing may be written, neither in the gallery nor beside it.
    only_looks: bool,
}

impl Keys<FileFolder> {
    /// The keys to the gallery of this home; `demanded` is the weakest source that is taken, whatever the home says.
    ///
    /// # Errors
    /// When the home's own word on it cannot be read.
    pub fn of(home: &Home, demanded: Option<KeySource>) -> Result<Self, Error> {
        let pin = Some(Pin::read(home, demanded)?);
        Ok(Self { pin, any_source: false, ..Self::new(FileFolder::new(home.dir()), home.dir()) })
    }
}

impl<F: Folder> Keys<F> {
    /// The keys to the gallery of any folder, which messages call `dir`; a key from any source is taken.
    #[must_use]
    pub fn new(folder: F, dir: &Path) -> Self {
        Self { folder, dir: dir.to_owned(), pin: None, any_source: true, only_looks: false }
    }

    /// Takes a key from any source: for the change of the key, which is how a device comes by a better one.
    #[must_use]
    pub fn from_any_source(mut self) -> Self {
        self.any_source = true;
        self
    }

    /// Opens the gallery only to read it: nothing is written, neither in it nor beside it.
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.only_looks = true;
        self
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
        Ok(self.key_file().map(|_| KeySource::File))
    }

    /// A key that lies beside the gallery, whatever it opens.
    #[must_use]
    pub fn key_file(&self) -> Option<PathBuf> {
        [KEY, STAGED].into_iter().find(|name| self.folder.exists(name)).map(|name| self.dir.join(name))
    }

    /// Opens the gallery, or makes an empty one, with a key file where nothing stronger is there. `passphrase` is
    /// needed where the gallery is sealed with one.
    ///
    /// # Errors
    /// When there is no key for it, the key is another one's or kept worse than it must be, or the gallery refuses.
    pub fn open(
        &mut self,
        model_id: ModelId,
        dimension: usize,
        passphrase: Option<&Passphrase>,
    ) -> Result<Opened, Error> {
        if self.only_looks {
            return self.view(passphrase);
        }
        let open = |key: &GalleryKey| Gallery::open_in(&self.folder, GALLERY, key, model_id, dimension);
        // A first key that a power cut left half-written never sealed anything: another one replaces it.
        let is_first = !self.folder.exists(GALLERY) && !self.folder.exists(KEY);
        if is_first && credential_path().is_none() {
            self.admit(KeySource::File)?;
            self.stage(&GalleryKey::generate()?)?;
        }
        let opened = self.try_keys(&open, passphrase)?;
        self.settle(opened)
    }

    /// Opens the gallery that is there, whatever its embedder: for all that needs no pack.
    ///
    /// # Errors
    /// As [`Keys::open`].
    pub fn open_existing(&mut self, passphrase: Option<&Passphrase>) -> Result<Opened, Error> {
        if self.only_looks {
            return self.view(passphrase);
        }
        let open = |key: &GalleryKey| Gallery::open_existing(&self.folder, GALLERY, key);
        let opened = self.try_keys(&open, passphrase)?;
        self.settle(opened)
    }

    /// Opens the gallery only to read it, whatever its embedder.
    fn view(&self, passphrase: Option<&Passphrase>) -> Result<Opened, Error> {
        let open = |key: &GalleryKey| Gallery::view(&self.folder, GALLERY, key);
        let (opened, _) = self.try_keys(&open, passphrase)?;
        Ok(opened)
    }

    fn admit(&self, source: KeySource) -> Result<(), Error> {
        self.pin.as_ref().filter(|_| !self.any_source).map_or(Ok(()), |pin| pin.admit(source))
    }

    /// The gallery, and the name of the key file that opened it.
    fn try_keys(
        &self,
        open: &Opener<'_>,
        passphrase: Option<&Passphrase>,
    ) -> Result<(Opened, Option<&'static str>), Error> {
        let opened = |gallery, secret| Opened { gallery, secret, left: None };
        let source = self.source()?.ok_or_else(|| Error::NoKey(self.dir.join(KEY)))?;
        match source {
            KeySource::Passphrase => {
                self.admit(source)?;
                let passphrase = passphrase.ok_or(Error::NoPassphrase)?;
                let gallery = open(&Kdf::from_hint(&self.hint()?)?.key(passphrase)?)?;
                Ok((opened(gallery, Secret::Passphrase(passphrase.clone())), None))
            }
            KeySource::Credential => match open(&read_credential()?) {
                // Until `key change --to credential` has run, the gallery is under its key file; whoever is given a
                // credential wants no other key, and only that command takes one.
                Err(GalleryError::OtherKey) if self.key_file().is_some() => {
                    if self.any_source {
                        self.open_by_file(open)
                    } else {
                        Err(Error::NotUnderCredential(self.dir.join(KEY)))
                    }
                }
                result => Ok((opened(result?, Secret::Credential), None)),
            },
            KeySource::File => {
                self.admit(source)?;
                self.open_by_file(open)
            }
        }
    }

    fn open_by_file(&self, open: &Opener<'_>) -> Result<(Opened, Option<&'static str>), Error> {
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
                    return Ok((Opened { gallery, secret: Secret::File, left: None }, Some(name)));
                }
                Err(error @ (Error::Gallery(GalleryError::OtherKey) | Error::BadKey(_))) => refused = error,
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Does what an interrupted change of the key left undone: the key that opened the gallery gets its name, one that
    /// opens nothing any more is wiped, and the source is kept.
    fn settle(&mut self, (mut opened, by): (Opened, Option<&'static str>)) -> Result<Opened, Error> {
        opened.left = match by {
            Some(STAGED) => {
                self.folder.publish(STAGED, KEY)?;
                None
            }
            Some(_) => self.folder.wipe(STAGED)?.left(),
            None => self.wipe_key_files()?,
        };
        if let Some(pin) = &mut self.pin {
            pin.keep(opened.source())?;
        }
        Ok(opened)
    }

    /// Why the bytes of a key may be left, if they may.
    fn wipe_key_files(&self) -> Result<Option<GalleryError>, Error> {
        let (key, staged) = (self.folder.wipe(KEY)?, self.folder.wipe(STAGED)?);
        Ok(key.left().or(staged.left()))
    }

    /// Seals the gallery anew under a new key from `source`; a passphrase comes with it. A power cut at any instant
    /// leaves it under the old key or the new one, and the key that opens it in its place.
    ///
    /// # Errors
    /// When there is no such source, or the disk fails.
    pub fn change(
        &mut self,
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
    pub fn renew(&mut self, opened: Opened) -> Result<Opened, Error> {
        self.reseal(opened.gallery, opened.secret)
    }

    fn reseal(&mut self, gallery: Gallery, secret: Secret) -> Result<Opened, Error> {
        // A weaker source is kept before the gallery is under it, a stronger one after: whatever a power cut leaves is
        // at least as strong as what is kept.
        let source = secret.source();
        if let Some(pin) = self.pin.as_mut().filter(|pin| pin.is_weakened_by(source)) {
            pin.keep(source)?;
        }
        let rewrite = |key: &GalleryKey, hint: &[u8]| gallery.rewrite(&self.folder, GALLERY, key, hint);
        let (gallery, by) = match &secret {
            Secret::File => {
                let key = GalleryKey::generate()?;
                self.stage(&key)?;
                (rewrite(&key, &[])?, Some(STAGED))
            }
            Secret::Passphrase(passphrase) => {
                let kdf = Kdf::fresh()?;
                (rewrite(&kdf.key(passphrase)?, &kdf.to_hint())?, None)
            }
            Secret::Credential => (rewrite(&read_credential()?, &[])?, None),
        };
        let left = if by.is_some() { self.folder.wipe(KEY)?.left() } else { None };
        let opened = self.settle((Opened { gallery, secret, left: None }, by))?;
        Ok(Opened { left: opened.left.or(left), ..opened })
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
    // Digit by digit: nothing of the key lies in a string that nobody wipes.
    for byte in key.bytes() {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])));
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
                let mut keys = keys(folder);
                let gallery = keys.open(MODEL, 2, None)?.gallery;
                keys.change(gallery, KeySource::File, None).map(drop)
            },
            |left| {
                assert_eq!(open(left).unwrap().gallery.len(), 1);
                assert!(!left.exists("gallery.redb.old") && !left.exists("gallery.redb.new"));
                let mut keys = keys(left);
                let opened = keys.open_existing(None).unwrap();
                keys.renew(opened).unwrap();
                assert!(!left.exists("gallery.redb.old") && !left.exists(STAGED));
                assert_eq!(open(left).unwrap().gallery.len(), 1);
            },
        );
    }

    #[test]
    fn a_full_disk_while_the_key_changes_leaves_one_gallery_and_the_door_open() {
        let mut levels = 0;
        for free in 0.. {
            let folder = folder();
            let mut keys = keys(&folder);
            let opened = keys.open(MODEL, 2, None).unwrap();
            folder.set_free(Some(free));
            if keys.renew(opened).is_ok() {
                break;
            }
            assert_eq!(open(&folder).unwrap().gallery.len(), 1, "{free} free blocks");
            assert_eq!(folder.names(), ["gallery.key", "gallery.redb"], "{free} free blocks");
            folder.set_free(None);
            let opened = keys.open(MODEL, 2, None).unwrap();
            assert_eq!(keys.renew(opened).unwrap().gallery.len(), 1, "with room again it works");
            levels += 1;
        }
        let _ = writeln!(std::io::stderr(), "full disks, a new key: {levels} levels");
        assert!(levels > 10, "{levels}");
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
