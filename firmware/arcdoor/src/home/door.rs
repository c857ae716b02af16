//! What survives a restart of the door: who is inside, a lockdown, alarms, and why the program ended itself.

use super::Home;
use super::file::{read_text, replace};
use crate::error::Error;
use arcdoor_door::Kept;
use std::path::PathBuf;

/// Largest file, in bytes: 512 subjects, and what is kept beside them.
pub const MAX_BYTES: u64 = 16 * 1024;
const MAX_WORDS: u64 = 1024;

/// The files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptDoor {
    path: PathBuf,
    words: PathBuf,
}

impl KeptDoor {
    /// In this home.
    #[must_use]
    pub fn new(home: &Home) -> Self {
        Self { path: home.door(), words: home.last_words() }
    }

    /// What was kept, and whether something was there that cannot be read: nobody knows then whether there was a lockdown, and
    /// one is assumed.
    #[must_use]
    pub fn read(&self) -> (Kept, bool) {
        match read_text(&self.path, MAX_BYTES) {
            Ok(None) => (Kept::default(), false),
            Ok(Some(text)) => {
                serde_json::from_str(&text).map_or_else(|_| (lost(), true), |kept| (kept, false))
            }
            Err(_) => (lost(), true),
        }
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, kept: &Kept) -> Result<(), Error> {
        let text = serde_json::to_vec(kept)
            .map_err(|error| Error::File { path: self.path.clone(), source: error.into() })?;
        replace(&self.path, &text)
    }

    /// Why the program is about to end; what cannot be written is lost.
    pub fn leave_last_words(&self, why: &str) {
        let _ = replace(&self.words, why.as_bytes());
    }

    /// Why it ended itself the last time, once.
    #[must_use]
    pub fn take_last_words(&self) -> Option<String> {
        let words = read_text(&self.words, MAX_WORDS).ok().flatten()?;
        // Said again at the next start, at worst.
        let _ = std::fs::remove_file(&self.words);
        Some(words.to_string())
    }
}

fn lost() -> Kept {
    Kept { lockdown: true, ..Kept::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::SubjectId;
    use arcdoor_door::Alarm;

    #[test]
    fn who_is_inside_a_lockdown_and_alarms_survive_and_a_broken_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let door = KeptDoor::new(&Home::resolve(Some(dir.path().to_owned())).unwrap());
        assert_eq!(door.read(), (Kept::default(), false));
        let mut kept = Kept { lockdown: true, ..Kept::default() };
        kept.alarms.raise(Alarm::Forced);
        assert!((0..512).all(|number| kept.inside.enter(SubjectId(u32::MAX - number))));
        door.write(&kept).unwrap();
        assert_eq!(door.read(), (kept, false));
        assert!(std::fs::metadata(&door.path).unwrap().len() <= MAX_BYTES);
        std::fs::write(&door.path, "{").unwrap();
        assert_eq!(door.read(), (Kept { lockdown: true, ..Kept::default() }, true));
        door.leave_last_words("it hung");
        assert_eq!((door.take_last_words(), door.take_last_words()), (Some("it hung".to_owned()), None));
    }
}
