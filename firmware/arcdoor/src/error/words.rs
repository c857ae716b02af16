//! Messages that depend on what lies below.

use arcdoor_api::{KeySource, ReEnrolment};
use arcdoor_frame::FrameError;
use arcdoor_models::{PackError, Problem};
use std::path::Path;

/// The message about a photo: an error of its file names the file already, an error of its image does not.
pub(super) fn photo(path: &Path, source: &FrameError) -> String {
    match source {
        FrameError::File { .. } | FrameError::NotAFile(_) => source.to_string(),
        _ => format!("{}: {source}", path.display()),
    }
}

/// What is wrong with a pack, and what to do where that does not say it.
pub(super) fn pack(error: &PackError) -> String {
    match error.problem {
        Problem::Unsigned | Problem::NoNetwork(_) | Problem::Role(_) => error.to_string(),
        Problem::UnknownSigner => {
            format!(
                "{error}\nadd the key of whoever signed it, if you trust them, or take a pack that a trusted key signed"
            )
        }
        _ => {
            format!("{error}\nbuild it again with `cargo xtask pack NAME`, or take it from where you got it")
        }
    }
}

/// The message about a gallery of another embedder. It names nobody: services' journals and the doctor keep it, and
/// `Error::answer` has the names.
pub(super) fn other_embedder(of: &ReEnrolment, gallery: &Path) -> String {
    let ReEnrolment { embedder, enrolled_with, people, back, .. } = of;
    let (with, people) = (enrolled_with.as_deref().unwrap_or("another one"), people.unwrap_or(0));
    let file = gallery.display();
    if people == 0 {
        return format!(
            "the gallery {file} is of embedder {with}, the pack's is {embedder}; nobody is enrolled in it: it takes the new \
             one with the next `arcdoor enrol`"
        );
    }
    let back = match back {
        Some(name) => format!("`arcdoor pack use {name}` goes back to the pack that knows them"),
        None => format!("install the pack with embedder {with} to go back"),
    };
    format!(
        "{people} people (`arcdoor list` names them) were enrolled with embedder {with}, the pack's is {embedder}, and \
         templates of two embedders cannot be compared; the gallery's people are as they were. {back}; or move {file} \
         away, keep it with a copy of its key file, and enrol them again"
    )
}

/// A network that fails may be broken; one that this build cannot run need not be.
pub(super) fn network(error: &dyn std::error::Error, lacks_tract: bool) -> String {
    let advice = if lacks_tract { "" } else { "; `arcdoor pack check` tells whether the pack is whole" };
    format!("{error}{advice}")
}

pub(super) const fn said(source: KeySource) -> &'static str {
    match source {
        KeySource::Credential => "credential",
        KeySource::Passphrase => "passphrase",
        KeySource::File => "key file",
    }
}
