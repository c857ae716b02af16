//! What an installer chooses for a panel: its size, language and light.

use embedded_graphics::geometry::Size;

/// Shortest side of a screen, in pixels.
pub const LEAST_SIDE_PX: u32 = 240;
/// Longest side of a screen, in pixels: a row of so many is held in memory.
pub const MOST_SIDE_PX: u32 = 1920;

/// Why there is no layout for a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a panel has {LEAST_SIDE_PX} to {MOST_SIDE_PX} pixels a side, the longer at most twice the shorter; \
     got {width} x {height}"
)]
pub struct ScreenSizeError {
    width: u32,
    height: u32,
}

/// A screen that the layout serves: 240 to 1920 pixels a side, the longer at most twice the shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScreenSize {
    width: i32,
    height: i32,
}

impl ScreenSize {
    /// Checks the sides.
    ///
    /// # Errors
    /// When a side is too short or too long, or one is more than twice the other.
    pub const fn new(width: u32, height: u32) -> Result<Self, ScreenSizeError> {
        let (short, long) = if width < height { (width, height) } else { (height, width) };
        if short < LEAST_SIDE_PX || long > MOST_SIDE_PX || long > 2 * short {
            return Err(ScreenSizeError { width, height });
        }
        Ok(Self { width: width as i32, height: height as i32 })
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(self) -> i32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(self) -> i32 {
        self.height
    }

    /// Wide enough for symbol and words side by side.
    pub(crate) const fn is_wide(self) -> bool {
        self.width * 5 >= self.height * 8
    }

    /// The shorter side, which letters and margins are a share of.
    pub(crate) const fn short(self) -> i32 {
        if self.width < self.height { self.width } else { self.height }
    }

    /// As embedded-graphics has it.
    #[must_use]
    pub const fn size(self) -> Size {
        Size::new(self.width as u32, self.height as u32)
    }
}

/// The language of all words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// 한국어.
    Korean,
    /// English.
    English,
    /// Deutsch.
    German,
}

impl Language {
    /// All.
    pub const ALL: [Self; 3] = [Self::Korean, Self::English, Self::German];
}

/// The light around the panel; it chooses the palette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Light {
    /// Dark words on a light ground.
    Day,
    /// Light words on a dark ground, which neither dazzles nor lights the face up.
    Night,
}

impl Light {
    /// All.
    pub const ALL: [Self; 2] = [Self::Day, Self::Night];
}

/// How everything is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// The words' language.
    pub language: Language,
    /// The palette's light.
    pub light: Light,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keypad::MOST_DIGITS, state::MOST_VIEWS};
    extern crate std;

    #[test]
    fn the_page_of_limits_says_what_the_constants_say() {
        let limits = std::format!(
            "| {},{} pixels a side, {LEAST_SIDE_PX} at least; {MOST_DIGITS}, {MOST_VIEWS} |",
            MOST_SIDE_PX / 1000,
            MOST_SIDE_PX % 1000
        );
        assert!(include_str!("../../../docs/limits.md").contains(&limits), "{limits}");
    }

    #[test]
    fn a_screen_that_no_layout_serves_is_refused() {
        for (width, height) in [(239, 240), (240, 481), (1921, 1080), (0, 0), (u32::MAX, u32::MAX)] {
            assert_eq!(ScreenSize::new(width, height), Err(ScreenSizeError { width, height }));
        }
        assert!(ScreenSize::new(240, 480).is_ok() && ScreenSize::new(1920, 1920).is_ok());
    }
}
