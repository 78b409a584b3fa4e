//! Writes recorded replies into a dialogue file in place of `?`.

use crate::dialogue::split_arrow;
use crate::session::Recorded;

/// The file's text with the recorded replies filled in.
pub fn filled_in(lines: &[String], recorded: &Recorded) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        match (recorded.iter().find(|(recorded_at, _)| *recorded_at == at), split_arrow(line.trim_end())) {
            (Some((_, reply)), Some((connection, arrow, "?"))) => {
                for reply_line in reply {
                    out.push_str(&format!("{connection}{arrow} {reply_line}\n"));
                }
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_question_marks_are_replaced() {
        let lines: Vec<String> = ["# t", "> A", "< ?", "c2> B", "c2< ?", "< OK"].map(String::from).to_vec();
        let recorded =
            vec![(2, vec!["1) \"a\"".to_owned(), "2) \"b\"".to_owned()]), (5, vec!["NO".to_owned()])];
        assert_eq!(filled_in(&lines, &recorded), "# t\n> A\n< 1) \"a\"\n< 2) \"b\"\nc2> B\nc2< ?\n< OK\n");
    }
}
