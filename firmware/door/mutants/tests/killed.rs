//! Every mutant of the door is found out.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcdoor_door::scenario::play;
use arcdoor_door_mutants::{Verdict, count, judge};

#[test]
fn no_mutant_survives() {
    std::panic::set_hook(Box::new(|_| {}));
    let (next, verdicts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count() {
                return;
            }
            let verdict = judge(index);
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
    for (_, Verdict { what, by_search, by_scenario }) in &verdicts {
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
        verdicts.len() == count() && count() >= 30,
        "{} of {} mutants were judged",
        verdicts.len(),
        count()
    );
}
