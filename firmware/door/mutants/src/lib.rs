//! The door's machine, broken in one place at a time, to prove that its tests notice.
//!
//! `build.rs` copies the machine's sources once for each entry of `list.rs` and changes one place in the copy: the
//! product's own code knows nothing of it. Each copy is searched and played like the door itself, by `tests/killed.rs`:
//! `each_mutant!(function)` is an array of that function for each copy.
#![forbid(unsafe_code)]

#[allow(dead_code, reason = "what is changed is for `build.rs`")]
mod list;

use arcdoor_door::scenario::Machine;

/// What the mutant at `index` does wrong; `None`: there is none.
#[must_use]
pub fn what(index: usize) -> Option<&'static str> {
    list::MUTANTS.get(index).map(|mutant| mutant.what)
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
pub mod copies {
    #![allow(missing_docs, unreachable_pub, unused, clippy::all, reason = "they are broken on purpose")]
    use super::Machine;
    include!(concat!(env!("OUT_DIR"), "/mutants.rs"));
}
