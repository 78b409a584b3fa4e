//! Prints `docs/configuration.md`.

fn main() {
    print!("{}", config::page::markdown());
}
