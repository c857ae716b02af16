//! Photos from files, as if a camera had seen them.

use std::path::{Path, PathBuf};

use arcdoor_frame::{ImageLimits, RgbImage, read_image};

use crate::error::CameraError;
use crate::source::Source;

const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// One file, or the JPEG and PNG files of a folder in the order of their names.
#[derive(Debug)]
pub struct Replay {
    files: Vec<PathBuf>,
    next: usize,
}

impl Replay {
    /// Finds what is to be replayed; reads no photo yet.
    ///
    /// # Errors
    /// When there is no such file or folder, or no photo in the folder.
    pub fn open(path: &Path) -> Result<Self, CameraError> {
        let failed = |cause| CameraError::Replay { path: path.to_owned(), cause };
        if !std::fs::metadata(path).map_err(failed)?.is_dir() {
            return Ok(Self { files: vec![path.to_owned()], next: 0 });
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if is_photo(&file) {
                files.push(file);
            }
        }
        if files.is_empty() {
            return Err(CameraError::NoPhotos(path.to_owned()));
        }
        files.sort();
        Ok(Self { files, next: 0 })
    }

    /// The files, in the order in which they come.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }
}

impl Source for Replay {
    fn next_frame(&mut self, out: &mut RgbImage) -> Result<bool, CameraError> {
        let Some(path) = self.files.get(self.next) else { return Ok(false) };
        self.next += 1;
        read_image(path, &ImageLimits::default(), out)
            .map_err(|cause| CameraError::Photo { path: path.clone(), cause })?;
        Ok(true)
    }
}

fn is_photo(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_frame::write_png;

    fn write(folder: &Path, name: &str, width: u32) {
        write_png(&folder.join(name), RgbImage::with_size(width, 2).view()).unwrap();
    }

    #[test]
    fn a_folder_comes_in_the_order_of_names_and_goes_on_after_a_damaged_photo() {
        let folder = tempfile::tempdir().unwrap();
        for (name, width) in [("b.PNG", 2), ("a.png", 1), ("d.png", 4)] {
            write(folder.path(), name, width);
        }
        std::fs::write(folder.path().join("c.jpg"), b"no photo").unwrap();
        std::fs::write(folder.path().join("notes.txt"), b"no photo either").unwrap();
        let mut replay = Replay::open(folder.path()).unwrap();
        let mut out = RgbImage::new();
        let mut next = || replay.next_frame(&mut out).map(|more| more.then(|| out.width()));
        assert_eq!(next().unwrap(), Some(1));
        assert_eq!(next().unwrap(), Some(2));
        assert!(next().unwrap_err().to_string().contains("c.jpg"));
        assert_eq!(next().unwrap(), Some(4));
        assert_eq!(next().unwrap(), None);
    }

    #[test]
    fn a_file_comes_once_and_what_is_not_there_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "x.png", 3);
        let mut replay = Replay::open(&folder.path().join("x.png")).unwrap();
        let mut out = RgbImage::new();
        assert!(replay.next_frame(&mut out).unwrap());
        assert!(!replay.next_frame(&mut out).unwrap());
        assert!(Replay::open(&folder.path().join("y")).unwrap_err().to_string().contains('y'));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Replay::open(empty.path()), Err(CameraError::NoPhotos(_))));
    }
}
