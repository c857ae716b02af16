//! `pack check --explain`: how each network of a pack is run.

use crate::error::Error;
use crate::home::settings::EngineName;
use crate::message::{NetworkStep, Response, UnsupportedNode};
use crate::request::Answer;
use arcdoor_models::Pack;
use arcdoor_vision::explain::{METHOD, explain as networks};
use std::io::{self, Write};

/// Answers once for each network.
///
/// # Errors
/// When a network cannot be loaded, or an answer cannot be given.
pub(crate) fn explain(pack: &Pack, engine: EngineName, answer: Answer<'_>) -> Result<(), Error> {
    for network in networks(pack, engine.into())? {
        let steps: Vec<NetworkStep> = network
            .steps
            .iter()
            .map(|step| NetworkStep {
                operators: step.operators.clone(),
                name: step.name.clone(),
                shape: step.shape,
                macs: step.macs,
                predicted_us: step.predicted_us,
            })
            .collect();
        answer(&Response::Network {
            file: network.file,
            input: network.input,
            engine: network.engine.name().to_owned(),
            from_graph: network.from_graph,
            unsupported: network.unsupported.map(|found| UnsupportedNode {
                operator: found.operator,
                node: found.node,
                why: found.why.to_string(),
            }),
            macs: steps.iter().map(|step| step.macs).sum(),
            predicted_ms: steps.iter().fold(0.0, |sum, step| sum + step.predicted_us) / 1000.0,
            method: METHOD.to_owned(),
            bytes: network.bytes,
            steps,
        })?;
    }
    Ok(())
}

/// The table of one network.
pub(crate) fn print(out: &mut impl Write, response: &Response) -> io::Result<()> {
    let Response::Network {
        file,
        input,
        engine,
        from_graph,
        unsupported,
        macs,
        predicted_ms,
        method,
        bytes,
        steps,
    } = response
    else {
        return Ok(());
    };
    let [_, channels, rows, columns] = input;
    let start = if *from_graph { ", started from its graph file" } else { "" };
    writeln!(out, "\n{file} at {channels} x {rows} x {columns}: engine {engine}{start}")?;
    if let Some(found) = unsupported {
        writeln!(out, "  the plan does not run {} {:?}: {}", found.operator, found.node, found.why)?;
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
            crate::cli::text::shortened(&step.name, 26),
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
    writeln!(out, "  prediction: {method}")
}
