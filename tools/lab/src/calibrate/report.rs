//! What `calibrate` prints.

use std::fmt::Write as _;

use arcdoor_calib::{Impostors, Share};

use crate::calibrate::data::{Data, Grouped};
use crate::calibrate::rows::{Choice, Made, tmr};
use crate::eval::by_group;

/// The whole report as Markdown.
pub(crate) fn report(data: &Data, made: &[Made], suspects_above: f32) -> String {
    let (scores, impostors) = (&data.chosen, &data.chosen.impostors);
    let mut out = format!(
        "# Calibration\n\n{}. {} genuine and {} impostor comparisons.\n\nComparisons that share a person depend \
         on each other; Clopper-Pearson takes them for independent, and is too narrow for that. ",
        data.text,
        scores.genuine.len(),
        impostors.len(),
    );
    out.push_str(if !scores.people.is_empty() {
        "Beside it stands a bootstrap over people; the table keeps the outer ends of both.\n"
    } else {
        "The scores do not say who is compared, so that nothing stands beside it: name `people` in them.\n"
    });
    let _ = writeln!(
        out,
        "Above the highest score, {:.5}, there is no error: with 95 % confidence FMR < {:.1e} there (rule of \
         three, as if independent).\n",
        impostors.highest().unwrap_or(f32::NAN),
        impostors.rule_of_three(),
    );
    rows(&mut out, made);
    for row in made {
        match &row.choice {
            Choice::Refused { why } => drop(writeln!(out, "\n**Refused**: {why}.")),
            Choice::Fitted { text, .. } => drop(writeln!(out, "\nTail fit at {}: {text}.", row.target)),
            Choice::Counted { .. } => {}
        }
    }
    if let Some(grouped) = &data.grouped {
        by_group(&mut out, grouped, made);
    }
    suspects(&mut out, data, made, suspects_above);
    if let Some((reported, left_out)) = &data.reported {
        let _ = writeln!(
            out,
            "\n## On other people\n\n{} people, {} genuine and {} impostor comparisons, {left_out} suspects left \
             out; none of these people gave a threshold.\n",
            reported.people.len(),
            reported.genuine.len(),
            reported.impostors.len(),
        );
        rates(&mut out, made, &reported.impostors, &reported.genuine, reported.people.len());
    }
    out
}

fn rows(out: &mut String, made: &[Made]) {
    out.push_str(
        "| FMR | threshold | errors | Clopper-Pearson | over people | TMR | basis |\n|---|---|---|---|---|---|---|\n",
    );
    for row in made {
        let tmr = row.tmr.as_ref().map(Share::percent).unwrap_or_default();
        let _ = match &row.choice {
            Choice::Counted { threshold, counted } => writeln!(
                out,
                "| {} | {threshold:.5} | {} | {} | {} | {tmr} | counted |",
                row.target,
                counted.hits,
                interval(counted.independent),
                counted.over_people.map(interval).unwrap_or_default(),
            ),
            Choice::Fitted { threshold, interval: over, .. } => writeln!(
                out,
                "| {} | {threshold:.5} | - | - | {} | {tmr} | **tail fit** |",
                row.target,
                interval(*over)
            ),
            Choice::Refused { .. } => writeln!(out, "| {} | - | - | - | - | - | refused |", row.target),
        };
    }
}

/// Which group asks for each threshold, and what every group has there.
fn by_group(out: &mut String, grouped: &Grouped, made: &[Made]) {
    let _ = writeln!(
        out,
        "\n## By group\n\nEach threshold above is the highest of those that everybody and each group of {} needs among \
         itself, and its interval is that group's: the rate is the worst group's. Pairs that may be one person twice are \
         among the impostors unless a list of suspects names them, which it can of photos alone, not of crops.\n\n| FMR | asked for by |\n|---|---|",
        grouped.text
    );
    for row in made {
        let by = match (&row.choice, &row.group) {
            (Choice::Refused { .. }, _) => "refused",
            (_, Some(group)) => group,
            (_, None) => "everybody",
        };
        let _ = writeln!(out, "| {} | {by} |", row.target);
    }
    let chosen: Vec<(String, f64)> =
        made.iter().filter_map(|row| Some((row.target.to_string(), f64::from(row.threshold()?)))).collect();
    let lists = [&grouped.genuine[..], &grouped.impostors[..]];
    for found in by_group::rates(&grouped.groups.names, &grouped.of, lists, &chosen) {
        let table = found.table();
        let line = |fields: &[String]| format!("| {} |\n", fields.join(" | "));
        let _ = write!(
            out,
            "\nAt {:.5}, the threshold for {}:\n\n{}",
            found.threshold,
            found.far,
            line(&table.head)
        );
        out.push_str(&format!("|{}\n", "---|".repeat(table.head.len())));
        table.rows.iter().for_each(|row| out.push_str(&line(row)));
    }
    let nobodys = grouped.of.iter().filter(|group| group.is_none()).count();
    if nobodys > 0 {
        let _ = writeln!(out, "\nOf {nobodys} people no group is known; they count among everybody.");
    }
}

/// The rates that the thresholds have on people whom they were not chosen on.
fn rates(out: &mut String, made: &[Made], impostors: &Impostors, genuine: &[(u32, f32)], people: usize) {
    out.push_str(
        "| target | threshold | errors | FMR | Clopper-Pearson | over people | FNMR |\n|---|---|---|---|---|---|---|\n",
    );
    let thresholds: Vec<_> = made.iter().filter_map(|row| Some((row, row.threshold()?))).collect();
    let counted = impostors.counted(&thresholds.iter().map(|(_, threshold)| *threshold).collect::<Vec<_>>());
    for ((row, threshold), counted) in thresholds.into_iter().zip(counted) {
        let fnmr = missed(tmr(genuine, people, threshold));
        let mark = if matches!(row.choice, Choice::Fitted { .. }) { " (tail fit)" } else { "" };
        let _ = writeln!(
            out,
            "| {}{mark} | {threshold:.5} | {} | {:.2e} | {} | {} | {fnmr} |",
            row.target,
            counted.hits,
            counted.hits as f64 / impostors.len().max(1) as f64,
            interval(counted.independent),
            counted.over_people.map(interval).unwrap_or_default(),
        );
    }
}

/// Thresholds and rates if the suspected mislabels were counted.
fn suspects(out: &mut String, data: &Data, made: &[Made], above: f32) {
    if data.suspects.is_empty() {
        out.push_str("\nNo suspected mislabels were left out.\n");
        return;
    }
    let of_groups =
        if data.grouped.is_some() { " (what a group would ask for with them is not counted)" } else { "" };
    let _ = writeln!(
        out,
        "\n## Suspected mislabels\n\n{} comparisons of two names that look like one person (listed, at or above \
         {above}) are left out above. With them among everybody{of_groups}:\n\n| FMR | threshold without | with | TMR without | with |\n\
         |---|---|---|---|---|",
        data.suspects.len()
    );
    let with = data.chosen.impostors.with(&data.suspects);
    for row in made {
        let tmr_at = |threshold| tmr(&data.chosen.genuine, data.chosen.people.len(), threshold).percent();
        let without = row.threshold().map_or_else(|| "-".to_owned(), |threshold| format!("{threshold:.5}"));
        let tmr_without = row.threshold().map(tmr_at).unwrap_or_default();
        let (with, tmr_with) = match with.threshold(row.target.get()) {
            Some(threshold) => {
                // A group may ask for more.
                let threshold = row.threshold().map_or(threshold, |without| without.max(threshold));
                (format!("{threshold:.5}"), tmr_at(threshold))
            }
            None => ("not supported".to_owned(), String::new()),
        };
        let _ = writeln!(out, "| {} | {without} | {with} | {tmr_without} | {tmr_with} |", row.target);
    }
}

fn interval((low, high): (f64, f64)) -> String {
    format!("{low:.2e} to {high:.2e}")
}

fn missed(tmr: Share) -> String {
    Share { value: 1.0 - tmr.value, low: 1.0 - tmr.high, high: 1.0 - tmr.low }.percent()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::rows::choose;
    use crate::calibrate::score_file::Scores;
    use arcdoor_calib::Comparison;
    use arcdoor_core::Fmr;

    fn unknown(scores: impl IntoIterator<Item = f32>) -> Impostors {
        Impostors::new(scores.into_iter().map(|score| Comparison { score, people: [0; 2] }).collect(), 0)
    }

    #[test]
    fn the_report_shows_refusals_suspects_and_the_rule_of_three() {
        let chosen = Scores {
            genuine: vec![(0, 0.9)],
            impostors: unknown((0..1000).map(|i| i as f32 / 2000.0)),
            people: Vec::new(),
        };
        let suspects = vec![Comparison { score: 0.95, people: [0; 2] }; 5];
        let data = Data { chosen, suspects, reported: None, text: "X".to_owned(), grouped: None };
        let targets = [1e-2, 1e-3].map(|rate| Fmr::new(rate).unwrap());
        let text = report(&data, &choose(&targets, &data, false).unwrap(), 0.6);
        for part in ["FMR < 3.0e-3", "**Refused**: 1e-3", "5 comparisons of two names", "refused |"] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        // Without the suspects the limit is 0.4945; the five raise it by five places.
        assert!(text.contains("| 1e-2 | 0.49451 | 0.49701 |"), "{text}");
    }
}
