//! Lines of text for people. What comes from outside (names, paths, excerpts of files) can neither begin a line of its
//! own nor tell the terminal anything.

use arcdoor_core::Escaped;
use std::fmt;
use std::io::{self, Write};

/// Where lines are written to; each `writeln!` is one line, whatever its fields hold.
pub(super) struct Lines<'a>(pub(super) &'a mut dyn Write);

impl Lines<'_> {
    /// What `writeln!` calls.
    pub(super) fn write_fmt(&mut self, line: fmt::Arguments<'_>) -> io::Result<()> {
        let line = line.to_string();
        let line = line.strip_suffix('\n').unwrap_or(&line);
        writeln!(self.0, "{}", Escaped(line))
    }

    /// A text of several lines after `first`; the later ones are indented below it.
    pub(super) fn paragraph(&mut self, first: &str, text: &str) -> io::Result<()> {
        let indent = " ".repeat(first.chars().count());
        for (number, line) in text.split('\n').enumerate() {
            writeln!(self, "{}{line}", if number == 0 { first } else { &indent })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Lines<'_>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut Lines(&mut bytes)).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_file_name_forges_no_line_and_commands_no_terminal() {
        let name = "a.jpg\ngranted  Ada\r\u{1b}[2K\u{202e}";
        let line = written(|out| writeln!(out, "{name}  denied"));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.ends_with("denied\n") && !line.contains(['\r', '\u{1b}', '\u{202e}']), "{line}");
    }

    #[test]
    fn an_excerpt_of_a_file_stands_indented() {
        let text = written(|out| out.paragraph("arcdoor: ", "settings.toml: line 1\ngranted  Ada"));
        assert_eq!(text, "arcdoor: settings.toml: line 1\n         granted  Ada\n");
    }
}
