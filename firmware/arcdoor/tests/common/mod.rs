//! The built binary on a device of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A home folder, and who calls the binary for it.
pub(crate) struct Device {
    pub(crate) home: tempfile::TempDir,
}

impl Device {
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// The binary with these arguments and this device's state.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arcdoor"));
        command
            .env_remove("ARCDOOR_PACK")
            // The pack of these tests is built here, by nobody in particular.
            .env("ARCDOOR_ALLOW_UNSIGNED_PACK", "true")
            .env_remove("CREDENTIALS_DIRECTORY")
            .env("ARCDOOR_HOME", self.home.path().join("state"))
            .env_remove("ARCDOOR_KEY_SOURCE")
            .env("ARCDOOR_PASSPHRASE_FILE", self.home.path().join("passphrase"))
            .env("ARCDOOR_NEW_PASSPHRASE_FILE", self.home.path().join("new-passphrase"))
            .env("ARCDOOR_EXPORT_PASSPHRASE_FILE", self.home.path().join("export-passphrase"))
            .current_dir(self.home.path())
            .args(arguments);
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Exit code, stdout, stderr.
    pub(crate) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.call(arguments);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    pub(crate) fn lines(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        let (code, out, error) = self.run(&[arguments, &["--json"]].concat());
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}\n{error}"));
        (code, out.lines().map(parse).collect())
    }
}

/// The pack and the demo's photos; `None` where `ARCDOOR_SKIP_PHOTOS=1` asks for it, else a failure without them.
pub(crate) fn real() -> Option<(PathBuf, PathBuf)> {
    let pack = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/yunet-sface");
    let cache = || {
        let given = std::env::var_os("ARCDOOR_CACHE").map(PathBuf::from);
        let xdg = || std::env::var_os("XDG_CACHE_HOME").map(|dir| PathBuf::from(dir).join("arcdoor"));
        let home = || std::env::var_os("HOME").map(|dir| PathBuf::from(dir).join(".cache/arcdoor"));
        given.or_else(xdg).or_else(home).map(|dir| dir.join("demo-photos"))
    };
    let photos = std::env::var_os("ARCDOOR_DEMO_PHOTOS").map(PathBuf::from).or_else(cache)?;
    if pack.join("pack.toml").is_file() && photos.join("obama.jpg").is_file() {
        return Some((pack, photos));
    }
    assert!(
        std::env::var_os("ARCDOOR_SKIP_PHOTOS").is_some_and(|skip| skip == "1"),
        "no pack in {} or no photos in {}: run `cargo xtask test`, or set ARCDOOR_SKIP_PHOTOS=1 to skip",
        pack.display(),
        photos.display()
    );
    println!("skipped: ARCDOOR_SKIP_PHOTOS=1, and no pack in {} or no photos", pack.display());
    None
}
