//! Ends the process with a word on where it was when one step takes far too long: an endless loop would otherwise say
//! nothing.

use crate::episode::Episode;
use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// No step may take longer, even on a busy machine.
const STEP_MAX: Duration = Duration::from_secs(30);

struct Place {
    since: Instant,
    text: String,
}

static PLACE: Mutex<Option<Place>> = Mutex::new(None);

/// Notes that step `index` of an episode begins.
pub fn progress(episode: &Episode, index: usize) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(std::thread::spawn(watch)));
    let (seed, shards) = (episode.seed, episode.shards);
    let text = format!("seed {seed}, {shards} shards, step {index}: {}", episode.steps[index]);
    *PLACE.lock().expect("no panic holds it") = Some(Place { since: Instant::now(), text });
}

/// Nothing is under way any more.
pub fn done() {
    *PLACE.lock().expect("no panic holds it") = None;
}

fn watch() {
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let place = PLACE.lock().expect("no panic holds it");
        if let Some(Place { since, text }) = &*place
            && since.elapsed() > STEP_MAX
        {
            eprintln!("a step has taken more than {} s: {text}", STEP_MAX.as_secs());
            std::process::abort();
        }
    }
}
