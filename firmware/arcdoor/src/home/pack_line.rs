//! The one line of `settings.toml` that arcdoor writes itself: which pack is used.

use super::Home;
use super::file::{read_text, replace};
use super::settings::MAX_BYTES;
use crate::error::Error;

/// Writes `pack = "NAME"` into the settings, in one step; every other line stays as it is.
///
/// # Errors
/// When the line that is there cannot be told from the rest, or the file cannot be written.
pub fn choose_pack(home: &Home, name: &str) -> Result<(), Error> {
    let path = home.settings();
    let text = read_text(&path, MAX_BYTES)?.unwrap_or_default();
    let fresh = with_pack(&text, name).ok_or_else(|| Error::BadFile {
        path: path.clone(),
        problem: format!("its line `pack = ...` cannot be replaced: write pack = \"{name}\" there yourself"),
    })?;
    replace(&path, fresh.as_bytes())
}

/// The text with another pack; `None` where that would change anything else, or be no TOML.
fn with_pack(text: &str, name: &str) -> Option<String> {
    let line = format!("pack = \"{name}\"");
    let top = text.lines().take_while(|line| !line.trim_start().starts_with('['));
    let is_pack = |line: &str| {
        line.trim_start().strip_prefix("pack").is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let at = top.into_iter().position(is_pack);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match at.and_then(|at| lines.get_mut(at)) {
        Some(old) => {
            let comment = old.split_once('#').map(|(_, comment)| format!("   #{comment}"));
            *old = line + &comment.unwrap_or_default();
        }
        None => lines.insert(0, line),
    }
    let fresh = lines.join("\n") + "\n";
    let mut expected: toml::Table = toml::from_str(text).ok()?;
    expected.insert("pack".to_owned(), name.into());
    (toml::from_str::<toml::Table>(&fresh).ok()? == expected).then_some(fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_leaves_every_other_line_as_the_installer_wrote_it() {
        assert_eq!(with_pack("", "a").unwrap(), "pack = \"a\"\n");
        let text = "# Door 3\nthreads = 2\n\n[policy]\nagree = 2 # two\n";
        let with = with_pack(text, "a").unwrap();
        assert_eq!(with, format!("pack = \"a\"\n{text}"));
        assert_eq!(with_pack(&with, "b@before").unwrap(), format!("pack = \"b@before\"\n{text}"));
        let text = "threads = 2\n pack='old'# why\ncamera = \"pack = \"\n";
        assert_eq!(
            with_pack(text, "a").unwrap(),
            "threads = 2\npack = \"a\"   # why\ncamera = \"pack = \"\n"
        );
    }

    #[test]
    fn what_only_looks_like_the_line_is_not_changed() {
        assert_eq!(with_pack("\"pack\" = \"a\"\n", "b"), None, "written otherwise: it would be there twice");
        assert_eq!(with_pack("camera = \"\"\"\npack = 1\n\"\"\"\n", "b"), None, "a line of a text");
        assert_eq!(with_pack("", "a\"\nthreads = \"2"), None);
        assert_eq!(with_pack("[", "a"), None);
        assert!(with_pack("[policy]\n", "a").unwrap().starts_with("pack = "));
    }
}
