//! The stories in `scenarios/`, played: each denial, alarm and failure, with its own reason.
#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

use std::collections::BTreeSet;
use std::fs;

use arcdoor_door::Reason;
use arcdoor_door::scenario::{Problem, play};

/// Every scenario: its name, and its text.
fn scenarios() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| (path.display().to_string(), fs::read_to_string(&path).unwrap());
    paths.map(read).collect()
}

#[test]
fn every_scenario_ends_as_it_expects() {
    let stories = scenarios();
    for (name, text) in &stories {
        let story = play(text);
        if let Err(error) = story.end {
            panic!("{name}: {error}\n{}", story.lines.join("\n"));
        }
        assert!(text.contains("expect "), "{name} expects nothing");
    }
    println!("{} scenarios played", stories.len());
}

#[test]
fn no_reason_goes_untold() {
    let given: Vec<Reason> = scenarios().iter().flat_map(|(_, text)| play(text).reasons).collect();
    let untold: Vec<_> = Reason::ALL.iter().filter(|reason| !given.contains(reason)).collect();
    assert!(untold.is_empty(), "no scenario gives {untold:?}");
    let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len(), "two reasons share a name");
    println!("{} reasons, each given by a scenario", Reason::ALL.len());
}

#[test]
fn a_scenario_that_is_wrong_says_where_and_what_to_do() {
    let problem = |text: &str| play(text).end.unwrap_err();
    let cases = [
        ("0:00 tick\n0:01 opne", 2, "\"opne\" is no event"),
        ("soon tick", 1, "\"soon\" is no time"),
        ("0:05 tick\n0:04 tick", 2, "before the line above"),
        ("policy unlock 5s\npolicy unlock soon", 2, "\"policy unlock soon\" is no rule"),
        ("policy unlock 500ms", 1, "unlock_ms = 500 cannot be"),
        ("0:00 tick\npolicy unlock 5s", 2, "before the first event"),
        ("clock tomorrow", 1, "\"tomorrow\" is no clock"),
        ("0:00 tick\nexpect miracles", 2, "\"miracles\" cannot be expected"),
        ("0:00 tick\nexpect unlocked", 2, "expected unlocked; there was: locked"),
    ];
    for (text, line, part) in cases {
        let error = problem(text);
        assert!(error.line == line && error.to_string().contains(part), "{text}: {error}");
    }
    let long = "#\n".repeat(10_001);
    assert_eq!(problem(&long).problem, Problem::TooLong(10_000));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_panics(lines in proptest::collection::vec("(policy|clock|expect|inside|[+-]?[0-9:.]{1,4}m?s?)( [a-z0-9:+,-]{0,12}){0,3}", 0..8)) {
        let _ = play(&lines.join("\n"));
    }
}
