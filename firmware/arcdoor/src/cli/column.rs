//! Texts that have to fit into a column.

use arcdoor_core::Escaped;
use std::path::Path;

/// A file's own name, as wide as it will be printed.
pub(super) fn name_of(photo: &str) -> String {
    let name = Path::new(photo).file_name().map_or_else(|| photo.into(), |name| name.to_string_lossy());
    Escaped(&name).to_string()
}

/// `text` cut to `width` characters: `~` stands for the beginning, since names of a camera's files differ at their end.
pub(super) fn shortened(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    std::iter::once('~').chain(text.chars().skip(count + 1 - width)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_harmless() {
        assert_eq!(shortened("abcdef", 4), "~def");
        assert_eq!(shortened("abcd", 4), "abcd");
        assert_eq!(name_of("a/b\u{1b}[2J.png"), "b\\u{1b}[2J.png");
    }
}
