//! What a witness outside the door knows, and what it holds to be right.

use arcdoor_core::SubjectId;
use arcdoor_door::scenario::Machine;
use arcdoor_door::{
    About, Action, Actions, Alarm, Buzzer, Civil, Contact, Credential, Event, Factor, Kept, Kind, Level,
    Policy, Position, Reason, View,
};

use super::worlds::{ADA, BOB};

/// What happens in one step of the search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Happening {
    Event(Event),
    /// The program ends, and starts again with what it kept.
    Restart,
}

/// How much time passes before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Passing {
    Ms(u64),
    /// Longer than any delay.
    Far,
    /// The clock runs backwards.
    Back,
}

impl Passing {
    /// What every delay is to take off; all of it where the clock ran backwards.
    const fn elapsed_ms(self) -> u64 {
        match self {
            Self::Ms(ms) => ms,
            Self::Far | Self::Back => u64::MAX,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Grant {
    left_ms: u64,
    opened: bool,
    /// Ada, Bob.
    people: [bool; 2],
}

/// What the witness knows, by rules that are not the machine's.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Witness {
    started: bool,
    driven: Option<Level>,
    differs: bool,
    open: Option<bool>,
    /// Since when the door stands open though it may not, milliseconds.
    held_ms: Option<u64>,
    exit_left_ms: Option<u64>,
    grant: Option<Grant>,
    /// How long ago each subject presented face, card, PIN, milliseconds; forgotten once it is of no use.
    proofs: [[Option<u64>; 3]; 2],
    fire_line: bool,
    fire: bool,
    lockdown: bool,
    tamper: Option<bool>,
    standing: [bool; 3],
    seen: [bool; 3],
    inside: [bool; 2],
    hours: bool,
}

/// A rule that does not hold.
pub(crate) type Broken = &'static str;

fn hold(holds: bool, rule: Broken) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(rule) }
}

fn index(subject: SubjectId) -> usize {
    usize::from(subject == BOB)
}

fn reports(actions: &Actions) -> impl Iterator<Item = (Reason, About)> {
    actions.iter().filter_map(|action| match action {
        Action::Report { reason, about } => Some((*reason, *about)),
        _ => None,
    })
}

fn count(actions: &Actions, reason: Reason) -> usize {
    reports(actions).filter(|(given, _)| *given == reason).count()
}

impl Witness {
    /// A door at its start, with what it kept.
    pub(crate) fn at_start(kept: &Kept) -> Self {
        Self {
            started: false,
            driven: None,
            differs: false,
            open: None,
            held_ms: None,
            exit_left_ms: None,
            grant: None,
            proofs: [[None; 3]; 2],
            fire_line: false,
            fire: false,
            lockdown: kept.lockdown,
            tamper: None,
            standing: Alarm::ALL.map(|alarm| kept.alarms.has(alarm)),
            seen: Alarm::ALL.map(|alarm| kept.alarms.is_acknowledged(alarm)),
            inside: [ADA, BOB].map(|subject| kept.inside.has(subject)),
            hours: false,
        }
    }

    /// What a restart leaves of what the witness knows: what is to be kept.
    pub(crate) fn restarted(&self) -> Self {
        let empty = Self::at_start(&Kept::default());
        Self {
            lockdown: self.lockdown,
            standing: self.standing,
            seen: self.seen,
            inside: self.inside,
            ..empty
        }
    }

    const fn is_free(&self) -> bool {
        self.fire || (self.hours && !self.lockdown)
    }

    /// Whether something else than a grant unlocks the door.
    pub(crate) const fn stays_unlocked(&self) -> bool {
        self.is_free()
    }

    /// Whether the door is at rest: locked, closed, nothing stands.
    pub(crate) fn is_at_rest<M: Machine>(&self, door: &M) -> bool {
        let ready = matches!(door.view(), View::Ready(_)) && door.position() == Position::Locked;
        ready && self.open == Some(false) && !self.differs && self.tamper != Some(true)
    }

    /// Takes in one step, and says which rule it broke.
    pub(crate) fn watch<M: Machine>(
        &mut self,
        (before, after): (&M, &M),
        policy: &Policy,
        passing: Passing,
        civil: Option<Civil>,
        event: Event,
        actions: &Actions,
    ) -> Result<(), Broken> {
        let was = self.clone();
        hold(actions.len() < arcdoor_door::limits::MAX_ACTIONS, "no action is lost for want of room")?;
        let expected = self.pass(policy, passing, civil);
        let enabled = policy.methods(civil, self.standing.contains(&true));
        let after_time = self.clone();
        let expected = [expected, self.take(policy, event, actions, enabled)?].concat();
        self.settle(actions);
        for reason in Reason::ALL {
            let is_watched = WATCHED.contains(&reason);
            let wanted = expected.iter().filter(|expected| **expected == reason).count();
            hold(!is_watched || count(actions, reason) == wanted, reason.name())?;
        }
        self.check_lock(after, policy, event, actions)?;
        self.check_kept(before, after, actions)?;
        self.check_view(after, policy)?;
        was.check_alarms(self, event, actions)?;
        check_attempt(&after_time, event, actions)?;
        let changed = before.position() != after.position()
            || before.view() != after.view()
            || before.kept() != after.kept()
            || was.open != self.open
            || was.fire != self.fire
            || was.differs != self.differs;
        let fades = matches!(before.view(), View::Denied) || matches!(after.view(), View::Ready(_));
        hold(!changed || fades || !actions.is_empty(), "every transition names its reason")
    }

    /// Time passes; which reasons it gives.
    fn pass(&mut self, policy: &Policy, passing: Passing, civil: Option<Civil>) -> Vec<Reason> {
        let (fields, elapsed_ms) = (policy.fields(), passing.elapsed_ms());
        let mut expected = Vec::new();
        if !self.started {
            self.started = true;
            expected.push(Reason::Started);
            expected.extend(self.lockdown.then_some(Reason::LockdownKept));
            expected.extend(self.standing.iter().filter(|stands| **stands).map(|_| Reason::AlarmKept));
        }
        expected.extend((passing == Passing::Back).then_some(Reason::ClockJumped));
        if let Some(grant) = &mut self.grant {
            grant.left_ms = grant.left_ms.saturating_sub(elapsed_ms);
            if grant.left_ms == 0 {
                let people = grant.people.iter().filter(|person| **person).count();
                match grant.opened {
                    true => expected.push(Reason::UnlockOver),
                    false => expected.extend(vec![Reason::NotOpened; people]),
                }
                self.grant = None;
            }
        }
        if let Some(left_ms) = &mut self.exit_left_ms {
            *left_ms = left_ms.saturating_sub(elapsed_ms);
            if *left_ms == 0 {
                self.exit_left_ms = None;
                expected.push(Reason::ExitNotUsed);
            }
        }
        if let Some(held_ms) = &mut self.held_ms {
            let before_ms = *held_ms;
            *held_ms = held_ms.saturating_add(elapsed_ms).min(u64::from(fields.held.alarm_ms));
            let reaches = |ms: u32| before_ms < u64::from(ms) && *held_ms >= u64::from(ms);
            expected.extend(reaches(fields.held.warn_ms).then_some(Reason::HeldOpenWarning));
            if reaches(fields.held.alarm_ms) {
                expected.push(Reason::HeldOpen);
                (self.standing[1], self.seen[1]) = (true, false);
            }
        }
        let useful_ms =
            u64::from(fields.factor_ms) + fields.two_person.map_or(0, |rule| u64::from(rule.within_ms));
        for age in self.proofs.as_flattened_mut() {
            *age = age.and_then(|age| age.checked_add(elapsed_ms)).filter(|age| *age < useful_ms);
        }
        let hours = fields.schedule.unlocks(civil);
        if hours != self.hours {
            self.hours = hours;
            expected.push(match (hours, civil) {
                (true, _) => Reason::HoursBegan,
                (false, Some(_)) => Reason::HoursEnded,
                (false, None) => Reason::ClockLost,
            });
        }
        expected
    }

    /// The event; which reasons it gives.
    fn take(
        &mut self,
        policy: &Policy,
        event: Event,
        actions: &Actions,
        enabled: arcdoor_door::Methods,
    ) -> Result<Vec<Reason>, Broken> {
        let mut expected = Vec::new();
        match event {
            Event::Present(credential) => self.present(policy, credential, actions, enabled)?,
            Event::Exit => {
                expected.push(Reason::ExitRequested);
                if self.open != Some(true) {
                    self.exit_left_ms = Some(u64::from(policy.fields().exit_ms));
                }
            }
            Event::Contact(contact) => expected.extend(self.contact(policy, contact)),
            Event::Tamper(is_on) => match (self.tamper.replace(is_on), is_on) {
                (None | Some(false), true) => {
                    (self.standing[2], self.seen[2]) = (true, false);
                    expected.push(Reason::Tamper);
                }
                (Some(true), false) => expected.push(Reason::TamperCleared),
                _ => {}
            },
            Event::Fire(is_on) if is_on != self.fire_line => {
                self.fire_line = is_on;
                self.fire |= is_on;
                (self.grant, self.proofs) = (None, [[None; 3]; 2]);
                expected.push(if is_on { Reason::FireBegan } else { Reason::FireClear });
            }
            Event::FireReset => expected.push(self.reset_fire()),
            Event::Lockdown(is_on) if is_on != self.lockdown => {
                self.lockdown = is_on;
                (self.grant, self.proofs) = (None, [[None; 3]; 2]);
                expected.push(if is_on { Reason::LockdownBegan } else { Reason::LockdownEnded });
            }
            Event::Acknowledge => {
                for (stands, seen) in self.standing.iter().zip(&mut self.seen) {
                    expected.extend((*stands && !*seen).then_some(Reason::Acknowledged));
                    *seen |= *stands;
                }
            }
            Event::ReadBack(level) => {
                let again =
                    |action: &Action| matches!(action, Action::Drive { reason: Reason::RelayDiffers, .. });
                let anew = |action: &Action| matches!(action, Action::Drive { .. }) && !again(action);
                // What was read before the line was driven anew says nothing.
                if !actions.iter().any(anew) {
                    let differs = self.driven.is_some_and(|driven| driven != level);
                    if differs != self.differs {
                        expected.push(if differs { Reason::RelayDiffers } else { Reason::RelayAgrees });
                    }
                    self.differs = differs;
                    hold(
                        actions.iter().any(again) == differs,
                        "a line that differs is driven again, and no other",
                    )?;
                }
            }
            Event::Left(subject) => {
                expected.extend(self.inside[index(subject)].then_some(Reason::Left));
                self.inside[index(subject)] = false;
            }
            Event::ForgetInside => {
                expected.extend(self.inside.contains(&true).then_some(Reason::InsideForgotten));
                self.inside = [false; 2];
            }
            _ => {}
        }
        Ok(expected)
    }

    fn reset_fire(&mut self) -> Reason {
        match (self.fire, self.fire_line) {
            (_, true) => Reason::FireNotClear,
            (true, false) => {
                self.fire = false;
                Reason::FireReset
            }
            (false, false) => Reason::NothingToDo,
        }
    }

    fn contact(&mut self, policy: &Policy, contact: Contact) -> Vec<Reason> {
        let is_open = contact == Contact::Open;
        let before = self.open.replace(is_open);
        if before == Some(is_open) {
            return Vec::new();
        }
        let exit = self.exit_left_ms.take();
        if !is_open {
            self.grant = self.grant.filter(|grant| !grant.opened);
            return vec![Reason::Closed];
        }
        if let Some(grant) = &mut self.grant {
            (grant.opened, grant.left_ms) = (true, u64::from(policy.fields().held.warn_ms));
            let people = grant.people;
            self.enter(policy, people);
            return vec![Reason::Opened; people.iter().filter(|person| **person).count()];
        }
        vec![if exit.is_some() {
            Reason::OpenedToLeave
        } else if self.is_free() {
            Reason::OpenedUnlocked
        } else if before.is_none() {
            Reason::OpenAtStart
        } else {
            (self.standing[0], self.seen[0]) = (true, false);
            Reason::Forced
        }]
    }

    fn enter(&mut self, policy: &Policy, people: [bool; 2]) {
        if policy.fields().anti_passback {
            self.inside = [0, 1].map(|index| self.inside[index] || people[index]);
        }
    }

    fn present(
        &mut self,
        policy: &Policy,
        credential: Credential,
        actions: &Actions,
        enabled: arcdoor_door::Methods,
    ) -> Result<(), Broken> {
        let (fields, factor) = (policy.fields(), credential.factor());
        let silent = actions.iter().filter(|action| matches!(action, Action::Duress { .. })).count();
        hold(
            silent == usize::from(credential.is_duress()),
            "duress is told once, silently, and nothing else is",
        )?;
        let others = self.proofs;
        if let Some(subject) = credential.subject() {
            self.proofs[index(subject)][factor as usize] = Some(0);
        }
        let granted: Vec<_> = reports(actions).filter(|(reason, _)| *reason == Reason::Granted).collect();
        if granted.is_empty() {
            let alone = arcdoor_door::Method::ALL
                .into_iter()
                .any(|method| enabled.has(method) && method.factors() == arcdoor_door::Factors::only(factor));
            let nothing_bars =
                !self.fire && !self.lockdown && !fields.anti_passback && fields.two_person.is_none();
            let must = alone && nothing_bars && credential.subject().is_some() && others == [[None; 3]; 2];
            return hold(!must, "a credential that is enough, and that nothing bars, is granted");
        }
        hold(!self.lockdown, "in a lockdown no grant opens")?;
        hold(!self.fire, "in a fire release nobody is granted: everybody may come in")?;
        hold(
            granted.len() == if fields.two_person.is_some() { 2 } else { 1 },
            "as many people are granted as it takes",
        )?;
        let mut people = [false; 2];
        for (position, (_, about)) in granted.iter().enumerate() {
            let About::Proven(subject, method) = *about else { return Err("a grant says who and how") };
            let is_last = position + 1 == granted.len();
            hold(!people[index(subject)], "two people are two different people")?;
            hold(
                !is_last || credential.subject() == Some(subject),
                "who is granted last has just presented something",
            )?;
            hold(!is_last || method.factors().has(factor), "what was presented last is part of the method")?;
            hold(!is_last || enabled.has(method), "a grant takes an enabled method")?;
            hold(
                !fields.anti_passback || !self.inside[index(subject)],
                "who is inside does not come in again",
            )?;
            let within_ms = u64::from(fields.factor_ms)
                + if is_last { 0 } else { fields.two_person.map_or(0, |rule| u64::from(rule.within_ms)) };
            for needed in [Factor::Face, Factor::Card, Factor::Pin] {
                let age = self.proofs[index(subject)][needed as usize];
                let is_proven = age.is_some_and(|age| age < within_ms);
                hold(!method.factors().has(needed) || is_proven, "a grant takes every factor in time")?;
            }
            people[index(subject)] = true;
        }
        hold(!fields.anti_passback || self.grant.is_none(), "with anti-passback one comes in at a time")?;
        let opened = self.open == Some(true);
        if opened {
            self.enter(policy, people);
        }
        self.grant = Some(Grant { left_ms: u64::from(fields.unlock_ms), opened, people });
        // What was used up proves nothing again.
        self.proofs = [[None; 3]; 2];
        Ok(())
    }

    /// What follows from the state alone.
    fn settle(&mut self, actions: &Actions) {
        let counts = self.open == Some(true) && !self.is_free();
        self.held_ms = counts.then(|| self.held_ms.unwrap_or(0));
        let is_over = [self.open == Some(false), self.open == Some(false), self.tamper == Some(false)];
        for (alarm, is_over) in is_over.into_iter().enumerate() {
            if self.standing[alarm] && self.seen[alarm] && is_over {
                (self.standing[alarm], self.seen[alarm]) = (false, false);
            }
        }
        for action in actions {
            if let Action::Drive { level, .. } = action {
                self.driven = Some(*level);
            }
        }
    }

    fn check_lock<M: Machine>(
        &self,
        door: &M,
        policy: &Policy,
        event: Event,
        actions: &Actions,
    ) -> Result<(), Broken> {
        let may = self.is_free() || (self.grant.is_some() && !self.lockdown);
        let position = if may { Position::Unlocked } else { Position::Locked };
        hold(
            door.position() == Position::Locked || may,
            "unlocked by nothing but a grant in its time, the hours, or a fire release",
        )?;
        hold(door.position() == position, "a grant, the hours and a fire release unlock")?;
        hold(
            self.driven == Some(policy.fields().fail_mode.level(position)),
            "the line is driven to what the door is",
        )?;
        let drives: Vec<Level> = actions
            .iter()
            .filter_map(|action| match action {
                Action::Drive { level, .. } => Some(*level),
                _ => None,
            })
            .collect();
        let repeats = drives.windows(2).any(|pair| pair[0] == pair[1]);
        hold(
            !repeats || matches!(event, Event::ReadBack(_)),
            "the line is not driven twice to the same level",
        )
    }

    fn check_kept<M: Machine>(&self, before: &M, door: &M, actions: &Actions) -> Result<(), Broken> {
        let kept = door.kept();
        hold(
            kept.lockdown == self.lockdown,
            "a lockdown begins and ends by its own event, and by no credential",
        )?;
        hold(
            [ADA, BOB].map(|subject| kept.inside.has(subject)) == self.inside,
            "who came in and did not leave is inside",
        )?;
        hold(
            Alarm::ALL.map(|alarm| kept.alarms.has(alarm)) == self.standing,
            "an alarm stands until its cause is gone and somebody has seen it",
        )?;
        hold(
            Alarm::ALL.map(|alarm| kept.alarms.is_acknowledged(alarm)) == self.seen,
            "an alarm is acknowledged by the operator alone",
        )?;
        let is_kept = actions.contains(&Action::Keep);
        hold(is_kept || before.kept() == kept, "what changed is stored")
    }

    fn check_view<M: Machine>(&self, door: &M, policy: &Policy) -> Result<(), Broken> {
        let (view, shown) = (door.view(), door.indicators());
        let unlocked = door.position() == Position::Unlocked;
        hold(
            shown.green == unlocked && shown.red != unlocked,
            "the lights show what the lock is, whatever moved it",
        )?;
        hold((view == View::Fire) == self.fire, "a fire release is shown before everything else")?;
        let alarm = !self.fire && self.standing.contains(&true);
        hold(matches!(view, View::Alarm(_)) == alarm, "an alarm is shown as long as it stands")?;
        hold((shown.buzzer == Buzzer::Steady) == alarm, "an alarm is heard as long as it stands")?;
        let held = self.held_ms.is_some_and(|ms| ms >= u64::from(policy.fields().held.warn_ms));
        // From the most urgent on: what is shown is the first that holds.
        let shown = [
            (self.fire || alarm, true, "a fire release and an alarm are shown first"),
            (held, view == View::CloseDoor, "an open door asks to be closed"),
            (self.lockdown, view == View::Lockdown, "a lockdown is shown"),
            (self.differs, view == View::OutOfOrder, "a line that differs is shown"),
            (self.grant.is_some(), view == View::Welcome, "a grant is shown"),
            (self.hours, view == View::OpenHours, "hours are shown, like whatever else unlocks"),
        ];
        let first = shown.into_iter().find(|(holds, ..)| *holds);
        first.map_or(Ok(()), |(_, is_shown, rule)| hold(is_shown, rule))
    }

    /// `self` is what was known before.
    fn check_alarms(&self, after: &Self, event: Event, actions: &Actions) -> Result<(), Broken> {
        for (index, alarm) in Alarm::ALL.into_iter().enumerate() {
            let ended = reports(actions).any(|report| report == (Reason::AlarmEnded, About::Alarm(alarm)));
            let is_over =
                if alarm == Alarm::Tamper { after.tamper == Some(false) } else { after.open == Some(false) };
            let seen = self.seen[index] || event == Event::Acknowledge;
            hold(!ended || (is_over && seen), "no alarm ends while its cause lasts or nobody has seen it")?;
        }
        Ok(())
    }
}

/// Each attempt ends in exactly one report of how.
fn check_attempt(after_time: &Witness, event: Event, actions: &Actions) -> Result<(), Broken> {
    let is_timeout = |reason| matches!(reason, Reason::NoSecondFactor | Reason::NoSecondPerson);
    let told =
        |kind| reports(actions).filter(|(reason, _)| reason.kind() == kind && !is_timeout(*reason)).count();
    let (granted, denied, awaited) = (told(Kind::Granted), told(Kind::Denied), told(Kind::Awaited));
    let released = count(actions, Reason::Released);
    let Event::Present(credential) = event else {
        return hold(
            granted + denied + awaited + released == 0,
            "nobody is granted or denied without a credential",
        );
    };
    let answers = granted.min(1) + denied + awaited + released;
    hold(answers == 1, "each credential has exactly one answer")?;
    hold(credential.subject().is_some() || granted + awaited == 0, "what is nobody's is never taken")?;
    hold((released == 1) == after_time.fire, "a fire release answers every credential")?;
    let in_lockdown = after_time.lockdown && !after_time.fire;
    hold((count(actions, Reason::InLockdown) == 1) == in_lockdown, "a lockdown answers every credential")
}

/// Reasons of which the witness knows when they are due, and how often.
const WATCHED: [Reason; 32] = [
    Reason::Started,
    Reason::LockdownKept,
    Reason::AlarmKept,
    Reason::ClockJumped,
    Reason::NotOpened,
    Reason::UnlockOver,
    Reason::ExitRequested,
    Reason::ExitNotUsed,
    Reason::HeldOpenWarning,
    Reason::HeldOpen,
    Reason::HoursBegan,
    Reason::HoursEnded,
    Reason::ClockLost,
    Reason::Opened,
    Reason::OpenedToLeave,
    Reason::OpenedUnlocked,
    Reason::OpenAtStart,
    Reason::Forced,
    Reason::Closed,
    Reason::Tamper,
    Reason::TamperCleared,
    Reason::FireBegan,
    Reason::FireClear,
    Reason::FireReset,
    Reason::FireNotClear,
    Reason::LockdownBegan,
    Reason::LockdownEnded,
    Reason::Acknowledged,
    Reason::RelayDiffers,
    Reason::RelayAgrees,
    Reason::Left,
    Reason::InsideForgotten,
];
