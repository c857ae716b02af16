//! Photos of many people, where `ARCDOOR_DATA` names the folder of development data.

use std::path::{Path, PathBuf};

/// The first photo of some `about` people or more, evenly from one end of the alphabet to the other. `None` where
/// `ARCDOOR_DATA` names no folder.
#[must_use]
pub fn people(about: usize) -> Option<Vec<PathBuf>> {
    let Some(data) = std::env::var_os("ARCDOOR_DATA").map(PathBuf::from).filter(|data| data.is_dir()) else {
        println!("skipped: ARCDOOR_DATA names no folder of development data");
        return None;
    };
    let people: Vec<_> =
        within(&data.join("lfw-view1")).into_iter().filter(|person| person.is_dir()).collect();
    let step = (people.len() / about).max(1);
    Some(people.iter().step_by(step).filter_map(|person| within(person).into_iter().next()).collect())
}

/// What a folder holds, by name.
fn within(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
