//! A verified pack.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::Path;

use arcdoor_core::file::{self, ReadError};
use arcdoor_core::{Calibration, CalibrationError, CalibrationId};
use sha2::{Digest, Sha256};

use crate::about::AboutPack;
use crate::error::{PackError, Problem};
use crate::manifest::{MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, NetFile, first_16};
use crate::role::Role;
use crate::trust::{self, SIGNATURE_FILE, TrustedKey};

/// Largest signature, in bytes; its comments are free text.
pub const MAX_SIGNATURE_BYTES: u64 = 4 << 10;
/// Largest network, or graph file, in bytes.
pub const MAX_NET_BYTES: u64 = 64 << 20;

/// A pack whose every byte is what its manifest promises.
pub struct Pack {
    about: AboutPack,
    /// By role; empty where the pack has no such network.
    bytes: [NetBytes; Role::ALL.len()],
}

impl Deref for Pack {
    type Target = AboutPack;

    fn deref(&self) -> &AboutPack {
        &self.about
    }
}

/// One network's files.
#[derive(Default)]
struct NetBytes {
    onnx: Bytes,
    graph: Option<Bytes>,
}

/// What a program has compiled in is borrowed from it, and not held twice.
type Bytes = Cow<'static, [u8]>;

/// One file of a pack that is compiled in: its name in the pack, and its bytes.
pub type PackFile = (&'static str, &'static [u8]);

/// Where a pack's files are read from; one way of verifying them follows.
#[derive(Clone, Copy)]
enum Source<'a> {
    Folder(&'a Path),
    Files(&'a [PackFile]),
}

impl Source<'_> {
    /// The file `name`, of at most `limit` bytes.
    fn read(self, name: &str, limit: u64) -> Result<Bytes, Problem> {
        match self {
            Self::Folder(dir) => read_bounded(dir, name, limit).map(Bytes::from),
            Self::Files(files) => {
                let file = || name.to_owned();
                let &(_, bytes) = files
                    .iter()
                    .find(|(of, _)| *of == name)
                    .ok_or_else(|| Problem::Unreadable { file: file(), cause: ErrorKind::NotFound.into() })?;
                let is_small = u64::try_from(bytes.len()).is_ok_and(|length| length <= limit);
                is_small.then_some(bytes.into()).ok_or_else(|| Problem::TooLarge { file: file(), limit })
            }
        }
    }
}

/// One network of a verified pack: its entry in the manifest, which it derefs to, and its verified bytes.
#[derive(Clone, Copy)]
pub struct PackNet<'a> {
    /// What it is for.
    pub role: Role,
    /// What the manifest says of it.
    pub entry: &'a NetFile,
    /// The ONNX file.
    pub onnx: &'a [u8],
    /// The graph file, where it has one.
    pub graphs: Option<&'a [u8]>,
}

impl Deref for PackNet<'_> {
    type Target = NetFile;

    fn deref(&self) -> &NetFile {
        self.entry
    }
}

impl Pack {
    /// Reads the pack in `dir` and verifies its hashes; whoever made it.
    ///
    /// # Errors
    /// The first thing that is wrong; the pack is refused whole.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        refused_first(dir, Self::read(dir, Source::Folder(dir), None))
    }

    /// As [`Pack::open`], and only where one of `keys` signed the manifest; that is looked at before anything
    /// is parsed.
    ///
    /// # Errors
    /// As [`Pack::open`]; also when the pack is not signed, or by nobody of `keys`.
    pub fn open_signed(dir: &Path, keys: &[TrustedKey]) -> Result<Self, PackError> {
        refused_first(dir, Self::read(dir, Source::Folder(dir), Some(keys)))
    }

    /// As [`Pack::open`], of a pack that is compiled into the program: whoever trusts the program trusts it, and no
    /// signature is looked for. `origin` stands for the folder in errors and in [`AboutPack::dir`].
    ///
    /// # Errors
    /// As [`Pack::open`].
    pub fn from_files(origin: &str, files: &[PackFile]) -> Result<Self, PackError> {
        let origin = Path::new(origin);
        refused_first(origin, Self::read(origin, Source::Files(files), None))
    }

    /// Everything that is wrong with the pack in `dir`; empty for a good one. Does not load the networks.
    /// Whether it is signed matters where there are `keys`.
    #[must_use]
    pub fn check(dir: &Path, keys: Option<&[TrustedKey]>) -> Vec<Problem> {
        Self::read(dir, Source::Folder(dir), keys).err().unwrap_or_default()
    }

    /// Reads and verifies the pack. A list of problems is never empty.
    fn read(dir: &Path, source: Source<'_>, keys: Option<&[TrustedKey]>) -> Result<Self, Vec<Problem>> {
        let text = source.read(MANIFEST_FILE, MAX_MANIFEST_BYTES).map_err(|problem| vec![problem])?;
        if let Some(keys) = keys {
            check_signature(source, &text, keys).map_err(|problem| vec![problem])?;
        }
        let text =
            str::from_utf8(&text).map_err(|_| vec![Problem::Manifest("is no UTF-8 text".to_owned())])?;
        let manifest = Manifest::parse(text)?;
        let mut problems = manifest.problems();
        let mut read = |file: &str, sha256: &str| {
            // A name that is not plain has been reported, and is never opened.
            if problems.iter().any(|p| matches!(p, Problem::FileName { file: bad, .. } if bad == file)) {
                return Bytes::default();
            }
            read_verified(source, file, sha256).unwrap_or_else(|problem| {
                problems.push(problem);
                Bytes::default()
            })
        };
        let mut net = |net: &NetFile| NetBytes {
            onnx: read(&net.file, &net.sha256),
            graph: net.graph.as_ref().map(|graph| read(&graph.file, &graph.sha256)),
        };
        let bytes = Role::ALL.map(|role| manifest.net(role).map(&mut net).unwrap_or_default());
        let calibration = calibration(&manifest);
        match calibration {
            Ok(calibration) if problems.is_empty() => {
                let (dir, is_folder) = (dir.to_path_buf(), matches!(source, Source::Folder(_)));
                Ok(Self { about: AboutPack::new(dir, is_folder, manifest, calibration), bytes })
            }
            Ok(_) => Err(problems),
            Err(cause) => {
                problems.push(Problem::Calibration(cause));
                Err(problems)
            }
        }
    }

    /// What it says about itself, without the networks' bytes: for whoever has loaded these.
    #[must_use]
    pub fn into_about(self) -> AboutPack {
        self.about
    }

    /// The network of a role.
    ///
    /// # Errors
    /// When the pack has none.
    pub fn net(&self, role: Role) -> Result<PackNet<'_>, PackError> {
        let missing = || PackError { dir: self.dir().to_path_buf(), problem: Problem::NoNetwork(role) };
        self.nets().find(|net| net.role == role).ok_or_else(missing)
    }

    /// All networks, in the order of [`Role::ALL`].
    pub fn nets(&self) -> impl Iterator<Item = PackNet<'_>> {
        Role::ALL.into_iter().zip(&self.bytes).filter_map(|(role, bytes)| {
            let entry = self.manifest().net(role)?;
            Some(PackNet { role, entry, onnx: &bytes.onnx, graphs: bytes.graph.as_deref() })
        })
    }
}

fn refused_first(dir: &Path, read: Result<Pack, Vec<Problem>>) -> Result<Pack, PackError> {
    read.map_err(|mut problems| PackError { dir: dir.to_path_buf(), problem: problems.swap_remove(0) })
}

fn check_signature(source: Source<'_>, manifest: &[u8], keys: &[TrustedKey]) -> Result<(), Problem> {
    let signature = source.read(SIGNATURE_FILE, MAX_SIGNATURE_BYTES).map_err(|problem| match problem {
        Problem::Unreadable { cause, .. } if cause.kind() == ErrorKind::NotFound => Problem::Unsigned,
        problem => problem,
    })?;
    trust::verify(manifest, &signature, keys)
}

fn calibration(manifest: &Manifest) -> Result<Calibration, CalibrationError> {
    let table = &manifest.calibration;
    let mut hasher = Sha256::new();
    hasher.update(table.data.as_bytes());
    for row in &table.rows {
        for number in [row.fmr.get(), f64::from(row.threshold), row.fmr_low, row.fmr_high, row.tmr] {
            hasher.update(number.to_le_bytes());
        }
        hasher.update([u8::from(row.basis.is_counted())]);
    }
    let id = CalibrationId::new(first_16(&hasher.finalize()));
    Calibration::new(manifest.model_id(), id, &table.rows)
}

/// The sha256 of `bytes`, 64 lower-case hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_verified(source: Source<'_>, file: &str, sha256: &str) -> Result<Bytes, Problem> {
    let bytes = source.read(file, MAX_NET_BYTES)?;
    let found = sha256_hex(&bytes);
    if found != sha256 {
        return Err(Problem::Changed { file: file.to_owned(), found, expected: sha256.to_owned() });
    }
    Ok(bytes)
}

/// Reads the file `name` of the pack in `dir`, of at most `limit` bytes.
pub(crate) fn read_bounded(dir: &Path, name: &str, limit: u64) -> Result<Vec<u8>, Problem> {
    let file = name.to_owned();
    file::read_bounded(&dir.join(name), limit).map_err(|error| match error {
        ReadError::Io(cause) => Problem::Unreadable { file, cause },
        ReadError::NotAFile => Problem::NotAFile { file },
        ReadError::TooLarge { limit } => Problem::TooLarge { file, limit },
    })
}
