//! The lockout, and the denials that lead to one, over a restart: whoever can cut the power must not get rid of them.

use super::Home;
use super::file::{read_text, replace};
use crate::error::Error;
use arcdoor_pipeline::LockoutState;
use std::path::PathBuf;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 4096;

/// The file, and what it holds.
#[derive(Debug)]
pub struct Lockout {
    path: PathBuf,
    kept: LockoutState,
}

impl Lockout {
    /// Reads what is kept in this home. A file that cannot be read as such is taken for a lockout that has just begun:
    /// the policy bounds its length.
    #[must_use]
    pub fn read(home: &Home) -> Self {
        let path = home.lockout();
        let whole = LockoutState { locked_ms: u64::MAX, ..LockoutState::default() };
        let kept = match read_text(&path, MAX_BYTES) {
            Ok(None) => LockoutState::default(),
            Ok(Some(text)) => serde_json::from_str(&text).unwrap_or(whole),
            Err(_) => whole,
        };
        Self { path, kept }
    }

    /// What recognition goes on with.
    #[must_use]
    pub const fn state(&self) -> &LockoutState {
        &self.kept
    }

    /// Keeps it, durably where a denial came or went, or a lockout began or ended: times alone run on by themselves.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self, state: LockoutState) -> Result<(), Error> {
        let counts = |state: &LockoutState| (state.locked_ms > 0, state.denials_ms.len());
        let is_same = counts(&self.kept) == counts(&state);
        self.kept = state;
        if is_same {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.kept)
            .map_err(|error| Error::File { path: self.path.clone(), source: error.into() })?;
        replace(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lockout_survives_a_restart_and_a_broken_file_ends_none() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let mut lockout = Lockout::read(&home);
        assert_eq!(*lockout.state(), LockoutState::default());
        let locked = LockoutState { locked_ms: 30_000, ..LockoutState::default() };
        lockout.keep(locked.clone()).unwrap();
        assert_eq!(*Lockout::read(&home).state(), locked);
        let written = std::fs::metadata(home.lockout()).unwrap().modified().unwrap();
        lockout.keep(LockoutState { locked_ms: 20_000, ..LockoutState::default() }).unwrap();
        assert_eq!(
            std::fs::metadata(home.lockout()).unwrap().modified().unwrap(),
            written,
            "time alone wears no card"
        );
        lockout.keep(LockoutState::default()).unwrap();
        assert_eq!(*Lockout::read(&home).state(), LockoutState::default());
        std::fs::write(home.lockout(), "[").unwrap();
        assert!(Lockout::read(&home).state().locked_ms > 0);
    }
}
