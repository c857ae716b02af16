//! A verified pack.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arcdoor_core::{Calibration, CalibrationError, CalibrationId, Fmr, ModelId, Threshold};
use sha2::{Digest, Sha256};

use crate::error::{PackError, Problem};
use crate::manifest::{Manifest, NetFile};
use crate::trust::{self, SIGNATURE_FILE, TrustedKey};

/// The manifest's file name.
pub const MANIFEST_FILE: &str = "pack.toml";
/// Largest manifest, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 << 10;
/// Largest signature, in bytes; its comments are free text.
pub const MAX_SIGNATURE_BYTES: u64 = 4 << 10;
/// Largest network, or graph file, in bytes.
pub const MAX_NET_BYTES: u64 = 64 << 20;

/// A pack whose every byte is what its manifest promises.
pub struct Pack {
    dir: PathBuf,
    manifest: Manifest,
    detector: NetBytes,
    landmarks: NetBytes,
    embedder: NetBytes,
    calibration: Calibration,
}

/// One network's files.
#[derive(Default)]
struct NetBytes {
    onnx: Vec<u8>,
    graph: Option<Vec<u8>>,
}

impl Pack {
    /// Reads the pack in `dir` and verifies its hashes; whoever made it.
    ///
    /// # Errors
    /// The first thing that is wrong; the pack is refused whole.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        refused_first(dir, Self::read(dir, None))
    }

    /// As [`Pack::open`], and only where one of `keys` signed the manifest; that is looked at before anything
    /// is parsed.
    ///
    /// # Errors
    /// As [`Pack::open`]; also when the pack is not signed, or by nobody of `keys`.
    pub fn open_signed(dir: &Path, keys: &[TrustedKey]) -> Result<Self, PackError> {
        refused_first(dir, Self::read(dir, Some(keys)))
    }

    /// Everything that is wrong with the pack in `dir`; empty for a good one. Does not load the networks.
    /// Whether it is signed matters where there are `keys`.
    #[must_use]
    pub fn check(dir: &Path, keys: Option<&[TrustedKey]>) -> Vec<Problem> {
        Self::read(dir, keys).err().unwrap_or_default()
    }

    /// Never an empty list of problems.
    fn read(dir: &Path, keys: Option<&[TrustedKey]>) -> Result<Self, Vec<Problem>> {
        let text = read_bounded(dir, MANIFEST_FILE, MAX_MANIFEST_BYTES).map_err(|problem| vec![problem])?;
        if let Some(keys) = keys {
            check_signature(dir, &text, keys).map_err(|problem| vec![problem])?;
        }
        let text =
            String::from_utf8(text).map_err(|_| vec![Problem::Manifest("is no UTF-8 text".to_owned())])?;
        let manifest: Manifest = toml::from_str(&text)
            .map_err(|cause| vec![Problem::Manifest(cause.to_string().trim().to_owned())])?;
        let mut problems = manifest.problems();
        let mut read = |file: &str, sha256: &str| {
            // A name that is not plain has been reported, and is never opened.
            if problems.iter().any(|p| matches!(p, Problem::FileName { file: bad, .. } if bad == file)) {
                return Vec::new();
            }
            read_verified(dir, file, sha256).unwrap_or_else(|problem| {
                problems.push(problem);
                Vec::new()
            })
        };
        let mut net = |net: &NetFile| NetBytes {
            onnx: read(&net.file, &net.sha256),
            graph: net.graph.as_ref().map(|graph| read(&graph.file, &graph.sha256)),
        };
        let detector = net(&manifest.detector);
        let landmarks = manifest.landmarks.as_ref().map(&mut net).unwrap_or_default();
        let embedder = net(&manifest.embedder);
        let calibration = calibration(&manifest);
        match calibration {
            Ok(calibration) if problems.is_empty() => {
                let dir = dir.to_path_buf();
                Ok(Self { dir, manifest, detector, landmarks, embedder, calibration })
            }
            Ok(_) => Err(problems),
            Err(cause) => {
                problems.push(Problem::Calibration(cause));
                Err(problems)
            }
        }
    }

    /// The pack's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// The folder it was read from.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it says about itself.
    #[must_use]
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its files, the manifest first; a signature aside.
    #[must_use]
    pub fn files(&self) -> Vec<String> {
        let graph = |net: &NetFile| net.graph.as_ref().map(|graph| graph.file.clone());
        let nets = self.manifest.nets().flat_map(|(_, net)| [Some(net.file.clone()), graph(net)]);
        [MANIFEST_FILE.to_owned()].into_iter().chain(nets.flatten()).collect()
    }

    /// Finds faces.
    #[must_use]
    pub const fn detector(&self) -> &NetFile {
        &self.manifest.detector
    }

    /// Finds landmarks, where the pack has a network for it.
    #[must_use]
    pub const fn landmarks(&self) -> Option<&NetFile> {
        self.manifest.landmarks.as_ref()
    }

    /// Makes templates.
    #[must_use]
    pub const fn embedder(&self) -> &NetFile {
        &self.manifest.embedder
    }

    /// Values of a template.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.manifest.embedder.dimension.unwrap_or_default()
    }

    /// The verified bytes of one of this pack's networks; empty for a network of another pack.
    #[must_use]
    pub fn file_bytes(&self, net: &NetFile) -> &[u8] {
        self.bytes(net).map(|bytes| &*bytes.onnx).unwrap_or_default()
    }

    /// The verified bytes of its graph file, where it has one.
    #[must_use]
    pub fn graph_bytes(&self, net: &NetFile) -> Option<&[u8]> {
        self.bytes(net)?.graph.as_deref()
    }

    fn bytes(&self, net: &NetFile) -> Option<&NetBytes> {
        if *net == self.manifest.embedder {
            Some(&self.embedder)
        } else if *net == self.manifest.detector {
            Some(&self.detector)
        } else {
            self.manifest.landmarks.as_ref().filter(|landmarks| *landmarks == net).map(|_| &self.landmarks)
        }
    }

    /// The embedder's id: templates carry it and meet only their own kind.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.calibration.model_id()
    }

    /// What scores mean.
    #[must_use]
    pub const fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// The threshold for a false match rate.
    ///
    /// # Errors
    /// When the table does not reach so low a rate.
    pub fn threshold(&self, target: Fmr) -> Result<Threshold, CalibrationError> {
        self.calibration.threshold(target)
    }
}

fn refused_first(dir: &Path, read: Result<Pack, Vec<Problem>>) -> Result<Pack, PackError> {
    read.map_err(|mut problems| PackError { dir: dir.to_path_buf(), problem: problems.swap_remove(0) })
}

fn check_signature(dir: &Path, manifest: &[u8], keys: &[TrustedKey]) -> Result<(), Problem> {
    let signature =
        read_bounded(dir, SIGNATURE_FILE, MAX_SIGNATURE_BYTES).map_err(|problem| match problem {
            Problem::Unreadable { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound => {
                Problem::Unsigned
            }
            problem => problem,
        })?;
    trust::verify(manifest, &signature, keys)
}

/// The id covers all that makes two templates comparable: the network's bytes and its preprocessing.
fn model_id(embedder: &NetFile) -> ModelId {
    let mut hasher = Sha256::new();
    hasher.update(embedder.sha256.as_bytes());
    let input = &embedder.preprocess;
    hasher.update(format!("{}x{} {:?} {:?}", input.width, input.height, input.layout, input.channel_order));
    for number in input.mean.iter().chain(&input.scale) {
        hasher.update(number.to_le_bytes());
    }
    for output in &embedder.outputs {
        hasher.update(output.as_bytes());
    }
    ModelId::new(first_16(&hasher.finalize()))
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
    Calibration::new(model_id(&manifest.embedder), id, &table.rows)
}

fn first_16(digest: &[u8]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

/// The sha256 of `bytes`, 64 lower-case hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_verified(dir: &Path, file: &str, sha256: &str) -> Result<Vec<u8>, Problem> {
    let bytes = read_bounded(dir, file, MAX_NET_BYTES)?;
    let found = sha256_hex(&bytes);
    if found != sha256 {
        return Err(Problem::Changed { file: file.to_owned(), found, expected: sha256.to_owned() });
    }
    Ok(bytes)
}

/// Regular files only: opening a pipe or a device would wait for ever.
fn read_bounded(dir: &Path, name: &str, limit: u64) -> Result<Vec<u8>, Problem> {
    let file = || name.to_owned();
    let unreadable = |cause| Problem::Unreadable { file: file(), cause };
    let path = dir.join(name);
    let metadata = std::fs::metadata(&path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(Problem::NotAFile { file: file() });
    }
    if metadata.len() > limit {
        return Err(Problem::TooLarge { file: file(), limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
    File::open(&path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > limit {
        return Err(Problem::TooLarge { file: file(), limit });
    }
    Ok(bytes)
}
