//! The ratios as a bar chart in SVG: one group of bars for every case, the baseline as a line at 1.
//!
//! Plain shapes and text on a white ground, so that it reads the same in every viewer and on paper.

use std::fmt::Write;

use crate::report::{Metric, Report};
use crate::spread::Spread;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 130.0;
/// Room right of the bars for the figures.
const FIGURES: f64 = 120.0;
const BAR: f64 = 15.0;
const GROUP_GAP: f64 = 11.0;
const HEAD: f64 = 62.0;
const PANEL_HEAD: f64 = 50.0;
const FOOT: f64 = 34.0;
const FONT: &str = "system-ui, 'Segoe UI', Helvetica, Arial, sans-serif";
/// Okabe and Ito's colours, distinguishable for colour-blind readers.
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#999999"];
const INK: &str = "#222222";
const FAINT: &str = "#707070";

/// A group of bars: one ratio for every server; the baseline has none.
struct Group {
    label: String,
    ratios: Vec<Option<Spread>>,
}

struct Panel {
    title: String,
    groups: Vec<Group>,
}

/// The whole picture.
pub fn svg(report: &Report, metric: Metric) -> String {
    let panels = panels(report, metric);
    let drawn = report.servers.len().saturating_sub(1).max(1) as f64;
    let group_height = drawn * BAR + GROUP_GAP;
    let panel_height = |panel: &Panel| PANEL_HEAD + panel.groups.len() as f64 * group_height;
    let height = HEAD + panels.iter().map(panel_height).sum::<f64>() + FOOT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"{FONT}\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    head(report, &mut out);
    let mut top = HEAD;
    for panel in &panels {
        draw(panel, report, top, group_height, &mut out);
        top += panel_height(panel);
    }
    let note =
        format!("median of {} interleaved rounds; whiskers: smallest and largest round", report.rounds);
    text(&mut out, LABELS, height - 12.0, "start", FAINT, 11.0, &note);
    out.push_str("</svg>\n");
    out
}

fn panels(report: &Report, metric: Metric) -> Vec<Panel> {
    let better = if metric.less_is_better() { "shorter" } else { "longer" };
    let quantity = metric.title().split(',').next().unwrap_or_default();
    let servers = 0..report.servers.len();
    let mut panels = Vec::new();
    if !report.rates.is_empty() {
        let groups = report.rates.iter().map(|result| Group {
            label: result.case.to_owned(),
            ratios: servers.clone().map(|s| result.ratio(s, report.baseline, metric)).collect(),
        });
        panels.push(Panel { title: format!("{quantity} ({better} is better)"), groups: groups.collect() });
    }
    if !report.memory.is_empty() {
        let whole = |ratio: f64| Spread { median: ratio, min: ratio, max: ratio };
        let groups = report.memory.iter().map(|result| Group {
            label: result.case.to_owned(),
            ratios: servers.clone().map(|s| result.ratio(s, report.baseline).map(whole)).collect(),
        });
        panels.push(Panel {
            title: "resident memory per element (shorter is better)".into(),
            groups: groups.collect(),
        });
    }
    panels
}

/// Title and legend.
fn head(report: &Report, out: &mut String) {
    let title = format!("Ratio to {}", report.servers[report.baseline].name);
    let _ = writeln!(
        out,
        "<text x=\"14\" y=\"26\" font-size=\"17\" font-weight=\"600\" fill=\"{INK}\">{}</text>",
        escaped(&title)
    );
    let mut left = 14.0;
    for (index, server) in report.servers.iter().enumerate() {
        if index == report.baseline {
            continue;
        }
        let _ = writeln!(
            out,
            "<rect x=\"{left}\" y=\"39\" width=\"12\" height=\"12\" fill=\"{}\"/>",
            colour(index)
        );
        text(out, left + 18.0, 50.0, "start", INK, 13.0, &server.name);
        left += 44.0 + 7.2 * server.name.chars().count() as f64;
    }
}

fn draw(panel: &Panel, report: &Report, top: f64, group_height: f64, out: &mut String) {
    let spreads = || panel.groups.iter().flat_map(|group| &group.ratios).flatten();
    // One wild round must not squeeze all the bars: the scale follows the medians, whiskers are cut at it.
    let longest = spreads().map(|ratio| ratio.median).fold(1.0, f64::max) * 1.1;
    let plot = WIDTH - LABELS - FIGURES;
    let x = |ratio: f64| LABELS + (ratio.min(longest) / longest) * plot;
    let bars_top = top + PANEL_HEAD - 6.0;
    let bottom = bars_top + panel.groups.len() as f64 * group_height;
    let _ = writeln!(
        out,
        "<text x=\"{LABELS}\" y=\"{}\" font-weight=\"600\" fill=\"{INK}\">{}</text>",
        top + 20.0,
        escaped(&panel.title)
    );
    let line = |at: f64, stroke: &str, width: f64| {
        let (from, to) =
            (format!("x1=\"{at:.1}\" y1=\"{bars_top}\""), format!("x2=\"{at:.1}\" y2=\"{bottom}\""));
        format!("<line {from} {to} stroke=\"{stroke}\" stroke-width=\"{width}\"/>")
    };
    for tick in ticks(longest) {
        let at = x(tick);
        let _ = writeln!(out, "{}", if tick == 1.0 { line(at, INK, 1.4) } else { line(at, "#dddddd", 1.0) });
        text(out, at, bars_top - 5.0, "middle", FAINT, 11.0, &format!("{tick}"));
    }
    for (row, group) in panel.groups.iter().enumerate() {
        let group_top = bars_top + row as f64 * group_height + GROUP_GAP / 2.0;
        let middle = group_top + (group_height - GROUP_GAP) / 2.0 + 4.5;
        text(out, LABELS - 10.0, middle, "end", INK, 13.0, &group.label);
        let drawn = (0..report.servers.len()).filter(|&server| server != report.baseline);
        for (place, server) in drawn.enumerate() {
            let bar_top = group_top + place as f64 * BAR;
            bar(out, group.ratios[server], bar_top, colour(server), &x);
        }
    }
}

fn bar(out: &mut String, ratio: Option<Spread>, top: f64, colour: &str, x: &impl Fn(f64) -> f64) {
    let Some(ratio) = ratio else {
        text(out, LABELS + 6.0, top + 11.5, "start", FAINT, 11.0, "not measured");
        return;
    };
    let (end, middle) = (x(ratio.median), top + (BAR - 2.0) / 2.0);
    let _ = writeln!(
        out,
        "<rect x=\"{LABELS}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>",
        end - LABELS,
        BAR - 2.0
    );
    let (from, to) = (x(ratio.min), x(ratio.max));
    if to - from > 1.0 {
        let ends = format!("x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"");
        let _ = writeln!(out, "<line {ends} stroke=\"{INK}\" stroke-opacity=\"0.65\"/>");
    }
    // A white ground keeps the figure readable where it stands on the line at 1.
    let figure = to.max(end) + 7.0;
    let _ = writeln!(
        out,
        "<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"30\" height=\"{}\" fill=\"#ffffff\"/>",
        figure - 3.0,
        BAR - 2.0
    );
    text(out, figure, top + 11.0, "start", INK, 12.0, &format!("{:.2}", ratio.median));
}

/// Round values up to the end of the scale; 1 is always among them.
fn ticks(longest: f64) -> Vec<f64> {
    let step = if longest > 8.0 {
        (longest / 6.0).ceil()
    } else if longest > 2.5 {
        1.0
    } else {
        0.25
    };
    let mut ticks: Vec<f64> = (0..=(longest / step) as u32).map(|index| f64::from(index) * step).collect();
    if !ticks.contains(&1.0) {
        ticks.push(1.0);
    }
    ticks
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, fill: &str, size: f64, words: &str) {
    let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"");
    let _ = writeln!(out, "<text {place} fill=\"{fill}\" font-size=\"{size}\">{}</text>", escaped(words));
}

fn colour(server: usize) -> &'static str {
    COLOURS[server % COLOURS.len()]
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_hold_one_and_stay_few() {
        for longest in [1.1, 2.0, 3.0, 9.0, 40.0, 900.0] {
            let ticks = ticks(longest);
            assert!(ticks.contains(&1.0) && ticks.len() <= 12, "{longest}: {ticks:?}");
        }
    }

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escaped("a<b>&c"), "a&lt;b&gt;&amp;c");
    }
}
