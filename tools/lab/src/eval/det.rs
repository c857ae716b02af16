//! The trade-off between false matches and false non-matches, drawn as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 480.0;
const MARGIN: f64 = 56.0;
const FMR: (f64, f64) = (1e-6, 1e-1);
const FNMR: (f64, f64) = (1e-3, 1.0);

/// A DET curve on logarithmic axes as SVG. Both lists sorted, highest score first, neither empty.
pub(crate) fn svg(title: &str, genuine: &[f32], impostors: &[f32]) -> String {
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{}\" y=\"24\" text-anchor=\"middle\" font-size=\"14\">{title}</text>\n",
        WIDTH / 2.0
    );
    grid(&mut out);
    let mut points = String::new();
    for (fmr, fnmr) in curve(genuine, impostors) {
        let _ = write!(points, "{:.1},{:.1} ", across(fmr), down(fnmr));
    }
    let _ = writeln!(
        out,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>\n</svg>"
    );
    out
}

/// (FMR, FNMR) at evenly spread rates of the logarithmic axis; nothing below what the pairs can support.
pub(crate) fn curve(genuine: &[f32], impostors: &[f32]) -> Vec<(f64, f64)> {
    const STEPS: i32 = 200;
    let mut points = Vec::new();
    for step in 0..=STEPS {
        let fmr = FMR.0 * (FMR.1 / FMR.0).powf(f64::from(step) / f64::from(STEPS));
        if fmr * (impostors.len() as f64) < 1.0 {
            continue;
        }
        let threshold = arcdoor_calib::threshold_at_fmr(impostors, fmr);
        let accepted = genuine.partition_point(|score| *score >= threshold);
        points.push((fmr, 1.0 - accepted as f64 / genuine.len() as f64));
    }
    points
}

fn across(fmr: f64) -> f64 {
    MARGIN + (WIDTH - 2.0 * MARGIN) * (fmr / FMR.0).ln() / (FMR.1 / FMR.0).ln()
}

fn down(fnmr: f64) -> f64 {
    let share = (fnmr.clamp(FNMR.0, FNMR.1) / FNMR.0).ln() / (FNMR.1 / FNMR.0).ln();
    HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share
}

fn grid(out: &mut String) {
    let (left, right, top, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN);
    for power in -6..=-1 {
        let x = across(10_f64.powi(power));
        let _ = writeln!(
            out,
            "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">1e{power}</text>",
            bottom + 16.0
        );
    }
    for power in -3..=0 {
        let y = down(10_f64.powi(power));
        let _ = writeln!(
            out,
            "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">1e{power}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">false match rate</text>\
         <text transform=\"translate(14 {}) rotate(-90)\" text-anchor=\"middle\">false non-match rate</text>",
        WIDTH / 2.0,
        bottom + 36.0,
        HEIGHT / 2.0
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_falls_and_stops_where_the_pairs_do() {
        let genuine: Vec<f32> = (0..100).rev().map(|i| 0.2 + i as f32 / 200.0).collect();
        let impostors: Vec<f32> = (0..1000).rev().map(|i| i as f32 / 2000.0).collect();
        let points = curve(&genuine, &impostors);
        assert!(points.first().unwrap().0 >= 1e-3);
        assert!(points.windows(2).all(|pair| pair[1].1 <= pair[0].1));
    }
}
