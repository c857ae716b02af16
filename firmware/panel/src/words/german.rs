//! Deutsch.

use super::message::Words;
use crate::state::{Alarm, DenyAdvice, Fault, UiState, View};
use arcdoor_core::RetryReason;

pub(super) fn words(state: &UiState) -> Words {
    match state {
        UiState::Idle => Words::with("Hallo", "Bitte in die Kamera schauen"),
        UiState::Approach(reason) => hint(*reason),
        UiState::Granted => Words::alone("Bitte eintreten"),
        UiState::Denied(DenyAdvice::TryAgain) => Words::with("Noch einmal", "Gerade in die Kamera schauen"),
        UiState::Denied(DenyAdvice::Wait) => Words::with("Bitte warten", "Danach noch einmal"),
        UiState::Enrolment { view, hint: reason, .. } => Words::hinted(looking(*view), reason.map(hint)),
        UiState::Pin { .. } => Words::alone("PIN"),
        UiState::Alarm(Alarm::Forced) => Words::with("Alarm", "Die Tür wurde aufgebrochen"),
        UiState::Alarm(Alarm::HeldOpenWarning) => Words::with("Tür schließen", "Sie ist zu lange offen"),
        UiState::Alarm(Alarm::HeldOpen) => Words::with("Alarm", "Bitte die Tür schließen"),
        UiState::Alarm(Alarm::Tamper) => Words::with("Alarm", "Das Gerät wurde geöffnet"),
        UiState::Alarm(Alarm::FireRelease) => Words::with("Feueralarm", "Die Tür ist offen. Hinausgehen"),
        UiState::Alarm(Alarm::Lockdown) => Words::with("Gesperrt", "Hinaus können Sie immer"),
        UiState::Fault(fault) => Words::with("Außer Betrieb", cause(*fault)),
        UiState::Update(_) => Words::with("Update", "Bitte nicht ausschalten"),
    }
}

const fn hint(reason: RetryReason) -> Words {
    match reason {
        RetryReason::NoFace => Words::with("Hierher schauen", "Vor die Kamera treten"),
        RetryReason::SeveralFaces => Words::with("Bitte einzeln", "Nur eine Person vor der Kamera"),
        RetryReason::FaceCutOff => Words::alone("Zur Mitte rücken"),
        RetryReason::TooFar => Words::alone("Näher kommen"),
        RetryReason::TurnToCamera => Words::alone("Zur Kamera drehen"),
        RetryReason::TooDark => Words::with("Zu dunkel", "Ins Licht treten"),
        RetryReason::TooBright => Words::with("Zu hell", "Aus dem Licht treten"),
        RetryReason::LightFromBehind => Words::with("Gegenlicht", "Gesicht zum Licht drehen"),
        RetryReason::HoldStill => Words::alone("Still halten"),
        RetryReason::HoldUpright => Words::alone("Kopf gerade"),
        RetryReason::Covered => Words::with("Gesicht zeigen", "Maske, Brille, Kapuze ablegen"),
        RetryReason::NotClear => Words::with("Noch unklar", "Bei gutem Licht hierher schauen"),
        RetryReason::SomebodyElse => Words::with("Andere Person?", "Bitte eine Person allein"),
        RetryReason::ShowIntent => Words::with("Näher kommen", "Und in die Kamera schauen"),
        RetryReason::SameView => Words::alone("Kopf etwas drehen"),
        RetryReason::SamePhoto => Words::with("Gleiches Foto", "Bitte ein anderes geben"),
        RetryReason::Looking => Words::with("Moment bitte", "Weiter hierher schauen"),
    }
}

const fn looking(view: View) -> &'static str {
    match view {
        View::Frontal => "Geradeaus",
        View::Left => "Nach links",
        View::Right => "Nach rechts",
        View::Up => "Nach oben",
        View::Down => "Nach unten",
    }
}

const fn cause(fault: Fault) -> &'static str {
    match fault {
        Fault::Camera => "Keine Kamera",
        Fault::Pack => "Kein Erkennungsmodell",
        Fault::Gallery => "Personendaten nicht lesbar",
        Fault::Key => "Der Schlüssel fehlt",
        Fault::Lock => "Das Schloss antwortet nicht",
        Fault::Storage => "Der Speicher ist voll",
        Fault::Clock => "Die Uhr ist nicht gestellt",
        Fault::Stopped => "Außer Betrieb",
    }
}
