//! A report's plots as SVG. Colours are those of [`COLOURS`]; the page's style gives them their light and dark values.

use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use crate::eval::report::curves::{Cmc, Curve, Curves, Histogram, Point};

/// Small, so that its text can be read where a phone shrinks it.
const SIZE: (u32, u32) = (480, 340);
/// What text and axes are drawn in, and the grid.
const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// Of the first, second, ... curve.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x00, 0x66, 0xcc),
    RGBColor(0xcc, 0x44, 0x00),
    RGBColor(0x00, 0x88, 0x44),
    RGBColor(0x88, 0x22, 0xaa),
];
/// The least false accept rate and the least miss rate that are drawn, whatever the curve reaches.
const LEAST_FAR: f64 = 1e-9;
const LEAST_MISS: f64 = 1e-4;

/// A drawn figure: its heading, its SVG, and what its colours mean, in the order of [`COLOURS`].
pub(crate) struct Plot {
    pub(crate) title: String,
    pub(crate) svg: String,
    pub(crate) names: Vec<String>,
}

/// Values of the colours in the dark, by those of the light.
pub(crate) fn dark_style() -> String {
    const DARK: [&str; 4] = ["#6cb2ff", "#ff9a5c", "#5ad18f", "#d39aff"];
    let mut style = String::new();
    for (from, to) in COLOURS.iter().zip(DARK).chain([(&INK, "#dddddd"), (&GRID, "#444444")]) {
        let (red, green, blue) = from.rgb();
        for way in ["stroke", "fill"] {
            let _ = write!(style, "svg [{way}=\"#{red:02X}{green:02X}{blue:02X}\"]{{{way}:{to}}}");
        }
    }
    style
}

/// The colour of a curve, as CSS has it.
pub(crate) fn colour(index: usize) -> String {
    let (red, green, blue) = COLOURS[index % COLOURS.len()].rgb();
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// Everything that there is to draw.
pub(crate) fn plots(curves: &Curves) -> Result<Vec<Plot>> {
    let mut plots = Vec::new();
    if !curves.operating.is_empty() {
        plots.push(rates("Misses against false accepts (DET)", &curves.operating, true)?);
        plots.push(rates("True accepts against false accepts (ROC)", &curves.operating, false)?);
    }
    for histogram in &curves.histograms {
        plots.push(scores(histogram)?);
    }
    if !curves.cmc.is_empty() {
        plots.push(ranks(&curves.cmc)?);
    }
    Ok(plots)
}

/// A DET of several as a file of its own: on white, with the names in it.
pub(crate) fn det(curves: &[Curve]) -> Result<String> {
    let plot = rates("", curves, true)?;
    let (width, height) = SIZE;
    let key = 18 * plot.names.len() as u32;
    let (_, drawn) = plot.svg.split_once('>').unwrap_or_default();
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{whole}\" viewBox=\"0 0 {width} {whole}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<rect width=\"{width}\" height=\"{whole}\" fill=\"#FFFFFF\"/>",
        whole = height + key
    );
    for (index, name) in plot.names.iter().enumerate() {
        let (y, colour) = (height + 18 * index as u32, colour(index));
        let name = name.replace('&', "&amp;").replace('<', "&lt;");
        let _ = write!(
            svg,
            "<rect x=\"62\" y=\"{y}\" width=\"16\" height=\"3\" fill=\"{colour}\"/>\
             <text x=\"84\" y=\"{}\" font-family=\"sans-serif\" font-size=\"13\">{name}</text>",
            y + 6
        );
    }
    Ok(svg + drawn)
}

/// DET or ROC over a logarithmic false accept rate.
fn rates(title: &str, curves: &[Curve], is_det: bool) -> Result<Plot> {
    let drawn = |point: &&Point| point.far >= LEAST_FAR;
    let all = || curves.iter().flat_map(|curve| curve.points.iter().filter(drawn));
    let least = all().map(|point| point.far).fold(1e-1, f64::min);
    let left = 10_f64.powi(least.log10().floor() as i32);
    let height = |point: &Point| if is_det { (1.0 - point.tar).max(LEAST_MISS) } else { point.tar };
    let lowest = all().map(height).fold(1.0, f64::min);
    let lines = curves.iter().map(|curve| {
        curve.points.iter().filter(drawn).map(|point| (point.far, height(point))).collect::<Vec<_>>()
    });
    let (names, lines) = (curves.iter().map(|curve| curve.name.clone()).collect(), lines.collect::<Vec<_>>());
    let across = (left..1.0).log_scale();
    let svg = if is_det {
        let bottom = 10_f64.powi(lowest.log10().floor() as i32).min(0.1);
        draw(across, (bottom..1.0).log_scale(), ["false accept rate", "share of genuine refused"], lines)?
    } else {
        let bottom = ((lowest * 20.0).floor() / 20.0).min(0.95);
        draw(across, bottom..1.0, ["false accept rate", "share of genuine accepted"], lines)?
    };
    Ok(Plot { title: title.to_owned(), svg, names })
}

/// Shares of genuine and impostor scores by bin: two outlines, each of its own total.
fn scores(histogram: &Histogram) -> Result<Plot> {
    let bins = histogram.genuine.len().max(1);
    let width = (histogram.high - histogram.low) / bins as f64;
    let outline = |counts: &[u64]| {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        let mut line = Vec::with_capacity(2 * counts.len());
        for (bin, count) in counts.iter().enumerate() {
            let (from, share) = (histogram.low + bin as f64 * width, *count as f64 / total);
            line.extend([(from, share), (from + width, share)]);
        }
        line
    };
    let lines = vec![outline(&histogram.genuine), outline(&histogram.impostors)];
    let top = lines.iter().flatten().map(|(_, share)| *share).fold(0.0, f64::max).max(1e-3) * 1.05;
    let svg = draw(histogram.low..histogram.high, 0.0..top, ["score", "share of the comparisons"], lines)?;
    let names = vec!["genuine".to_owned(), "impostors".to_owned()];
    Ok(Plot { title: format!("Scores: {}", histogram.name), svg, names })
}

/// Match characteristics over rank.
fn ranks(curves: &[Cmc]) -> Result<Plot> {
    let line = |curve: &Cmc| (1..).map(f64::from).zip(curve.shares.iter().copied()).collect::<Vec<_>>();
    let lines: Vec<_> = curves.iter().map(line).collect();
    let most = lines.iter().map(Vec::len).max().unwrap_or(1).max(2) as f64;
    let lowest = lines.iter().flatten().map(|(_, share)| *share).fold(1.0, f64::min);
    let bottom = ((lowest * 20.0).floor() / 20.0).min(0.95);
    let svg = draw((1.0..most).log_scale(), bottom..1.0, ["rank", "share of mates within it"], lines)?;
    let names = curves.iter().map(|curve| curve.name.clone()).collect();
    Ok(Plot { title: "Mates found by rank (CMC)".to_owned(), svg, names })
}

/// A tick's number: as short as it is read.
fn tick(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 {
        // A power of ten may have been rounded to 9.999999e-7.
        format!("{value:.0e}")
    } else {
        format!("{}", (value * 1e4).round() / 1e4)
    }
}

fn draw<X, Y>(across: X, up: Y, names: [&str; 2], lines: Vec<Vec<(f64, f64)>>) -> Result<String>
where
    X: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
    Y::CoordDescType: ValueFormatter<f64>,
{
    let mut svg = String::new();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw a plot: {error}");
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(46)
            .y_label_area_size(62)
            .build_cartesian_2d(across, up)
            .map_err(|error| failed(&error))?;
        let text = |size: u32| TextStyle::from(("sans-serif", size).into_font()).color(&INK);
        chart
            .configure_mesh()
            .x_desc(names[0])
            .y_desc(names[1])
            .axis_desc_style(text(15))
            .label_style(text(14))
            .axis_style(INK)
            .bold_line_style(GRID)
            .light_line_style(TRANSPARENT)
            .x_labels(8)
            .y_labels(8)
            .x_label_formatter(&|value| tick(*value))
            .y_label_formatter(&|value| tick(*value))
            .draw()
            .map_err(|error| failed(&error))?;
        for (line, colour) in lines.into_iter().zip(COLOURS.iter().cycle()) {
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(2)))
                .map_err(|error| failed(&error))?;
        }
        root.present().map_err(|error| failed(&error))?;
    }
    Ok(svg)
}
