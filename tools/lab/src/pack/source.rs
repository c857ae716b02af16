//! The file that a recipe names for a network, with the constants that lie in files beside it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::input_file::read;
use crate::limits::MAX_ONNX_BYTES;
use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::file::{ReadError, read_bounded};
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
    let cannot = || format!("cannot read {}", path.display());
    let kind = match fs::symlink_metadata(&path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        kind => kind.with_context(cannot)?,
    };
    ensure!(
        !kind.is_symlink(),
        "{} is a link, and may lead out of the folder: copy the file itself there",
        path.display()
    );
    let data = match read_bounded(&path, limit) {
        Err(ReadError::TooLarge { .. }) => bail!(
            "{} is too large: a network and its data have {} MiB at most",
            path.display(),
            MAX_ONNX_BYTES >> 20
        ),
        data => data.with_context(cannot)?,
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_models::Recipe;

    #[test]
    fn only_a_file_that_is_not_there_is_none_and_only_a_large_one_too_large() {
        let net =
            Recipe::parse(include_str!("../../../../models/recipes/yunet-sface.toml")).unwrap().embedder;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.data");
        assert_eq!(beside(&net, dir.path(), "a.data", 9).unwrap(), None);
        fs::write(&file, [7; 10]).unwrap();
        assert_eq!(beside(&net, dir.path(), "a.data", 10).unwrap(), Some(vec![7; 10]));
        let refused = |folder: &Path, name: &str| format!("{:#}", beside(&net, folder, name, 9).unwrap_err());
        assert!(refused(dir.path(), "a.data").contains("256 MiB"), "{}", refused(dir.path(), "a.data"));
        // No folder, so that nothing can lie in it.
        assert!(refused(&file, "a.data").contains("cannot read"), "{}", refused(&file, "a.data"));
        fs::create_dir(dir.path().join("folder")).unwrap();
        let text = refused(dir.path(), "folder");
        assert!(text.contains("regular file") && !text.contains("MiB"), "{text}");
    }
}
