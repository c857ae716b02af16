//! An image as it is passed on: packed by xz, with its hash beside it.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::cargo;

/// The program, and the Debian package that brings it.
pub(super) const NEEDED: &[(&str, &str)] = &[("xz", "xz-utils")];

/// Packs `image` into `image`.xz, and writes `image`.xz.sha256, which `sha256sum -c` reads; the file and its hash.
pub(super) fn pack(image: &Path) -> Result<(PathBuf, String)> {
    cargo::check(Command::new("xz").args(["--force", "--keep", "--threads=2", "-3"]).arg(image))?;
    let packed = beside(image, ".xz");
    let sha256 = hash_of(&mut File::open(&packed)?)?;
    let name = packed.file_name().context("the image has no name")?.to_string_lossy().into_owned();
    fs::write(beside(&packed, ".sha256"), format!("{sha256}  {name}\n"))?;
    Ok((packed, sha256))
}

/// `file` with `ending` behind its whole name.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub(crate) fn hex_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The SHA-256 of the rest of a file, in hexadecimal digits.
pub(super) fn hash_of(file: &mut File) -> Result<String> {
    let (mut hash, mut chunk) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&chunk[..length]);
    }
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
