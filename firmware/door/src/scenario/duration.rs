//! Times of a scenario.

/// The longest time that a scenario may name, milliseconds: far more than any delay.
const MAX_MS: u64 = 1 << 48;

/// `5s`, `1.5s` or `300ms`, in milliseconds.
pub(super) fn duration_ms(text: &str) -> Option<u64> {
    match text.strip_suffix("ms") {
        Some(ms) => whole(ms),
        None => seconds_ms(text.strip_suffix('s')?),
    }
}

/// `M:SS` or `M:SS.d`, in milliseconds.
pub(super) fn absolute_ms(text: &str) -> Option<u64> {
    let (minutes, seconds) = text.split_once(':')?;
    let ms = seconds_ms(seconds).filter(|ms| *ms < 60_000)?;
    Some(whole(minutes)?.checked_mul(60_000)? + ms)
}

/// Seconds with up to three decimals, in milliseconds.
fn seconds_ms(text: &str) -> Option<u64> {
    let (seconds, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let scale = [1, 100, 10, 1].get(decimals.len()).filter(|_| !decimals.is_empty())?;
    whole(seconds)?.checked_mul(1_000)?.checked_add(whole(decimals)? * scale)
}

fn whole(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| is_number && *number <= MAX_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_is_read_as_it_is_meant() {
        assert_eq!(duration_ms("5s"), Some(5_000));
        assert_eq!(duration_ms("1.05s"), Some(1_050));
        assert_eq!(duration_ms("300ms"), Some(300));
        assert_eq!(absolute_ms("1:05.5"), Some(65_500));
        for text in ["5", "s", "1.s", "1.0000s", "-1s", "+1s"] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
        for text in ["0:60", "1", ":5", "1:"] {
            assert_eq!(absolute_ms(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9:.ms]{0,24}") {
            let _ = (duration_ms(&text), absolute_ms(&text));
        }
    }
}
