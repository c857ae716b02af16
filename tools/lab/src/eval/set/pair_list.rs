//! Lists of pairs: which samples a protocol compares, in which fold, and what is odd about them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

use crate::eval::report::report::Noted;
use crate::eval::set::set::{Medium, Pair, Sample, Set};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;

/// Folds that a list without any of its own is cut into.
const FOLDS: usize = 10;
/// Most folds of a list.
const MAX_FOLDS: usize = 100;
/// Oddities that are named.
const NAMED: usize = 5;

/// The pairs of a protocol.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PairList {
    pub(crate) pairs: Vec<Pair>,
    /// One for each pair, from 0; empty in a protocol without folds.
    pub(crate) folds: Vec<u32>,
}

/// How a photo's name tells whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `NAME_0001.jpg`, as in LFW and what was made of it.
    Numbered,
    /// `NUMBER_NAME_AGE_GENDER.jpg`, as in AgeDB.
    Aged,
    /// `001/frontal/01.jpg`: the folder of the folder, as in CFP.
    Folder,
}

impl Naming {
    fn subject(self, name: &str) -> Option<&str> {
        let stem = Path::new(name).file_stem()?.to_str()?;
        match self {
            Self::Numbered => {
                let (person, number) = stem.rsplit_once('_')?;
                let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
                (is_number && !person.is_empty()).then_some(person)
            }
            Self::Aged => {
                let (number, rest) = stem.split_once('_')?;
                let mut from_end = rest.rsplitn(3, '_');
                let (_gender, _age, person) = (from_end.next()?, from_end.next()?, from_end.next()?);
                number.parse::<u32>().ok().map(|_| person)
            }
            Self::Folder => Path::new(name).parent()?.parent()?.file_name()?.to_str(),
        }
    }
}

/// Reads a list of photos by their paths within `images`, in one of two forms: `A B SAME`, or as CALFW and CPLFW have
/// it, `A SAME` and `B SAME` on two lines. SAME is 0 for two people, and any other number for one.
pub(crate) fn read(images: &Path, list: &Path, naming: Naming) -> Result<(Set, PairList)> {
    let text = read_text(list, MAX_LIST_BYTES)?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.split_whitespace().collect::<Vec<_>>()));
    let lines: Vec<_> = lines.filter(|(_, fields)| !fields.is_empty()).collect();
    let refuse =
        |number: usize, what: String| Trouble::BadInput(format!("{}, line {number}: {what}", list.display()));
    let mut photos = Photos::of(images);
    let mut pairs = Vec::new();
    let mut open: Option<(usize, usize, bool)> = None;
    for (number, fields) in lines {
        let flag = |text: &str| text.parse::<i64>().map(|flag| flag != 0).ok();
        let mut photo = |name: &str| photos.number(name).map_err(|error| refuse(number, error));
        match (&fields[..], open) {
            ([a, b, same], None) => {
                let same = flag(same).ok_or_else(|| refuse(number, format!("{same} is not 0 or 1")))?;
                pairs.push(Pair { a: photo(a)?, b: photo(b)?, same });
            }
            ([name, same], before) => {
                let same = flag(same).ok_or_else(|| refuse(number, format!("{same} is no number")))?;
                let photo = photo(name)?;
                open = match before {
                    None => Some((number, photo, same)),
                    Some((_, a, was)) if was == same => {
                        pairs.push(Pair { a, b: photo, same });
                        None
                    }
                    Some((line, ..)) => {
                        let text = format!(
                            "is {same} and line {line} the other: the two lines of a pair say the same"
                        );
                        return Err(refuse(number, text).into());
                    }
                };
            }
            _ => return Err(refuse(number, format!("{} fields; A B SAME are expected", fields.len())).into()),
        }
    }
    if let Some((number, ..)) = open {
        return Err(refuse(number, "the second line of this pair is missing".to_owned()).into());
    }
    let set = photos.into_set(naming, &pairs);
    let folds = tenths(&pairs);
    kinds(&pairs).with_context(|| list.display().to_string())?;
    Ok((set, PairList { pairs, folds }))
}

/// Refuses a list that lacks genuine pairs or impostors.
pub(crate) fn kinds(pairs: &[Pair]) -> Result<(), Trouble> {
    let genuine = pairs.iter().filter(|pair| pair.same).count();
    if genuine == 0 || genuine == pairs.len() {
        let text = format!(
            "{genuine} pairs of one person and {} of two: both kinds are needed",
            pairs.len() - genuine
        );
        return Err(Trouble::BadInput(text));
    }
    Ok(())
}

/// Refuses folds of which one is missing, which would count as one that decides nothing right, and too many of them.
pub(crate) fn whole(folds: &[u32]) -> Result<(), Trouble> {
    let numbers: BTreeSet<u32> = folds.iter().copied().collect();
    let is_whole = numbers.iter().copied().eq(0..numbers.len() as u32);
    if is_whole && numbers.len() != 1 && numbers.len() <= MAX_FOLDS {
        return Ok(());
    }
    Err(Trouble::BadInput(format!(
        "folds are numbered from the first on without a gap, 2 to {MAX_FOLDS} of them; {} were found",
        numbers.len()
    )))
}

/// Ten folds of a list that names none: by place, as insightface cuts its sets; where a fold would then lack a kind of
/// pair, each kind by place. None of fewer than ten pairs of a kind.
pub(crate) fn tenths(pairs: &[Pair]) -> Vec<u32> {
    let genuine = pairs.iter().filter(|pair| pair.same).count();
    if genuine.min(pairs.len() - genuine) < FOLDS {
        return Vec::new();
    }
    // The first folds have one more where the number cannot be parted, as in scikit-learn's KFold.
    let fold = |place: usize, all: usize| {
        let (each, more) = (all / FOLDS, all % FOLDS);
        let in_larger = more * (each + 1);
        (if place < in_larger { place / (each + 1) } else { more + (place - in_larger) / each }) as u32
    };
    let folds: Vec<u32> = (0..pairs.len()).map(|place| fold(place, pairs.len())).collect();
    let kinds: BTreeSet<(u32, bool)> =
        folds.iter().copied().zip(pairs.iter().map(|pair| pair.same)).collect();
    if kinds.len() == 2 * FOLDS {
        return folds;
    }
    let (mut places, all) = ([0, 0], [pairs.len() - genuine, genuine]);
    let by_kind = |pair: &Pair| {
        let kind = usize::from(pair.same);
        places[kind] += 1;
        fold(places[kind] - 1, all[kind])
    };
    pairs.iter().map(by_kind).collect()
}

/// What is odd about a list: pairs that come twice, a photo that is compared with itself, people in several folds, and
/// pairs that the list and the names disagree about. All of them count.
pub(crate) fn noted(set: &Set, list: &PairList) -> Vec<Noted> {
    let name = |pair: &Pair| format!("{} and {}", set.samples[pair.a].name, set.samples[pair.b].name);
    let (mut seen, mut twice, mut own, mut unlike) = (BTreeSet::new(), Vec::new(), Vec::new(), Vec::new());
    let mut folds: BTreeMap<usize, BTreeSet<u32>> = BTreeMap::new();
    for (index, pair) in list.pairs.iter().enumerate() {
        if !seen.insert((pair.a.min(pair.b), pair.a.max(pair.b))) {
            twice.push(name(pair));
        }
        if pair.a == pair.b {
            own.push(name(pair));
        }
        let subjects = [pair.a, pair.b].map(|at| set.samples[at].subject);
        if let [Some(a), Some(b)] = subjects
            && (a == b) != pair.same
        {
            unlike.push(name(pair));
        }
        for subject in subjects.into_iter().flatten() {
            folds.entry(subject).or_default().extend(list.folds.get(index));
        }
    }
    let shared =
        folds.iter().filter(|(_, folds)| folds.len() > 1).map(|(subject, _)| set.subjects[*subject].clone());
    let shared: Vec<String> = shared.collect();
    let all = [
        ("pairs that come more than once; each counts", twice),
        ("pairs of a photo with itself; they count", own),
        (
            "pairs that the list calls of one person and the names of two, or the other way; the list is followed",
            unlike,
        ),
        ("people who are in several folds: thresholds are chosen on some of their pairs", shared),
    ];
    let is_odd = all.into_iter().filter(|(_, which)| !which.is_empty());
    is_odd
        .map(|(what, which)| Noted {
            what: what.to_owned(),
            count: which.len() as u64,
            such_as: which.into_iter().take(NAMED).collect(),
        })
        .collect()
}

/// Whose the samples are, by what the pairs say: two of one pair of one person are his, and whoever is linked with them.
/// The numbers of the subjects, and how many there are.
pub(crate) fn linked(samples: usize, pairs: &[Pair]) -> (Vec<usize>, usize) {
    let mut roots: Vec<usize> = (0..samples).collect();
    fn root(roots: &mut [usize], mut at: usize) -> usize {
        while roots[at] != at {
            roots[at] = roots[roots[at]];
            at = roots[at];
        }
        at
    }
    for pair in pairs.iter().filter(|pair| pair.same) {
        let (a, b) = (root(&mut roots, pair.a), root(&mut roots, pair.b));
        roots[a.max(b)] = a.min(b);
    }
    let mut numbers = HashMap::new();
    let of = |at| {
        let next = numbers.len();
        *numbers.entry(root(&mut roots, at)).or_insert(next)
    };
    let subjects: Vec<usize> = (0..samples).map(of).collect();
    let count = numbers.len();
    (subjects, count)
}

/// The photos that a list names, each once.
pub(crate) struct Photos<'a> {
    images: &'a Path,
    numbers: HashMap<String, usize>,
    files: Vec<(String, PathBuf)>,
}

impl<'a> Photos<'a> {
    pub(crate) fn of(images: &'a Path) -> Self {
        Self { images, numbers: HashMap::new(), files: Vec::new() }
    }

    /// The number of a photo by its path within the folder.
    ///
    /// # Errors
    /// Where there is no such photo, or the path leads out of the folder.
    pub(crate) fn number(&mut self, name: &str) -> Result<usize, String> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let is_within =
            Path::new(name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_within {
            return Err(format!("{name} leads out of {}", self.images.display()));
        }
        let path = self.images.join(name);
        if !path.is_file() {
            return Err(format!("there is no photo {}; is --images right?", path.display()));
        }
        let number = self.files.len();
        self.files.push((name.to_owned(), path));
        self.numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// The set, each sample's subject from its name; where a name does not tell, from the pairs.
    pub(crate) fn into_set(self, naming: Naming, pairs: &[Pair]) -> Set {
        let named: Option<Vec<&str>> = self.files.iter().map(|(name, _)| naming.subject(name)).collect();
        let (subjects, of) = match named {
            Some(named) => {
                let subjects: Vec<&str> =
                    named.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
                let of = named.iter().map(|name| subjects.partition_point(|other| other < name)).collect();
                (subjects.into_iter().map(str::to_owned).collect(), of)
            }
            None => {
                let (of, count) = linked(self.files.len(), pairs);
                ((0..count).map(|number| format!("person {number}")).collect(), of)
            }
        };
        let sample = |((name, path), subject): ((String, PathBuf), usize)| Sample {
            name,
            medium: Medium::Photo(path),
            subject: Some(subject),
            face: None,
        };
        let of: Vec<usize> = of;
        Set { samples: self.files.into_iter().zip(of).map(sample).collect(), subjects }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn folder(photos: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for photo in photos {
            let path = dir.path().join(photo);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        dir
    }

    fn read_lines(dir: &Path, lines: &str, naming: Naming) -> Result<(Set, PairList)> {
        let list = dir.join("pairs.txt");
        fs::write(&list, lines).unwrap();
        read(dir, &list, naming)
    }

    fn refusal(dir: &Path, lines: &str) -> String {
        format!("{:#}", read_lines(dir, lines, Naming::Numbered).unwrap_err())
    }

    #[test]
    fn both_forms_of_a_list_are_read_and_names_tell_whose_photos_they_are() {
        let dir = folder(&["Ann_Lee_0001.jpg", "Ann_Lee_0002.jpg", "Bob_1.jpg"]);
        let expected = [Pair { a: 0, b: 1, same: true }, Pair { a: 1, b: 2, same: false }];
        for lines in [
            "Ann_Lee_0001.jpg Ann_Lee_0002.jpg 1\nAnn_Lee_0002.jpg Bob_1.jpg 0\n",
            "Ann_Lee_0001.jpg\t7\nAnn_Lee_0002.jpg\t7\n\nAnn_Lee_0002.jpg\t0\nBob_1.jpg\t0\n",
        ] {
            let (set, list) = read_lines(dir.path(), lines, Naming::Numbered).unwrap();
            assert_eq!(
                (&list.pairs[..], &set.subjects[..]),
                (&expected[..], &["Ann_Lee".to_owned(), "Bob".to_owned()][..])
            );
            assert!(list.folds.is_empty() && noted(&set, &list).is_empty());
        }
        assert_eq!(Naming::Aged.subject("a/12_Maria_Callas_35_f.jpg"), Some("Maria_Callas"));
        assert_eq!((Naming::Aged.subject("Ann_0001.jpg"), Naming::Numbered.subject("12.jpg")), (None, None));
    }

    #[test]
    fn a_broken_list_is_refused_by_line() {
        let dir = folder(&["A_1.jpg", "A_2.jpg", "B_1.jpg"]);
        for (lines, what) in [
            ("A_1.jpg A_2.jpg 1\nA_1.jpg ../B_1.jpg 0\n", "line 2: ../B_1.jpg leads out of"),
            ("A_1.jpg /etc/passwd 0\n", "line 1: /etc/passwd leads out of"),
            ("A_1.jpg A_3.jpg 1\n", "line 1: there is no photo"),
            ("A_1.jpg A_2.jpg same\n", "line 1: same is not 0 or 1"),
            ("A_1.jpg 1\nA_2.jpg 0\n", "line 2: is false and line 1 the other"),
            ("A_1.jpg 1\n", "line 1: the second line of this pair is missing"),
            ("A_1.jpg\n", "line 1: 1 fields"),
            ("A_1.jpg A_2.jpg 1\n", "1 pairs of one person and 0 of two"),
            ("", "0 pairs"),
        ] {
            let found = refusal(dir.path(), lines);
            assert!(found.contains(what), "{lines}: {found}");
        }
    }

    #[test]
    fn what_is_odd_is_counted_and_named() {
        let dir = folder(&["A_1.jpg", "A_2.jpg", "B_1.jpg"]);
        let lines =
            "A_1.jpg A_2.jpg 1\nA_2.jpg A_1.jpg 1\nB_1.jpg B_1.jpg 1\nA_1.jpg A_2.jpg 0\nA_1.jpg B_1.jpg 0\n";
        let (set, mut list) = read_lines(dir.path(), lines, Naming::Numbered).unwrap();
        list.folds = vec![0, 0, 1, 1, 1];
        let counts: Vec<_> =
            noted(&set, &list).into_iter().map(|noted| (noted.count, noted.such_as[0].clone())).collect();
        let expected =
            [(2, "A_2.jpg and A_1.jpg"), (1, "B_1.jpg and B_1.jpg"), (1, "A_1.jpg and A_2.jpg"), (1, "A")];
        assert_eq!(counts, expected.map(|(count, name)| (count, name.to_owned())));
    }

    #[test]
    fn pairs_tell_whose_photos_they_are_where_names_do_not() {
        let pairs = [(0, 1, true), (3, 1, true), (2, 4, false)].map(|(a, b, same)| Pair { a, b, same });
        assert_eq!(linked(5, &pairs), (vec![0, 0, 1, 0, 2], 3));
    }

    proptest! {
        #[test]
        fn tenths_hold_both_kinds_and_differ_by_two_pairs_at_most(
            genuine in 10_usize..60,
            impostors in 10_usize..60,
            is_mixed in any::<bool>(),
        ) {
            let mut pairs: Vec<Pair> = (0..genuine + impostors).map(|at| Pair { a: 0, b: 1, same: at < genuine }).collect();
            if is_mixed {
                pairs.sort_by_key(|pair| pair.same);
                let half = pairs.len() / 2;
                pairs.rotate_left(half);
            }
            let folds = tenths(&pairs);
            let sizes: Vec<usize> = (0..10).map(|fold| folds.iter().filter(|of| **of == fold).count()).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 2);
            for fold in 0..10 {
                let of = || folds.iter().zip(&pairs).filter(|(of, _)| **of == fold);
                prop_assert!(of().any(|(_, pair)| pair.same) && of().any(|(_, pair)| !pair.same));
            }
        }
    }
}
