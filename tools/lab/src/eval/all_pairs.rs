//! Every sample of a set against every other.

use std::collections::HashSet;

use anyhow::Result;
use arcdoor_calib::{Comparison, Verification};

use crate::eval::set::set::Set;
use crate::eval::set::templates::{Comparable, NEVER, score};
use crate::workers;

/// Most samples that are compared, each with each: 200,000,000 pairs, some 5 GB, or 8 with suspects.
pub(crate) const MAX_SAMPLES: usize = 20_000;
/// The highest impostor pairs that are named, so that mislabels can be looked at.
const NAMED: usize = 30;

/// The comparisons of a set whose subjects are known.
pub(crate) struct AllPairs {
    pub(crate) verification: Verification,
    /// The same without suspected mislabels, and how many these are.
    pub(crate) without_suspects: Option<(Verification, usize)>,
    /// The highest impostors, suspects among them: score and samples.
    pub(crate) highest: Vec<(f32, usize, usize)>,
}

/// Pairs of one sample with all before it.
#[derive(Default)]
struct Row {
    genuine: Vec<(u32, f32)>,
    impostors: Vec<Comparison>,
    suspects: Vec<Comparison>,
    highest: Vec<(f32, usize, usize)>,
}

impl AllPairs {
    pub(crate) fn of<T: Comparable>(
        set: &Set,
        templates: &[Option<T>],
        suspects: Option<&HashSet<(usize, usize)>>,
        threads: usize,
    ) -> Result<Self> {
        let row = |(): &mut (), b: usize| row(set, templates, suspects, b);
        let rows = workers::each(threads, templates.len(), "photos against all", || Ok(()), row)?;
        let mut all = Row::default();
        all.impostors.reserve_exact(rows.iter().map(|row| row.impostors.len() + row.suspects.len()).sum());
        for row in rows {
            all.genuine.extend(row.genuine);
            all.impostors.extend(row.impostors);
            all.suspects.extend(row.suspects);
            all.highest.extend(row.highest);
        }
        all.highest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
        all.highest.truncate(NAMED);
        let people = set.subjects.len();
        let mut media = vec![0; people];
        set.samples.iter().filter_map(|sample| sample.subject).for_each(|subject| media[subject] += 1);
        let verification = |impostors, missing| {
            Verification::new(&all.genuine, impostors, people).crossed(media.clone(), missing)
        };
        let left_out = all.suspects.len();
        let without_suspects = suspects.map(|_| {
            let missing = all.suspects.iter().map(|pair| pair.people).collect();
            (verification(all.impostors.clone(), missing), left_out)
        });
        all.impostors.append(&mut all.suspects);
        let impostors = std::mem::take(&mut all.impostors);
        Ok(Self { verification: verification(impostors, Vec::new()), without_suspects, highest: all.highest })
    }
}

fn row<T: Comparable>(
    set: &Set,
    templates: &[Option<T>],
    suspects: Option<&HashSet<(usize, usize)>>,
    b: usize,
) -> Result<Row> {
    let mut row = Row { impostors: Vec::with_capacity(b), ..Row::default() };
    for a in 0..b {
        let (Some(one), Some(other)) = (set.samples[a].subject, set.samples[b].subject) else { continue };
        let score = score(&templates[a], &templates[b])?;
        if let Some(subject) = set.same(a, b) {
            row.genuine.push((subject as u32, score));
            continue;
        }
        let pair = Comparison { score, people: [one as u32, other as u32] };
        let is_suspect = suspects.is_some_and(|suspects| suspects.contains(&(a, b)));
        if is_suspect {
            row.suspects.push(pair)
        } else {
            row.impostors.push(pair)
        }
        if score > NEVER
            && (row.highest.len() < NAMED || row.highest.last().is_some_and(|last| score > last.0))
        {
            let place = row.highest.partition_point(|other| other.0 >= score);
            row.highest.insert(place, (score, a, b));
            row.highest.truncate(NAMED);
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::set::set::{Medium, Sample};
    use arcdoor_core::{ModelId, Template};

    #[test]
    fn suspects_are_left_out_of_one_count_and_stay_in_the_other_whatever_the_threads() {
        let template = |values: &[f32]| Some(Template::new(ModelId::new([1; 16]), values).unwrap());
        let sample = |person: usize| Sample {
            name: String::new(),
            medium: Medium::Crop(Vec::new()),
            subject: Some(person),
            face: None,
        };
        let set = Set { samples: [0, 0, 1, 2].map(sample).to_vec(), subjects: vec![String::new(); 3] };
        let templates =
            [template(&[1.0, 0.0]), template(&[1.0, 0.1]), template(&[0.9, 0.2]), template(&[0.0, 1.0])];
        let suspects = HashSet::from([(0, 2)]);
        let [one, three] =
            [1, 3].map(|threads| AllPairs::of(&set, &templates, Some(&suspects), threads).unwrap());
        let (without, left_out) = one.without_suspects.unwrap();
        assert_eq!((one.verification.genuine(), one.verification.impostors()), (1, 5));
        assert_eq!((without.impostors(), left_out), (4, 1));
        assert_eq!((one.highest[0].1, one.highest[0].2), (1, 2));
        assert_eq!((one.verification, one.highest), (three.verification, three.highest));
    }
}
