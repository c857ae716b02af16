//! How a network is run, for people.

use super::column::shortened;
use super::lines::Lines;
use arcdoor_api::Response;
use arcdoor_vision::explain::METHOD;
use std::io;

/// The table of one network.
pub(super) fn print(out: &mut Lines<'_>, response: &Response) -> io::Result<()> {
    let Response::Network {
        file,
        input,
        engine,
        from_graph,
        unsupported,
        difference,
        macs,
        predicted_ms,
        bytes,
        steps,
    } = response
    else {
        return Ok(());
    };
    let [_, channels, rows, columns] = input;
    let start = if *from_graph { ", started from its graph file" } else { "" };
    writeln!(out)?;
    writeln!(out, "{file} at {channels} x {rows} x {columns}: engine {engine}{start}")?;
    if let Some(found) = unsupported {
        writeln!(out, "  the plan does not run {} {:?}: {}", found.operator, found.node, found.why)?;
    }
    if let Some(difference) = difference {
        writeln!(
            out,
            "  one run on the plan and on tract: values differ by at most {difference:.1e} of the greatest"
        )?;
    }
    if steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {:<36} {:<26} {:>15} {:>10} {:>8}", "operators", "makes", "shape", "kMAC", "us")?;
    for step in steps {
        let [channels, rows, columns] = step.shape;
        writeln!(
            out,
            "  {:<36} {:<26} {:>15} {:>10.1} {:>8.1}",
            step.operators,
            shortened(&step.name, 26),
            format!("{channels} x {rows} x {columns}"),
            step.macs as f64 / 1e3,
            step.predicted_us,
        )?;
    }
    writeln!(
        out,
        "  together {:.1} million multiply-accumulates, predicted {predicted_ms:.2} ms",
        *macs as f64 / 1e6
    )?;
    if let Some([weights, maps]) = bytes {
        writeln!(out, "  weights {:.1} MB, maps {:.1} MB", *weights as f64 / 1e6, *maps as f64 / 1e6)?;
    }
    writeln!(out, "  prediction: {METHOD}")
}
