//! Graphs as bytes and back, and bytes that are no graph.

mod clustered;

use base::crc64::crc64;
use base::random::Random;
use clustered::{DIMENSION, clustered, fill, graph, recall};
use vector::{Element, Error, Metric, Parameters, Saved, Space};

fn space() -> Space {
    Space::new(Element::F32, Metric::L2, DIMENSION).unwrap()
}

fn saved(count: usize) -> (Vec<Vec<u8>>, Vec<u8>) {
    let vectors = clustered(count, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    fill(&mut index, &vectors);
    index.finish();
    let mut bytes = Vec::new();
    index.save(&mut bytes);
    (vectors, bytes)
}

/// With the check sum that fits.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len().saturating_sub(8);
    let sum = crc64(0, &bytes[..body]);
    bytes.truncate(body);
    bytes.extend(sum.to_le_bytes());
    bytes
}

#[test]
fn a_graph_comes_back() {
    for by_codes in [false, true] {
        let parameters = Parameters { by_codes, ..Parameters::default() };
        let vectors = clustered(2000, 1);
        let mut index = graph(Metric::L2, parameters);
        let slots = fill(&mut index, &vectors);
        index.finish();
        // Slots with gaps.
        slots.iter().skip(1500).for_each(|slot| index.remove(*slot).unwrap());
        let mut bytes = b"before".to_vec();
        index.save(&mut bytes);
        let before = recall(&mut index.reader(), Metric::L2, &vectors[..1500], 40, |_| true, false);
        let read = Saved::read(&bytes[6..], space(), parameters).unwrap();
        let (mut again, labels) = read.restore(|label| vectors.get(label as usize).cloned()).unwrap();
        assert_eq!(
            (again.len(), labels.len(), again.tail_len(), again.level()),
            (1500, 1500, 0, index.level())
        );
        for (label, slot) in labels {
            assert_eq!(again.vector(slot).as_ref(), Some(&vectors[label as usize]));
        }
        let after = recall(&mut again.reader(), Metric::L2, &vectors[..1500], 40, |_| true, false);
        assert!(after >= before - 0.01, "{after} after {before}");
        again.insert(7777, &vectors[1999]).unwrap();
        again.finish();
        assert_eq!(again.reader().nearest(&vectors[1999], 1, None).unwrap()[0].label, 7777);
    }
}

#[test]
fn what_is_missing_or_has_changed_is_left_out() {
    let (vectors, bytes) = saved(1000);
    let read = Saved::read(&bytes, space(), Parameters::default()).unwrap();
    let restored = read.restore(|label| match label % 10 {
        0 => None,
        1 => Some(vectors[0].clone()),
        2 => Some(vec![1, 2, 3]),
        _ => Some(vectors[label as usize].clone()),
    });
    let (mut index, labels) = restored.unwrap();
    assert_eq!((index.len(), labels.len()), (700, 700));
    for label in (0..1000u32).filter(|label| label % 10 < 3) {
        index.insert(label, &vectors[label as usize]).unwrap();
    }
    index.finish();
    let reached = recall(&mut index.reader(), Metric::L2, &vectors, 60, |_| true, false);
    assert!(reached >= 0.95, "{reached}");
    let empty = Saved::read(&bytes, space(), Parameters::default()).unwrap().restore(|_| None).unwrap().0;
    assert!(empty.is_empty() && empty.reader().nearest(&vectors[0], 5, None).unwrap().is_empty());
}

#[test]
fn another_kind_of_index_refuses_it() {
    let (_, bytes) = saved(50);
    let usual = Parameters::default();
    let others = [
        (Space::new(Element::F32, Metric::Ip, DIMENSION).unwrap(), usual),
        (Space::new(Element::F16, Metric::L2, DIMENSION).unwrap(), usual),
        (Space::new(Element::F32, Metric::L2, DIMENSION + 1).unwrap(), usual),
        (space(), Parameters { m: 8, ..usual }),
    ];
    for (space, parameters) in others {
        assert!(matches!(Saved::read(&bytes, space, parameters).err(), Some(Error::Broken { .. })));
    }
    let none = Parameters { m: 0, ..usual };
    assert_eq!(Saved::read(&bytes, space(), none).err(), Some(Error::Parameter("M")));
}

#[test]
fn cut_bytes_are_refused() {
    let (_, bytes) = saved(60);
    for end in 0..bytes.len() {
        assert!(Saved::read(&bytes[..end], space(), Parameters::default()).is_err(), "cut at {end}");
        // With a check sum that fits.
        let cut = summed(bytes[..end].to_vec());
        assert!(Saved::read(&cut, space(), Parameters::default()).is_err(), "cut at {end}, summed");
    }
}

#[test]
fn changed_bytes_are_refused_or_harmless() {
    let (vectors, bytes) = saved(200);
    let mut random = Random::from_seed(2);
    for round in 0..if cfg!(miri) { 20 } else { 5000 } {
        let mut changed = bytes.clone();
        for _ in 0..1 + random.index(4) {
            let at = random.index(changed.len());
            changed[at] = random.next_u64() as u8;
        }
        let is_same = changed == bytes;
        assert!(is_same || Saved::read(&changed, space(), Parameters::default()).is_err(), "round {round}");
        // Whoever forges the check sum gets a graph at worst whose ways are long. All that is in it is found.
        let Ok(read) = Saved::read(&summed(changed), space(), Parameters::default()) else { continue };
        let (mut index, _) = read.restore(|label| vectors.get(label as usize).cloned()).unwrap();
        assert!(index.len() <= 200);
        let found = index.reader().nearest(&vectors[round % 200], 200, None).unwrap();
        assert_eq!(found.len(), index.len());
        if round % 100 == 0 {
            index.insert(300, &vectors[0]).unwrap();
            index.finish();
        }
    }
}

#[test]
fn an_empty_graph_comes_back() {
    let index = graph(Metric::L2, Parameters::default());
    let mut bytes = Vec::new();
    index.save(&mut bytes);
    let (index, labels) =
        Saved::read(&bytes, space(), Parameters::default()).unwrap().restore(|_| None).unwrap();
    assert!(index.is_empty() && labels.is_empty());
}

#[test]
fn a_graph_is_made_of_links() {
    let vectors = clustered(800, 1);
    let mut index = graph(Metric::L2, Parameters::default());
    let slots = fill(&mut index, &vectors);
    index.finish();
    let links_of = |label: usize| -> Vec<Vec<u32>> {
        let levels = (0..).map_while(|level| index.links(slots[label], level));
        levels.map(|links| links.filter_map(|slot| index.label(slot)).collect()).collect()
    };
    let mut all: Vec<Vec<Vec<u32>>> = (0..vectors.len()).map(links_of).collect();
    // What leads nowhere is left out.
    all[3][0].insert(0, 1_000_000);
    all[4].push(vec![5]);
    let read = Saved::of_links(space(), Parameters::default(), all).unwrap();
    let (again, labels) = read.restore(|label| vectors.get(label as usize).cloned()).unwrap();
    assert_eq!((again.len(), again.tail_len(), labels.len()), (800, 0, 800));
    let before = recall(&mut index.reader(), Metric::L2, &vectors, 40, |_| true, false);
    let after = recall(&mut again.reader(), Metric::L2, &vectors, 40, |_| true, false);
    assert!(after >= before - 0.01, "{after} after {before}");
    for broken in [vec![], vec![Vec::new(); 99]] {
        let read = Saved::of_links(space(), Parameters::default(), vec![vec![Vec::new()], broken]);
        assert_eq!(read.err(), Some(Error::Broken { at: 1 }));
    }
}
