//! Copies SeetaFace's model out of the rustface crate, so that it can be compiled in.
//!
//! rustface ships the model beside its sources and does not export it; `cargo metadata` says where
//! those sources lie, vendored or not.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

const MODEL: &str = "model/seeta_fd_frontal_v1.0.bin";
const MODEL_BYTES: u64 = 1_209_904;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let source = rustface_dir()?;
    let model = Path::new(&source).join(MODEL);
    println!("cargo::rerun-if-changed={}", model.display());
    let copied = fs::copy(&model, Path::new(&env::var("OUT_DIR")?).join("seetaface.bin"))
        .map_err(|e| format!("rustface no longer ships {}: {e}", model.display()))?;
    if copied != MODEL_BYTES {
        return Err(format!("{} has {copied} bytes, expected {MODEL_BYTES}", model.display()).into());
    }
    Ok(())
}

fn rustface_dir() -> Result<String, Box<dyn Error>> {
    // Not `--offline`: a build without dev-dependencies may not have fetched all that metadata lists.
    let output = Command::new(env::var("CARGO")?)
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &env::var("TARGET")?])
        .current_dir(env::var("CARGO_MANIFEST_DIR")?)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let manifest = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "rustface")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("cargo metadata lists no rustface")?;
    let dir = Path::new(manifest).parent().and_then(Path::to_str).ok_or("rustface has no folder")?;
    Ok(dir.to_owned())
}
