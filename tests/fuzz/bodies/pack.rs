//! A pack's manifest, its signature, and what a pack is built from.
//!
//! The bytes are `pack.toml`; what follows a line `%signature`, if there is one, is `pack.toml.minisig`.

use arcdoor_models::{MANIFEST_FILE, Manifest, Pack, Recipe, SIGNATURE_FILE, TrustedKey};
use std::cell::OnceCell;
use std::fs;
use tempfile::TempDir;

const SPLIT: &[u8] = b"%signature\n";
/// A key whose other half nobody has.
const KEY: &str = "RWRVYcn+Yvvkqi3JxNUHH4DEGhsu3A1pMzw+zQ9g0ZnSLrAb+5n1q0bL";

thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });

/// Whatever comes in: a list of problems, or a manifest that says the same after it was written and read.
pub(crate) fn run(bytes: &[u8]) {
    let at = bytes.windows(SPLIT.len()).position(|window| window == SPLIT);
    let (manifest, signature) = match at {
        Some(at) => (&bytes[..at], Some(&bytes[at + SPLIT.len()..])),
        None => (bytes, None),
    };
    FOLDER.with(|folder| {
        // A folder that cannot be made is no finding.
        let Some(folder) = tempfile::tempdir().ok().map(|new| folder.get_or_init(|| new)) else { return };
        open(folder, manifest, signature);
    });
    let Ok(text) = str::from_utf8(manifest) else { return };
    let _ = Recipe::parse(text).map_err(|error| error.to_string());
    let _ = TrustedKey::new(text);
    if let Ok(read) = toml::from_str::<Manifest>(text)
        && let Ok(written) = read.to_toml()
    {
        assert_eq!(toml::from_str::<Manifest>(&written).as_ref(), Ok(&read));
    }
}

fn open(folder: &TempDir, manifest: &[u8], signature: Option<&[u8]>) {
    let signature_file = folder.path().join(SIGNATURE_FILE);
    let _ = fs::remove_file(&signature_file);
    let written = fs::write(folder.path().join(MANIFEST_FILE), manifest).is_ok()
        && signature.is_none_or(|signature| fs::write(&signature_file, signature).is_ok());
    if !written {
        return;
    }
    // No network lies beside it, so every pack is refused, and says why.
    let problems = Pack::check(folder.path(), None);
    assert!(!problems.is_empty());
    problems.iter().for_each(|problem| assert!(!problem.to_string().is_empty()));
    let keys: Vec<TrustedKey> = TrustedKey::new(KEY).into_iter().collect();
    assert!(Pack::open_signed(folder.path(), &keys).is_err(), "nobody can have signed this");
}
