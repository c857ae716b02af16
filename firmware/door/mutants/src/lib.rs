//! The door's machine, broken in one place at a time, to prove that its tests notice.
//!
//! `build.rs` copies the machine's sources once for each entry of `list.rs` and changes one place in the copy: the
//! product's own code knows nothing of it. Each copy is searched and played like the door itself.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "what the door's tests share fails by panicking")]

#[allow(dead_code, reason = "what is changed is for `build.rs`")]
mod list;
#[path = "../../tests/proof/mod.rs"]
#[allow(dead_code, reason = "how much was searched is for the door's own test")]
mod proof;

use std::panic::catch_unwind;

use arcdoor_door::scenario::{Machine, play_on};

use list::MUTANTS;
use proof::{search, worlds};

/// How the door's tests found a mutant out.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What it does wrong.
    pub what: &'static str,
    /// The rule of the search that it breaks, and the shortest way there, as a scenario.
    pub by_search: Option<(String, String)>,
    /// The scenario that ends otherwise.
    pub by_scenario: Option<String>,
}

/// Lets a copy of the machine be searched and played.
macro_rules! played {
    ($copy:ident) => {
        impl Machine for $copy::State {
            fn start(kept: arcdoor_door::Kept, now: arcdoor_door::Now) -> Self {
                Self::start(kept, now)
            }
            fn step(
                &mut self,
                policy: &arcdoor_door::Policy,
                event: arcdoor_door::Event,
                now: arcdoor_door::Now,
            ) -> arcdoor_door::Actions {
                self.step(policy, event, now)
            }
            fn position(&self) -> arcdoor_door::Position {
                self.position()
            }
            fn view(&self) -> arcdoor_door::View {
                self.view()
            }
            fn indicators(&self) -> arcdoor_door::Indicators {
                self.indicators()
            }
            fn kept(&self) -> &arcdoor_door::Kept {
                self.kept()
            }
            fn fingerprint(&self) -> u64 {
                use std::hash::{DefaultHasher, Hash, Hasher};
                let mut hasher = DefaultHasher::new();
                self.situation().hash(&mut hasher);
                hasher.finish()
            }
        }
    };
}

/// The copies.
mod copies {
    #![allow(missing_docs, unreachable_pub, unused, clippy::all, reason = "they are broken on purpose")]
    use super::{Machine, Verdict, verdict};
    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}

/// How many mutants there are.
#[must_use]
pub const fn count() -> usize {
    MUTANTS.len()
}

/// How the tests find out the mutant at `index`, below [`count`].
#[must_use]
pub fn judge(index: usize) -> Verdict {
    Verdict { what: MUTANTS[index].what, ..copies::VERDICTS[index]() }
}

/// The door's own scenarios: name and text.
fn scenarios() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &std::path::Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut all: Vec<_> = paths.map(|path| (name(&path), std::fs::read_to_string(&path).unwrap())).collect();
    all.sort();
    all
}

/// States of each world that are searched: the ways to break a rule are short, so that a part of the search finds them.
const MOST_STATES: usize = 20_000;

fn verdict<M: Machine>() -> Verdict {
    let fails = |text: &str| catch_unwind(|| play_on::<M>(text).end.is_err()).unwrap_or(true);
    let by_scenario = scenarios().into_iter().find(|(_, text)| fails(text)).map(|(name, _)| name);
    let mut worlds = worlds::all();
    // Small worlds first: most mutants are found out in one of them.
    worlds.sort_by_key(|world| world.events.len() * world.clocks.len());
    let by_search = worlds.iter().find_map(|world| {
        let found = catch_unwind(|| search::search::<M>(world, MOST_STATES));
        found.map_or(Some(("panics".to_owned(), String::new())), |found| {
            found.err().map(|found| (found.rule.to_owned(), found.scenario))
        })
    });
    Verdict { what: "", by_search, by_scenario }
}
