//! A text broken into lines.

use crate::letters;
use heapless::Vec;

/// Most lines of one text; a test holds all words within it.
pub(crate) const MOST: usize = 3;

/// Lines that are `width_px` wide at most and nearly alike, broken at spaces; `None` where they do not fit.
pub(crate) fn wrap(text: &'static str, em_px: i32, width_px: i32) -> Option<Vec<&'static str, MOST>> {
    let mut best = greedy(text, em_px, width_px)?;
    let step = (em_px / 4).max(1);
    let mut narrower = width_px - step;
    while let Some(lines) = greedy(text, em_px, narrower).filter(|lines| lines.len() == best.len()) {
        best = lines;
        narrower -= step;
    }
    Some(best)
}

fn greedy(text: &'static str, em_px: i32, width_px: i32) -> Option<Vec<&'static str, MOST>> {
    let fits = |part: &str| letters::width_px(part, em_px) <= width_px;
    let mut lines = Vec::new();
    let (mut start, mut end) = (0, None);
    for (space, _) in text.match_indices(' ').chain([(text.len(), "")]) {
        if !fits(&text[start..space]) {
            let line_end = end?;
            lines.push(&text[start..line_end]).ok()?;
            start = line_end + 1;
        }
        end = fits(&text[start..space]).then_some(space);
    }
    lines.push(&text[start..end?]).ok()?;
    Some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_wider_than_the_line_does_not_fit() {
        assert!(wrap("Still halten", 100, 20).is_none());
        assert!(wrap("Hello", 100, 20).is_none());
    }

    #[test]
    fn lines_hold_the_whole_text_and_are_nearly_alike() {
        let text = "Take off mask, glasses or hood";
        for width in 150..700 {
            let Some(lines) = wrap(text, 40, width) else { continue };
            assert_eq!(lines.join(" "), text);
            assert!(lines.iter().all(|line| letters::width_px(line, 40) <= width), "{width}");
        }
        let lines = wrap(text, 40, 480).unwrap();
        assert_eq!(lines, ["Take off mask,", "glasses or hood"]);
    }
}
