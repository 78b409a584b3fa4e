//! Append-only files in memory, for the tests: written as the writer's thread does, and read as servers do.

use crate::trial::Trial;
use base::random::Random;
use journal::queue::Queue;
use journal::round::{Step, Tail};

/// The files of each generation, one for each shard.
pub struct Files {
    generations: Vec<Vec<(Tail, Vec<u8>)>>,
}

/// What stands in a file, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub db: u16,
    pub words: Vec<Vec<u8>>,
    /// The lines of a block have its number; 0 for none.
    pub block: usize,
    /// The id of the transaction of several shards and how many parts it has.
    pub tx: Option<(String, usize)>,
}

impl Line {
    pub fn text(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| word.escape_ascii().to_string()).collect();
        words.join(" ")
    }
}

impl Files {
    pub fn new(shards: usize) -> Self {
        Self { generations: vec![Self::empty(shards)] }
    }

    fn empty(shards: usize) -> Vec<(Tail, Vec<u8>)> {
        (0..shards).map(|_| Default::default()).collect()
    }

    /// Writes all that may be written.
    pub fn write(&mut self, queue: &mut Queue) {
        while let Some(round) = queue.take_round() {
            for step in &round.steps {
                let files = self.generations.last_mut().expect("there is one");
                match step {
                    Step::Append { shard, pieces } => {
                        let (tail, bytes) = &mut files[usize::from(*shard)];
                        tail.append(pieces, bytes);
                    }
                    Step::NextGeneration => {
                        let shards = files.len();
                        self.generations.push(Self::empty(shards));
                    }
                }
            }
            queue.done(round);
        }
    }

    pub fn generations(&self) -> usize {
        self.generations.len()
    }

    /// The lines of each file of a generation.
    pub fn lines(&self, generation: usize) -> Vec<Vec<Line>> {
        self.generations[generation].iter().map(|(_, bytes)| read(bytes)).collect()
    }

    /// All lines of a shard's files, without blocks: `0 SET a 1`.
    pub fn told(&self, shard: usize) -> Vec<String> {
        let lines = (0..self.generations()).flat_map(|generation| self.lines(generation).swap_remove(shard));
        lines.map(|line| format!("{} {}", line.db, line.text())).collect()
    }

    /// Plays all files into as many shards, those of a generation in any interleaving.
    pub fn play_into(&self, trial: &mut Trial, random: &mut Random) {
        for generation in 0..self.generations() {
            let mut files = self.lines(generation).into_iter().map(Vec::into_iter).collect::<Vec<_>>();
            if generation > 0 {
                let head = files[0].next().expect("a generation begins with what has ended the one before");
                (0..files.len()).for_each(|shard| play(trial, shard, &head));
            }
            while files.iter().any(|file| file.len() > 0) {
                let shard = random.index(files.len());
                if let Some(line) = files[shard].next() {
                    play(trial, shard, &line);
                }
            }
        }
    }

    /// Plays all files into one shard, one after the other, as redis-server does.
    pub fn play_into_one(&self, trial: &mut Trial) {
        for generation in 0..self.generations() {
            self.lines(generation).into_iter().flatten().for_each(|line| play(trial, 0, &line));
        }
    }

    /// Asserts that every transaction of several shards has all its parts in one generation, and each the number of them. What a generation
    /// begins with is one, under the same number in all of them.
    pub fn check_transactions(&self) {
        let mut parts = std::collections::HashMap::<(usize, String), (usize, usize)>::new();
        let files = self.generations.iter().enumerate();
        for (generation, (_, bytes)) in files.flat_map(|(at, files)| files.iter().map(move |file| (at, file)))
        {
            let text = String::from_utf8_lossy(bytes);
            for mark in text.split("#weft-tx ").skip(1) {
                let (id, count) = (&mark[..16], usize::from_str_radix(&mark[17..21], 16).expect("digits"));
                let known = parts.entry((generation, id.to_owned())).or_insert((count, 0));
                assert_eq!(known.0, count, "{id}");
                known.1 += 1;
            }
        }
        parts
            .iter()
            .for_each(|((generation, id), (count, found))| assert_eq!(count, found, "{generation} {id}"));
    }
}

fn play(trial: &mut Trial, shard: usize, line: &Line) {
    let words: Vec<_> = line.words.iter().map(Vec::as_slice).collect();
    let played = trial.shards[shard].play(line.db, &words);
    assert_eq!(played, Ok(()), "{} {}", line.db, line.text());
}

fn read(mut bytes: &[u8]) -> Vec<Line> {
    let (mut lines, mut db, mut block, mut tx) = (Vec::new(), 0, 0, None);
    let mut blocks = 0;
    while !bytes.is_empty() {
        if bytes[0] == b'#' {
            let text = next_line(&mut bytes);
            if let Some(mark) = text.strip_prefix("#weft-tx ") {
                tx = Some((mark[..16].to_owned(), usize::from_str_radix(&mark[17..], 16).expect("digits")));
            }
            continue;
        }
        let count = next_line(&mut bytes)[1..].parse::<usize>().expect("a count");
        let words: Vec<_> = (0..count).map(|_| next_word(&mut bytes)).collect();
        match words[0].as_slice() {
            b"SELECT" => db = String::from_utf8_lossy(&words[1]).parse().expect("a number"),
            b"MULTI" => {
                assert_eq!(block, 0, "no block in another");
                blocks += 1;
                block = blocks;
            }
            b"EXEC" => (block, tx) = (0, None),
            _ => lines.push(Line { db, words, block, tx: tx.clone() }),
        }
    }
    assert_eq!(block, 0, "every block ends");
    lines
}

fn next_line(bytes: &mut &[u8]) -> String {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n").expect("a line ends");
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    *bytes = &bytes[end + 2..];
    line
}

fn next_word(bytes: &mut &[u8]) -> Vec<u8> {
    let len = next_line(bytes)[1..].parse::<usize>().expect("a length");
    let word = bytes[..len].to_vec();
    *bytes = &bytes[len + 2..];
    word
}
