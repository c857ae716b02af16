//! The digest of a report: over what must be equal on every machine.

use arcdoor_models::sha256_hex;
use serde_json::Value;

/// Fields that may differ on another machine, and the digest itself.
const LEFT_OUT: [&str; 4] = ["digest", "latency_ms", "command", "run"];

/// The sha256 of a `report.json` without [`LEFT_OUT`]: of its JSON with keys in order and no spaces, each number as
/// short as it can be read back. `None` where the text is no JSON object.
pub(crate) fn digest(json: &[u8]) -> Option<String> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(json) else { return None };
    fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    let mut text = String::new();
    write(&Value::Object(fields), &mut text);
    Some(sha256_hex(text.as_bytes()))
}

fn write(value: &Value, out: &mut String) {
    let list =
        |out: &mut String, ends: [char; 2], items: &mut dyn Iterator<Item = (Option<&str>, &Value)>| {
            out.push(ends[0]);
            for (index, (key, item)) in items.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if let Some(key) = key {
                    out.push_str(&Value::from(key).to_string());
                    out.push(':');
                }
                write(item, out);
            }
            out.push(ends[1]);
        };
    match value {
        Value::Array(items) => list(out, ['[', ']'], &mut items.iter().map(|item| (None, item))),
        // A build may keep the order of a file's keys: the digest must not depend on it.
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            list(out, ['{', '}'], &mut sorted.into_iter().map(|(key, item)| (Some(key.as_str()), item)));
        }
        other => out.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spaces_and_the_machine_do_not_matter_and_every_figure_does() {
        let one =
            digest(br#"{"a": 0.10, "b": {"d": [1, null], "c": "x"}, "run": {"seconds": 3}, "digest": "z"}"#);
        let two = digest(br#"{"b":{"c":"x","d":[1,null]},"a":0.1,"command":["lab"]}"#);
        assert!(one.is_some() && one == two);
        assert_ne!(digest(br#"{"b":{"c":"x","d":[1,null]},"a":0.10000001}"#), one);
        assert_ne!(digest(br#"{"b":{"c":"x","d":[1,null]},"a":0.1,"new":0}"#), one);
        assert_eq!(digest(b"[]"), None);
    }
}
