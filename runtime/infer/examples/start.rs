//! Start-up and running of one network on both engines: thread CPU time, memory, equality.
//!
//! `cargo run --release --workspace --example start -- FILE HEIGHT WIDTH OUTPUT...`
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::error::Error;

use arcdoor_infer::{EngineChoice, Net, NetSpec};

/// Milliseconds that this thread has spent on a CPU.
fn cpu_ms() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("no schedstat")?.parse::<f64>()? / 1e6)
}

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
        let start = cpu_ms()?;
        let net = Net::load_on(&onnx, &spec, choice)?;
        drop(onnx);
        let loaded = cpu_ms()?;
        let mut session = net.session()?;
        let mut state = 1_u32;
        for value in session.input_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
        }
        session.run()?;
        let first = cpu_ms()?;
        let after = memory()?;
        let mut times = Vec::new();
        for _ in 0..25 {
            let start = cpu_ms()?;
            session.run()?;
            times.push(cpu_ms()? - start);
        }
        times.sort_by(f64::total_cmp);
        println!(
            "{:5}: load {:.1} ms, first run {:.1} ms, median run {:.2} ms, least {:.2} ms, \
             resident {:+} kB (peak {} kB), plan {:?}",
            net.engine(),
            loaded - start,
            first - loaded,
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
