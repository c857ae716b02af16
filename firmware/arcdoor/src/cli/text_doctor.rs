//! What the doctor found, for people: how it is, and what to do.

use super::lines::Lines;
use super::text_log::broken_promise;
use arcdoor_api::{Check, Finding, Health, KeySource, Promised};
use arcdoor_core::Basis;
use std::fmt::Write as _;
use std::io;

pub(super) fn print(out: &mut Lines<'_>, check: Check, health: Health, finding: &Finding) -> io::Result<()> {
    let health = match health {
        Health::Ok => "ok",
        Health::Warn => "warn",
        Health::Fail => "fail",
    };
    out.paragraph(&format!("{health:<4}  {:<9}  ", check.name()), &text(finding))
}

fn text(finding: &Finding) -> String {
    match finding {
        Finding::Failed { error, .. } => error.clone(),
        Finding::NotLookedAt => "not looked at: it needs the pack".to_owned(),
        Finding::NoHome { dir } => {
            format!("{} is not there yet: the first command that writes makes it", dir.display())
        }
        Finding::PrivateHome { dir, mode } => format!("{}, mode {mode:03o}", dir.display()),
        Finding::OpenHome { dir, mode } => {
            let dir = dir.display();
            format!("others may look into {dir} (mode {mode:03o}): chmod 700 {dir}")
        }
        Finding::ForeignHome { dir, uid } => {
            format!("{} belongs to user {uid}: run as that user", dir.display())
        }
        Finding::HomeInUse { why } => why.clone(),
        Finding::OldKeyLeft { path } => format!(
            "{}: a key that opens this gallery no more still lies here, and may open an older copy of it: the next \
             command that writes (such as `arcdoor key renew`) removes it",
            path.display()
        ),
        Finding::Settings { path } => path.display().to_string(),
        Finding::DefaultSettings => "none: the defaults hold".to_owned(),
        Finding::GoneKeys { path, keys } => {
            format!("{}: without effect, the rest is heeded: {}", path.display(), keys.join("; "))
        }
        Finding::SignedPack { name, dir } => format!("{name} in {}, signed by a trusted key", dir.display()),
        Finding::CompiledInPack { name, version } => format!("{name}, version {version}, compiled in"),
        Finding::Weights { licence, training_data } => {
            format!("{licence}; training data: {training_data}; what they may be used for is yours to judge")
        }
        Finding::UnsignedPack { name, dir } => format!(
            "{name} in {}; unsigned packs are allowed: who can write there chooses who is let in",
            dir.display()
        ),
        Finding::DefaultTiles => "none: the default tiles; `arcdoor tune` measures this device".to_owned(),
        Finding::MeasuredTiles { layers } => format!("{layers} layers have tiles measured here"),
        Finding::TilesLeftAside { path, why } => format!(
            "{}: {why}: left aside, the default tiles hold; `arcdoor tune` measures anew",
            path.display()
        ),
        Finding::NoKey => "none yet: the first enrolment makes a key file".to_owned(),
        Finding::Key { source, tpm } => {
            let tpm = *tpm && *source == KeySource::File;
            let more = if tpm { "; this board has a TPM that can seal one" } else { "" };
            format!("{}{more}", protection(*source))
        }
        Finding::StolenCard { source } => stolen(*source),
        Finding::NobodyEnrolled => "nobody is enrolled yet: arcdoor enrol NAME --camera".to_owned(),
        Finding::Enrolled { subjects, templates } => {
            format!("{subjects} subject(s), {templates} template(s)")
        }
        Finding::Thresholds { .. } => promise(finding),
        Finding::PromiseStands { promise: Promised { target_fpir, attempts, reports, .. } } => format!(
            "{:.2} % stands: {reports} wrong grant(s) reported of {attempts} attempt(s) (`arcdoor log wrong N` reports \
             one)",
            100.0 * target_fpir
        ),
        Finding::PromiseBroken { promise } => broken_promise(promise),
        Finding::NoProbes => {
            "none are kept (keep_probes = 0): `log wrong` cannot be used, `enrol --not` can".to_owned()
        }
        Finding::Probes { most, hours } => {
            format!(
                "of the newest {most} grants, sealed, for {hours} h (keep_probes, keep_probes_h; 0: none)"
            )
        }
        Finding::Camera { camera } => camera.clone(),
        Finding::UnseenCamera { camera } => format!("{camera} (not looked at)"),
        Finding::NoCamera { camera, why } => format!(
            "{camera}: {why}: plug one in, or set `camera` in settings.toml; photos and --replay work without"
        ),
        Finding::ForbiddenCamera { camera, why } => {
            format!("{camera}: {why}: add this user to the group `video`, then log in again")
        }
        Finding::SiteLeftOver { path } => format!(
            "{}: a site's own calibration has no effect any more, thresholds are the pack's: delete the file",
            path.display()
        ),
    }
}

/// What a key from this source protects.
pub(super) const fn protection(source: KeySource) -> &'static str {
    match source {
        KeySource::Credential => {
            "systemd credential; a taken card is useless without it if a TPM sealed it (systemd-creds \
             encrypt --with-key=tpm2), which arcdoor cannot see; sealed by systemd's host key alone, it \
             opens wherever the card boots"
        }
        KeySource::Passphrase => "passphrase; a taken card is as safe as the passphrase is hard to guess",
        KeySource::File => {
            "key file beside the gallery: who takes the card has both, it protects nothing then; \
             `arcdoor key change --to passphrase`, or a systemd credential, does"
        }
    }
}

/// Where the figures come from: `arcdoor-train leak` on the pack that is compiled in.
const LEAK_REPORT: &str = "docs/what-an-embedding-gives-away.md";

/// What a stolen card gives away of those who are enrolled, as it was measured.
fn stolen(source: KeySource) -> String {
    let measured = "pictures drawn from templates passed for their people in 95.8 % [75.9, 100] of the tries, as often as \
                    photos do (measured with doornet)";
    match source {
        KeySource::File => format!(
            "stolen, it gives away everybody's templates, for the key lies on it: {measured}: {LEAK_REPORT}; move the \
             key off the card, by `arcdoor key change`"
        ),
        KeySource::Credential | KeySource::Passphrase => format!(
            "stolen, it gives away how many people and templates there are, and each name's length; with the key, \
             which does not lie on it in the clear, everybody's templates, too: {measured}: {LEAK_REPORT}"
        ),
    }
}

fn promise(finding: &Finding) -> String {
    let Finding::Thresholds {
        identify,
        identify_basis,
        fpir,
        target_fpir,
        fnir,
        verify,
        verify_basis,
        target_fmr,
        is_met,
        fitted,
    } = finding
    else {
        return String::new();
    };
    let mut text = format!(
        "1:N {identify:.3}{}: of strangers, {:.2} % are taken for somebody (target {:.2} %); of the enrolled, {:.1} % \
         are not recognised at once, on photos like those of the calibration; 1:1 {verify:.3}{} for a false match \
         rate of {}",
        mark(*identify_basis),
        100.0 * fpir,
        100.0 * target_fpir,
        100.0 * fnir,
        mark(*verify_basis),
        rate(*target_fmr),
    );
    if !is_met {
        text.push_str(
            "; the gallery has outgrown what this pack can tell apart: let people show a card or enter a PIN first \
             (1:1), or accept a higher target_fpir",
        );
    }
    if let Some(fitted) = fitted {
        let _ = write!(
            text,
            "; {fitted:.3} from the pack's tail fit would reach the target on the word of that fit: allow_tail_fit = \
             true takes it",
        );
    }
    text
}

fn mark(basis: Basis) -> &'static str {
    if basis.is_counted() { "" } else { " (from a tail fit, not counted)" }
}

fn rate(fmr: f64) -> String {
    format!("{fmr:e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thresholds(identify_basis: Basis, is_met: bool, fitted: Option<f32>) -> String {
        text(&Finding::Thresholds {
            identify: 0.42,
            identify_basis,
            fpir: 0.01,
            target_fpir: 0.01,
            fnir: 0.02,
            verify: 0.47,
            verify_basis: Basis::Counted,
            target_fmr: 1e-5,
            is_met,
            fitted,
        })
    }

    #[test]
    fn a_promise_that_is_kept_names_its_price() {
        let text = thresholds(Basis::Counted, true, None);
        for part in
            ["1:N 0.420:", "1.00 % are taken", "of the enrolled, 2.0 %", "1:1 0.470 for", "rate of 1e-5"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("tail fit") && !text.contains("PIN"), "{text}");
    }

    #[test]
    fn an_outgrown_gallery_is_told_of_card_and_pin_and_of_a_fit() {
        let outgrown = thresholds(Basis::Counted, false, Some(0.5));
        assert!(outgrown.contains("card") && outgrown.contains("PIN"), "{outgrown}");
        assert!(outgrown.contains("0.500 from the pack's tail fit"), "{outgrown}");
        let fitted = thresholds(Basis::TailFit, false, None);
        assert!(fitted.contains("(from a tail fit, not counted): of strangers"), "{fitted}");
        assert!(fitted.contains("PIN") && !fitted.contains("allow_tail_fit"), "{fitted}");
    }
}
