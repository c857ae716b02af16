//! What a credential does.

use arcdoor_core::SubjectId;

use super::state::{Attempt, First, Grant};
use super::timer::Timer;
use super::turn::Turn;
use crate::limits::DENIED_SHOWN_MS;
use crate::{About, Action, Contact, Credential, Factor, Factors, Method, Reason};

type People = heapless::Vec<(SubjectId, Method), 2>;

impl Turn<'_> {
    pub(super) fn present(&mut self, credential: Credential) {
        let subject = credential.subject();
        if let (Some(subject), true) = (subject, credential.is_duress()) {
            // Told whatever comes of it, and remembered nowhere: so nothing that follows can differ.
            self.push(Action::Duress { subject });
        }
        if self.door.is_fire() {
            return self.report(Reason::Released, subject.map_or(About::Door, About::Subject));
        }
        if self.door.kept.lockdown {
            return self.deny(subject, Reason::InLockdown);
        }
        let factor = credential.factor();
        let Some(subject) = subject else {
            // Whoever mistypes a PIN stands there still: the face is not shown anew, and who counts the PINs bounds the guesses.
            if factor != Factor::Pin {
                self.door.attempt = None;
            }
            return self.deny(None, unknown(factor));
        };
        if !self.door.methods.take(factor) {
            self.door.attempt = None;
            return self.deny(Some(subject), self.policy.why_off(factor, self.civil));
        }
        self.prove(subject, factor);
    }

    /// One more factor of `subject`.
    fn prove(&mut self, subject: SubjectId, factor: Factor) {
        let before = self.door.attempt.take();
        if before.is_some_and(|attempt| attempt.subject != subject) {
            return self.deny(Some(subject), Reason::FactorsDisagree);
        }
        // The same factor once more is a new beginning; another one has what is left of the first one's time.
        let attempt = match before.filter(|attempt| !attempt.factors.has(factor)) {
            Some(attempt) => Attempt { factors: attempt.factors.with(factor), ..attempt },
            None => {
                Attempt { subject, factors: Factors::only(factor), left: Timer::of(self.fields().factor_ms) }
            }
        };
        match self.door.methods.completed_by(attempt.factors, factor) {
            Some(method) => self.admit(subject, method),
            None => {
                self.door.attempt = Some(attempt);
                self.door.denied = None;
                self.report(Reason::AwaitsSecondFactor, About::Subject(subject));
            }
        }
    }

    /// `subject` has proved who they are.
    fn admit(&mut self, subject: SubjectId, method: Method) {
        if let Some(reason) = self.bar(subject) {
            return self.deny(Some(subject), reason);
        }
        let mut people = People::new();
        if let Some(rule) = self.fields().two_person {
            match self.door.first.take() {
                Some(first) if first.subject == subject => {
                    self.door.first = Some(first);
                    return self.deny(Some(subject), Reason::SamePersonTwice);
                }
                Some(first) => drop(people.push((first.subject, first.method))),
                None => {
                    self.door.first = Some(First { subject, method, left: Timer::of(rule.within_ms) });
                    self.door.denied = None;
                    return self.report(Reason::AwaitsSecondPerson, About::Proven(subject, method));
                }
            }
        }
        // There is room: one came before.
        let _ = people.push((subject, method));
        self.grant(people);
    }

    /// Why anti-passback keeps `subject` out; `None`: it does not.
    fn bar(&self, subject: SubjectId) -> Option<Reason> {
        if !self.fields().anti_passback {
            return None;
        }
        if self.door.grant.is_some() {
            return Some(Reason::OneAtATime);
        }
        if self.door.kept.inside.has(subject) {
            return Some(Reason::AlreadyInside);
        }
        // Two may come in at a time.
        (self.door.kept.inside.free() < 2).then_some(Reason::InsideFull)
    }

    fn grant(&mut self, people: People) {
        for (subject, method) in &people {
            self.report(Reason::Granted, About::Proven(*subject, *method));
        }
        self.door.denied = None;
        let is_open = self.door.contact == Some(Contact::Open);
        let left = Timer::of(self.fields().unlock_ms);
        let grant = self.door.grant.insert(Grant { left, opened: is_open, people });
        if is_open {
            let people = grant.people.clone();
            self.enter(&people);
        }
        self.drive(Reason::Granted);
    }

    /// These people are inside from now on.
    pub(super) fn enter(&mut self, people: &[(SubjectId, Method)]) {
        if !self.fields().anti_passback {
            return;
        }
        for (subject, _) in people {
            self.keep |= self.door.kept.inside.enter(*subject);
        }
    }

    pub(super) fn deny(&mut self, subject: Option<SubjectId>, reason: Reason) {
        self.door.denied = Some(Timer::of(DENIED_SHOWN_MS));
        self.report(reason, subject.map_or(About::Door, About::Subject));
    }
}

const fn unknown(factor: Factor) -> Reason {
    match factor {
        Factor::Face => Reason::UnknownFace,
        Factor::Card => Reason::UnknownCard,
        Factor::Pin => Reason::WrongPin,
    }
}
