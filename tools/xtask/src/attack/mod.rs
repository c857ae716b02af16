//! `cargo xtask attack`: a soak test of the built binary. Commands are killed, raced and starved, files are damaged,
//! and after each step what the device promised is compared with what it holds.
//!
//! Each round draws from a seed of its own, the first one's plus its number, and that seed also chooses its kind: a
//! broken promise is repeated by starting at the round's seed. What depends on time (when a kill hits, who wins a race)
//! is repeated only roughly.

mod bytes;
mod child;
mod device;
mod faults;
mod flips;
mod floods;
mod ground;
mod inputs;
mod kills;
mod people;
mod preparation;
mod races;
mod random;
mod tally;

use ground::Ground;
use random::Random;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tally::Tally;

use anyhow::{Context, Result};

use crate::{cargo, fetch, pack};

const PACK: &str = "yunet-sface";

struct Kind {
    name: &'static str,
    round: fn(&Ground, &mut Random) -> Result<()>,
}

const KINDS: [Kind; 6] = [
    Kind { name: "kills", round: kills::round },
    Kind { name: "races", round: races::round },
    Kind { name: "flips", round: flips::round },
    Kind { name: "floods", round: floods::round },
    Kind { name: "faults", round: faults::round },
    Kind { name: "inputs", round: inputs::round },
];

/// Attacks for so many minutes; ends with an error at the first broken promise.
pub(crate) fn run(minutes: u32, seed: Option<u64>) -> Result<()> {
    eprintln!("building arcdoor (the first time takes some minutes) ...");
    cargo::build_binaries()?;
    pack::build(PACK, None)?;
    let dir = std::env::temp_dir().join(format!("arcdoor-attack-{}", std::process::id()));
    let pack = cargo::root().join("models/packs").join(PACK);
    let ground = Ground::new(cargo::binary("arcdoor"), pack, fetch::demo_photos()?, dir.clone())?;
    preparation::prepare(&ground)
        .with_context(|| format!("before the first attack; what was written is kept in {}", dir.display()))?;
    let mut tallies: [Tally; KINDS.len()] = Default::default();
    let result = attack(&ground, &mut tallies, Duration::from_secs(60 * u64::from(minutes)), seed);
    Tally::print_header();
    for (kind, tally) in KINDS.iter().zip(&tallies) {
        tally.print_row(kind.name);
    }
    result?;
    println!("\nevery promise was kept");
    ground.clear()
}

fn attack(ground: &Ground, tallies: &mut [Tally], at_most: Duration, seed: Option<u64>) -> Result<()> {
    let start = Instant::now();
    let mut seed = seed.unwrap_or_else(drawn_seed);
    while start.elapsed() < at_most {
        let number = usize::try_from(seed % KINDS.len() as u64)?;
        let kind = &KINDS[number];
        eprintln!("{:>5} s  {} (seed {seed}) ...", start.elapsed().as_secs(), kind.name);
        let _ = ground.swap_tally(std::mem::take(&mut tallies[number]));
        let began = Instant::now();
        let result = (kind.round)(ground, &mut Random::new(seed));
        let tally = &mut tallies[number];
        *tally = ground.swap_tally(Tally::default());
        tally.rounds += 1;
        tally.took += began.elapsed();
        result.with_context(|| broken(kind.name, seed, ground.newest()))?;
        seed = seed.wrapping_add(1);
    }
    Ok(())
}

fn broken(kind: &str, seed: u64, home: PathBuf) -> String {
    format!(
        "{kind} broke a promise; the home is kept in {}; `cargo xtask attack --seed {seed}` repeats the attack",
        home.display()
    )
}

/// The time in milliseconds: another one at each start.
fn drawn_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or_default()
}
