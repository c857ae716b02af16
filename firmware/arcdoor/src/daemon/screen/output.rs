//! Where the panel is shown: a framebuffer, or PNG files, one for each change.

use arcdoor_board::{Area, Framebuffer, FramebufferError, Pixels};
use arcdoor_frame::{FrameError, RgbView, write_png};
use std::path::{Path, PathBuf};

/// Most PNG files of one run.
pub const MOST_FILES: usize = 1_000;

/// Why the panel cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The framebuffer.
    #[error("panel: {0}")]
    Framebuffer(#[from] FramebufferError),
    /// A file.
    #[error("panel: {0}")]
    File(#[from] FrameError),
}

/// Where it is shown.
#[derive(Debug)]
pub enum Output {
    /// On the board's display.
    Framebuffer(Framebuffer),
    /// In files of this folder, `0001.png` and on; what is more than [`MOST_FILES`] is not written.
    Files {
        /// The folder.
        folder: PathBuf,
        /// How many there are.
        count: usize,
    },
}

impl Output {
    /// Files of this folder, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn files(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self::Files { folder: folder.to_owned(), count: 0 })
    }

    /// Shows these pixels, three bytes each, row by row.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn show(&mut self, pixels: &[u8], [width, height]: [u32; 2]) -> Result<(), OutputError> {
        match self {
            Self::Framebuffer(framebuffer) => {
                let whole = Area { x: 0, y: 0, width, height };
                Ok(framebuffer.draw(Pixels::Rgb888(pixels), whole)?)
            }
            Self::Files { count, .. } if *count >= MOST_FILES => Ok(()),
            Self::Files { folder, count } => {
                *count += 1;
                let file = folder.join(format!("{count:04}.png"));
                Ok(write_png(&file, RgbView::new(pixels, width, height, width as usize * 3)?)?)
            }
        }
    }
}
