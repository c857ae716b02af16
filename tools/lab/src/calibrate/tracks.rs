//! How often k of n frames of one face agree: counted on tracks, since frames of one face are alike.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use arcdoor_calib::Share;
use arcdoor_core::Template;
use arcdoor_models::Pack;

use crate::eval::set::set::Set;
use crate::eval::set::templates::{NEVER, PathArgs};
use crate::eval::set::tracks::{Track, Tracks};
use crate::workers;

/// The most frames of a window: more than any door's policy has.
const MAX_WINDOW: u8 = 64;

/// `agree` of `of` frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    agree: u8,
    of: u8,
}

impl std::str::FromStr for Agreement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((agree, of)) if 1 <= agree && agree <= of && of <= MAX_WINDOW => Ok(Self { agree, of }),
            _ => Err(format!("K/N such as 3/5 is expected, with 1 <= K <= N <= {MAX_WINDOW}")),
        }
    }
}

/// What was counted at one threshold of one agreement.
pub(crate) struct Measured {
    agreement: Agreement,
    threshold: f32,
    /// Windows of others that are granted, and how many.
    fmr: Share,
    granted: u64,
    /// Windows of one's own that are not, and how many there are.
    fnmr: Share,
    own: usize,
    /// What `fmr` and `fnmr` were if each frame were drawn by itself from all of its kind.
    independent: [f64; 2],
}

/// What tracks say of thresholds.
pub(crate) struct OnTracks {
    /// The pack whose templates they are.
    pack: String,
    people: usize,
    tracks: usize,
    frames: usize,
    without_face: usize,
    measured: Vec<Measured>,
}

/// Looks of a track: the frames that gave a template.
struct Looks<'a> {
    person: usize,
    templates: Vec<&'a Template>,
}

/// What a window's frames are held against.
#[derive(Clone, Copy)]
struct Rule {
    agreement: Agreement,
    threshold: f32,
}

/// Windows and frames of one kind.
#[derive(Clone, Copy, Default)]
struct Count {
    windows: u32,
    granted: u32,
    frames: u64,
    matched: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.windows += other.windows;
        self.granted += other.granted;
        self.frames += other.frames;
        self.matched += other.matched;
    }
}

/// Everybody's tracks against one person's reference, by rule.
struct Row {
    own: Vec<Count>,
    others: Vec<Count>,
    /// Whose track was granted in how many windows.
    granted: Vec<Vec<(usize, u32)>>,
    has_reference: bool,
}

/// Measures each agreement at each threshold. A person's reference is the first frame with a face of the first track;
/// every other track of this person is a genuine attempt, and every track of anybody else an attempt of a stranger.
pub(crate) fn measure(
    path: &PathArgs,
    pack: &Pack,
    tracks: &Tracks,
    thresholds: &[f32],
    agreements: &[Agreement],
) -> Result<OnTracks> {
    let templates = path.templates(pack, &tracks.frames)?;
    let rules: Vec<Rule> = thresholds
        .iter()
        .flat_map(|threshold| {
            agreements.iter().map(|agreement| Rule { agreement: *agreement, threshold: *threshold })
        })
        .collect();
    let measured = count(&tracks.frames, &tracks.tracks, &templates, &rules, path.threads)?;
    Ok(OnTracks {
        pack: format!("{}{}", pack.name(), path.tone()),
        people: tracks.frames.subjects.len(),
        tracks: tracks.tracks.len(),
        frames: templates.len(),
        without_face: templates.iter().filter(|template| template.is_none()).count(),
        measured,
    })
}

fn count(
    set: &Set,
    tracks: &[Track],
    templates: &[Option<Template>],
    rules: &[Rule],
    threads: usize,
) -> Result<Vec<Measured>> {
    let people = set.subjects.len();
    let looks: Vec<Looks<'_>> = tracks
        .iter()
        .map(|track| Looks {
            person: track.person,
            templates: templates[track.frames.clone()].iter().flatten().collect(),
        })
        .collect();
    let mut first = vec![None; people];
    for (at, track) in tracks.iter().enumerate().rev() {
        first[track.person] = Some(at);
    }
    let row = |(): &mut (), person: usize| {
        let own = first[person];
        let reference = own.and_then(|own| looks[own].templates.first());
        let mut row = Row {
            own: vec![Count::default(); rules.len()],
            others: vec![Count::default(); rules.len()],
            granted: vec![Vec::new(); rules.len()],
            has_reference: reference.is_some(),
        };
        for (_, track) in looks.iter().enumerate().filter(|(at, _)| Some(*at) != own) {
            // Nobody can be taken for whom no reference could be had, and that person is always refused.
            if reference.is_none() && track.person != person {
                continue;
            }
            let score = |look: &&Template| reference.map_or(Ok(NEVER), |own| Ok(look.score(own)?.0));
            let scores: Vec<f32> = track.templates.iter().map(score).collect::<Result<_>>()?;
            for (at, rule) in rules.iter().enumerate() {
                let found = rule.count(&scores);
                if track.person == person {
                    row.own[at].add(found);
                } else {
                    row.others[at].add(found);
                    row.granted[at].extend((found.granted > 0).then_some((track.person, found.granted)));
                }
            }
        }
        Ok(row)
    };
    let rows = workers::each(threads, people, "people against all tracks", || Ok(()), row)?;
    let references: Vec<u32> = rows.iter().map(|row| u32::from(row.has_reference)).collect();
    ensure!(
        references.iter().sum::<u32>() > 1,
        "fewer than two people of the tracks have a frame with a face"
    );
    Ok(rules.iter().enumerate().map(|(at, rule)| rule.measured(at, &rows, &references, &looks)).collect())
}

impl Rule {
    /// The windows of a track with these scores: of as many looks as the agreement asks for, one after another and none
    /// twice; what is left at the end is none, but a track of fewer looks is one.
    fn windows<T>(self, looks: &[T]) -> impl Iterator<Item = &[T]> {
        let of = usize::from(self.agreement.of);
        let short = (looks.len() < of).then_some(looks);
        short.into_iter().chain(looks.chunks_exact(of))
    }

    fn count(self, scores: &[f32]) -> Count {
        let mut count = Count::default();
        for window in self.windows(scores) {
            let matched = window.iter().filter(|score| **score >= self.threshold).count();
            count.windows += 1;
            count.granted += u32::from(matched >= usize::from(self.agreement.agree));
            count.frames += window.len() as u64;
            count.matched += matched as u64;
        }
        count
    }

    /// The `at`th rule's figures.
    fn measured(self, at: usize, rows: &[Row], references: &[u32], looks: &[Looks<'_>]) -> Measured {
        let people = rows.len();
        let mut probes = vec![0_u32; people];
        for track in looks {
            probes[track.person] += self.windows(&track.templates).count() as u32;
        }
        let (mut hits, mut own, mut sums) = (Vec::new(), Vec::new(), [Count::default(); 2]);
        for (person, row) in rows.iter().enumerate() {
            sums[0].add(row.others[at]);
            sums[1].add(row.own[at]);
            own.extend((0..row.own[at].windows).map(|window| (person, window >= row.own[at].granted)));
            hits.extend(
                row.granted[at].iter().map(|(other, granted)| ([person as u32, *other as u32], *granted)),
            );
        }
        let rate = |count: &Count| count.matched as f64 / count.frames.max(1) as f64;
        let [others, genuine] = sums.map(|count| self.agreement.alone(rate(&count)));
        Measured {
            agreement: self.agreement,
            threshold: self.threshold,
            fmr: Share::by_attempt(references, &probes, &hits),
            granted: hits.iter().map(|(_, granted)| u64::from(*granted)).sum(),
            own: own.len(),
            fnmr: Share::by_person(people, own),
            independent: [others, 1.0 - genuine],
        }
    }
}

impl Agreement {
    /// How likely at least so many frames match, each with `rate`, whatever the others do.
    fn alone(self, rate: f64) -> f64 {
        let (mut sum, mut choose) = (0.0, 1.0);
        for k in 0..=i32::from(self.of) {
            if k >= i32::from(self.agree) {
                sum += choose
                    * libm::pow(rate, f64::from(k))
                    * libm::pow(1.0 - rate, f64::from(i32::from(self.of) - k));
            }
            choose *= f64::from(i32::from(self.of) - k) / f64::from(k + 1);
        }
        f64::min(sum, 1.0)
    }
}

impl OnTracks {
    /// As Markdown.
    pub(crate) fn write(&self, out: &mut String) {
        let Self { pack, people, tracks, frames, without_face, .. } = self;
        let _ = write!(
            out,
            "\n## k of n frames, on tracks\n\n{people} people, {tracks} tracks, {frames} frames, {without_face} of them \
             without a face; templates of {pack}. The first frame with a face of a person's first track is the reference; windows of n frames \
             with a face, one after another, of every other track stand for attempts: granted where k of them reach the \
             threshold. A track of fewer frames is one window. No part of quality refuses a frame. 95 % intervals over \
             people; a window counts as one comparison. Beside each stands what it were, of the frames that show a face, if those of \
             a window had nothing to do with each other: they do.\n\n\
             | threshold | k of n | granted to others | FMR | if independent | FNMR | if independent |\n\
             |---|---|---|---|---|---|---|\n"
        );
        for row in &self.measured {
            let Measured { agreement, threshold, fmr, granted, fnmr, own, independent: [others, genuine] } =
                row;
            let missed = if *own == 0 {
                "nobody has two tracks | -".to_owned()
            } else {
                format!("{} | {:.2} %", fnmr.percent(), 100.0 * genuine)
            };
            let _ = writeln!(
                out,
                "| {threshold:.5} | {} of {} | {granted} | {:.2e} [{:.2e}, {:.2e}] | {others:.2e} | {missed} |",
                agreement.agree, agreement.of, fmr.value, fmr.low, fmr.high
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::Random;
    use arcdoor_core::ModelId;

    fn agreement(text: &str) -> Agreement {
        text.parse().unwrap()
    }

    /// Tracks of `people` with two tracks of 20 frames each; in a track all frames show the same mood, which is most of
    /// what they differ in.
    fn world(people: usize, moods: f32) -> (Set, Vec<Track>, Vec<Option<Template>>) {
        let mut random = Random(5);
        let mut draw = |by: f32| (0..16).map(|_| by * random.signed()).collect::<Vec<f32>>();
        let set = Set { subjects: vec![String::new(); people], ..Set::default() };
        let (mut tracks, mut templates) = (Vec::new(), Vec::new());
        for person in 0..people {
            let own = draw(1.0);
            for _ in 0..2 {
                let mood = draw(moods);
                let first = templates.len();
                for _ in 0..20 {
                    let noise = draw(0.2);
                    let values: Vec<f32> = (0..16).map(|at| own[at] + mood[at] + noise[at]).collect();
                    templates.push(Some(Template::new(ModelId::new([1; 16]), &values).unwrap()));
                }
                tracks.push(Track { person, frames: first..templates.len() });
            }
        }
        (set, tracks, templates)
    }

    #[test]
    fn frames_that_hang_together_are_granted_far_more_often_than_independent_ones() {
        let (set, tracks, templates) = world(30, 1.0);
        let rules = [("1/1", 0.5), ("3/5", 0.5), ("5/5", 0.5)]
            .map(|(text, threshold)| Rule { agreement: agreement(text), threshold });
        let one = count(&set, &tracks, &templates, &rules, 1).unwrap();
        let [single, three, five] = &one[..] else { panic!() };
        assert!((single.fmr.value - single.independent[0]).abs() < 1e-12, "a frame alone depends on none");
        assert!(
            single.fmr.value > 0.01 && five.fmr.value > 100.0 * five.independent[0],
            "{:?}",
            five.independent
        );
        assert!(three.fmr.value > 3.0 * three.independent[0] && three.fmr.low > 0.0);
        assert!(five.fmr.value <= three.fmr.value && five.fnmr.value >= three.fnmr.value);
        // 40 tracks of 4 windows each, of which a person's first is no genuine attempt.
        assert_eq!((five.own, single.own), (30 * 4, 30 * 20));
        let three_threads = count(&set, &tracks, &templates, &rules, 3).unwrap();
        assert!(one.iter().zip(&three_threads).all(|(a, b)| (a.fmr, a.fnmr) == (b.fmr, b.fnmr)));
    }

    #[test]
    fn nobody_vanishes_whose_frames_show_no_face() {
        let (set, tracks, mut templates) = world(4, 0.1);
        // Person 0 cannot be enrolled; of person 1's second track three frames are left, of person 2's none.
        templates[..20].fill(None);
        templates[63..80].fill(None);
        templates[100..120].fill(None);
        let rules = [Rule { agreement: agreement("3/5"), threshold: 0.5 }];
        let found = &count(&set, &tracks, &templates, &rules, 2).unwrap()[0];
        // Four attempts of 0 that cannot succeed, one of 1, one empty of 2, four of 3.
        assert_eq!((found.own, found.fnmr.value), (10, 5.0 / 10.0));
        // At each of three references: 4 windows and an empty track of 0, 4 + 1 of 1, 4 + 1 of 2, 8 of 3.
        let total = 3 * 5 + 2 * 5 + 2 * 5 + 2 * 8;
        assert!(
            (found.fmr.value * f64::from(total) - found.granted as f64).abs() < 1e-9,
            "{}",
            found.granted
        );
    }

    #[test]
    fn an_agreement_is_k_of_n_and_its_binomial_is_right() {
        for text in ["0/3", "4/3", "1/65", "3", "x/3", "-1/3", "1/1/1"] {
            assert!(text.parse::<Agreement>().is_err(), "{text}");
        }
        let likely = agreement("3/5").alone(0.1);
        assert!((likely - 0.00856).abs() < 1e-12, "scipy.stats.binom.sf(2, 5, 0.1), {likely}");
        assert_eq!((agreement("2/3").alone(1.0), agreement("2/3").alone(0.0)), (1.0, 0.0));
    }
}
