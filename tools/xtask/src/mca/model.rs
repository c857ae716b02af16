//! llvm-mca: LLVM's models of pipelines, run over a loop.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::loops::Loop;
use crate::qemu::output;

/// Newest first; the plain name is the distribution's own.
const NEWEST: u32 = 25;
const OLDEST: u32 = 14;
/// Iterations that the model runs: the start then counts for less than a hundredth.
const ITERATIONS: u32 = 200;
/// A loop is bound by a unit that is busy for at least this share of its cycles.
const BUSY: f64 = 0.9;

/// The program, and its version.
pub(super) struct Model {
    program: String,
    pub(super) version: String,
}

/// What the model says of one loop on one core.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// Cycles of an iteration.
    pub(super) cycles: f64,
    pub(super) bound: Bound,
}

/// What keeps a loop from running faster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Bound {
    /// The unit of that name, which multiplies and adds.
    Multiply(String),
    /// The unit of that name, which loads.
    Load(String),
    /// The unit of that name, which does neither.
    Port(String),
    /// So many micro-operations start in a cycle at most.
    Dispatch(u32),
    /// No unit is busy all the time: instructions wait for others' results, or for their turn.
    Latency,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Multiply(port) => write!(f, "multiply-adds ({port})"),
            Self::Load(port) => write!(f, "loads ({port})"),
            Self::Port(port) => write!(f, "port {port}"),
            Self::Dispatch(width) => write!(f, "dispatch of {width}"),
            Self::Latency => f.write_str("latency"),
        }
    }
}

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "CodeRegions")]
    regions: Vec<Region>,
    #[serde(rename = "TargetInfo")]
    target: Target,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "Resources")]
    resources: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Region {
    instructions: Vec<String>,
    summary_view: Summary,
    resource_pressure_view: Pressure,
    instruction_info_view: Info,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(rename = "DispatchWidth")]
    dispatch_width: u32,
    #[serde(rename = "Iterations")]
    iterations: u32,
    #[serde(rename = "TotalCycles")]
    cycles: f64,
    #[serde(rename = "TotaluOps")]
    operations: f64,
}

#[derive(Deserialize)]
struct Pressure {
    #[serde(rename = "ResourcePressureInfo")]
    info: Vec<Use>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Use {
    instruction_index: usize,
    resource_index: usize,
    resource_usage: f64,
}

#[derive(Deserialize)]
struct Info {
    #[serde(rename = "InstructionList")]
    list: Vec<Instruction>,
}

#[derive(Deserialize)]
struct Instruction {
    #[serde(rename = "mayLoad")]
    loads: bool,
}

impl Model {
    /// The newest that is installed.
    ///
    /// # Errors
    /// When none is.
    pub(super) fn find() -> Result<Self> {
        let names = (OLDEST..=NEWEST).rev().map(|number| format!("llvm-mca-{number}"));
        for program in names.chain(["llvm-mca".to_owned()]) {
            let Ok(text) = output(Command::new(&program).arg("--version")) else { continue };
            let version = text.lines().find(|line| line.contains("LLVM version"));
            let version = version.with_context(|| format!("{program} does not say its version"))?;
            return Ok(Self { program, version: version.trim().to_owned() });
        }
        anyhow::bail!("llvm-mca is not installed: apt-get install llvm")
    }

    /// Runs a loop on LLVM's model of `core`, as `-mcpu` has it.
    ///
    /// # Errors
    /// When llvm-mca fails, or says what cannot be read.
    pub(super) fn run(&self, core: &str, one: &Loop) -> Result<Verdict> {
        verdict(&self.report(core, &one.body.join("\n"))?)
    }

    /// Whether `core` has a model in which some unit's name begins with `unit`: older versions know the core's name
    /// and lend it another's.
    ///
    /// # Errors
    /// When llvm-mca fails.
    pub(super) fn has(&self, core: &str, unit: &str) -> Result<bool> {
        let report = self.report(core, "nop")?;
        Ok(report.target.resources.iter().any(|name| name.starts_with(unit)))
    }

    fn report(&self, core: &str, instructions: &str) -> Result<Report> {
        let mut command = Command::new(&self.program);
        command.args(["-mtriple=aarch64", &format!("-mcpu={core}"), "-json"]);
        command.arg(format!("-iterations={ITERATIONS}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program))?;
        let mut input = child.stdin.take().context("no way into llvm-mca")?;
        // What a loop's text takes fits into the pipe: the program reads it all before it writes.
        input.write_all(instructions.as_bytes())?;
        drop(input);
        let done = child.wait_with_output()?;
        ensure!(done.status.success(), "{} -mcpu={core} ended with {}", self.program, done.status);
        serde_json::from_slice(&done.stdout)
            .with_context(|| format!("{}'s report is not as expected", self.program))
    }
}

/// What a report of one loop means.
fn verdict(report: &Report) -> Result<Verdict> {
    let [region] = report.regions.as_slice() else { anyhow::bail!("not one region") };
    let summary = &region.summary_view;
    ensure!(summary.iterations > 0 && summary.cycles > 0.0, "nothing ran");
    let cycles = summary.cycles / f64::from(summary.iterations);
    let mut busy: BTreeMap<usize, f64> = BTreeMap::new();
    let uses = &region.resource_pressure_view.info;
    // One row more than instructions holds the sums.
    for one in uses.iter().filter(|one| one.instruction_index < region.instructions.len()) {
        *busy.entry(one.resource_index).or_default() += one.resource_usage;
    }
    let dispatch = summary.operations / f64::from(summary.iterations) / f64::from(summary.dispatch_width);
    let busiest = busy.iter().max_by(|a, b| a.1.total_cmp(b.1));
    let bound = match busiest {
        Some((_, &most)) if most.max(dispatch) < BUSY * cycles => Bound::Latency,
        Some((&unit, &most)) if most >= dispatch => {
            let port = report.target.resources.get(unit).context("a unit without a name")?;
            let port = port.split('.').next().unwrap_or(port).to_owned();
            let used_by = |of: &dyn Fn(usize) -> bool| {
                uses.iter().any(|one| one.resource_index == unit && of(one.instruction_index))
            };
            let list = &region.instruction_info_view.list;
            if used_by(&|at| region.instructions.get(at).is_some_and(|line| line.starts_with("fmla"))) {
                Bound::Multiply(port)
            } else if used_by(&|at| list.get(at).is_some_and(|one| one.loads)) {
                Bound::Load(port)
            } else {
                Bound::Port(port)
            }
        }
        _ => Bound::Dispatch(summary.dispatch_width),
    };
    Ok(Verdict { cycles, bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of a multiply-add, a load and a subtraction, in the form that LLVM 14 and 19 write.
    fn report(cycles: u32, multiply: f64, load: f64) -> String {
        let used = |at: u32, unit: u32, usage: f64| {
            format!(r#"{{"InstructionIndex": {at}, "ResourceIndex": {unit}, "ResourceUsage": {usage}}}"#)
        };
        let info = |loads: bool| format!(r#"{{"Instruction": 0, "Latency": 4, "mayLoad": {loads}}}"#);
        format!(
            r#"{{"CodeRegions": [{{
                "Instructions": ["fmla\tv0.4s, v1.4s, v2.s[0]", "ldr\tq3, [x0]", "subs\tx1, x1, #1"],
                "InstructionInfoView": {{"InstructionList": [{}, {}, {}]}},
                "ResourcePressureView": {{"ResourcePressureInfo": [{}, {}, {}, {}]}},
                "SummaryView": {{"DispatchWidth": 2, "Iterations": 100, "TotalCycles": {cycles}, "TotaluOps": 300}}
            }}], "TargetInfo": {{"Resources": ["A53UnitALU.\u0000", "A53UnitFPMDS", "A53UnitLdSt"]}}}}"#,
            info(false),
            info(true),
            info(false),
            used(0, 1, multiply),
            used(1, 2, load),
            used(2, 0, 0.5),
            // The sums of all.
            used(3, 1, 90.0),
        )
    }

    fn read(json: &str) -> Verdict {
        verdict(&serde_json::from_str(json).unwrap()).unwrap()
    }

    #[test]
    fn a_loop_is_bound_by_the_unit_that_is_always_busy() {
        let verdict = read(&report(400, 4.0, 1.0));
        assert_eq!(verdict, Verdict { cycles: 4.0, bound: Bound::Multiply("A53UnitFPMDS".to_owned()) });
        assert_eq!(read(&report(400, 1.0, 3.9)).bound, Bound::Load("A53UnitLdSt".to_owned()));
        // Three operations, two at a time.
        assert_eq!(read(&report(150, 1.0, 1.0)).bound, Bound::Dispatch(2));
        // Nothing is busy.
        assert_eq!(read(&report(1000, 4.0, 1.0)).bound, Bound::Latency);
    }

    #[test]
    fn a_report_in_another_form_is_refused() {
        let whole = report(400, 4.0, 1.0);
        for broken in [&whole[..whole.len() / 2], "", "{}", &whole.replace("TotalCycles", "Cycles")] {
            assert!(serde_json::from_str::<Report>(broken).is_err(), "{broken}");
        }
        let nothing = report(0, 4.0, 1.0);
        assert!(verdict(&serde_json::from_str(&nothing).unwrap()).is_err());
    }
}
