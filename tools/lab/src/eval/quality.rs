//! What each named part of quality is worth: false non-matches left when the comparisons with the lowest quality are
//! discarded, as ISO/IEC 29794-1 and OFIQ judge a measure (error versus discard).
//!
//! A genuine comparison has the lower quality of its two photos. The threshold stays where the pack's target puts it.
//! Comparisons of equal quality are discarded together, so that a share is the largest one that is no more than asked.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use arcdoor_calib::Share;
use arcdoor_core::{Fmr, Quality, QualityPart, StageTimes, Template};
use arcdoor_vision::QualityGate;

use crate::eval::origin::data_hash;
use crate::eval::report::csv::Csv;
use crate::eval::report::curves::Curves;
use crate::eval::report::folder;
use crate::eval::report::rate::Rate;
use crate::eval::report::report::{Data, Report};
use crate::eval::report::run::{Run, latency};
use crate::eval::report::table::Table;
use crate::eval::set::people;
use crate::eval::set::set::Set;
use crate::eval::set::templates::PathArgs;
use crate::face_finder::FaceFinder;
use crate::say::say;
use crate::trouble::Trouble;
use crate::workers;

/// Shares of the comparisons that are discarded.
const DISCARDED: [f64; 5] = [0.01, 0.02, 0.05, 0.1, 0.2];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The false match rate whose threshold of the pack is held
    #[arg(long, default_value_t = 1e-4)]
    fmr: f64,
    /// Where report.json, report.html and edc.csv go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

/// A photo's face.
struct Look {
    template: Template,
    quality: Quality,
}

/// A genuine comparison: whose it is, whether it matches, and the lower quality of its two photos.
struct Genuine {
    person: usize,
    matches: bool,
    quality: [Option<u8>; QualityPart::ALL.len()],
}

pub(crate) fn run(args: Args) -> Result<()> {
    if args.path.features.is_some() {
        let text = "features hold no quality: leave --features out";
        return Err(Trouble::BadInput(text.to_owned()).into());
    }
    let began = Instant::now();
    folder::make(&args.out)?;
    let pack = args.path.open_pack()?;
    let threshold = pack.threshold(Fmr::new(args.fmr)?)?;
    let set = people::read(&args.images)?;
    let look = |finder: &mut FaceFinder, index: usize| {
        let found = match set.samples[index].photo() {
            Some(photo) => finder.assessed(photo)?,
            None => None,
        };
        Ok((found.map(|(template, quality)| Look { template, quality }), *finder.vision().times()))
    };
    let looks =
        workers::each(args.path.threads, set.samples.len(), "photos", || args.path.finder(&pack), look)?;
    let (looks, times): (Vec<Option<Look>>, Vec<StageTimes>) = looks.into_iter().unzip();
    let all = genuine(&set, &looks, |a, b| Ok(threshold.admits(a.score(b)?)))?;
    ensure!(!all.is_empty(), "nobody has two photos with a face: there is nothing to discard");
    let failed = looks.iter().filter(|look| look.is_none()).count();
    let data = Data {
        name: "Quality: error against discarded share".to_owned(),
        sha256: data_hash(&set, args.path.threads)?,
        lists: Default::default(),
        media: set.samples.len() as u64,
        subjects: Some(set.subjects.len() as u64),
        genuine: all.len() as u64,
        impostors: 0,
        is_generated: false,
    };
    let fta = Rate::of(failed as u64, looks.len() as u64);
    let mut report = Report::new("quality", data, fta, Run::of(0.0, args.path.threads));
    report.made_by = Some(args.path.maker(&pack)?);
    report.tables = vec![discarded(&all, set.subjects.len(), args.fmr), gates(&all, set.subjects.len())];
    report.limits = vec![
        "Photos without a face have no quality: their comparisons are left out here, and counted as failures to acquire."
            .to_owned(),
        "Photos that people took and kept are better than what a camera at a door sees: a part that discards nothing \
         here may discard much there."
            .to_owned(),
    ];
    report.latency_ms = latency(&times);
    report.run = Run::of(began.elapsed().as_secs_f64(), args.path.threads);
    let files = vec![("edc.csv".to_owned(), edc(&all))];
    let report = folder::write(&args.out, report, &Curves::default(), files, &[])?;
    for table in &report.tables {
        say!("\n{}\n\n| {} |\n|{}", table.title, table.head.join(" | "), "---|".repeat(table.head.len()))?;
        for row in &table.rows {
            say!("| {} |", row.join(" | "))?;
        }
    }
    Ok(())
}

fn genuine(
    set: &Set,
    looks: &[Option<Look>],
    matches: impl Fn(&Template, &Template) -> Result<bool>,
) -> Result<Vec<Genuine>> {
    let mut all = Vec::new();
    for (b, other) in looks.iter().enumerate() {
        // A folder's photos follow each other.
        let before = (0..b).rev().map_while(|a| set.same(a, b).map(|person| (a, person)));
        for (a, person) in before {
            let (Some(one), Some(other)) = (&looks[a], other) else { continue };
            let lower = |part| Some(one.quality.part(part)?.min(other.quality.part(part)?));
            let matches = matches(&one.template, &other.template)?;
            all.push(Genuine { person, matches, quality: QualityPart::ALL.map(lower) });
        }
    }
    Ok(all)
}

/// The comparisons with their quality in one part, the lowest first, those alone where it was measured; none where it never
/// was.
fn by_quality(all: &[Genuine], part: usize) -> Option<Vec<(u8, &Genuine)>> {
    let mut sorted: Vec<_> = all.iter().filter_map(|pair| Some((pair.quality[part]?, pair))).collect();
    sorted.sort_by_key(|(quality, _)| *quality);
    (!sorted.is_empty()).then_some(sorted)
}

/// How many of the lowest can be discarded together without going beyond `share`.
fn cut(sorted: &[(u8, &Genuine)], share: f64) -> usize {
    let most = (share * sorted.len() as f64) as usize;
    // All of the quality that would be kept in part are kept.
    sorted.get(most).map_or(most, |(kept, _)| sorted.partition_point(|(quality, _)| quality < kept))
}

fn missed<'a>(people: usize, kept: impl Iterator<Item = &'a Genuine>) -> Share {
    Share::by_person(people, kept.map(|pair| (pair.person, !pair.matches)))
}

fn discarded(all: &[Genuine], people: usize, fmr: f64) -> Table {
    let start = missed(people, all.iter());
    let mut head = vec!["part".to_owned()];
    head.extend(DISCARDED.map(|share| format!("without the lowest {} %", 100.0 * share)));
    let mut rows = Vec::new();
    for (at, part) in QualityPart::ALL.into_iter().enumerate() {
        let sorted = by_quality(all, at);
        let left_out = all.len() - sorted.as_ref().map_or(all.len(), Vec::len);
        let without = if left_out > 0 { format!(", {left_out} not measured") } else { String::new() };
        let mut row = vec![format!("{part}{without}")];
        match sorted {
            None => row.extend(DISCARDED.map(|_| "not measured".to_owned())),
            Some(sorted) => row.extend(DISCARDED.map(|share| {
                let first = cut(&sorted, share);
                let left = missed(people, sorted[first..].iter().map(|(_, pair)| *pair));
                format!("{} at {:.1} %", left.percent(), 100.0 * first as f64 / sorted.len() as f64)
            })),
        }
        rows.push(row);
    }
    let best = |share: f64| format!("{:.2} %", 100.0 * ((start.value - share) / (1.0 - share)).max(0.0));
    rows.push([vec!["if only errors went".to_owned()], DISCARDED.map(best).to_vec()].concat());
    Table {
        title: "FNMR left, by what is discarded".to_owned(),
        note: format!(
            "{} genuine comparisons at the pack's threshold for an FMR of {fmr:e}; with all of them {}. Behind `at` stands \
             the share that could be discarded: equal qualities go together. A part that says nothing leaves the FNMR \
             where it is.",
            all.len(),
            start.percent()
        ),
        head,
        rows,
    }
}

/// What the device's own gates discard, part by part.
fn gates(all: &[Genuine], people: usize) -> Table {
    let mut rows = Vec::new();
    for (name, gate) in [("recognition", QualityGate::recognise()), ("enrolment", QualityGate::enrol())] {
        for (at, part) in QualityPart::ALL.into_iter().enumerate() {
            let Some(least) = gate.least.part(part) else { continue };
            let refused = |pair: &&Genuine| pair.quality[at].is_some_and(|quality| quality < least);
            let (gone, left): (Vec<&Genuine>, Vec<&Genuine>) = all.iter().partition(refused);
            let rate = |pairs: &[&Genuine]| match pairs.len() {
                0 => "none".to_owned(),
                _ => missed(people, pairs.iter().copied()).percent(),
            };
            let share = format!("{:.2} %", 100.0 * gone.len() as f64 / all.len() as f64);
            rows.push(vec![format!("{name}: {part} from {least}"), share, rate(&gone), rate(&left)]);
        }
    }
    Table {
        title: "What the gates discard".to_owned(),
        note: "Of genuine comparisons, those with a photo below the gate.".to_owned(),
        head: ["gate", "discarded", "FNMR among these", "FNMR left"].map(str::to_owned).to_vec(),
        rows,
    }
}

/// Each part's whole curve: a point for each quality that comes.
fn edc(all: &[Genuine]) -> Vec<u8> {
    let mut csv = Csv::with(&["part", "quality_from", "discarded", "fnmr"]);
    for (at, part) in QualityPart::ALL.into_iter().enumerate() {
        let Some(sorted) = by_quality(all, at) else { continue };
        let mut left = sorted.iter().filter(|(_, pair)| !pair.matches).count();
        for (index, (quality, pair)) in sorted.iter().enumerate() {
            if index == 0 || sorted[index - 1].0 < *quality {
                let share = index as f64 / sorted.len() as f64;
                let rate = left as f64 / (sorted.len() - index) as f64;
                csv.row(&[part.to_string(), quality.to_string(), share.to_string(), rate.to_string()]);
            }
            left -= usize::from(!pair.matches);
        }
    }
    csv.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(of: &[(u8, bool)]) -> Vec<Genuine> {
        let pair = |(person, (quality, matches)): (usize, &(u8, bool))| Genuine {
            person,
            matches: *matches,
            quality: [Some(*quality), None, None, None, None, None],
        };
        of.iter().enumerate().map(pair).collect()
    }

    #[test]
    fn equal_qualities_go_together_and_no_more_than_asked() {
        let all = pairs(&[(90, true), (10, false), (10, true), (50, false), (90, true)]);
        let sorted = by_quality(&all, 0).unwrap();
        let cuts = [0.0, 0.2, 0.39, 0.4, 0.6, 0.99, 1.0].map(|share| cut(&sorted, share));
        assert_eq!(cuts, [0, 0, 0, 2, 3, 3, 5]);
        assert!(by_quality(&all, 1).is_none(), "a part that was not measured");
        let mut one_lacks = pairs(&[(90, true), (10, false)]);
        one_lacks[0].quality[0] = None;
        assert_eq!(by_quality(&one_lacks, 0).unwrap().len(), 1, "one photo hides not the part");
        let text = String::from_utf8(edc(&all)).unwrap();
        let expected = "part,quality_from,discarded,fnmr\nocclusion,10,0,0.4\nocclusion,50,0.4,0.3333333333333333\nocclusion,90,0.6,0\n";
        assert_eq!(text, expected);
    }
}
