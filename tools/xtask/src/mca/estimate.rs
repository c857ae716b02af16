//! From counted instructions and a modelled loop to milliseconds on a board: an estimate, never a measurement.

use anyhow::{Context, Result};

use crate::arm::Row;

/// A board, one of its cores, and that core's clock in GHz, as the maker names it.
const BOARDS: [(&str, &str, f64); 7] = [
    ("Raspberry Pi Zero 2 W", "a53", 1.0),
    ("Raspberry Pi 3", "a53", 1.2),
    ("Raspberry Pi 4", "a72", 1.5),
    ("Raspberry Pi 5", "a76", 2.4),
    ("ROCK 3C (RK3566)", "a55", 1.6),
    ("ROCK 5B (RK3588), small core", "a55", 1.8),
    ("ROCK 5B (RK3588), large core", "a76", 2.4),
];

/// Instructions in a cycle that a core is taken to execute outside of the loop: an assumption. Two-wide in-order cores
/// seldom start two; the others start three and four.
const OUTSIDE: [(&str, f64); 4] = [("a53", 0.8), ("a55", 0.9), ("a72", 1.5), ("a76", 2.5)];

/// What a core does in the loop that most multiply-adds are in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) core: &'static str,
    pub(super) cycles_by_fused: f64,
    pub(super) instructions_by_fused: f64,
}

/// Stages of a look at a face, by the beginnings of their names.
const LOOK: [&str; 5] = ["detection in", "landmarks", "quality", "alignment", "embedder"];

/// Prints, for each board, the milliseconds of each stage of a look and of all on one core, from what `bench arm`
/// counted on the plan.
///
/// # Errors
/// When a stage was not counted.
pub(super) fn print(name: &str, rows: &[Row], paces: &[Pace]) -> Result<()> {
    let stages: Vec<&Row> = LOOK
        .iter()
        .map(|stage| {
            let found = rows.iter().find(|row| row.engine == "plan" && row.stage.starts_with(stage));
            found.with_context(|| format!("{name} has no count of {stage:?} on the plan"))
        })
        .collect::<Result<_>>()?;
    println!("{name}: milliseconds of one core, estimated; weights and maps in the nearest cache");
    println!("{:<30}{:>12}{:>10}", "", "embedder", "a look");
    for (board, core, ghz) in BOARDS {
        let pace = paces.iter().find(|pace| pace.core == core).context("a core without a loop")?;
        let ms = |row: &Row| cycles(row, pace) / (ghz * 1e6);
        let all: f64 = stages.iter().map(|row| ms(row)).sum();
        println!("{board:<30}{:>12.1}{all:>10.1}", stages.last().map_or(0.0, |row| ms(row)));
    }
    Ok(())
}

/// Cycles of a stage: its multiply-adds at the loop's pace, everything else at the assumed one.
fn cycles(row: &Row, pace: &Pace) -> f64 {
    let fused = row.fused as f64;
    let rest = (row.instructions as f64 - fused * pace.instructions_by_fused).max(0.0);
    let outside = OUTSIDE.iter().find(|(core, _)| *core == pace.core).map_or(1.0, |(_, ipc)| *ipc);
    fused * pace.cycles_by_fused + rest / outside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(stage: &str, instructions: u64, fused: u64) -> Row {
        Row { stage: stage.to_owned(), engine: "plan".to_owned(), instructions, fused }
    }

    #[test]
    fn multiply_adds_go_at_the_loops_pace_and_the_rest_at_the_assumed_one() {
        let pace = Pace { core: "a72", cycles_by_fused: 1.0, instructions_by_fused: 1.25 };
        // 1000 in the loop with 250 others; 750 outside, three in two cycles.
        assert_eq!(cycles(&row("embedder", 2000, 1000), &pace), 1000.0 + 500.0);
        // A stage that multiplies and adds more densely than the loop has no time taken off.
        assert_eq!(cycles(&row("embedder", 1000, 1000), &pace), 1000.0);
    }

    #[test]
    fn counts_without_a_stage_are_refused_by_its_name() {
        let error = print("doornet", &[row("embedder", 1, 1)], &[]).unwrap_err().to_string();
        assert!(error.contains("detection in"), "{error}");
    }

    #[test]
    fn every_board_has_a_core_that_is_modelled() {
        for (board, core, _) in BOARDS {
            assert!(OUTSIDE.iter().any(|(known, _)| *known == core), "{board}");
        }
    }
}
