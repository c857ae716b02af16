//! The oracle: who must be enrolled, who must not, and whom a command without a clear end left in doubt.

use super::device::Device;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Somebody of whom there are photos.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) photo: &'static str,
    /// Another photo, where there is one.
    pub(super) other: &'static str,
}

/// Who may be enrolled; whoever is not is a stranger.
pub(super) const PEOPLE: [Person; 3] = [
    Person { name: "Barack", photo: "obama.jpg", other: "obama2.jpg" },
    Person { name: "Joe", photo: "biden.jpg", other: "biden.jpg" },
    Person { name: "Eileen", photo: "astronaut.png", other: "astronaut.png" },
];

/// How many templates the gallery may hold of each of [`PEOPLE`], 0 for nobody enrolled; one value where nothing is in
/// doubt.
#[derive(Debug, Clone)]
pub(super) struct People([Vec<usize>; PEOPLE.len()]);

impl People {
    pub(super) fn nobody() -> Self {
        Self(std::array::from_fn(|_| vec![0]))
    }

    /// The prepared home's: the first two, with a template each.
    pub(super) fn base() -> Self {
        Self([vec![1], vec![1], vec![0]])
    }

    /// Templates of a person, after [`People::observe`].
    pub(super) fn templates(&self, person: usize) -> usize {
        self.0[person][0]
    }

    pub(super) fn set(&mut self, person: usize, templates: usize) {
        self.0[person] = vec![templates];
    }

    /// It may also be so many.
    pub(super) fn doubt(&mut self, person: usize, templates: usize) {
        self.0[person].push(templates);
    }

    pub(super) fn enrolled(&self) -> Vec<usize> {
        (0..PEOPLE.len()).filter(|person| self.templates(*person) > 0).collect()
    }

    pub(super) fn strangers(&self) -> Vec<usize> {
        (0..PEOPLE.len()).filter(|person| self.templates(*person) == 0).collect()
    }

    /// The device holds what it promised, recognises everybody who is enrolled, and lets in nobody else. What was in
    /// doubt is known afterwards.
    pub(super) fn observe(&mut self, device: &Device<'_>) -> Result<()> {
        self.observe_list(device)?;
        self.observe_photos(device)?;
        device.call(&["log", "verify"])?.expect(&[0])
    }

    /// The device holds what it promised, also where it can only be read.
    pub(super) fn observe_list(&mut self, device: &Device<'_>) -> Result<()> {
        let end = device.call(&["list", "--json"])?;
        end.expect(&[0])?;
        let mut found = [0; PEOPLE.len()];
        for line in end.lines()? {
            let person = PEOPLE.iter().position(|person| line["name"] == person.name);
            let person = person.with_context(|| format!("somebody unknown is enrolled: {line}"))?;
            let templates =
                line["templates"].as_u64().with_context(|| format!("no count of templates: {line}"))?;
            found[person] = usize::try_from(templates)?;
        }
        for (person, found) in found.into_iter().enumerate() {
            let (name, promised) = (PEOPLE[person].name, &self.0[person]);
            ensure!(
                promised.contains(&found),
                "{name} has {found} templates, promised was one of {promised:?}"
            );
            self.set(person, found);
        }
        Ok(())
    }

    fn observe_photos(&self, device: &Device<'_>) -> Result<()> {
        let end = identify(device, &[])?;
        end.expect(&[0, 1])?;
        let lines = end.lines()?;
        ensure!(lines.len() == PEOPLE.len(), "not one line for each photo: {end}");
        for (person, line) in lines.iter().enumerate() {
            self.no_stranger(person, line)?;
            let name = PEOPLE[person].name;
            ensure!(
                is_grant(line) || self.templates(person) == 0,
                "{name} is enrolled and was denied: {line}"
            );
        }
        Ok(())
    }

    /// A person's photo was granted to nobody, or to that person, who is enrolled.
    fn no_stranger(&self, person: usize, line: &Value) -> Result<()> {
        let name = PEOPLE[person].name;
        ensure!(
            !is_grant(line) || (self.templates(person) > 0 && line["candidate"] == name),
            "{name}'s photo, of somebody who {}: {line}",
            if self.templates(person) > 0 { "is enrolled" } else { "is not" }
        );
        Ok(())
    }

    /// On a damaged home: identifying works or fails with a reason, and lets in nobody who is not enrolled.
    pub(super) fn observe_damaged(&self, device: &Device<'_>, more: &[&str]) -> Result<()> {
        let end = identify(device, more)?;
        end.expect_reason()?;
        if end.code.is_some_and(|code| code > 1) {
            return Ok(());
        }
        let lines = end.lines()?;
        lines.iter().enumerate().try_for_each(|(person, line)| self.no_stranger(person, line))
    }
}

pub(super) fn is_grant(line: &Value) -> bool {
    line["decision"] == "granted"
}

/// Identifies everybody's photo, in the order of [`PEOPLE`].
fn identify(device: &Device<'_>, more: &[&str]) -> Result<super::child::End> {
    let photos = PEOPLE.map(|person| device.photo(person.photo));
    let photos: Vec<&str> = photos.iter().map(String::as_str).collect();
    device.call(&[&["identify", "--json", "--image"], &photos[..], more].concat())
}
