//! What is drawn: operating curves, histograms of scores and match characteristics.

/// The name of a curve of everybody against everybody.
pub(crate) const ALL_PAIRS: &str = "all pairs";

/// One threshold of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Share of impostors accepted.
    pub(crate) far: f64,
    /// Share of genuine comparisons accepted.
    pub(crate) tar: f64,
    pub(crate) threshold: f64,
}

/// A ROC, and the DET that it is read as; points by rising `far`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<Point>,
}

/// Scores in bins of one width from `low` to `high`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) name: String,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// One count a bin, as many as of `impostors`.
    pub(crate) genuine: Vec<u64>,
    pub(crate) impostors: Vec<u64>,
}

/// The share of mated searches whose mate is among the first 1, 2, 3, ...
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cmc {
    pub(crate) name: String,
    pub(crate) shares: Vec<f64>,
}

/// Everything that a report draws.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Curves {
    pub(crate) operating: Vec<Curve>,
    pub(crate) histograms: Vec<Histogram>,
    pub(crate) cmc: Vec<Cmc>,
}
