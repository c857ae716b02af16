//! Commands at the same time on one home: each is done or finds the home in use, and what was confirmed holds.

use super::device::Device;
use super::ground::Ground;
use super::kills::Write;
use super::people::{PEOPLE, People};
use super::random::Random;

use anyhow::{Result, ensure};

/// One home, two to four commands at once.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let is_first = random.coin();
    let (device, mut people) = if is_first {
        (Device::empty(ground)?, People::nobody())
    } else {
        (Device::prepared(ground)?, People::base())
    };
    // None changes what another is about, so that each could be done before or behind the others.
    let all: Vec<Write> = if is_first {
        (0..PEOPLE.len()).map(Write::Enrol).collect()
    } else {
        let changed = [Write::Enrol(2), Write::Add(0)];
        let others = [Write::Renew, Write::Export, Write::Install, Write::Replay];
        changed
            .into_iter()
            .chain(others)
            .chain([*random.pick(&[Write::Revoke(1), Write::Erase(1)])])
            .collect()
    };
    let count = 2 + random.below(3);
    let writes = random.draw(all, count);
    let mut running = Vec::new();
    for write in &writes {
        let words = write.words(&device);
        running.push(device.start(&words.iter().map(String::as_str).collect::<Vec<_>>())?);
    }
    let mut confirmed = 0;
    for (write, running) in writes.into_iter().zip(running) {
        let end = ground.end(running, None)?;
        ensure!(end.is_done() || end.found_the_home_in_use(), "neither done nor refused: {end}");
        if end.is_done() {
            confirmed += 1;
            write.apply(&mut people, true);
        }
    }
    ensure!(confirmed > 0, "each of the commands found the home in use");
    people.observe(&device)?;
    device.is_tidy(true)?;
    device.clear()
}
