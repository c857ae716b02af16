//! Rules and what is kept, read from and written to files.

use arcdoor_core::{Millis, SubjectId};
use arcdoor_door::{Alarm, Event, Fields, Kept, Now, Policy, State};

const SETTINGS: &str = r#"
fail_mode = "safe"
unlock_ms = 3000
two_person = { within_ms = 8000 }
methods = "card+face, card+pin"
in_alarm = "card+pin"

[schedule]
unlocked = [{ days = "mon-fri", hours = "08:00-18:00" }, { days = "holiday", hours = "10:00-12:00" }]
methods = [{ days = "mon-sun", hours = "20:00-24:00", methods = "card+pin" }]
holidays = ["2026-12-25"]
"#;

#[test]
fn rules_are_read_as_they_are_written() {
    let policy: Policy = toml::from_str(SETTINGS).unwrap();
    assert_eq!(policy.fields().methods.to_string(), "card+face,card+pin");
    assert_eq!(policy.fields().exit_ms, Fields::default().exit_ms, "what is not said has its default");
    let written = toml::to_string(&policy).unwrap();
    assert_eq!(toml::from_str::<Policy>(&written).unwrap(), policy, "{written}");
}

#[test]
fn rules_that_cannot_be_are_refused_with_the_remedy() {
    let refused = |text: &str| toml::from_str::<Policy>(text).unwrap_err().to_string();
    assert!(refused("unlock_ms = 90000").contains("within 1000 to 60000"));
    assert!(refused("methods = \"smile\"").contains("card+face"));
    assert!(
        refused("schedule.unlocked = [{ days = \"mon\", hours = \"22:00-06:00\" }]").contains("two windows")
    );
    assert!(refused("schedule.holidays = [\"2026-02-30\"]").contains("YYYY-MM-DD"));
    assert!(refused("unlock = 5").contains("unknown field"));
}

#[test]
fn a_power_cut_forgets_no_alarm_no_lockdown_and_nobody_inside() {
    let at = Now { mono: Millis(0), civil: None };
    let mut kept = Kept::default();
    kept.inside.enter(SubjectId(7));
    let mut door = State::start(kept, at);
    let policy = Policy::new(Fields::default()).unwrap();
    door.step(&policy, Event::Tamper(true), at);
    door.step(&policy, Event::Lockdown(true), at);
    let written = toml::to_string(door.kept()).unwrap();
    let read: Kept = toml::from_str(&written).unwrap();
    assert_eq!(&read, door.kept());
    assert!(read.lockdown && read.alarms.has(Alarm::Tamper) && read.inside.has(SubjectId(7)));
}
