//! The loops of a compiled function, from the compiler's assembly.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// A multiply-add of four f32 begins so.
const FUSED: &str = "fmla";

/// Functions of an assembly file: demangled names and their instructions and labels.
#[derive(Debug, Default)]
pub(super) struct Functions(BTreeMap<String, Vec<String>>);

/// A loop without branches inside, from its head to the branch back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loop {
    /// One instruction each.
    pub(super) body: Vec<String>,
    /// How many of them multiply and add four f32.
    pub(super) fused: usize,
}

impl Functions {
    /// Reads `text`, in which every symbol is demangled already. Directives and comments are left out.
    pub(super) fn parse(text: &str) -> Self {
        let (mut functions, mut name) = (BTreeMap::new(), None);
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default().trim_end();
            if let Some(label) = line.strip_suffix(':')
                && !line.starts_with(char::is_whitespace)
                && !label.starts_with('.')
            {
                name = Some(plain(label));
                continue;
            }
            let code = line.starts_with(char::is_whitespace) && !line.trim_start().starts_with('.');
            if let Some(name) = &name
                && !line.trim().is_empty()
                && (code || line.starts_with(".L"))
            {
                functions.entry(name.clone()).or_insert_with(Vec::new).push(line.trim().to_owned());
            }
        }
        Self(functions)
    }

    /// The loop of `name` with the most multiply-adds that holds no other loop and no other branch.
    ///
    /// # Errors
    /// When there is no such function, or no such loop in it.
    pub(super) fn widest_loop(&self, name: &str) -> Result<Loop> {
        let lines = self.0.get(name).with_context(|| {
            let start = name.rsplit_once(['<', ':']).map_or(name, |(start, _)| start);
            let close = self.0.keys().find(|key| key.starts_with(start));
            let close = close.map_or_else(String::new, |key| format!("; there is {key}"));
            format!("no function {name} was compiled{close}")
        })?;
        let widest = loops(lines).max_by_key(|one| one.fused);
        let widest = widest.with_context(|| format!("{name} has no loop without a branch inside"))?;
        ensure!(widest.fused > 0, "no loop of {name} multiplies and adds");
        Ok(widest)
    }
}

impl Loop {
    /// Cycles of an iteration where vector arithmetic starts once a cycle and each load of a vector register lets it
    /// wait: `whole` cycles for 128 bits, `part` for fewer. Waiting for a result is not in it.
    pub(super) fn waiting(&self, [whole, part]: [f64; 2]) -> f64 {
        self.body.iter().map(|line| slot(line, whole, part)).sum()
    }
}

fn slot(line: &str, whole: f64, part: f64) -> f64 {
    let Some((operation, operands)) = line.split_once(char::is_whitespace) else { return 0.0 };
    if !operation.starts_with("ld") {
        return if operands.trim_start().starts_with('v') { 1.0 } else { 0.0 };
    }
    // What is loaded stands before the address.
    let loaded = operands.split('[').next().unwrap_or_default().split(',').map(str::trim);
    loaded
        .map(|register| match register.chars().next() {
            Some('q' | '{') => whole,
            Some('d' | 's') if register != "sp" => part,
            _ => 0.0,
        })
        .sum()
}

/// Loops whose body is one run of instructions.
fn loops(lines: &[String]) -> impl Iterator<Item = Loop> {
    let mut head: Option<(&str, Vec<String>)> = None;
    let mut found = Vec::new();
    for line in lines {
        if let Some(label) = line.strip_suffix(':') {
            head = Some((label, Vec::new()));
        } else if let Some((label, body)) = &mut head {
            body.push(line.clone());
            if let Some(target) = branch_target(line) {
                if target == *label {
                    let fused = body.iter().filter(|line| line.starts_with(FUSED)).count();
                    found.push(Loop { body: body.clone(), fused });
                }
                head = None;
            }
        }
    }
    found.into_iter()
}

/// Where a branch goes; `None` for every other instruction. One that goes to no label ends a run as well.
fn branch_target(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let operation = words.next()?;
    let branches = operation == "b"
        || operation.starts_with("b.")
        || ["br", "ret", "cbz", "cbnz", "tbz", "tbnz"].contains(&operation);
    branches.then(|| words.last().unwrap_or_default())
}

/// A demangled name without what differs from build to build or is the same in all: hashes, the crate, the type of
/// numbers.
fn plain(name: &str) -> String {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        match after.split_once(']') {
            Some((hash, behind)) if !hash.is_empty() && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                rest = behind;
            }
            _ => {
                text.push('[');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    text.replace(": usize", "").replace("arcdoor_kernels::", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
\t.p2align\t2
arcdoor_kernels[46d9a3]::simd::neon::run::<arcdoor_kernels[46d9a3]::gemm::Tiles<5: usize, 1: usize>>:
\t.cfi_startproc
\tmov\tx0, #4
.LBB0_1:
\tldr\tq0, [x1], #16
.LBB0_2:
\tldp\tq1, q2, [x2], #32
\tfmla\tv3.4s, v1.4s, v0.s[0]\t// a comment
\tfmla\tv4.4s, v2.4s, v0.s[0]
\tsubs\tx3, x3, #1
\tb.ne\t.LBB0_2
\tsubs\tx0, x0, #1
\tb.ne\t.LBB0_1
.LBB0_3:
\tfmla\tv3.4s, v1.4s, v0.4s
\tcbnz\tx0, .LBB0_3
.LBB0_4:
\tfmla\tv3.4s, v1.4s, v0.4s
\tfmla\tv3.4s, v1.4s, v0.4s
\tfmla\tv3.4s, v1.4s, v0.4s
\tcbz\tx0, .LBB0_5
\tb\t.LBB0_4
.LBB0_5:
\tret
without::loops:
\tfmla\tv3.4s, v1.4s, v0.4s
\tret
without::products:
.LBB2_1:
\tsubs\tx0, x0, #1
\tb.ne\t.LBB2_1
";

    #[test]
    fn the_widest_loop_without_a_branch_inside_is_found_by_symbol() {
        let found = Functions::parse(TEXT).widest_loop("simd::neon::run::<gemm::Tiles<5, 1>>").unwrap();
        assert_eq!(found.fused, 2);
        assert_eq!(found.body.first().map(String::as_str), Some("ldp\tq1, q2, [x2], #32"));
        assert_eq!(found.body.len(), 5);
    }

    #[test]
    fn what_cannot_be_found_is_an_error_that_names_it() {
        let functions = Functions::parse(TEXT);
        for (name, reason) in [
            ("simd::neon::run::<gemm::Tiles<6, 1>>", "there is simd::neon::run::<gemm::Tiles<5, 1>>"),
            ("nowhere", "no function nowhere"),
            ("without::loops", "no loop without a branch"),
            ("without::products", "multiplies"),
        ] {
            let error = functions.widest_loop(name).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn loads_of_vectors_let_arithmetic_wait_and_others_do_not() {
        let one = Functions::parse(TEXT).widest_loop("simd::neon::run::<gemm::Tiles<5, 1>>").unwrap();
        // Two multiply-adds, two registers loaded.
        assert_eq!(one.waiting([2.0, 1.0]), 6.0);
        for (line, cycles) in [
            ("ldr\tx0, [x1]", 0.0),
            ("ldp\td0, d1, [sp, #16]", 2.0),
            ("ldr\ts3, [x30]", 1.0),
            ("ld1r\t{ v0.4s }, [x1]", 2.0),
            ("fmax\tv1.4s, v1.4s, v0.4s", 1.0),
            ("add\tx1, x1, #16", 0.0),
            ("ret", 0.0),
        ] {
            assert_eq!(slot(line, 2.0, 1.0), cycles, "{line}");
        }
    }

    #[test]
    fn a_name_keeps_what_is_no_hash() {
        assert_eq!(plain("<[f32; 4]>::map[1f]"), "<[f32; 4]>::map");
        assert_eq!(plain("a[b"), "a[b");
    }
}
