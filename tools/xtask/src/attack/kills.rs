//! Commands that write, killed at any moment: what was confirmed holds, and what was not is there whole or not at all.

use super::child::End;
use super::device::Device;
use super::ground::{Ground, text};
use super::people::{PEOPLE, People};
use super::random::Random;

use anyhow::{Result, ensure};
use std::fs;
use std::time::Duration;

/// Commands one after the other on one home, most of them killed.
const STEPS: usize = 4;

/// A command that writes; the number is of [`PEOPLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Enrol(usize),
    Add(usize),
    Replace(usize),
    Revoke(usize),
    Erase(usize),
    Renew,
    ToPassphrase,
    ToFile,
    Export,
    Import,
    Install,
    Replay,
}

impl Write {
    /// Whatever can be done while these are enrolled.
    pub(super) fn possible(people: &People) -> Vec<Self> {
        let of_strangers = people.strangers().into_iter().map(Self::Enrol);
        let enrolled = [Self::Add, Self::Replace, Self::Revoke, Self::Erase];
        let of_enrolled = enrolled.into_iter().flat_map(|make| people.enrolled().into_iter().map(make));
        let mut all: Vec<Self> = of_strangers.chain(of_enrolled).collect();
        all.extend([
            Self::Renew,
            Self::ToPassphrase,
            Self::ToFile,
            Self::Import,
            Self::Install,
            Self::Replay,
        ]);
        if !people.enrolled().is_empty() {
            all.push(Self::Export);
        }
        all
    }

    /// Its usual time is learned under this name.
    const fn name(self) -> &'static str {
        match self {
            Self::Enrol(_) => "enrol",
            Self::Add(_) => "add",
            Self::Replace(_) => "replace",
            Self::Revoke(_) => "revoke",
            Self::Erase(_) => "erase",
            Self::Renew => "renew",
            Self::ToPassphrase => "to passphrase",
            Self::ToFile => "to file",
            Self::Export => "export",
            Self::Import => "import",
            Self::Install => "install",
            Self::Replay => "replay",
        }
    }

    pub(super) fn words(self, device: &Device<'_>) -> Vec<String> {
        let name = |person: usize| PEOPLE[person].name.to_owned();
        let photo = |person: usize| device.photo(PEOPLE[person].photo);
        let other = |person: usize| device.photo(PEOPLE[person].other);
        let ground = device.ground;
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        match self {
            Self::Enrol(person) => words(&["enrol", &name(person), "--image", &photo(person)]),
            Self::Add(person) => words(&["enrol", &name(person), "--add", "--image", &other(person)]),
            Self::Replace(person) => words(&["enrol", &name(person), "--replace", "--image", &photo(person)]),
            Self::Revoke(person) => words(&["revoke", &name(person), "--yes"]),
            Self::Erase(person) => words(&["revoke", &name(person), "--yes", "--erase"]),
            Self::Renew => words(&["key", "renew"]),
            Self::ToPassphrase => words(&["key", "change", "--to", "passphrase"]),
            Self::ToFile => words(&["key", "change", "--to", "file"]),
            Self::Export => words(&["export", &text(&device.export())]),
            Self::Import => words(&["import", &text(&ground.export())]),
            Self::Install => words(&["pack", "install", &text(&ground.pack)]),
            Self::Replay => words(&["run", "--replay", &text(&ground.frames(PEOPLE[0].name))]),
        }
    }

    /// What it makes of the people: certainly, where `is_done`; else perhaps.
    pub(super) fn apply(self, people: &mut People, is_done: bool) {
        let change = if is_done { People::set } else { People::doubt };
        match self {
            Self::Enrol(person) | Self::Replace(person) => change(people, person, 1),
            Self::Add(person) => change(people, person, people.templates(person) + 1),
            Self::Revoke(person) | Self::Erase(person) => change(people, person, 0),
            Self::Import => people
                .strangers()
                .into_iter()
                .filter(|person| People::base().templates(*person) > 0)
                .for_each(|person| change(people, person, 1)),
            Self::Renew | Self::ToPassphrase | Self::ToFile | Self::Export | Self::Install | Self::Replay => {
            }
        }
    }
}

/// One home, some killed commands.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let device = Device::prepared(ground)?;
    let mut people = People::base();
    for _ in 0..STEPS {
        let write = *random.pick(&Write::possible(&people));
        let part = random.part();
        let end = killed(&device, write, part, &people)?;
        ensure!(matches!(end.code, None | Some(0)), "neither killed nor done: {end}");
        write.apply(&mut people, end.is_done());
        people.observe(&device)?;
        whole_or_not(&device, write)?;
        finish(&device, write, &mut people)?;
    }
    device.clear()
}

/// Runs the command, and kills it at this part of its usual time and a little more.
fn killed(device: &Device<'_>, write: Write, part: f64, people: &People) -> Result<End> {
    let ground = device.ground;
    let known = ground.usual.borrow().get(write.name()).copied();
    let usual = match known {
        Some(usual) => usual,
        None => learned(device, write, people)?,
    };
    // Somewhat behind the usual end as well: a busy machine is slower now and then.
    let after = usual.mul_f64(part * 1.1);
    let words = write.words(device);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    ground.end(device.start(&words)?, Some(after))
}

/// Its usual time, of a run on a copy of this home.
fn learned(device: &Device<'_>, write: Write, people: &People) -> Result<Duration> {
    let copy = device.copy()?;
    let words = write.words(&copy);
    let end = copy.call(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    end.expect(&[0])?;
    let mut people = people.clone();
    write.apply(&mut people, true);
    people.observe(&copy)?;
    copy.clear()?;
    device.ground.usual.borrow_mut().insert(write.name(), end.took);
    Ok(end.took)
}

/// A file that the command writes beside the home is complete, or is not there.
fn whole_or_not(device: &Device<'_>, write: Write) -> Result<()> {
    let export = device.export();
    if write == Write::Export && export.exists() {
        let empty = Device::empty(device.ground)?;
        empty.call(&["import", &text(&export)])?.expect(&[0])?;
        empty.clear()?;
        fs::remove_file(&export)?;
    }
    Ok(())
}

/// The next command that writes works, and leaves nothing of the killed one behind.
fn finish(device: &Device<'_>, write: Write, people: &mut People) -> Result<()> {
    let next = people.strangers().first().map_or(Write::Replace(0), |person| Write::Enrol(*person));
    let mut nexts = vec![next];
    // What an installation left is swept by the next installation.
    nexts.extend((write == Write::Install).then_some(Write::Install));
    // And the part of an export by the next export.
    nexts.extend((write == Write::Export).then_some(Write::Export));
    for next in nexts {
        let words = next.words(device);
        device.call(&words.iter().map(String::as_str).collect::<Vec<_>>())?.expect(&[0])?;
        next.apply(people, true);
    }
    if write == Write::Export {
        fs::remove_file(device.export())?;
    }
    device.is_tidy(write == Write::Install)?;
    people.observe(device)
}
