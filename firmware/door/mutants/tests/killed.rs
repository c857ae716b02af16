//! Every mutant of the door is found out.
#![allow(clippy::unwrap_used, reason = "test helpers fail by panicking")]

#[path = "../../tests/proof/mod.rs"]
#[allow(dead_code, reason = "how much was searched is for the door's own test")]
mod proof;

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcdoor_door::scenario::{Machine, play, play_on};
use arcdoor_door_mutants::{each_mutant, what};
use proof::{search, worlds};

/// How the door's tests found a mutant out.
struct Verdict {
    /// The rule of the search that it breaks, and the shortest way there, as a scenario.
    by_search: Option<(String, String)>,
    /// The scenario that ends otherwise.
    by_scenario: Option<String>,
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
const MOST_STATES: usize = 5_000;

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
    Verdict { by_search, by_scenario }
}

#[test]
fn no_mutant_survives() {
    let judges = each_mutant!(verdict);
    std::panic::set_hook(Box::new(|_| {}));
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= judges.len() {
                return;
            }
            let verdict = judges[index]();
            verdicts.lock().unwrap().push((index, verdict));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(work);
        }
    });
    drop(std::panic::take_hook());
    let mut verdicts: Vec<(usize, Verdict)> = verdicts.into_inner().unwrap();
    verdicts.sort_by_key(|(index, _)| *index);
    let (mut survivors, mut searched, mut played) = (Vec::new(), 0, 0);
    for (index, Verdict { by_search, by_scenario }) in &verdicts {
        let what = what(*index).unwrap();
        let (rule, scenario) = by_search.as_ref().map_or(("-", ""), |(rule, text)| (rule, text));
        assert_eq!(play(scenario).end, Ok(()), "{what}: its counter-example cannot be played\n{scenario}");
        println!("{what:<58} search: {rule}; scenario: {}", by_scenario.as_deref().unwrap_or("-"));
        searched += usize::from(by_search.is_some());
        played += usize::from(by_scenario.is_some());
        if by_search.is_none() && by_scenario.is_none() {
            survivors.push(what);
        }
    }
    let found = verdicts.len() - survivors.len();
    println!(
        "{found} of {} mutants found out: {searched} by the search, {played} by a scenario",
        verdicts.len()
    );
    assert!(survivors.is_empty(), "survived: {survivors:#?}");
    assert!(
        verdicts.len() == judges.len() && judges.len() >= 30,
        "{} of {} mutants were judged",
        verdicts.len(),
        judges.len()
    );
}
