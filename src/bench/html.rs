//! The report as one page: no script, no font, no request to anywhere.

use super::compared;
use super::engines;
use super::report::{Report, Run, SaturationPoint};
use super::several;
use super::svg;
use super::svg::Line;
use super::table;

const STYLE: &str =
    "body{font:15px/1.45 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 1rem;color:#1c2024;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}.met{color:#00703c}.not{color:#b00020;font-weight:600}
svg{width:100%;max-width:40rem;height:auto}svg text{font:11px system-ui,sans-serif;fill:currentColor}.grid{stroke:#8884}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(22rem,1fr));gap:1rem}pre{white-space:pre-wrap;background:#8881;padding:.6rem}
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}th,td{border-color:#333}.met{color:#5bd18f}.not{color:#ff7b8a}}";

/// Returns the page.
pub(super) fn page(report: &Report) -> String {
    let heading = table::heading(report);
    let mut body = format!("<h1>{}</h1><p>{}</p><p>{}</p>", escape(&heading[0]), escape(&heading[1]), escape(&heading[2]));
    body.push_str(&findings(report));
    let engines = engines::lines(report);
    if !engines.is_empty() {
        body.push_str(&format!("<h2>Store engines side by side</h2><pre>{}</pre>", escape(engines.join("\n").trim_start())));
    }
    let several = several::lines(report);
    if !several.is_empty() {
        body.push_str(&format!("<h2>Several brokers beside one</h2><pre>{}</pre>", escape(several.join("\n").trim_start())));
    }
    if !report.compared.is_empty() {
        body.push_str(&compared_rows(report));
    }
    if !report.saturation.is_empty() {
        body.push_str(&saturation(&report.saturation));
    }
    for run in report.runs.iter().filter(|run| !run.scenario.starts_with("curve-")) {
        body.push_str(&of_run(run));
    }
    if !report.notes.is_empty() {
        let notes: String = report.notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
        body.push_str(&format!("<h2>Notes</h2><ul>{notes}</ul>"));
    }
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\"><title>tidings bench</title><style>{STYLE}</style><body>{body}</body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn findings(report: &Report) -> String {
    let row = |cells: [String; 7]| {
        let cell = |(n, text): (usize, &String)| {
            let class = match n {
                2..=4 => " class=n",
                5 | 6 if text.ends_with("NOT MET") => " class=not",
                5 | 6 if text.ends_with("met") => " class=met",
                _ => "",
            };
            format!("<td{class}>{}</td>", escape(text))
        };
        format!("<tr>{}</tr>", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let rows: String = report.findings.iter().map(|finding| row(table::cells(finding))).collect();
    format!(
        "<h2>Against the bare loops and the targets</h2><table><tr><th><th>unit<th>ours<th>floor<th>ratio<th>must<th>aim</tr>{rows}</table>"
    )
}

fn compared_rows(report: &Report) -> String {
    let row = |cells: [String; compared::COLUMNS.len()]| {
        let cell = |(n, text): (usize, &String)| format!("<td{}>{}</td>", if n > 1 { " class=n" } else { "" }, escape(text));
        format!("<tr>{}</tr>", cells.iter().enumerate().map(cell).collect::<String>())
    };
    let head: String = compared::COLUMNS.iter().map(|name| format!("<th>{name}")).collect();
    let rows: String = report.compared.iter().map(|one| row(compared::cells(one))).collect();
    format!("<h2>The same loads on others</h2><table><tr>{head}</tr>{rows}</table>")
}

fn of_run(run: &Run) -> String {
    let mut out = format!(
        "<h2>{}: {}</h2><pre>{}</pre><div class=two>",
        escape(&run.scenario),
        escape(&run.subject),
        escape(&table::of_run(run)[1..].join("\n"))
    );
    if run.timeline.len() > 1 {
        // Tenths of a second, shown per second.
        let points: Vec<(f64, f64)> = run.timeline.iter().enumerate().map(|(n, count)| (n as f64 / 10.0, *count as f64 * 10.0)).collect();
        let end = points.len() as f64 / 10.0;
        let ticks: Vec<(f64, String)> = (0..=5).map(|n| end * f64::from(n) / 5.0).map(|at| (at, format!("{at:.1}"))).collect();
        out.push_str(&svg::lines(&[Line { name: "", points }], &ticks, "s", "delivered/s"));
    }
    if !run.histogram.is_empty() {
        out.push_str(&svg::bars(&run.histogram, "up to ms", "deliveries"));
    }
    out + "</div>"
}

fn saturation(points: &[SaturationPoint]) -> String {
    let names = ["low", "medium", "high", "storable"];
    let line =
        |n: usize| Line { name: names[n], points: points.iter().map(|point| (point.load.log10(), point.share[n] * 100.0)).collect() };
    let ticks: Vec<(f64, String)> = points.iter().map(|point| (point.load.log10(), format!("{}×", point.load))).collect();
    let plot = svg::lines(&[line(0), line(1), line(2), line(3)], &ticks, "offered load", "% delivered");
    format!("<h2>Delivered share by priority against offered load</h2>{plot}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone_and_escapes() {
        let saturation = vec![
            SaturationPoint { load: 0.1, share: [1.0; 4], ..SaturationPoint::default() },
            SaturationPoint { load: 20.0, ..SaturationPoint::default() },
        ];
        let run = Run { scenario: "<x>".into(), timeline: vec![1, 2, 3], histogram: vec![(1.0, 5), (2.0, 7)], ..Run::default() };
        let page = page(&Report { runs: vec![run], saturation, notes: vec!["a & b".into()], ..Report::default() });
        assert!(page.contains("&lt;x&gt;") && page.contains("a &amp; b") && !page.contains("<x>"));
        assert_eq!(page.matches("<svg").count(), 3);
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("NaN"));
    }
}
