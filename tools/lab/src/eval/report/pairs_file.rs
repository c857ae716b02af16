//! `pairs.csv`: every pair of a protocol with its score, from which the figures can be computed anew.

use anyhow::{Context, Result, bail, ensure};
use arcdoor_calib::MAX_BIN_IMAGES;

use crate::eval::report::csv::{self, Csv};
use crate::eval::set::pair_list::whole;

/// Its name in a report's folder.
pub(crate) const NAME: &str = "pairs.csv";
const HEAD: [&str; 8] = ["a", "b", "same", "fold", "score", "person_a", "person_b", "threshold"];

/// A pair, its score and what decided it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoredPair {
    /// Names of the two samples.
    pub(crate) names: [String; 2],
    /// Whether the protocol says that both are of one subject.
    pub(crate) same: bool,
    /// From 0; none in a protocol without folds.
    pub(crate) fold: Option<u32>,
    /// Below every cosine where one of the two has no template.
    pub(crate) score: f32,
    /// The two subjects, numbered from 0. Where nobody knows them, each pair is a number of its own, twice.
    pub(crate) people: [u32; 2],
    /// The threshold that other pairs chose for this one; none in a protocol that chooses none.
    pub(crate) threshold: Option<f32>,
}

impl ScoredPair {
    /// Whether it was decided right; none where nothing decided it.
    pub(crate) fn is_right(&self) -> Option<bool> {
        self.threshold.map(|threshold| (self.score >= threshold) == self.same)
    }
}

pub(crate) fn write(pairs: &[ScoredPair]) -> Vec<u8> {
    let mut csv = Csv::with(&HEAD);
    for pair in pairs {
        let [a, b] = &pair.names;
        let fold = pair.fold.map(|fold| fold.to_string()).unwrap_or_default();
        let threshold = pair.threshold.map(|threshold| threshold.to_string()).unwrap_or_default();
        let people = pair.people.map(|person| person.to_string());
        let same = u8::from(pair.same).to_string();
        csv.row(&[a, b, &same, &fold, &pair.score.to_string(), &people[0], &people[1], &threshold]);
    }
    csv.into_bytes()
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// When it is something else; the text names the row.
pub(crate) fn read(text: &str) -> Result<Vec<ScoredPair>> {
    let pairs = csv::rows(text, |number, row| {
        if number == 1 {
            ensure!(row == HEAD, "no heading {}", HEAD.join(","));
            return Ok(None);
        }
        pair(&row).with_context(|| format!("row {number}")).map(Some)
    })?;
    ensure!(!pairs.is_empty(), "no heading {}", HEAD.join(","));
    let pairs: Vec<ScoredPair> = pairs.into_iter().flatten().collect();
    if let Some(folds) = pairs.iter().map(|pair| pair.fold).collect::<Option<Vec<u32>>>() {
        whole(&folds)?;
    }
    Ok(pairs)
}

fn pair(row: &[String]) -> Result<ScoredPair> {
    let [a, b, same, fold, score, one, other, threshold] = row else { bail!("{} fields", row.len()) };
    let score: f32 = score.parse().context("a score")?;
    ensure!(score.is_finite(), "the score {score} is no number");
    let same = match &**same {
        "0" => false,
        "1" => true,
        _ => bail!("same is 0 or 1, not {same}"),
    };
    let people: [u32; 2] = [one.parse().context("a person")?, other.parse().context("a person")?];
    let most = people[0].max(people[1]);
    ensure!((most as usize) < MAX_BIN_IMAGES, "person {most}; fewer than {MAX_BIN_IMAGES} are read");
    let threshold: Option<f32> =
        if threshold.is_empty() { None } else { Some(threshold.parse().context("a threshold")?) };
    ensure!(threshold.is_none_or(|threshold| !threshold.is_nan()), "the threshold is no number");
    Ok(ScoredPair {
        names: [a.clone(), b.clone()],
        same,
        fold: if fold.is_empty() { None } else { Some(fold.parse().context("a fold")?) },
        score,
        people,
        threshold,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_back_and_a_score_that_is_no_number_is_refused_by_row() {
        let pair = |fold, threshold| ScoredPair {
            names: ["a, \"b\"".to_owned(), "c".to_owned()],
            same: true,
            fold,
            score: 0.1 + 0.2,
            people: [3, 3],
            threshold,
        };
        let pairs = [pair(Some(2), None), pair(None, Some(0.3))];
        let text = String::from_utf8(write(&pairs)).unwrap();
        assert_eq!(read(&text).unwrap(), pairs);
        let refused =
            format!("{:#}", read(&text.replace("0.3\n", "NaN\n").replace(",0.3,", ",inf,")).unwrap_err());
        assert!(refused.contains("row "), "{refused}");
        assert!(read("a,b\n").is_err());
        let head = HEAD.join(",");
        for (rows, what) in [
            ("a,b,1,,0.1,0,4294967294,\n", "row 2: person 4294967294"),
            ("a,b,1,,0.1,0,0,NaN\n", "row 2: the threshold is no number"),
            ("a,b,1,0,0.1,0,0,\na,b,0,2,0.1,0,1,\n", "without a gap"),
            (",,,,,,,,,,,,,,,,,,,,\n", "too many fields"),
        ] {
            let refused = format!("{:#}", read(&format!("{head}\n{rows}")).unwrap_err());
            assert!(refused.contains(what), "{rows}: {refused}");
        }
    }
}
