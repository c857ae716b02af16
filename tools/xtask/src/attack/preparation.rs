//! What the rounds take copies of: a home with two people, a kept probe, a log and a pack, and what was made with it.

use super::device::Device;
use super::ground::{Ground, link, text};
use super::people::{PEOPLE, People};
use std::fs;

use anyhow::Result;

/// Views of one person in a replayed folder: enough for a grant.
const FRAMES: usize = 5;

/// Makes all of it, which is what no attack has touched.
pub(super) fn prepare(ground: &Ground) -> Result<()> {
    for person in &PEOPLE {
        let frames = ground.frames(person.name);
        fs::create_dir_all(&frames)?;
        let (_, kind) = person.photo.rsplit_once('.').unwrap_or_default();
        for number in 0..FRAMES {
            link(&ground.photos.join(person.photo), &frames.join(format!("{number}.{kind}")))?;
        }
    }
    let device = Device::at(ground, ground.base());
    device.set_up()?;
    for person in &PEOPLE[..2] {
        device.call(&["enrol", person.name, "--image", &device.photo(person.photo)])?.expect(&[0])?;
    }
    device.call(&["pack", "install", &text(&ground.pack)])?.expect(&[0])?;
    let frames = text(&ground.frames(PEOPLE[0].name));
    device.call(&["run", "--replay", &frames, "--trace", &text(&ground.trace())])?.expect(&[0])?;
    device.call(&["export", &text(&ground.export())])?.expect(&[0])?;
    People::base().observe(&device)
}
