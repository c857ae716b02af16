//! Damage to a file.

use super::random::Random;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Changes one byte to another value, where there is one.
pub(super) fn flip(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len());
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 + random.byte() % u8::MAX;
    }
}

/// Changes some bytes, mostly early ones, where headers are; now and then the end is missing.
pub(super) fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.below(16) {
        let end = if random.coin() { bytes.len() } else { bytes.len().min(256) };
        flip(&mut bytes[..end], random);
    }
    if random.below(8) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
}

/// Puts other bytes into the place of a file, which may have more than one name: the others keep what they had.
pub(super) fn exchange(path: &Path, bytes: &[u8]) -> Result<()> {
    let mode = fs::metadata(path)?.permissions();
    fs::remove_file(path)?;
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fs::set_permissions(path, mode)?)
}
