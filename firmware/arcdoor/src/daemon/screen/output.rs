//! Where the panel is shown: a framebuffer, or PNG files, one for each change.

use arcdoor_board::{Area, Framebuffer, FramebufferError, Pixels};
use arcdoor_frame::{FrameError, RgbView, write_png};
use arcdoor_panel::DirtyArea;
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
    /// Files of this folder, which is made where it is missing; they go on after those that are there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn files(folder: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let count = std::fs::read_dir(folder)?.take(MOST_FILES).count();
        Ok(Self::Files { folder: folder.to_owned(), count })
    }

    /// Shows these pixels, three bytes each, row by row; they differ from those before in the `dirty` areas alone.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn show(
        &mut self,
        pixels: &[u8],
        [width, height]: [u32; 2],
        dirty: &[DirtyArea],
    ) -> Result<(), OutputError> {
        match self {
            Self::Framebuffer(framebuffer) => {
                for &DirtyArea { x, y, width, height } in dirty {
                    framebuffer.draw(Pixels::Rgb888(pixels), Area { x, y, width, height })?;
                }
                Ok(())
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
