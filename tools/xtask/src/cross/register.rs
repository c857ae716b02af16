//! What a source file of tract enters into tables: operators (`reg.insert("NAME", BUILDER);`) and, by macros, transforms of graphs.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, ExprMethodCall, ItemMacro, Lit};

/// How the entry of an operator begins.
const OPERATOR: &str = "reg.insert(";
/// The macros that enter a transform.
const TRANSFORM_MACROS: [&str; 2] = ["register_model_transform", "register_simple_model_transform"];
/// The macro that enters anything; with what a transform follows.
const SUBMIT: (&str, &str) = ("submit", "ModelTransformFactory");
/// How the entries of transforms begin.
const TRANSFORMS: [&str; 3] = [
    "register_model_transform!(",
    "register_simple_model_transform!(",
    "inventory::submit! {\n    ModelTransformFactory {",
];

/// A source file without some of its entries. What stays keeps its line.
#[derive(Debug)]
pub(super) struct Trimmed {
    pub(super) text: String,
    /// The operators that it still enters.
    pub(super) operators: BTreeSet<String>,
}

/// Takes out the operators that are not accepted. Where one is entered in a way that is not known here, that is an error.
pub(super) fn without_operators(text: &str, accepted: &BTreeSet<String>) -> Result<Trimmed> {
    let (names, ranges) = (operators(text)?, entries(text, &[OPERATOR])?);
    same(names.len(), ranges.len(), "operators")?;
    let (mut kept, mut cut) = (BTreeSet::new(), Vec::new());
    for (name, range) in names.into_iter().zip(ranges) {
        let argument = text[range.start + OPERATOR.len()..range.end].trim_start();
        ensure!(argument.starts_with(&format!("\"{name}\",")), "{name} is not entered where it should be");
        if accepted.contains(&name) {
            kept.insert(name);
        } else {
            cut.push(range);
        }
    }
    Ok(Trimmed { text: without(text, &cut), operators: kept })
}

/// Takes out all transforms, as above.
pub(super) fn without_transforms(text: &str) -> Result<Trimmed> {
    let ranges = entries(text, &TRANSFORMS)?;
    same(transforms(text)?, ranges.len(), "transforms")?;
    Ok(Trimmed { text: without(text, &ranges), operators: BTreeSet::new() })
}

fn same(known: usize, found: usize, what: &str) -> Result<()> {
    ensure!(known == found, "{known} {what} are entered, of which {found} are found");
    Ok(())
}

/// The operators that a file enters, in the order of its text.
pub(super) fn operators(text: &str) -> Result<Vec<String>> {
    let mut found = Entered::default();
    found.visit_file(&syn::parse_file(text)?);
    match found.unknown {
        Some(method) => bail!("`reg.{method}(...)` enters no operator by its name"),
        None => Ok(found.operators),
    }
}

/// How many transforms a file enters.
pub(super) fn transforms(text: &str) -> Result<usize> {
    let mut found = Entered::default();
    found.visit_file(&syn::parse_file(text)?);
    Ok(found.transforms)
}

/// What a file enters, as a parser sees it.
#[derive(Default)]
struct Entered {
    operators: Vec<String>,
    /// A call of another form.
    unknown: Option<String>,
    transforms: usize,
}

impl<'ast> Visit<'ast> for Entered {
    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(&*call.receiver, Expr::Path(receiver) if receiver.path.is_ident("reg")) {
            match call.args.first() {
                Some(Expr::Lit(ExprLit { lit: Lit::Str(name), .. })) if call.method == "insert" => {
                    self.operators.push(name.value());
                }
                _ => self.unknown = Some(call.method.to_string()),
            }
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        let name = item.mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
        let is_submitted = || name == SUBMIT.0 && item.mac.tokens.to_string().starts_with(SUBMIT.1);
        if TRANSFORM_MACROS.contains(&&*name) || is_submitted() {
            self.transforms += 1;
        }
    }
}

/// Where entries stand that begin in one of these ways, with their semicolons.
fn entries(text: &str, openings: &[&str]) -> Result<Vec<Range<usize>>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = openings.iter().filter_map(|opening| text[from..].find(opening)).min() {
        let start = from + start;
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        ensure!(text[line..start].trim().is_empty(), "an entry begins within a line");
        let end = start + length(&text[start..]).context("an entry ends in a way that is not known here")?;
        found.push(start..end);
        from = end;
    }
    Ok(found)
}

/// The length of the entry that a text begins with; `None` where it has what is not told from a bracket here.
fn length(text: &str) -> Option<usize> {
    let (mut depth, mut is_string, mut is_comment) = (0_usize, false, false);
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '\n' => is_comment = false,
            _ if is_comment => {}
            '\\' if is_string => _ = letters.next(),
            '"' => is_string = !is_string,
            _ if is_string => {}
            '/' if text[at..].starts_with("//") => is_comment = true,
            '/' if text[at..].starts_with("/*") => return None,
            '\'' => return None,
            '(' | '{' => depth += 1,
            ')' | '}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return ended(&text[at + 1..], c).map(|more| at + 1 + more);
                }
            }
            _ => {}
        }
    }
    None
}

/// How much of a text, behind an entry's last bracket, is still the entry.
fn ended(rest: &str, bracket: char) -> Option<usize> {
    match (bracket, rest.trim_start().chars().next()) {
        (')', Some(';')) => rest.find(';').map(|at| at + 1),
        // The last expression of a function; an item.
        (')', Some('}')) | ('}', _) => Some(0),
        _ => None,
    }
}

fn without(text: &str, cut: &[Range<usize>]) -> String {
    let (mut left, mut done) = (String::new(), 0);
    for range in cut {
        left += &text[done..range.start];
        left.extend(text[range.clone()].chars().filter(|c| *c == '\n'));
        done = range.end;
    }
    left + &text[done..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted() -> BTreeSet<String> {
        ["Add", "Relu"].map(str::to_owned).into()
    }

    #[test]
    fn what_is_refused_goes_and_what_stays_keeps_its_line() {
        let text = r#"
fn all(reg: &mut Register) {
    reg.insert("Add", |_, _| Ok((add("(\""), vec![]))); // :)
    reg.insert(
        "Scan",
        scan,
    );
    reg.insert("Relu", |_| {
        // :(
        relu()
    });
    other::all(reg);
    reg.insert("If", _if)
}
"#;
        let left = r#"
fn all(reg: &mut Register) {
    reg.insert("Add", |_, _| Ok((add("(\""), vec![]))); // :)
    SCAN


    reg.insert("Relu", |_| {
        // :(
        relu()
    });
    other::all(reg);
    IF
}
"#;
        let trimmed = without_operators(text, &accepted()).unwrap();
        assert_eq!(trimmed.text, left.replace("SCAN", "\n").replace("IF", ""));
        assert_eq!(trimmed.operators, accepted());
    }

    #[test]
    fn an_operator_that_is_entered_in_another_form_is_an_error() {
        for statement in [
            "for name in NAMES { reg.insert(name, scan); }",
            "reg.extend(others());",
            "let x = reg.insert(\"Scan\", scan);",
            "reg.insert(\"Scan\", |_, _| '(');",
            "reg.insert(\"Scan\" /* ( */, scan);",
            "reg .insert(\"Scan\", scan);",
            "reg.insert(\"Scan\", scan).unwrap();",
        ] {
            let text = format!("fn all(reg: &mut Register) {{\n    {statement}\n}}\n");
            assert!(without_operators(&text, &accepted()).is_err(), "{statement}");
        }
    }

    #[test]
    fn transforms_go_and_what_else_is_submitted_stays() {
        let text = r#"
macro_rules! register_model_transform {
    ($name:expr) => { inventory::submit! { ModelTransformFactory { name: $name } } };
}
register_simple_model_transform!("a", A);
inventory::submit! {
    ModelTransformFactory {
        name: "patch(body: \"x = y;\")",
    }
}
inventory::submit! {
    Runtime { name: "default" }
}
register_model_transform!("b", B, |config| Ok(Box::new(
    C(config)
)));
"#;
        let trimmed = without_transforms(text).unwrap().text;
        assert_eq!(transforms(&trimmed).unwrap(), 0);
        assert_eq!(trimmed.lines().count(), text.lines().count());
        assert!(trimmed.contains("Runtime") && !trimmed.contains("patch"));
    }

    #[test]
    fn a_transform_that_is_entered_in_another_form_is_an_error() {
        for item in [
            "crate::register_model_transform!(\"a\", A);",
            "inventory::submit! { ModelTransformFactory { name: \"a\" } }",
            "register_model_transform! { \"a\", A }",
        ] {
            assert!(without_transforms(item).is_err(), "{item}");
        }
    }

    #[test]
    fn a_file_without_entries_stays_as_it_is() {
        let text = "pub fn none() {}\n";
        assert_eq!(without_operators(text, &accepted()).unwrap().text, text);
        assert_eq!(without_transforms(text).unwrap().text, text);
    }
}
