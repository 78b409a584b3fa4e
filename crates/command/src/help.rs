//! The HELP subcommand of containers: the frame is the same for all.

use resp::Reply;

/// Writes the reply: a first line, the subcommands (`(form, what it does)`), and HELP itself.
pub fn reply(out: &mut Reply, container: &str, lines: &[(&str, &str)]) {
    out.array(1 + 2 * lines.len() + 2);
    out.status(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (form, text) in lines.iter().chain(&[("HELP", "Print this help.")]) {
        out.status(form);
        out.status(&format!("    {text}"));
    }
}

/// The same of whole lines, for subcommands whose descriptions take several.
pub fn lines(out: &mut Reply, container: &str, lines: &[&str]) {
    let head = format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    out.array(lines.len() + 3);
    out.status(&head);
    lines.iter().chain(&["HELP", "    Print this help."]).for_each(|line| out.status(line));
}
