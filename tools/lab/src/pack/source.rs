//! The file that a recipe names for a network, with the constants that lie in files beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::input_file::read;
use crate::limits::MAX_ONNX_BYTES;
use anyhow::{Context, Result, bail, ensure};
use arcdoor_infer::rewrite;
use arcdoor_models::{RecipeNet, sha256_hex};

/// Reads a network from `folder`: the file of the recipe, whole, as one file.
pub(super) fn read_source(net: &RecipeNet, folder: &Path) -> Result<Vec<u8>> {
    let path = folder.join(&net.source_file);
    let bytes = read(&path, MAX_ONNX_BYTES)?;
    let found = sha256_hex(&bytes);
    if found != net.source_sha256 {
        bail!(
            "{} is not the file of the recipe: its sha256 is {found}, not {}",
            path.display(),
            net.source_sha256
        );
    }
    let cannot = || format!("cannot read {}", path.display());
    let names = rewrite::data_files(&bytes).with_context(cannot)?;
    if let Some(unused) = net.source_data.keys().find(|name| !names.contains(name)) {
        bail!("the recipe's source_data names {unused}, which {} does not use", path.display());
    }
    if names.is_empty() {
        return Ok(bytes);
    }
    let mut files = BTreeMap::new();
    let mut left = MAX_ONNX_BYTES.saturating_sub(bytes.len() as u64);
    for name in names {
        if let Some(data) = beside(net, folder, &name, left)? {
            left = left.saturating_sub(data.len() as u64);
            files.insert(name, data);
        }
    }
    rewrite::merge(&bytes, &files).with_context(cannot)
}

/// One file beside the network; `None` where there is none.
fn beside(net: &RecipeNet, folder: &Path, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    let path = folder.join(name);
    let Ok(kind) = fs::symlink_metadata(&path) else { return Ok(None) };
    ensure!(
        !kind.is_symlink(),
        "{} is a link, and may lead out of the folder: copy the file itself there",
        path.display()
    );
    let data = read(&path, limit).context("a network and its data have 256 MiB at most")?;
    let found = sha256_hex(&data);
    match net.source_data.get(name) {
        Some(expected) if *expected != found => bail!(
            "{} is not the data file of the recipe: its sha256 is {found}, not {expected}",
            path.display()
        ),
        Some(_) => {}
        None => eprintln!(
            "note: the recipe names no sha256 for {}, so another file would pass, too; add source_data = {{ {name:?} = \
             {found:?} }} to its section",
            path.display()
        ),
    }
    Ok(Some(data))
}
