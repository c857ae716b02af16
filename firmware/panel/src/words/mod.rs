//! What the screens say. A language is a file, and complete: each state is matched there, without a rest.

mod english;
mod german;
mod korean;
mod message;

use crate::state::UiState;
use crate::style::Language;

pub use message::Words;

impl Words {
    /// What `state` says in `language`.
    #[must_use]
    pub fn of(state: &UiState, language: Language) -> Self {
        match language {
            Language::Korean => korean::words(state),
            Language::English => english::words(state),
            Language::German => german::words(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::letters;
    use crate::states::states;

    #[test]
    fn no_text_is_empty() {
        for (name, state) in states() {
            for language in Language::ALL {
                let words = Words::of(&state, language);
                let empty = |text: &str| text.trim() != text || text.is_empty();
                assert!(!empty(words.headline) && !words.detail.is_some_and(empty), "{name} in {language:?}");
            }
        }
    }

    #[test]
    fn no_word_lacks_a_letter() {
        for (name, state) in states() {
            for language in Language::ALL {
                let words = Words::of(&state, language);
                for letter in words.headline.chars().chain(words.detail.unwrap_or_default().chars()) {
                    assert!(
                        letters::has(letter),
                        "{letter:?} of {name} in {language:?}: run letters/make.py"
                    );
                }
            }
        }
        assert!(('0'..='9').all(letters::has));
    }
}
