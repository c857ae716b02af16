//! Where figures come from: a hash of the data, and the pack that made the templates.

use anyhow::Result;
use arcdoor_models::{Pack, sha256_hex};
use arcdoor_vision::DetectorKind;

use crate::eval::report::report::Maker;
use crate::eval::set::set::Set;
use crate::workers;

/// The sha256 over `NAME <tab> SHA256 <newline>` of every sample, in their order: of the bytes of its photo or crop.
pub(crate) fn data_hash(set: &Set, threads: usize) -> Result<String> {
    let line = |(): &mut (), index: usize| {
        let sample = &set.samples[index];
        Ok(format!("{}\t{}\n", sample.name, sha256_hex(&sample.bytes()?)))
    };
    let lines = workers::each(threads, set.samples.len(), "photos hashed", || Ok(()), line)?;
    Ok(sha256_hex(lines.concat().as_bytes()))
}

/// What made the templates.
pub(crate) fn maker(pack: &Pack, detector: DetectorKind) -> Result<Maker> {
    Ok(Maker {
        pack: pack.name().to_owned(),
        model_id: pack.model_id().to_string(),
        sha256: sha256_hex(pack.manifest().to_toml()?.as_bytes()),
        detector: detector.name().to_owned(),
        dimension: pack.dimension(),
    })
}
