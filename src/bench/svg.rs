//! Three kinds of plot as inline SVG: a line over time, bars, and lines over a logarithmic axis.

use std::fmt::Write as _;

use super::table::figure;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
/// Space for labels: left, right, top, bottom.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;
/// Told apart also without colour vision (Okabe and Ito).
const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

/// One line of a plot.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    /// x and y; y from 0 up.
    pub(super) points: Vec<(f64, f64)>,
}

struct Axes {
    x: (f64, f64),
    y_max: f64,
}

impl Axes {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (from, to) = self.x;
        let across = if to > from { (x - from) / (to - from) } else { 0.5 };
        (LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / self.y_max * (HEIGHT - TOP - BOTTOM))
    }

    fn draw(&self, x_ticks: &[(f64, String)], x_name: &str, y_name: &str) -> String {
        let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{y_name} over {x_name}\">");
        for step in 0..=4 {
            let value = self.y_max * f64::from(step) / 4.0;
            let (_, y) = self.at(self.x.0, value);
            put(&mut out, format_args!("<line class=grid x1={LEFT} x2={:.0} y1={y:.1} y2={y:.1} />", WIDTH - RIGHT));
            put(&mut out, format_args!("<text x={:.0} y={:.1} text-anchor=end>{}</text>", LEFT - 6.0, y + 4.0, figure(value)));
        }
        for (value, label) in x_ticks {
            let (x, _) = self.at(*value, 0.0);
            put(&mut out, format_args!("<text x={x:.1} y={:.0} text-anchor=middle>{label}</text>", HEIGHT - BOTTOM + 15.0));
        }
        put(&mut out, format_args!("<text x={:.0} y={:.0} text-anchor=end>{x_name}</text>", WIDTH - RIGHT, HEIGHT - 4.0));
        put(&mut out, format_args!("<text x=4 y=11>{y_name}</text>"));
        out
    }
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing to a String cannot fail");
}

/// Lines over an axis whose ticks are given.
pub(super) fn lines(lines: &[Line<'_>], x_ticks: &[(f64, String)], x_name: &str, y_name: &str) -> String {
    let xs = || lines.iter().flat_map(|line| &line.points).map(|point| point.0);
    let y_max = lines.iter().flat_map(|line| &line.points).map(|point| point.1).fold(1e-9, f64::max);
    let axes = Axes { x: (xs().fold(f64::INFINITY, f64::min), xs().fold(f64::NEG_INFINITY, f64::max)), y_max };
    let mut out = axes.draw(x_ticks, x_name, y_name);
    for (n, line) in lines.iter().enumerate() {
        let colour = COLOURS[n % COLOURS.len()];
        let path: Vec<String> = line.points.iter().map(|(x, y)| axes.at(*x, *y)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        put(&mut out, format_args!("<polyline fill=none stroke=\"{colour}\" stroke-width=2 points=\"{}\" />", path.join(" ")));
        if !line.name.is_empty() {
            let x = LEFT + 10.0 + 130.0 * n as f64;
            put(&mut out, format_args!("<rect x={x:.0} y={:.0} width=10 height=10 fill=\"{colour}\" />", HEIGHT - 13.0));
            put(&mut out, format_args!("<text x={:.0} y={:.0}>{}</text>", x + 14.0, HEIGHT - 4.0, line.name));
        }
    }
    out + "</svg>"
}

/// Bars of equal width, with a label below every few.
pub(super) fn bars(bars: &[(f64, u64)], x_name: &str, y_name: &str) -> String {
    let y_max = bars.iter().map(|bar| bar.1).max().unwrap_or(1).max(1) as f64;
    let axes = Axes { x: (0.0, bars.len() as f64), y_max };
    let every = (bars.len() / 8).max(1);
    let ticks: Vec<(f64, String)> = bars.iter().enumerate().step_by(every).map(|(n, bar)| (n as f64 + 0.5, figure(bar.0))).collect();
    let mut out = axes.draw(&ticks, x_name, y_name);
    for (n, (edge, count)) in bars.iter().enumerate() {
        let ((left, top), (right, bottom)) = (axes.at(n as f64, *count as f64), axes.at(n as f64 + 0.9, 0.0));
        put(
            &mut out,
            format_args!("<rect x={left:.1} y={top:.1} width={:.1} height={:.1} fill=\"{}\">", right - left, bottom - top, COLOURS[0]),
        );
        put(&mut out, format_args!("<title>up to {} ms: {}</title></rect>", figure(*edge), figure(*count as f64)));
    }
    out + "</svg>"
}
