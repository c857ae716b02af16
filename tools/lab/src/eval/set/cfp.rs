//! Celebrities in Frontal-Profile as its authors ship it: `Data/Images` and `Protocol`.

use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::eval::set::pair_list::{Naming, PairList, Photos, kinds};
use crate::eval::set::set::{Pair, Set};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;

const SPLITS: u32 = 10;

/// Reads the frontal-profile pairs of all ten splits: each is a fold.
pub(crate) fn read(root: &Path) -> Result<(Set, PairList)> {
    let protocol = root.join("Protocol");
    let frontal = photos(&protocol.join("Pair_list_F.txt"))?;
    let profile = photos(&protocol.join("Pair_list_P.txt"))?;
    let (mut found, mut list) = (Photos::of(root), PairList::default());
    for split in 0..SPLITS {
        let folder = protocol.join("Split/FP").join(format!("{:02}", split + 1));
        for (file, same) in [("same.txt", true), ("diff.txt", false)] {
            let path = folder.join(file);
            for (number, line) in lines(&read_text(&path, MAX_LIST_BYTES)?) {
                let refuse =
                    |what: String| Trouble::BadInput(format!("{}, line {number}: {what}", path.display()));
                let fields: Option<Vec<usize>> =
                    line.split(',').map(|field| field.trim().parse().ok()).collect();
                let Some([a, b]) = fields.as_deref() else {
                    return Err(refuse(format!("{line} is no pair of numbers such as 12,7")).into());
                };
                let mut photo = |listed: &[String], number: usize| {
                    let name = number.checked_sub(1).and_then(|at| listed.get(at));
                    let name =
                        name.ok_or_else(|| refuse(format!("{number}: there are {} photos", listed.len())))?;
                    found.number(name).map_err(refuse)
                };
                list.pairs.push(Pair { a: photo(&frontal, *a)?, b: photo(&profile, *b)?, same });
                list.folds.push(split);
            }
        }
    }
    kinds(&list.pairs).with_context(|| protocol.display().to_string())?;
    Ok((found.into_set(Naming::Folder, &list.pairs), list))
}

/// The photos of a list, `NUMBER ../Data/Images/001/frontal/01.jpg` from 1 on, as paths within the root.
fn photos(list: &Path) -> Result<Vec<String>> {
    let mut photos = Vec::new();
    for (number, line) in lines(&read_text(list, MAX_LIST_BYTES)?) {
        let refuse = |what: String| Trouble::BadInput(format!("{}, line {number}: {what}", list.display()));
        let Some((index, path)) = line.split_once(char::is_whitespace) else {
            return Err(refuse("a number and a path are expected".to_owned()).into());
        };
        if index.parse() != Ok(photos.len() + 1) {
            return Err(refuse(format!("photo {index}, where {} is due", photos.len() + 1)).into());
        }
        photos.push(within(path.trim()).ok_or_else(|| refuse(format!("{path} leads out of the set")))?);
    }
    Ok(photos)
}

/// A path as it is seen from `Protocol`, from the folder above; `None` where it leaves that.
fn within(path: &str) -> Option<String> {
    let mut whole = PathBuf::from("Protocol");
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if whole.pop() => {}
            Component::Normal(name) => whole.push(name),
            _ => return None,
        }
    }
    whole.to_str().map(str::to_owned)
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .map(str::trim)
        .enumerate()
        .map(|(at, line)| (at + 1, line))
        .filter(|(_, line)| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn set(second: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for person in ["001", "002"] {
            for kind in ["frontal", "profile"] {
                put(&format!("Data/Images/{person}/{kind}/01.jpg"), "");
            }
        }
        put("Protocol/Pair_list_F.txt", &format!("1 ../Data/Images/001/frontal/01.jpg\n2 {second}\n"));
        put(
            "Protocol/Pair_list_P.txt",
            "1 ../Data/Images/001/profile/01.jpg\n2 ../Data/Images/002/profile/01.jpg\n",
        );
        for split in 1..=10 {
            put(&format!("Protocol/Split/FP/{split:02}/same.txt"), "1,1\n");
            put(&format!("Protocol/Split/FP/{split:02}/diff.txt"), "1,2\n");
        }
        dir
    }

    #[test]
    fn splits_are_folds_and_folders_are_people() {
        let dir = set("../Data/Images/002/frontal/01.jpg");
        let (set, list) = read(dir.path()).unwrap();
        assert_eq!(
            (list.pairs.len(), list.folds[19], &set.subjects[..]),
            (20, 9, &["001".to_owned(), "002".to_owned()][..])
        );
        assert_eq!(list.pairs[..2], [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 2, same: false }]);
        assert_eq!(set.samples[0].name, "Data/Images/001/frontal/01.jpg");
        fs::write(dir.path().join("Protocol/Split/FP/03/diff.txt"), "1,3\n").unwrap();
        let refused = format!("{:#}", read(dir.path()).unwrap_err());
        assert!(refused.contains("diff.txt, line 1: 3: there are 2 photos"), "{refused}");
    }

    #[test]
    fn a_list_that_leads_out_of_the_set_is_refused_by_line() {
        for path in ["../../secret.jpg", "/etc/passwd", "../Data/../../secret.jpg"] {
            let dir = set(path);
            let refused = format!("{:#}", read(dir.path()).unwrap_err());
            assert!(
                refused.contains("Pair_list_F.txt, line 2") && refused.contains("leads out"),
                "{refused}"
            );
        }
    }
}
