//! A pack as one file: a plain tar of its files, the manifest first, then the signature, then the networks.
//!
//! An archive comes from outside. Only regular files with plain names are taken, each once, each within the
//! limits of a pack; no path, link, owner, mode or time of the archive is followed. Whether the pack is good
//! is then said by [`Pack::open_signed`](crate::Pack::open_signed), as of any other folder.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::path::Path;

use arcdoor_core::file::{ReadError, open_regular};

use crate::error::{PackError, Problem};
use crate::manifest::{MANIFEST_FILE, MAX_MANIFEST_BYTES, is_plain};
use crate::pack::{MAX_NET_BYTES, MAX_SIGNATURE_BYTES, Pack, read_bounded};
use crate::trust::SIGNATURE_FILE;

/// Files of a pack, at most.
pub const MAX_ENTRIES: usize = 8;

/// Writes the pack in `dir`, which must be whole, as an archive. The same pack gives the same bytes.
///
/// # Errors
/// When the pack is refused, or `out` cannot be written.
pub fn bundle(dir: &Path, out: impl Write) -> Result<(), PackError> {
    let pack = Pack::open(dir)?;
    let refused = |problem| PackError { dir: dir.to_owned(), problem };
    let mut files = pack.files();
    if dir.join(SIGNATURE_FILE).exists() {
        files.insert(1, SIGNATURE_FILE.to_owned());
    }
    let mut archive = tar::Builder::new(out);
    for file in files {
        append(&mut archive, dir, &file).map_err(refused)?;
    }
    archive.into_inner().map(drop).map_err(|cause| refused(Problem::Unwritten(cause)))
}

fn append(archive: &mut tar::Builder<impl Write>, dir: &Path, name: &str) -> Result<(), Problem> {
    let bytes = read_bounded(dir, name, limit(name))?;
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, name, bytes.as_slice()).map_err(Problem::Unwritten)
}

/// Most bytes of the pack's file of this name.
fn limit(name: &str) -> u64 {
    match name {
        MANIFEST_FILE => MAX_MANIFEST_BYTES,
        SIGNATURE_FILE => MAX_SIGNATURE_BYTES,
        _ => MAX_NET_BYTES,
    }
}

/// Writes the files of the archive at `path` into the folder `into`, which must be empty, and names them.
/// What an archive that is refused left there is for the caller to remove.
///
/// # Errors
/// When it is no tar file, holds anything but a pack's files, or the disk fails.
pub fn unpack(path: &Path, into: &Path) -> Result<Vec<String>, PackError> {
    let refused = |problem| PackError { dir: path.to_owned(), problem };
    let file = open_regular(path).map_err(|error| {
        refused(match error {
            ReadError::Io(cause) => Problem::Archive(cause),
            _ => Problem::NotAFile { file: path.display().to_string() },
        })
    })?;
    unpack_from(file, into).map_err(refused)
}

fn unpack_from(file: impl Read, into: &Path) -> Result<Vec<String>, Problem> {
    // Whatever an entry's header says, no more is read than a pack and its headers can have.
    let most = MAX_ENTRIES as u64 * (MAX_NET_BYTES + 1024) + 1024;
    let mut archive = tar::Archive::new(file.take(most));
    let mut files = Vec::new();
    // Raw entries: nothing is done for long names, sparse files and other extensions, which no pack needs.
    for entry in archive.entries().map_err(Problem::Archive)?.raw(true) {
        let mut entry = entry.map_err(Problem::Archive)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let refuse = |problem| Problem::Entry { entry: name.clone(), problem };
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(refuse("no regular file"));
        }
        if !is_plain(&name) {
            return Err(refuse("no plain file name"));
        }
        if files.len() == MAX_ENTRIES {
            return Err(refuse("one file too many"));
        }
        if files.contains(&name) {
            return Err(refuse("there twice"));
        }
        let limit = limit(&name);
        if entry.size() > limit {
            return Err(Problem::TooLarge { file: name, limit });
        }
        write_new(&into.join(&name), &mut entry)
            .map_err(|cause| Problem::Unreadable { file: name.clone(), cause })?;
        files.push(name);
    }
    Ok(files)
}

fn write_new<R: Read>(path: &Path, entry: &mut tar::Entry<'_, R>) -> io::Result<()> {
    let size = entry.size();
    let mut out = OpenOptions::new().write(true).create_new(true).open(path)?;
    if io::copy(entry, &mut out)? == size { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Kind = tar::EntryType;

    /// An archive of (path, kind, size as the header says, bytes).
    fn archive(entries: &[(&str, Kind, u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (path, kind, size, bytes) in entries {
            let mut header = tar::Header::new_ustar();
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(*size);
            header.set_cksum();
            out.extend_from_slice(header.as_bytes());
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(512), 0);
        }
        out.resize(out.len() + 1024, 0);
        out
    }

    fn unpacked(bytes: &[u8]) -> (Result<Vec<String>, Problem>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let into = dir.path().join("into");
        std::fs::create_dir(&into).unwrap();
        let result = unpack_from(bytes, &into);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something left the folder");
        let names = std::fs::read_dir(&into).unwrap();
        (result, names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect())
    }

    const FILE: Kind = Kind::Regular;

    #[test]
    fn plain_files_are_taken() {
        let (result, files) = unpacked(&archive(&[("pack.toml", FILE, 3, b"abc")]));
        assert_eq!(result.unwrap(), files);
        assert_eq!(files, ["pack.toml"]);
        assert_eq!(unpacked(&archive(&[])).0.unwrap(), [""; 0]);
    }

    #[test]
    fn what_could_leave_the_folder_or_fill_the_disk_is_refused_and_named() {
        for path in ["../x", "/etc/x", "a/b", "..", ".", ".hidden", "a\\b", "a b", ""] {
            let (result, files) = unpacked(&archive(&[(path, FILE, 1, b"x")]));
            assert!(matches!(result, Err(Problem::Entry { .. })) && files.is_empty(), "{path:?}");
        }
        for kind in [
            Kind::Symlink,
            Kind::Link,
            Kind::Directory,
            Kind::Fifo,
            Kind::Char,
            Kind::Block,
            Kind::Continuous,
            Kind::GNULongName,
            Kind::GNUSparse,
            Kind::XHeader,
            Kind::XGlobalHeader,
        ] {
            let (result, files) = unpacked(&archive(&[("net.onnx", kind, 0, b"")]));
            assert!(matches!(result, Err(Problem::Entry { .. })) && files.is_empty(), "{kind:?}");
        }
        for (path, size) in
            [("pack.toml", MAX_MANIFEST_BYTES), ("x.onnx", MAX_NET_BYTES), ("x", u64::MAX >> 1)]
        {
            let (result, files) = unpacked(&archive(&[(path, FILE, size.max(1) + 1, b"x")]));
            assert!(result.is_err() && files.is_empty(), "{path}");
        }
        let twice = archive(&[("x", FILE, 1, b"x"), ("x", FILE, 1, b"y")]);
        assert!(matches!(unpacked(&twice).0, Err(Problem::Entry { problem: "there twice", .. })));
        let names: Vec<String> = (0..=MAX_ENTRIES).map(|i| i.to_string()).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), FILE, 1, &b"x"[..])).collect();
        assert!(unpacked(&archive(&many[1..])).0.is_ok());
        assert!(unpacked(&archive(&many)).0.is_err());
    }

    #[test]
    fn cut_and_changed_archives_are_refused_or_read_right() {
        let whole = archive(&[("pack.toml", FILE, 700, &[7; 700]), ("x.onnx", FILE, 3, b"abc")]);
        let mut refused = 0;
        for length in (0..whole.len()).step_by(37) {
            refused += u32::from(unpacked(&whole[..length]).0.is_err());
        }
        for at in (0..whole.len()).step_by(11) {
            let mut changed = whole.clone();
            changed[at] ^= 0x20;
            refused += u32::from(unpacked(&changed).0.is_err());
        }
        assert!(refused > 50, "{refused}");
        assert!(unpacked(&[0xff; 4096]).0.is_err());
    }
}
