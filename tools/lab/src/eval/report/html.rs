//! A report as one page that needs nothing else: light and dark, narrow and printed.

use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};

use crate::eval::report::at_far::{AtFar, ByFar};
use crate::eval::report::by_group::ByGroup;
use crate::eval::report::identification::Identification;
use crate::eval::report::plot::{self, Plot};
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::Report;
use crate::eval::report::thumbnail::Thumbnail;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#222;--paper:#fff;--soft:#666;--line:#ddd;--panel:#f6f6f6}\
*{box-sizing:border-box}\
body{margin:0 auto;padding:1rem;max-width:60rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}\
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.2rem;margin:2rem 0 .5rem}\
p,li{max-width:48rem}.soft{color:var(--soft)}\
.table{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
td.n{white-space:nowrap}th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}\
code,pre{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}\
pre{background:var(--panel);padding:.75rem;border-radius:4px}\
figure{margin:1rem 0}figcaption{font-weight:600}svg,img{max-width:100%;height:auto}\
.key{display:inline-block;width:1rem;height:.2rem;vertical-align:middle;margin:0 .4rem 0 0}.key+span{margin-right:1rem}\
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:0 1.5rem}\
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(11rem,1fr));gap:1rem}.pairs>div{overflow-wrap:anywhere}.pairs img{width:48%}\
.big{font-size:1.6rem;font-weight:600}\
@media print{body{max-width:none;font-size:11pt;padding:0}figure,tr,.pairs>*{break-inside:avoid}h2{break-after:avoid}}";

/// Letters of a field that stays on one line.
const SHORT: usize = 12;

const DARK: &str = "@media screen and (prefers-color-scheme:dark){\
:root{--ink:#e6e6e6;--paper:#161616;--soft:#a0a0a0;--line:#3a3a3a;--panel:#222}";

/// The page.
pub(crate) fn page(report: &Report, plots: &[Plot], thumbnails: &[Thumbnail]) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}{DARK}{}}}</style></head><body>\n<h1>{title}</h1>\n",
        plot::dark_style(),
        title = text(&report.data.name),
    );
    head(&mut out, report);
    figures(&mut out, report);
    if !plots.is_empty() {
        out.push_str("<h2>Curves</h2>\n<div class=\"plots\">");
        plots.iter().for_each(|plot| figure(&mut out, plot));
        out.push_str("</div>\n");
    }
    for table in report.by_group.iter().map(ByGroup::table).chain(report.tables.iter().cloned()) {
        let _ = writeln!(out, "<h2>{}</h2>", text(&table.title));
        if !table.note.is_empty() {
            let _ = writeln!(out, "<p class=\"soft\">{}</p>", text(&table.note));
        }
        rows(&mut out, &table.head, &table.rows);
    }
    if !thumbnails.is_empty() {
        out.push_str("<h2>Worst errors</h2>\n<div class=\"pairs\">");
        thumbnails.iter().for_each(|thumbnail| worst(&mut out, thumbnail));
        out.push_str("</div>\n");
    }
    list(&mut out, "Limits", &report.limits);
    let noted: Vec<String> = report
        .noted
        .iter()
        .map(|noted| match noted.such_as.is_empty() {
            true => format!("{}: {}", noted.what, noted.count),
            false => format!("{}: {}, such as {}", noted.what, noted.count, noted.such_as.join("; ")),
        })
        .collect();
    list(&mut out, "Found in the data", &noted);
    origin(&mut out, report);
    out.push_str("</body></html>\n");
    out
}

fn head(out: &mut String, report: &Report) {
    let data = &report.data;
    if data.is_generated {
        out.push_str(
            "<p><strong>Generated features: these figures show no accuracy of any network.</strong></p>\n",
        );
    }
    let people = data.subjects.map_or(String::new(), |people| format!(" of {people} people"));
    let _ = write!(
        out,
        "<p>Protocol <code>{}</code>: {} media{people}; {} genuine and {} impostor comparisons.",
        text(&report.protocol),
        data.media,
        data.genuine,
        data.impostors
    );
    if let Some(maker) = &report.made_by {
        let _ = write!(
            out,
            " Templates by <strong>{}</strong> ({} values), faces by {}.",
            text(&maker.pack),
            maker.dimension,
            text(&maker.detector)
        );
    }
    out.push_str("</p>\n");
    if let Some(mean) = report.accuracy_mean {
        let deviation = report.accuracy_sd.map_or(String::new(), |sd| format!(" &plusmn; {sd:.3}"));
        let right = report
            .accuracy
            .map_or(String::new(), |rate| format!("; pairs decided right: {}", with_interval(&rate)));
        let over = if report.accuracy_sd.is_some() {
            "mean and standard deviation over folds"
        } else {
            "on the listed pairs"
        };
        let _ = writeln!(
            out,
            "<p><span class=\"big\">{mean:.3} %{deviation}</span><br><span class=\"soft\">accuracy, {over}{right}</span></p>"
        );
    }
}

fn figures(out: &mut String, report: &Report) {
    by_far(out, "True accepts at a false accept rate", "TAR", "FAR", &report.tar_at_far);
    by_far(out, "True accepts over all pairs", "TAR", "FAR", &report.all_pairs_tar_at_far);
    out.push_str("<h2>Single rates</h2>\n");
    let mut lines = Vec::new();
    if let Some(eer) = &report.eer {
        let (value, low, high) = (100.0 * eer.value, 100.0 * eer.low, 100.0 * eer.high);
        let rate = format!("{value:.3} % [{low:.3}, {high:.3}] at {:.4}", eer.threshold);
        lines.push(vec!["Equal error rate".to_owned(), rate]);
    }
    lines.push(vec!["Failures to acquire".to_owned(), with_interval(&report.fta)]);
    if let Some(fte) = &report.fte {
        lines.push(vec!["Failures to enrol".to_owned(), with_interval(fte)]);
    }
    rows(out, &["rate", "value [95 % interval]"].map(str::to_owned), &lines);
    report.identification.iter().for_each(|search| identified(out, search));
    if !report.latency_ms.is_empty() {
        out.push_str("<h2>Latency</h2>\n");
        let head = ["stage", "p50, ms", "p95, ms", "p99, ms", "runs"].map(str::to_owned);
        let line = |(stage, took): (&String, &crate::eval::report::run::Latency)| {
            let mut row = vec![stage.clone()];
            row.extend([took.p50, took.p95, took.p99].map(|ms| format!("{ms:.2}")));
            row.push(took.count.to_string());
            row
        };
        rows(out, &head, &report.latency_ms.iter().map(line).collect::<Vec<_>>());
    }
}

fn identified(out: &mut String, search: &Identification) {
    let _ = writeln!(
        out,
        "<h2>Identification: {}</h2>\n<p>{} entries; {} searches with a mate, {} without.</p>",
        text(&search.name),
        search.gallery,
        search.mated,
        search.non_mated
    );
    let ranks: Vec<_> =
        search.rank.iter().map(|(rank, rate)| vec![rank.to_string(), with_interval(rate)]).collect();
    rows(out, &["within rank", "share [95 % interval]"].map(str::to_owned), &ranks);
    by_far(out, "Misses at a false positive identification rate", "FNIR", "FPIR", &search.fnir_at_fpir);
}

fn by_far(out: &mut String, title: &str, rate: &str, far: &str, all: &ByFar) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "<h2>{title}</h2>");
    let head = [far, rate, "threshold", "accepted of the impostors"].map(str::to_owned);
    let line = |(key, at): (&String, &AtFar)| match at {
        AtFar::Counted { rate, threshold, far } => {
            vec![key.clone(), with_interval(rate), format!("{threshold:.4}"), counted(far)]
        }
        AtFar::NotSupported { reason, .. } => {
            vec![key.clone(), format!("no number: {reason}"), String::new(), String::new()]
        }
    };
    // The highest rate first: it is the best supported.
    rows(out, &head, &all.iter().map(line).collect::<Vec<_>>());
}

fn counted(far: &Rate) -> String {
    format!("{} of {}: [{:.2e}, {:.2e}]", far.hits, far.total, far.low, far.high)
}

fn with_interval(rate: &Rate) -> String {
    let over = match rate.over {
        Over::Subjects => "over people",
        Over::Trials => "each by itself",
    };
    format!("{}, {} of {}, {over}", rate.percent(), rate.hits, rate.total)
}

fn figure(out: &mut String, plot: &Plot) {
    let _ = write!(out, "<figure><figcaption>{}</figcaption>\n{}\n<div>", text(&plot.title), plot.svg);
    for (index, name) in plot.names.iter().enumerate() {
        let colour = plot::colour(index);
        let _ = write!(
            out,
            "<svg class=\"key\" viewBox=\"0 0 10 2\" preserveAspectRatio=\"none\"><rect width=\"10\" height=\"2\" \
             fill=\"{colour}\"/></svg><span>{}</span>",
            text(name)
        );
    }
    out.push_str("</div></figure>\n");
}

fn worst(out: &mut String, thumbnail: &Thumbnail) {
    out.push_str("<div>");
    for photo in &thumbnail.photos {
        let kind = if photo.starts_with(b"\x89PNG") { "png" } else { "jpeg" };
        let _ =
            write!(out, "<img alt=\"\" src=\"data:image/{kind};base64,{}\"> ", Base64::encode_string(photo));
    }
    let _ = write!(out, "<br>{}</div>", text(&thumbnail.caption));
}

fn origin(out: &mut String, report: &Report) {
    out.push_str("<h2>Where it comes from</h2>\n");
    let mut lines = vec![vec!["Data, sha256".to_owned(), report.data.sha256.clone()]];
    lines.extend(report.data.lists.iter().map(|(name, hash)| vec![format!("{name}, sha256"), hash.clone()]));
    if let Some(maker) = &report.made_by {
        lines.push(vec!["Pack, sha256 of its manifest".to_owned(), maker.sha256.clone()]);
        lines.push(vec!["Embedder".to_owned(), maker.model_id.clone()]);
    }
    lines.extend(report.files.iter().map(|(name, hash)| vec![name.clone(), hash.clone()]));
    lines.push(vec!["Digest of the figures".to_owned(), report.digest.clone()]);
    let run = &report.run;
    let memory = run.peak_memory.map_or(String::new(), |bytes| format!(", {} MiB at most", bytes >> 20));
    let ran = format!(
        "{:.1} s on {} threads, {}{memory}, lab {}",
        run.seconds, run.threads, run.machine, run.version
    );
    lines.push(vec!["Run".to_owned(), ran]);
    let head = ["what", ""].map(str::to_owned);
    rows(out, &head, &lines);
    let quoted = |argument: &String| {
        if argument.contains([' ', '\'', '"']) {
            format!("'{}'", argument.replace('\'', "'\\''"))
        } else {
            argument.clone()
        }
    };
    let command: Vec<String> = report.command.iter().map(quoted).collect();
    let _ = writeln!(out, "<p>Made by</p><pre>{}</pre>", text(&command.join(" ")));
    out.push_str("<p>Checked by <code>arcdoor-lab report verify</code> on the folder's <code>report.json</code>.</p>\n");
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "<h2>{title}</h2>\n<ul>");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", text(line));
    }
    out.push_str("</ul>\n");
}

fn rows(out: &mut String, head: &[String], lines: &[Vec<String>]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("<div class=\"table\"><table><thead><tr>");
    for name in head {
        let _ = write!(out, "<th>{}</th>", text(name));
    }
    out.push_str("</tr></thead><tbody>\n");
    for line in lines {
        out.push_str("<tr>");
        for field in line {
            // A number is not broken at its minus sign.
            let class = if field.chars().count() <= SHORT { " class=\"n\"" } else { "" };
            let _ = write!(out, "<td{class}>{}</td>", text(field));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
}

/// Text that no tag begins in.
fn text(plain: &str) -> String {
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::report::report::{Data, Maker, Noted};
    use crate::eval::report::run::Run;
    use crate::eval::report::table::Table;

    #[test]
    fn names_begin_no_tag() {
        assert_eq!(text("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }

    #[test]
    fn no_field_of_a_report_begins_a_tag() {
        let tag = || "<b>&\"".to_owned();
        let data = Data {
            name: tag(),
            sha256: tag(),
            lists: [(tag(), tag())].into(),
            media: 1,
            subjects: None,
            genuine: 1,
            impostors: 1,
            is_generated: true,
        };
        let mut report = Report::new(&tag(), data, Rate::of(0, 1), Run::of(0.0, 1));
        let maker = Maker { pack: tag(), model_id: tag(), sha256: tag(), detector: tag(), dimension: 1 };
        report.made_by = Some(maker);
        report.noted = vec![Noted { what: tag(), count: 1, such_as: vec![tag()] }];
        report.tables = vec![Table { title: tag(), note: tag(), head: vec![tag()], rows: vec![vec![tag()]] }];
        (report.limits, report.command) = (vec![tag()], vec![tag()]);
        let page = page(&report, &[], &[Thumbnail { caption: tag(), photos: Vec::new() }]);
        assert!(!page.contains("<b>") && page.contains("&lt;b&gt;"));
    }
}
