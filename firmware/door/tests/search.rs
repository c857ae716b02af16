//! Every state of every door that is searched holds what a door must hold.

#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

mod proof;

use arcdoor_door::State;
use proof::search::{search, walk};
use proof::worlds;
use proptest::prelude::*;

/// More than any world has.
const MOST_STATES: usize = 1_000_000;

#[test]
fn no_order_of_events_and_times_breaks_a_rule() {
    let (mut states, mut steps) = (0, 0);
    for world in worlds::all() {
        let found = search::<State>(&world, MOST_STATES)
            .unwrap_or_else(|broken| panic!("{}\nas a scenario:\n{}", broken.rule, broken.scenario));
        assert!(found.is_whole, "{}: more states than are searched", world.name);
        let (count, walked, most) = (found.states, found.steps, found.most_actions);
        println!("{count:>8} states {walked:>9} steps, at most {most:>2} actions: {}", world.name);
        (states, steps) = (states + count, steps + walked);
    }
    println!("{states:>8} states {steps:>9} steps in all");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_walk_through_all_rules_at_once_breaks_one(choices in prop::collection::vec(any::<u16>(), 1..120)) {
        for world in worlds::wide() {
            if let Err(broken) = walk::<State>(&world, &choices) {
                prop_assert!(false, "{}\nas a scenario:\n{}", broken.rule, broken.scenario);
            }
        }
    }
}
