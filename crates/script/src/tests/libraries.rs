//! What the libraries give, against what redis-server 7.0.15 gave: `libraries.txt` has scripts (`>`) and replies (`<`), with
//! `;` for line ends and the script's SHA1 as `SHA`.

use super::Host;

const CASES: &str = include_str!("libraries.txt");

fn escaped(reply: &[u8]) -> String {
    reply.iter().fold(String::new(), |text, &byte| match byte {
        b'\\' => text + "\\\\",
        32..127 => text + &char::from(byte).to_string(),
        _ => text + &format!("\\x{byte:02x}"),
    })
}

#[test]
fn replies_are_those_of_redis() {
    let mut host = Host::new();
    let mut lines = CASES.lines();
    let mut wrong = Vec::new();
    while let Some(line) = lines.next() {
        let source = line.strip_prefix("> ").expect("a script");
        let expected = lines.next().and_then(|line| line.strip_prefix("< ")).expect("its reply");
        let reply = escaped(&host.eval_bytes(source));
        if reply != expected {
            wrong.push(format!("{source}\n  ours   {reply}\n  theirs {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
