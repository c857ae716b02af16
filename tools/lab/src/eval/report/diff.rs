//! What two reports say differently.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::eval::report::digest::digest;
use crate::eval::report::verify::read_report;
use crate::say::say;
use crate::trouble::Trouble;

pub(crate) fn run(a: &Path, b: &Path) -> Result<()> {
    let ((one, _), (other, _)) = (read_report(a)?, read_report(b)?);
    let (was, is) = (leaves(&one)?, leaves(&other)?);
    let none = "(none)".to_owned();
    for name in was.keys().chain(is.keys().filter(|name| !was.contains_key(*name))) {
        let (was, is) = (was.get(name).unwrap_or(&none), is.get(name).unwrap_or(&none));
        if was != is {
            say!("{name}: {was} -> {is}")?;
        }
    }
    if digest(&one) == digest(&other) {
        return Ok(say!("the figures are equal")?);
    }
    Err(Trouble::Failed("the figures differ".to_owned()).into())
}

/// Every value that holds no others, by its way through the file.
fn leaves(json: &[u8]) -> Result<BTreeMap<String, String>> {
    let mut leaves = BTreeMap::new();
    collect(String::new(), &serde_json::from_slice(json)?, &mut leaves);
    Ok(leaves)
}

fn collect(name: String, value: &Value, leaves: &mut BTreeMap<String, String>) {
    let within = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| collect(within(key), value, leaves)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| collect(within(&at.to_string()), value, leaves));
        }
        leaf => drop(leaves.insert(name, leaf.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_way() {
        let found = leaves(br#"{"a": {"b": [1, {"c": null}]}, "d": "x"}"#).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, [("a.b.0", "1"), ("a.b.1.c", "null"), ("d", "\"x\"")]);
    }
}
