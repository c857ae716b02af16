//! Answers about tiles, for people.

use super::lines::Lines;
use arcdoor_api::{LayerForm, Response};
use std::io;

/// The table's lines, its head before the first of a kind.
pub(super) fn print(out: &mut Lines<'_>, response: &Response, first: bool) -> io::Result<()> {
    match response {
        Response::TunedLayer {
            input,
            outputs,
            kernel,
            stride,
            default,
            default_us,
            chosen,
            chosen_us,
            ..
        } => {
            if first {
                writeln!(
                    out,
                    "{:<34} {:<26} {:>9}  {:<26} {:>9} {:>6}",
                    "layer", "default tile", "us", "fastest", "us", "saved"
                )?;
            }
            let [channels, rows, columns] = input;
            let name =
                format!("{}x{} s{stride} {channels}x{rows}x{columns} -> {outputs}", kernel[0], kernel[1]);
            let (fastest, saved) = if chosen == default {
                ("the default".to_owned(), String::new())
            } else {
                (form_text(chosen), format!("{:.0} %", 100.0 * (1.0 - chosen_us / default_us)))
            };
            writeln!(
                out,
                "{name:<34} {:<26} {default_us:>9.1}  {fastest:<26} {chosen_us:>9.1} {saved:>6}",
                form_text(default)
            )
        }
        Response::TunedNetwork { file, input: [width, height], before_us, after_us, difference } => {
            let same = if *difference == 0.0 {
                "the same values, bit for bit".to_owned()
            } else {
                format!("values differ by {difference:.1e} of the greatest")
            };
            writeln!(
                out,
                "{file} at {width}x{height}: {:.3} ms before, {:.3} ms after; {same}",
                before_us / 1e3,
                after_us / 1e3
            )
        }
        Response::Tuning { path, layers, keeps_values } => {
            let values = if *keeps_values {
                "scores stay as they are"
            } else {
                "scores may change in their last digits"
            };
            let what = match layers {
                0 => "the defaults are as fast as anything that was tried".to_owned(),
                layers => format!("{layers} layers have tiles of their own; {values}"),
            };
            match path {
                Some(path) => writeln!(out, "{what}; written to {}", path.display()),
                None => writeln!(out, "{what}; nothing is written (--dry-run)"),
            }
        }
        _ => Ok(()),
    }
}

fn form_text(form: &LayerForm) -> String {
    let most =
        |name: &str, value: Option<usize>| value.map_or_else(String::new, |value| format!(" {name}{value}"));
    let LayerForm { form, pixels, blocks, planes, strip } = form;
    format!("{form} {pixels}x{blocks}{}{}", most("p", *planes), most("s", *strip))
}
