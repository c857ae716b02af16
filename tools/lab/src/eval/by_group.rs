//! Whose group people are of, and their comparisons within groups.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use arcdoor_calib::{Comparison, Counted, Impostors, Share};

use crate::eval::label::Label;
use crate::eval::report::by_group::{ByGroup, GroupRates};
use crate::eval::report::rate::{Over, Rate};
use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;

/// Most groups of a list: more are names of people, or of photos, in the wrong place.
const MAX_GROUPS: usize = 64;

/// A list that says whose group people are of.
#[derive(Debug, PartialEq)]
pub(crate) struct Groups {
    /// The groups, in the order of their names.
    pub(crate) names: Vec<String>,
    /// Who is named, in the list's order, and the number of their group.
    pub(crate) people: Vec<(String, usize)>,
    numbers: HashMap<String, usize>,
}

impl Groups {
    /// Reads a list: a line is `NAME<tab>GROUP`; or a name alone, as UTKFace gives them: `AGE_GENDER_GROUP_...`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let refuse = |line: usize, what: String| {
            Trouble::BadInput(format!("{}, line {}: {what}", path.display(), line + 1))
        };
        let text = read_text(path, MAX_LIST_BYTES)?;
        let mut named = Vec::new();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (name, group) = match line.split('\t').map(str::trim).collect::<Vec<_>>()[..] {
                [name, group] if !name.is_empty() && !group.is_empty() => (name, group.to_owned()),
                [name] => {
                    let label = Label::of(name).map_err(|error| {
                        refuse(at, format!("{error}; or NAME<tab>GROUP for names that say nothing"))
                    })?;
                    (name, label.group_name().to_owned())
                }
                _ => return Err(refuse(at, "NAME<tab>GROUP is expected".to_owned()).into()),
            };
            named.push((at, name.to_owned(), group));
        }
        let mut names: Vec<String> = named.iter().map(|(.., group)| group.clone()).collect();
        names.sort();
        names.dedup();
        if !(1..=MAX_GROUPS).contains(&names.len()) {
            let text =
                format!("{}: {} groups; 1 to {MAX_GROUPS} are told apart", path.display(), names.len());
            return Err(Trouble::BadInput(text).into());
        }
        let mut found = Self { names, people: Vec::new(), numbers: HashMap::new() };
        for (at, name, group) in named {
            let number = found.names.partition_point(|other| *other < group);
            if found.numbers.insert(name.clone(), number).is_some() {
                return Err(refuse(at, format!("{name} is listed twice")).into());
            }
            found.people.push((name, number));
        }
        Ok(found)
    }

    /// The number of the group of each of these people; none of whom the list does not name.
    pub(crate) fn of(&self, people: &[String]) -> Vec<Option<usize>> {
        people.iter().map(|name| self.numbers.get(name).copied()).collect()
    }
}

/// The comparisons of two people of one group, or of one of each of two groups, and how many people those groups have,
/// numbered from 0. `of` has the group of each person whom `pairs` numbers.
pub(crate) fn between(
    pairs: impl Iterator<Item = Comparison>,
    of: &[Option<usize>],
    between: [usize; 2],
) -> (Vec<Comparison>, usize) {
    let mut people = 0_u32;
    let mut numbers = Vec::with_capacity(of.len());
    for group in of {
        let is_in = group.is_some_and(|group| between.contains(&group));
        numbers.push(is_in.then_some(people));
        people += u32::from(is_in);
    }
    let is_across = between[0] != between[1];
    let numbered = |Comparison { score, people: [a, b] }: Comparison| {
        let [a, b] = [a as usize, b as usize];
        let people = [numbers[a]?, numbers[b]?];
        ((of[a] != of[b]) == is_across).then_some(Comparison { score, people })
    };
    (pairs.filter_map(numbered).collect(), people as usize)
}

/// The share of the impostors that is accepted, of `total`.
pub(crate) fn accepted(counted: &Counted, total: usize) -> Rate {
    let (low, high) = counted.outer();
    let share = Share { value: counted.hits as f64 / total.max(1) as f64, low, high };
    Rate::from_share(share, (counted.hits as u64, total as u64), Over::Subjects)
}

/// Every group's rates at each threshold, by the false accept rate that chose it. `of` has the group of each person whom
/// the comparisons, genuine and of impostors, number.
pub(crate) fn rates(
    names: &[String],
    of: &[Option<usize>],
    [genuine, impostors]: [&[Comparison]; 2],
    chosen: &[(String, f64)],
) -> Vec<ByGroup> {
    let thresholds: Vec<f32> = chosen.iter().map(|(_, threshold)| *threshold as f32).collect();
    let mut all: Vec<Vec<GroupRates>> = chosen.iter().map(|_| Vec::new()).collect();
    for (group, name) in names.iter().enumerate() {
        let (pairs, people) = between(impostors.iter().copied(), of, [group; 2]);
        let impostors = Impostors::new(pairs, people);
        let (own, _) = between(genuine.iter().copied(), of, [group; 2]);
        let counted = impostors.counted(&thresholds);
        for ((rates, threshold), counted) in all.iter_mut().zip(&thresholds).zip(counted) {
            let missed = own.iter().map(|pair| (pair.people[0] as usize, pair.score < *threshold));
            let hits = missed.clone().filter(|(_, is_missed)| *is_missed).count();
            let share = Share::by_person(people, missed);
            rates.push(GroupRates {
                name: name.clone(),
                people: people as u64,
                fmr: accepted(&counted, impostors.len()),
                fnmr: Rate::from_share(share, (hits as u64, own.len() as u64), Over::Subjects),
            });
        }
    }
    let at = |((far, threshold), groups): (&(String, f64), _)| ByGroup::new(far.clone(), *threshold, groups);
    chosen.iter().zip(all).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(score: f32, a: u32, b: u32) -> Comparison {
        Comparison { score, people: [a, b] }
    }

    #[test]
    fn a_list_names_groups_or_has_them_in_its_names_and_says_what_is_wrong_with_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("groups.tsv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Groups::read(&path)
        };
        let groups = read("Bob\tnorth\n\nAnn\teast \nset/26_1_4_2017.jpg\n").unwrap();
        assert_eq!(groups.names, ["east", "group 4", "north"]);
        let of = groups.of(&["Ann", "Cy", "Bob"].map(str::to_owned));
        assert_eq!(of, [Some(0), None, Some(2)]);
        let many: String = (0..65).map(|number| format!("{number}\tgroup of {number}\n")).collect();
        for (text, what) in [
            ("Ann\teast\nAnn\tnorth\n", "line 2: Ann is listed twice"),
            ("Ann\n", "line 1: Ann: expected AGE_GENDER_GROUP_"),
            ("Ann\t\n", "line 1: NAME<tab>GROUP is expected"),
            ("Ann\teast\t3\n", "line 1: NAME<tab>GROUP is expected"),
            ("", "0 groups"),
            (&many, "65 groups"),
        ] {
            let refused = format!("{:#}", read(text).unwrap_err());
            assert!(refused.contains(what), "{text}: {refused}");
        }
    }

    #[test]
    fn people_of_no_group_and_pairs_across_are_in_no_groups_rates() {
        let names = ["east", "north"].map(str::to_owned);
        let of = [Some(0), Some(0), None, Some(1), Some(1), Some(1)];
        let impostors = [
            pair(0.9, 0, 1),
            pair(0.9, 0, 2),
            pair(0.9, 1, 3),
            pair(0.9, 3, 4),
            pair(0.1, 3, 5),
            pair(0.1, 5, 4),
        ];
        let genuine = [pair(0.8, 0, 0), pair(0.2, 3, 3), pair(0.8, 5, 5), pair(0.1, 2, 2)];
        let found = rates(&names, &of, [&genuine, &impostors], &[("1e-1".to_owned(), 0.5)]);
        let [ByGroup { groups, fmr_max_over_min, fnmr_max_over_min, .. }] = &found[..] else {
            panic!("{found:?}")
        };
        let counted = |rate: &Rate| (rate.hits, rate.total);
        assert_eq!([counted(&groups[0].fmr), counted(&groups[1].fmr)], [(1, 1), (1, 3)]);
        assert_eq!([counted(&groups[0].fnmr), counted(&groups[1].fnmr)], [(0, 1), (1, 2)]);
        assert_eq!([groups[0].people, groups[1].people], [2, 3]);
        assert!((fmr_max_over_min.unwrap() - 3.0).abs() < 1e-12);
        assert_eq!(*fnmr_max_over_min, None, "a group without an error");
        let (across, people) = between(impostors.iter().copied(), &of, [0, 1]);
        assert_eq!((across, people), (vec![pair(0.9, 1, 2)], 5));
    }
}
