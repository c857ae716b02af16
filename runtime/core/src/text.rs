//! Text from outside, shown: what cannot be seen is spelled out.

use core::fmt;

/// A text in which control characters, line ends, and whatever changes or hides the characters around it, are written
/// as `\u{1b}`; so no name of a file or a person forges a line or commands a terminal. The one writer of such text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_unseen) {
            let (seen, hidden) = rest.split_at(at);
            f.write_str(seen)?;
            let mut hidden = hidden.chars();
            if let Some(c) = hidden.next() {
                write!(f, "{}", c.escape_unicode())?;
            }
            rest = hidden.as_str();
        }
        f.write_str(rest)
    }
}

/// Bytes that are mostly text, such as a path of Linux: text as [`Escaped`] writes it, and each byte that belongs to no
/// UTF-8 as `\x{ff}`; so two paths that differ in such bytes alone are not shown as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EscapedBytes<'a>(pub &'a [u8]);

impl fmt::Display for EscapedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}", Escaped(chunk.valid()))?;
            for byte in chunk.invalid() {
                write!(f, "\\x{{{byte:x}}}")?;
            }
        }
        Ok(())
    }
}

/// Whether a character shows nothing by itself: controls, separators of lines and paragraphs, format characters
/// (general category Cf, bidirectional controls among them) and default-ignorable ones, of Unicode 16
/// (DerivedCoreProperties.txt, DerivedGeneralCategory.txt).
#[must_use]
pub fn is_unseen(c: char) -> bool {
    // All ranges begin at U+00AD or above, so most text ends at the first comparison.
    c.is_control()
        || (c >= '\u{ad}'
            && (is_last_of_plane(c) || UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&c))))
}

/// The last two code points of each plane, which are no characters (Unicode 16, section 23.7).
fn is_last_of_plane(c: char) -> bool {
    u32::from(c) & 0xfffe == 0xfffe
}

/// Default-ignorable code points, and those of the categories Cf, Zl and Zp.
const UNSEEN: [(char, char); 31] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e00ff}'),
    ('\u{e0100}', '\u{e01ef}'),
    ('\u{e01f0}', '\u{e0fff}'),
    // Private use: what it shows depends on who looks.
    ('\u{e000}', '\u{f8ff}'),
    ('\u{f0000}', '\u{ffffd}'),
    ('\u{100000}', '\u{10fffd}'),
    // No characters at all.
    ('\u{fdd0}', '\u{fdef}'),
];

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;
    use std::string::{String, ToString};

    #[test]
    fn plain_text_stays_as_it_is() {
        for text in ["", "Ada Lovelace", "Ærøskøbing", "张伟 😀", "~/a b/ü.jpg", "\\u{1b}"] {
            assert_eq!(Escaped(text).to_string(), text);
        }
    }

    #[test]
    fn a_line_end_a_command_and_a_reversal_are_spelled_out() {
        let text = "a\nb\u{1b}[2Jc\u{202e}d\u{2028}e\u{200b}f\u{3164}g\u{9b}";
        let shown = Escaped(text).to_string();
        assert_eq!(shown, r"a\u{a}b\u{1b}[2Jc\u{202e}d\u{2028}e\u{200b}f\u{3164}g\u{9b}");
        assert!(!shown.chars().any(is_unseen));
    }

    #[test]
    fn no_character_passes_that_shows_nothing() {
        let all: String = ('\0'..=char::MAX).collect();
        let shown = format!("{}", Escaped(&all));
        assert!(!shown.chars().any(is_unseen) && shown.contains('é') && shown.contains('中'));
    }

    #[test]
    fn what_is_no_character_passes_in_no_plane() {
        for plane in 0..=16_u32 {
            for c in [0xfffe, 0xffff].map(|last| char::from_u32(plane << 16 | last).unwrap()) {
                assert_eq!(Escaped(c.encode_utf8(&mut [0; 4])).to_string(), c.escape_unicode().to_string());
            }
        }
    }

    #[test]
    fn two_paths_that_differ_in_bytes_that_are_no_text_are_not_shown_as_one() {
        let shown = |bytes: &[u8]| EscapedBytes(bytes).to_string();
        assert_eq!(shown(b"/a/\xff\xe2\x80.png"), r"/a/\x{ff}\x{e2}\x{80}.png");
        assert_ne!(shown(b"/a/\xff.png"), shown(b"/a/\xfe.png"));
        assert_eq!(
            shown("/\u{fc}\n\u{fffd}".as_bytes()),
            "/\u{fc}\\u{a}\u{fffd}",
            "the sign that stands for a lost byte stays"
        );
        assert_eq!(shown(b""), "");
    }
}
