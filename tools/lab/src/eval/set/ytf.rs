//! YouTube Faces: videos as folders of frames, `NAME/VIDEO/*.jpg`, and `splits.txt`.

use std::collections::HashMap;
use std::path::{Component, Path};

use anyhow::{Context, Result};

use crate::eval::set::pair_list::{PairList, kinds, whole};
use crate::eval::set::people::file_name;
use crate::eval::set::set::{Medium, Pair, Sample, Set};
use crate::face_finder::photos_in;
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;

/// Videos, their frames and the pairs of videos.
pub(crate) struct Videos {
    /// A sample each; its medium is its first frame.
    pub(crate) videos: Set,
    pub(crate) frames: Set,
    /// The frames of each video.
    pub(crate) of: Vec<Vec<usize>>,
    pub(crate) list: PairList,
}

/// Reads a list of lines `SPLIT, NAME/VIDEO, NAME/VIDEO, ..., SAME`, splits from 1, SAME 0 or 1; a heading is passed over.
/// Of each video at most `most` frames, evenly spread.
pub(crate) fn read(root: &Path, list: &Path, most: usize) -> Result<Videos> {
    let text = read_text(list, MAX_LIST_BYTES)?;
    let mut found = Reader {
        root,
        most,
        numbers: HashMap::new(),
        videos: Set::default(),
        frames: Set::default(),
        of: Vec::new(),
    };
    let mut pairs = PairList::default();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let refuse = |what: String| Trouble::BadInput(format!("{}, line {}: {what}", list.display(), at + 1));
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [split, one, other, .., same] = &fields[..] else {
            return Err(
                refuse(format!("{} fields; SPLIT, VIDEO, VIDEO, SAME are expected", fields.len())).into()
            );
        };
        let split = match split.parse::<u32>() {
            Ok(split) if split > 0 => split,
            _ if at == 0 => continue,
            _ => return Err(refuse(format!("{split} is no split's number")).into()),
        };
        let same = match *same {
            "0" => false,
            "1" => true,
            _ => return Err(refuse(format!("{same} is not 0 or 1")).into()),
        };
        let mut video = |name: &str| found.video(name).map_err(|error| refuse(format!("{error:#}")));
        pairs.pairs.push(Pair { a: video(one)?, b: video(other)?, same });
        pairs.folds.push(split - 1);
    }
    kinds(&pairs.pairs).and_then(|()| whole(&pairs.folds)).with_context(|| list.display().to_string())?;
    Ok(Videos { videos: found.videos, frames: found.frames, of: found.of, list: pairs })
}

struct Reader<'a> {
    root: &'a Path,
    most: usize,
    numbers: HashMap<String, usize>,
    videos: Set,
    frames: Set,
    of: Vec<Vec<usize>>,
}

impl Reader<'_> {
    /// The number of a video, whose frames are looked up when it comes first.
    fn video(&mut self, name: &str) -> Result<usize> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let parts: Vec<Component<'_>> = Path::new(name).components().collect();
        let [Component::Normal(person), Component::Normal(_)] = parts[..] else {
            let text = format!("{name} is no NAME/VIDEO within {}", self.root.display());
            return Err(Trouble::BadInput(text).into());
        };
        let person = person.to_string_lossy().into_owned();
        let known = self.videos.subjects.iter().position(|subject| *subject == person);
        let subject = known.unwrap_or_else(|| {
            self.videos.subjects.push(person);
            self.videos.subjects.len() - 1
        });
        let photos = photos_in(&self.root.join(name))?;
        let step = photos.len().div_ceil(self.most.max(1));
        let first = self.frames.samples.len();
        for photo in photos.into_iter().step_by(step) {
            let name = format!("{name}/{}", file_name(&photo));
            self.frames.samples.push(Sample {
                name,
                medium: Medium::Photo(photo),
                subject: None,
                face: None,
            });
        }
        let medium = self.frames.samples[first].medium.clone();
        self.videos.samples.push(Sample {
            name: name.to_owned(),
            medium,
            subject: Some(subject),
            face: None,
        });
        self.of.push((first..self.frames.samples.len()).collect());
        self.numbers.insert(name.to_owned(), self.of.len() - 1);
        Ok(self.of.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn videos_are_folders_of_frames_and_a_broken_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for frame in ["Ann/0/1.jpg", "Ann/0/2.jpg", "Ann/0/3.jpg", "Ann/2/1.jpg", "Bob/1/1.jpg"] {
            let path = dir.path().join(frame);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let list = dir.path().join("splits.txt");
        let read = |text: &str| {
            fs::write(&list, text).unwrap();
            read(dir.path(), &list, 2)
        };
        let heading = "split number, first name, second name, is same\n";
        let found = read(&format!("{heading}1, Ann/0, Ann/2, 1\n2, Ann/0, Bob/1, 0\n")).unwrap();
        assert_eq!(found.list.pairs, [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 2, same: false }]);
        assert_eq!((found.list.folds, found.of), (vec![0, 1], vec![vec![0, 1], vec![2], vec![3]]));
        let names: Vec<&str> = found.frames.samples.iter().map(|frame| frame.name.as_str()).collect();
        assert_eq!(names, ["Ann/0/1.jpg", "Ann/0/3.jpg", "Ann/2/1.jpg", "Bob/1/1.jpg"]);
        for (text, what) in [
            ("1, Ann/0, ../Bob, 1\n", "line 1: ../Bob is no NAME/VIDEO"),
            ("1, Ann/0, Ann/7, 1\n", "line 1: cannot list"),
            ("1, Ann/0, Ann/2, yes\n", "line 1: yes is not 0 or 1"),
            ("1, Ann/0, Ann/2, 1\nx, Ann/0, Bob/1, 0\n", "line 2: x is no split's number"),
            ("1, Ann/0\n", "line 1: 2 fields"),
            ("1, Ann/0, Ann/2, 1\n3, Ann/0, Bob/1, 0\n", "splits.txt: folds are numbered from the first on"),
            ("1, Ann/0, Ann/2, 1\n4294967295, Ann/0, Bob/1, 0\n", "without a gap"),
        ] {
            let refused = format!("{:#}", read(text).err().unwrap());
            assert!(refused.contains(what), "{text}: {refused}");
        }
    }
}
