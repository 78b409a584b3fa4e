//! The report as Markdown, which is also the table on the terminal.

use std::fmt::Write;

use crate::report::{Metric, Report};
use crate::spread::Spread;

/// The tables with figures; without the surroundings that only a stored document needs.
pub fn figures(report: &Report) -> String {
    let mut out = String::new();
    if !report.rates.is_empty() {
        for metric in Metric::ALL {
            rates(report, metric, &mut out);
        }
    }
    if !report.memory.is_empty() {
        memory(report, &mut out);
    }
    if !report.idle.is_empty() {
        let shown =
            report.servers.iter().zip(&report.idle).map(|(s, percent)| format!("{} {percent:.2} %", s.name));
        let shown = shown.collect::<Vec<_>>().join(", ");
        let _ =
            writeln!(out, "CPU while idle, per cent of one core over {} s: {shown}\n", report.idle_seconds);
    }
    for error in errors(report) {
        let _ = writeln!(out, "- {error}");
    }
    out
}

/// A document that stands for itself: machine, versions, command lines, figures.
pub fn document(report: &Report, chart: Option<&str>) -> String {
    let names = report.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>().join(" · ");
    let mut out = format!("# {names}\n\n");
    let _ = writeln!(
        out,
        "Servers took turns, {} rounds each; medians, with the smallest and largest",
        report.rounds
    );
    let _ = writeln!(
        out,
        "round in brackets. Ratios compare neighbouring bursts with {}.",
        baseline_name(report)
    );
    let _ = writeln!(out, "Absolute figures depend on the machine and its neighbours; trust the ratios.\n");
    if let Some(chart) = chart {
        let _ = writeln!(out, "![Ratios to {}]({chart})\n", baseline_name(report));
    }
    out.push_str(&figures(report));
    out.push_str("\n## Machine\n\n| | |\n|---|---|\n");
    for (what, value) in &report.machine {
        let _ = writeln!(out, "| {what} | {value} |");
    }
    out.push_str("\n## Command lines\n\n```\n");
    let _ = writeln!(out, "compare {}\n", report.arguments);
    for server in &report.servers {
        let _ = writeln!(out, "# {}\n{}", server.name, server.command_line);
    }
    for result in &report.rates {
        let _ = writeln!(out, "\n# {}\n{}", result.case, result.command);
    }
    out.push_str("```\n");
    out
}

fn baseline_name(report: &Report) -> &str {
    &report.servers[report.baseline].name
}

fn rates(report: &Report, metric: Metric, out: &mut String) {
    let mut rows = vec![head(report, metric.title())];
    for result in &report.rates {
        let mut row = vec![result.case.to_owned()];
        for server in 0..report.servers.len() {
            row.push(result.spread(server, metric).map_or("-".into(), |spread| with_range(&spread)));
            if server != report.baseline {
                row.push(
                    result
                        .ratio(server, report.baseline, metric)
                        .map_or("-".into(), |ratio| ratio_text(&ratio)),
                );
            }
        }
        rows.push(row);
    }
    write_table(&rows, out);
}

fn memory(report: &Report, out: &mut String) {
    let mut rows = vec![head(report, "resident bytes per element [server's count]")];
    for result in &report.memory {
        let mut row = vec![format!("{} (payload {})", result.case, result.payload_bytes)];
        for (server, growth) in result.growths.iter().enumerate() {
            let used = |used: Option<f64>| used.map_or("-".into(), |used| format!("{used:.1}"));
            row.push(growth.as_ref().map_or("-".into(), |g| format!("{:.1} [{}]", g.resident, used(g.used))));
            if server != report.baseline {
                let ratio = result.ratio(server, report.baseline);
                row.push(ratio.map_or("-".into(), |ratio| format!("{ratio:.2}")));
            }
        }
        rows.push(row);
    }
    write_table(&rows, out);
}

fn head(report: &Report, title: &str) -> Vec<String> {
    let mut head = vec![title.to_owned()];
    for (index, server) in report.servers.iter().enumerate() {
        head.push(server.name.clone());
        if index != report.baseline {
            head.push("ratio".into());
        }
    }
    head
}

fn errors(report: &Report) -> Vec<String> {
    let mut errors = Vec::new();
    let mut note = |case: &str, server: usize, error: Option<&String>| {
        if let Some(error) = error {
            errors.push(format!("{case}, {}: {}", report.servers[server].name, error.replace('\n', " / ")));
        }
    };
    for result in &report.rates {
        result.samples.iter().enumerate().for_each(|(server, s)| note(result.case, server, s.as_ref().err()));
    }
    for result in &report.memory {
        result.growths.iter().enumerate().for_each(|(server, g)| note(result.case, server, g.as_ref().err()));
    }
    errors
}

fn with_range(spread: &Spread) -> String {
    let digits = |value: f64| {
        if value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else if value >= 1.0 {
            2
        } else {
            3
        }
    };
    let show = |value: f64| format!("{value:.*}", digits(spread.median));
    format!("{} ({}–{})", show(spread.median), show(spread.min), show(spread.max))
}

fn ratio_text(ratio: &Spread) -> String {
    format!("**{:.2}** ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max)
}

/// A Markdown table whose columns also line up as plain text.
fn write_table(rows: &[Vec<String>], out: &mut String) {
    let columns = rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(out, "| {cell:<width$} ");
        }
        out.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(out, "|{}", "-".repeat(width + 2));
            }
            out.push_str("|\n");
        }
    }
    out.push('\n');
}
