//! The developers' front door: `cargo xtask <task>`.
#![forbid(unsafe_code)]

fn main() {
    eprintln!("usage: cargo xtask <task>");
    std::process::exit(2);
}
