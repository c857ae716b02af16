//! A name as it is entered for somebody new.

use arcdoor_core::text::is_unseen;
use arcdoor_core::{SubjectName, SubjectNameError};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Why a name is not taken for somebody new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NewNameError {
    /// No name at all.
    #[error(transparent)]
    Name(#[from] SubjectNameError),
    /// A character that nobody sees: two names that look alike could be two people.
    #[error("the name holds U+{:04X}, which nobody sees: type it without", *.0 as u32)]
    Unseen(char),
    /// A mark with nothing to stand on.
    #[error("the name begins with the mark U+{:04X}, which belongs on a letter: type the letter first", *.0 as u32)]
    Mark(char),
}

/// A name that a new subject may have: what [`SubjectName`] asks for, in Unicode's composed form (NFC), and of characters
/// that can be seen. Names that are stored already are not asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName(SubjectName);

impl NewName {
    /// The composed form of `name`.
    ///
    /// # Errors
    /// When it holds what cannot be seen, begins with a mark, or is too long when composed.
    pub fn new(name: &SubjectName) -> Result<Self, NewNameError> {
        let composed = composed(name)?;
        if let Some(unseen) = composed.as_str().chars().find(|c| is_unseen(*c) || is_blank(*c)) {
            return Err(NewNameError::Unseen(unseen));
        }
        match composed.as_str().chars().next().filter(|c| is_combining_mark(*c)) {
            Some(mark) => Err(NewNameError::Mark(mark)),
            None => Ok(Self(composed)),
        }
    }

    /// The checked name.
    #[must_use]
    pub fn into_name(self) -> SubjectName {
        self.0
    }
}

/// A name in Unicode's composed form (NFC), as names of new subjects are stored.
///
/// # Errors
/// When it is too long then; few characters grow, but some do.
pub fn composed(name: &SubjectName) -> Result<SubjectName, SubjectNameError> {
    SubjectName::new(&name.as_str().nfc().collect::<String>())
}

/// Characters that are drawn as a gap, the plain space aside.
fn is_blank(c: char) -> bool {
    c != ' ' && (c.is_whitespace() || matches!(c, '\u{2800}' | '\u{1d159}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn enter(text: &str) -> Result<String, NewNameError> {
        NewName::new(&SubjectName::new(text).unwrap()).map(|name| name.into_name().to_string())
    }

    #[test]
    fn two_ways_to_type_a_name_are_one_name() {
        assert_eq!(enter("Zoe\u{308}"), enter("Zo\u{eb}"));
        assert_eq!(enter(" 張偉 ").unwrap(), "張偉");
    }

    #[test]
    fn what_nobody_sees_is_no_part_of_a_name() {
        for c in [
            '\u{ad}', '\u{34f}', '\u{61c}', '\u{115f}', '\u{180e}', '\u{2800}', '\u{3164}', '\u{a0}',
            '\u{fe0f}',
        ] {
            assert_eq!(enter(&format!("Ada{c}L")), Err(NewNameError::Unseen(c)));
        }
        assert_eq!(enter("\u{301}Ada"), Err(NewNameError::Mark('\u{301}')));
        assert!(SubjectName::new("Ada\u{ad}").is_ok(), "what is stored already loads");
    }

    /// Every character there is, in the middle of a name.
    #[test]
    fn no_name_of_a_new_subject_holds_what_shows_nothing() {
        use std::io::Write as _;
        let mut refused = 0;
        for c in '\0'..=char::MAX {
            let taken = SubjectName::new(&format!("Ada{c}L")).ok().and_then(|name| NewName::new(&name).ok());
            match taken {
                Some(name) => {
                    let name = name.into_name();
                    assert!(
                        !name.as_str().chars().any(|c| is_unseen(c) || is_blank(c)),
                        "U+{:04X}",
                        c as u32
                    );
                }
                None => refused += 1,
            }
        }
        let _ = writeln!(std::io::stderr(), "hostile names: {refused} of all characters are refused");
        assert!(refused > 137_000, "private use, and what cannot be seen: {refused}");
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_taken_again_as_it_is(text in "\\PC{1,20}") {
            let Ok(name) = SubjectName::new(&text) else { return Ok(()) };
            if let Ok(new) = NewName::new(&name) {
                let name = new.clone().into_name();
                prop_assert!(!name.as_str().chars().any(is_unseen));
                prop_assert_eq!(NewName::new(&name).unwrap(), new);
            }
        }
    }
}
