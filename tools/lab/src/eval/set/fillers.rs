//! Strangers who fill a gallery: the first aligned crop of each person in a zip archive.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::file::open_regular;
use zip::ZipArchive;

use crate::eval::set::set::{Medium, Sample, Set};

const MAX_ENTRIES: usize = 200_000;
const MAX_CROP_BYTES: u64 = 1 << 20;
const MAX_GROUPS_BYTES: u64 = 16 << 20;
/// A table beside crops that lie in no folders of people: file name, tab, group, after a heading.
const GROUPS: &str = "pseudo_id.tsv";

/// The first crop of each person (by name), of at most `most` people. A sample is called what its file is in the archive.
pub(crate) fn first_of_each(archive: &Path, most: usize) -> Result<Set> {
    let place = || format!("cannot read {}", archive.display());
    let file = open_regular(archive).with_context(place)?;
    let mut zip = ZipArchive::new(BufReader::new(file)).with_context(place)?;
    ensure!(zip.len() <= MAX_ENTRIES, "{} holds more than {MAX_ENTRIES} files", archive.display());
    let mut names: Vec<String> = zip.file_names().map(str::to_owned).collect();
    names.sort();
    let groups = match names.iter().find(|name| file_name(name) == GROUPS) {
        Some(table) => groups(&read(&mut zip, table, MAX_GROUPS_BYTES).with_context(place)?)?,
        None => HashMap::new(),
    };
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for name in names {
        if !name.to_ascii_lowercase().ends_with(".jpg") && !name.to_ascii_lowercase().ends_with(".png") {
            continue;
        }
        let folder = || name.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
        let person = groups.get(file_name(&name)).cloned().unwrap_or_else(folder);
        first.entry(person).or_insert(name);
    }
    ensure!(!first.is_empty(), "{} holds no JPEG or PNG", archive.display());
    let mut set = Set::default();
    for (person, name) in first.into_iter().take(most) {
        let medium = Medium::Crop(read(&mut zip, &name, MAX_CROP_BYTES).with_context(place)?);
        set.samples.push(Sample { name, medium, subject: Some(set.subjects.len()), face: None });
        set.subjects.push(person);
    }
    Ok(set)
}

fn file_name(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
}

fn read(zip: &mut ZipArchive<BufReader<File>>, name: &str, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    zip.by_name(name).with_context(|| name.to_owned())?.take(most + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= most, "{name} is larger than {most} bytes");
    Ok(bytes)
}

fn groups(table: &[u8]) -> Result<HashMap<String, String>> {
    let mut groups = HashMap::new();
    for (number, line) in std::str::from_utf8(table)?.lines().enumerate().skip(1) {
        let Some((file, group)) = line.split_once('\t') else {
            bail!("{GROUPS}, line {}: expected a file and a group", number + 1);
        };
        groups.insert(file.to_owned(), group.trim().to_owned());
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::SimpleFileOptions;

    fn archive(name: &str, files: &[(&str, &[u8])]) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("arcdoor-lab-{name}-{}.zip", std::process::id()));
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (file, bytes) in files {
            zip.start_file(*file, stored).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
        path
    }

    #[test]
    fn one_crop_for_each_folder_or_group() {
        let path = archive("folders", &[("s/b/2.jpg", b"b2"), ("s/b/1.jpg", b"b1"), ("s/a/9.jpg", b"a9")]);
        let set = first_of_each(&path, 10).unwrap();
        let sample = |name: &str, bytes: &[u8], subject| Sample {
            name: name.to_owned(),
            medium: Medium::Crop(bytes.to_vec()),
            subject: Some(subject),
            face: None,
        };
        assert_eq!(set.samples, [sample("s/a/9.jpg", b"a9", 0), sample("s/b/1.jpg", b"b1", 1)]);
        assert_eq!(set.subjects, ["s/a", "s/b"]);
        assert_eq!(first_of_each(&path, 1).unwrap().samples.len(), 1);
        std::fs::remove_file(path).unwrap();

        let table = b"file\tgroup\n1.jpg\tp1\n2.jpg\tp1\n3.jpg\tp0\n";
        let files: &[(&str, &[u8])] =
            &[("s/1.jpg", b"1"), ("s/2.jpg", b"2"), ("s/3.jpg", b"3"), ("s/pseudo_id.tsv", table)];
        let path = archive("groups", files);
        let set = first_of_each(&path, 10).unwrap();
        let names: Vec<_> = set.samples.iter().map(|sample| sample.name.as_str()).collect();
        assert_eq!(names, ["s/3.jpg", "s/1.jpg"]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_large_crop_is_refused() {
        let path = archive("large", &[("s/a/1.jpg", &vec![0; (1 << 20) + 1])]);
        let refused = format!("{:#}", first_of_each(&path, 1).err().unwrap());
        assert!(refused.contains("larger"), "{refused}");
        std::fs::remove_file(path).unwrap();
    }
}
