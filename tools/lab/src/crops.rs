//! Aligned crops, or photos: the JPEG and PNG files of a folder or a zip file, by name, each decoded when it is asked
//! for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arcdoor_core::file::open_regular;
use arcdoor_frame::{ImageLimits, RgbImage, decode, read_image};
use zip::ZipArchive;

use crate::trouble::Trouble;

/// Folders within folders that are looked into.
const MAX_DEPTH: usize = 8;
/// Most files of one source.
const MAX_FILES: usize = 4_000_000;

/// JPEG and PNG files by name: `/`-separated and relative to the folder, or as the zip file has them.
pub(crate) struct Crops {
    names: Vec<String>,
    place: Place,
}

enum Place {
    Folder(PathBuf),
    Zip { archive: Box<ZipArchive<BufReader<File>>>, index: BTreeMap<String, usize> },
}

impl Crops {
    /// Every JPEG and PNG in `path`, in the bytewise order of their names.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut names = Vec::new();
        let place = if path.is_dir() {
            walk(path, "", 0, &mut names)?;
            Place::Folder(path.to_path_buf())
        } else {
            let file = open_regular(path).map_err(|cause| {
                Trouble::BadInput(format!("cannot open {}: {cause}; give a folder or a .zip", path.display()))
            })?;
            let archive = ZipArchive::new(BufReader::new(file)).map_err(|cause| {
                Trouble::BadInput(format!("{} is neither a folder nor a zip file: {cause}", path.display()))
            })?;
            let index: BTreeMap<String, usize> = (0..archive.len())
                .filter_map(|at| archive.name_for_index(at).map(|name| (name.to_owned(), at)))
                .filter(|(name, _)| is_image(name))
                .collect();
            names.extend(index.keys().cloned());
            Place::Zip { archive: Box::new(archive), index }
        };
        if names.is_empty() || names.len() > MAX_FILES {
            let text =
                format!("{} JPEG and PNG files in {}; 1..={MAX_FILES} are read", names.len(), path.display());
            return Err(Trouble::BadInput(text).into());
        }
        names.sort();
        Ok(Self { names, place })
    }

    /// The files' names, in order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Decodes one file.
    pub(crate) fn read(&mut self, name: &str, out: &mut RgbImage) -> Result<()> {
        let limits = ImageLimits::default();
        match &mut self.place {
            Place::Folder(dir) => Ok(read_image(&dir.join(name), &limits, out)?),
            Place::Zip { archive, index } => {
                let at = index.get(name).with_context(|| format!("no {name} in the zip file"))?;
                let mut bytes = Vec::new();
                archive.by_index(*at)?.take(limits.max_bytes as u64 + 1).read_to_end(&mut bytes)?;
                Ok(decode(&bytes, &limits, out)?)
            }
        }
    }
}

fn is_image(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("jpg" | "jpeg" | "png"))
}

/// Adds the JPEG and PNG files below `dir`. Links to folders are not followed, so that no circle is walked.
fn walk(dir: &Path, prefix: &str, depth: usize, names: &mut Vec<String>) -> Result<()> {
    let cannot = |cause| Trouble::BadInput(format!("cannot list {}: {cause}", dir.display()));
    for entry in fs::read_dir(dir).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let Ok(name) = entry.file_name().into_string() else {
            let text = format!("{} holds a name that is no UTF-8: rename it", dir.display());
            return Err(Trouble::BadInput(text).into());
        };
        let name = format!("{prefix}{name}");
        if entry.file_type().map_err(cannot)?.is_dir() {
            if depth < MAX_DEPTH {
                walk(&entry.path(), &format!("{name}/"), depth + 1, names)?;
            }
        } else if is_image(&name) {
            names.push(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_frame::write_png;
    use std::io::Write;

    fn pixel(value: u8) -> RgbImage {
        let mut image = RgbImage::with_size(1, 1);
        image.data_mut().fill(value);
        image
    }

    #[test]
    fn a_folder_and_a_zip_of_it_hold_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("set");
        for (name, value) in [("b/2.png", 2), ("a/1.PNG", 1), ("3.png", 3)] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_png(&path, pixel(value).view()).unwrap();
        }
        fs::write(folder.join("notes.txt"), "no image").unwrap();
        let zip = dir.path().join("set.zip");
        let mut writer = zip::ZipWriter::new(File::create(&zip).unwrap());
        for name in ["b/2.png", "notes.txt", "a/1.PNG", "3.png"] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(&fs::read(folder.join(name)).unwrap()).unwrap();
        }
        writer.finish().unwrap();
        for source in [&folder, &zip] {
            let mut crops = Crops::open(source).unwrap();
            assert_eq!(crops.names(), ["3.png", "a/1.PNG", "b/2.png"]);
            let mut image = RgbImage::new();
            for (name, value) in [("a/1.PNG", 1), ("3.png", 3)] {
                crops.read(name, &mut image).unwrap();
                assert_eq!(image.view().pixel(0, 0), [value; 3], "{name} of {}", source.display());
            }
        }
    }

    #[test]
    fn what_holds_no_images_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("x.txt"), "x").unwrap();
        for path in [dir.path().to_path_buf(), dir.path().join("x.txt"), dir.path().join("none")] {
            assert_eq!(Trouble::code_of(&Crops::open(&path).err().unwrap()), 3);
        }
    }
}
