//! What different people score against each other, as this site's camera took them.

use crate::error::GalleryError;
use crate::gallery::Gallery;
use crate::load;
use crate::matcher::Precision;
use crate::record::Kind;
use arcdoor_core::{Score, SubjectId, Template};
use std::collections::BTreeMap;

/// Comparisons of templates of different subjects.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossScores {
    /// Comparisons in all.
    pub total: u64,
    /// The highest of them, highest first, and whose they are.
    pub highest: Vec<(Score, [SubjectId; 2])>,
}

impl Gallery {
    /// Compares every template with every template of other subjects, and keeps the `most` highest scores. Reads
    /// memory in the square of the gallery's size: 10,000 templates take a second or so.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn cross_scores(&self, most: usize) -> Result<CrossScores, GalleryError> {
        let loaded;
        let matcher = if self.matcher.precision() == Precision::F32 {
            &self.matcher
        } else {
            loaded = load::matcher(&self.store, &self.meta, &self.subjects, Kind::Own, Precision::F32)?;
            &loaded
        };
        let (mut total, mut highest, mut floor) = (0, Vec::new(), f32::NEG_INFINITY);
        matcher.each_pair(|a, b, score| {
            if a == b {
                return;
            }
            total += 1;
            if score > floor {
                highest.push((Score(score), [a, b]));
                if highest.len() >= most.saturating_mul(2).max(2) {
                    floor = keep(&mut highest, most);
                }
            }
        });
        keep(&mut highest, most);
        highest.sort_by(|a, b| b.0.0.total_cmp(&a.0.0).then(a.1.cmp(&b.1)));
        Ok(CrossScores { total, highest })
    }

    /// Which of these impostor templates, by subject and place, are one person's: two that score at least `same`
    /// are, and so on from one to the next. A number for each, from 0; places without a template have none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn strangers(
        &self,
        places: &[(SubjectId, usize)],
        same: Score,
    ) -> Result<Vec<Option<u32>>, GalleryError> {
        let mut held: BTreeMap<SubjectId, Vec<Template>> = BTreeMap::new();
        for (subject, _) in places {
            if !held.contains_key(subject) {
                held.insert(*subject, self.stored(*subject, Kind::Impostor)?);
            }
        }
        let template = |(subject, place): &(SubjectId, usize)| held.get(subject)?.get(*place);
        let mut groups: Vec<Option<u32>> = Vec::with_capacity(places.len());
        for (index, place) in places.iter().enumerate() {
            let Some(one) = template(place) else {
                groups.push(None);
                continue;
            };
            groups.push(Some(index as u32));
            for earlier in 0..index {
                let (Some(group), Some(other)) = (groups[earlier], template(&places[earlier])) else {
                    continue;
                };
                if one.score(other)? >= same {
                    let own = groups[index];
                    groups.iter_mut().filter(|held| **held == own).for_each(|held| *held = Some(group));
                }
            }
        }
        let mut numbers: Vec<u32> = groups.iter().flatten().copied().collect();
        numbers.sort_unstable();
        numbers.dedup();
        let number = |group: u32| numbers.binary_search(&group).ok().map(|number| number as u32);
        Ok(groups.into_iter().map(|group| group.and_then(number)).collect())
    }
}

/// Drops all but the `most` highest; the least that stays.
fn keep(highest: &mut Vec<(Score, [SubjectId; 2])>, most: usize) -> f32 {
    if most == 0 || highest.len() <= most {
        highest.truncate(most);
        return f32::NEG_INFINITY;
    }
    let (_, least, _) = highest.select_nth_unstable_by(most - 1, |a, b| b.0.0.total_cmp(&a.0.0));
    let least = least.0.0;
    highest.truncate(most);
    least
}
