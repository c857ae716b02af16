//! Start-up and running of one network on both engines: time, memory, equality. For least disturbed
//! figures pin it to one core (`taskset -c 1`); the least of several times is printed beside the median.
//!
//! `cargo run --release --workspace --example start -- FILE HEIGHT WIDTH OUTPUT...`
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::error::Error;
use std::time::Instant;

use arcdoor_infer::{EngineChoice, Net, NetSpec, Session};

/// Loads that are timed.
const LOADS: usize = 5;

/// Kilobytes of resident memory, and its peak.
fn memory() -> Result<[u64; 2], Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Ok([field("VmRSS:").ok_or("no VmRSS")?, field("VmHWM:").ok_or("no VmHWM")?])
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, height, width, outputs @ ..] = &*arguments else {
        return Err("FILE HEIGHT WIDTH OUTPUT...".into());
    };
    let outputs: Vec<&str> = outputs.iter().map(|name| &**name).collect();
    let spec = NetSpec { input: [1, 3, height.parse()?, width.parse()?], outputs: &outputs };
    let mut answers = Vec::new();
    for choice in [EngineChoice::Plan, EngineChoice::Tract] {
        let before = memory()?;
        let onnx = std::fs::read(file)?;
        let mut loads = Vec::new();
        for _ in 0..LOADS {
            let start = Instant::now();
            drop(Net::load(&onnx, &spec, &choice.into())?);
            loads.push(start.elapsed().as_secs_f64() * 1e3);
        }
        loads.sort_by(f64::total_cmp);
        let net = Net::load(&onnx, &spec, &choice.into())?;
        drop(onnx);
        let mut session = net.session()?;
        let fill = |session: &mut Session| {
            let mut state = 1_u32;
            for value in session.input_mut() {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            }
        };
        fill(&mut session);
        let start = Instant::now();
        session.run()?;
        let first = start.elapsed().as_secs_f64() * 1e3;
        let after = memory()?;
        let mut times = Vec::new();
        for _ in 0..60 {
            fill(&mut session);
            let start = Instant::now();
            session.run()?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{:5}: least load {:.1} ms, first run {:.1} ms, median run {:.2} ms, least {:.2} ms, \
             resident {:+} kB (peak {} kB), plan {:?}",
            net.engine(),
            loads[0],
            first,
            times[times.len() / 2],
            times[0],
            after[0] as i64 - before[0] as i64,
            after[1],
            net.plan_bytes(),
        );
        answers.push((0..outputs.len()).map(|i| session.output(i).to_vec()).collect::<Vec<_>>());
    }
    for (name, (a, b)) in outputs.iter().zip(answers[0].iter().zip(&answers[1])) {
        let largest = b.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let off = a.iter().zip(b).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        println!(
            "{name}: {} values, greatest difference {:.2e} of the greatest value",
            a.len(),
            off / largest
        );
    }
    Ok(())
}
