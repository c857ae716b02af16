//! `cargo xtask bench door`: what the daemon with a door in memory costs, and how soon a face opens it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::door_demo::{home, write_story};
use crate::{cargo, fetch};

const RATE: usize = 15;
const SETTINGS: &str =
    "[door]\nboard = \"simulated\"\n\n[door.policy]\nmethods = \"face\"\nunlock_ms = 1000\n";
/// Seconds of nobody, of which the first six are awake; then of one who stays.
const NOBODY_S: usize = 14;
const STAYS_S: usize = 14;
/// Then visits of a second and a half, and as long nobody.
const VISITS: usize = 40;
const VISIT_FRAMES: usize = 23;
/// Kills.
const RESTARTS: usize = 5;

/// Plays it once, and prints the figures.
pub(crate) fn run(subjects: usize) -> Result<()> {
    cargo::build_binaries()?;
    let photos = fetch::demo_photos()?;
    let out = cargo::target_dir().join("door-bench");
    home(&out, SETTINGS)?;
    let mut story = vec![(None, NOBODY_S * RATE), (Some("obama2.jpg"), STAYS_S * RATE)];
    for _ in 0..VISITS {
        story.extend([(None, VISIT_FRAMES), (Some("obama2.jpg"), VISIT_FRAMES)]);
    }
    story.push((None, VISIT_FRAMES));
    write_story(&out.join("frames"), &photos, &story)?;
    enrol(&out, &photos, subjects)?;
    let mut door = arcdoor(&out)
        .args(["run", "--simulate", "--rate", &RATE.to_string(), "--replay"])
        .arg(out.join("frames"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let measured = measure(&mut door);
    let ended = door.wait()?;
    ensure!(ended.success(), "arcdoor run ended with {ended}");
    let Costs { dozing, awake, resident, threads } = measured?;
    let latencies = latencies(&out)?;
    ensure!(latencies.len() > VISITS / 2, "only {} grants reached the relay", latencies.len());
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share).round() as usize];
    println!("{subjects} subjects, {RATE} frames a second, one face at a time; the machine is as it is");
    println!(
        "CPU while nothing moves: {:.1} % of a core; while one stands there: {:.1} %",
        dozing * 100.0,
        awake * 100.0
    );
    println!("resident at most: {:.1} MB; threads: {threads}", resident as f64 / 1e6);
    println!(
        "from the deciding frame to the relay, {} grants: median {:.0} ms, 95 % within {:.0} ms, at most {:.0} ms",
        latencies.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
    let restarts = restarts(&out)?;
    println!(
        "killed and started again, with {subjects} subjects: ready after {:.2} s (the median of {RESTARTS}; {:.2} to {:.2})",
        restarts[RESTARTS / 2],
        restarts[0],
        restarts[RESTARTS - 1]
    );
    Ok(())
}

/// Seconds from a start to the word to the supervisor that the door is ready, least first; each was killed before.
fn restarts(out: &Path) -> Result<Vec<f64>> {
    let heard = out.join("notify");
    // What an earlier run left.
    let _ = fs::remove_file(&heard);
    let supervisor = UnixDatagram::bind(&heard)?;
    supervisor.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut seconds = Vec::new();
    for _ in 0..=RESTARTS {
        let begun = Instant::now();
        let mut door = arcdoor(out)
            .args(["run", "--simulate", "--rate", &RATE.to_string(), "--replay"])
            .arg(out.join("frames"))
            .env("NOTIFY_SOCKET", &heard)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let ready = is_ready(&supervisor);
        seconds.push(begun.elapsed().as_secs_f64());
        door.kill()?;
        door.wait()?;
        ready?;
    }
    // The first one was no restart.
    seconds.remove(0);
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// Waits for sd_notify(3)'s word.
fn is_ready(supervisor: &UnixDatagram) -> Result<()> {
    let mut word = [0; 256];
    loop {
        let length = supervisor.recv(&mut word).context("the door does not say that it is ready")?;
        if word[..length].starts_with(b"READY=1") {
            return Ok(());
        }
    }
}

fn arcdoor(out: &Path) -> Command {
    let mut command = Command::new(cargo::binary("arcdoor"));
    command.env_remove("ARCDOOR_PACK").env_remove("ARCDOOR_SOCKET");
    command.arg("--home").arg(out.join("home"));
    command
}

/// The man of the story, and as many others as are wanted.
fn enrol(out: &Path, photos: &Path, subjects: usize) -> Result<()> {
    let enrol = |name: &str, photo: &str| {
        let mut command = arcdoor(out);
        command.args(["enrol", name, "--duplicate", "--image"]).arg(photos.join(photo));
        cargo::check(command.stdout(Stdio::null()).stderr(Stdio::null()))
    };
    enrol("Barack", "obama.jpg")?;
    for number in 1..subjects {
        if number % 100 == 0 {
            eprintln!("{number} of {subjects} subjects are enrolled");
        }
        enrol(&format!("subject {number}"), "biden.jpg")?;
    }
    Ok(())
}

struct Costs {
    /// Shares of a core.
    dozing: f64,
    awake: f64,
    resident: u64,
    threads: u64,
}

fn measure(door: &mut Child) -> Result<Costs> {
    let process = PathBuf::from(format!("/proc/{}", door.id()));
    let status = |key: &str| -> Result<u64> {
        let text = fs::read_to_string(process.join("status"))?;
        let line =
            text.lines().find(|line| line.starts_with(key)).context("the kernel says nothing of it")?;
        Ok(line.split_whitespace().nth(1).context("no number")?.parse()?)
    };
    let share = |from: Duration, to: Duration, begun: Instant| -> Result<f64> {
        sleep(from.saturating_sub(begun.elapsed()));
        let (before, at) = (cpu_s(&process)?, begun.elapsed());
        sleep(to.saturating_sub(begun.elapsed()));
        Ok((cpu_s(&process)? - before) / (begun.elapsed() - at).as_secs_f64())
    };
    let (begun, seconds) = (Instant::now(), |s: usize| Duration::from_secs(s as u64));
    let dozing = share(seconds(7), seconds(NOBODY_S - 1), begun)?;
    let awake = share(seconds(NOBODY_S + 2), seconds(NOBODY_S + STAYS_S - 1), begun)?;
    sleep(seconds(NOBODY_S + STAYS_S + 2 * VISITS * VISIT_FRAMES / RATE).saturating_sub(begun.elapsed()));
    Ok(Costs { dozing, awake, resident: status("VmHWM")? * 1024, threads: status("Threads")? })
}

/// Seconds of CPU that a process took: the kernel counts hundredths (proc_pid_stat(5), fields 14 and 15).
fn cpu_s(process: &Path) -> Result<f64> {
    let text = fs::read_to_string(process.join("stat"))?;
    let fields: Vec<&str> = text.rsplit(") ").next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).context("no time");
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

/// Milliseconds from each granted frame to the relay's entry, least first.
fn latencies(out: &Path) -> Result<Vec<f64>> {
    let output = arcdoor(out).args(["log", "-n", "100000", "--json"]).output()?;
    let text = String::from_utf8(output.stdout).context("arcdoor wrote something that is not text")?;
    let (mut seen, mut found) = (None, Vec::new());
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let at = entry["at"].as_str().and_then(second_of_day);
        if entry["event"] == "decision" {
            seen = at.filter(|_| entry["decision"] == "granted");
        } else if entry["event"] == "door" && entry["reason"] == "granted" && !entry["method"].is_null() {
            found.extend(seen.take().zip(at).map(|(seen, at)| (at - seen) * 1e3));
        }
    }
    found.sort_by(f64::total_cmp);
    Ok(found)
}

/// Of a time such as `2026-11-28T21:39:10.123Z`.
fn second_of_day(text: &str) -> Option<f64> {
    let mut parts = text.split_once('T')?.1.trim_end_matches('Z').split(':').map(str::parse::<f64>);
    let [hour, minute, second] = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    Some(hour * 3600.0 + minute * 60.0 + second)
}
