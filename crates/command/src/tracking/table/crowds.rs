//! Readers of keys that more clients have read than an entry has room for.

use super::clients::Number;

/// By their places, which entries know; those of nobody are empty.
#[derive(Default)]
pub(super) struct Crowds {
    /// Each ascending.
    crowds: Vec<Vec<Number>>,
    /// Places of nobody.
    free: Vec<u32>,
    /// Heap bytes of the numbers.
    bytes: usize,
}

impl Crowds {
    /// Heap bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes
            + self.crowds.capacity() * size_of::<Vec<Number>>()
            + self.free.capacity() * size_of::<u32>()
    }

    /// The place of a new one.
    pub fn enter(&mut self, mut numbers: Vec<Number>) -> u32 {
        numbers.sort_unstable();
        self.bytes += numbers.capacity() * size_of::<Number>();
        match self.free.pop() {
            Some(place) => {
                self.crowds[place as usize] = numbers;
                place
            }
            None => {
                self.crowds.push(numbers);
                u32::try_from(self.crowds.len() - 1).expect("fewer keys have so many readers")
            }
        }
    }

    pub fn len(&self, place: u32) -> usize {
        self.crowds[place as usize].len()
    }

    #[inline]
    pub fn has(&self, place: u32, number: Number) -> bool {
        self.crowds[place as usize].binary_search(&number).is_ok()
    }

    /// One more, who is not there.
    pub fn push(&mut self, place: u32, number: Number) {
        self.change(place, |crowd| {
            let at = crowd.partition_point(|other| *other < number);
            crowd.insert(at, number);
        });
    }

    /// Keeps only those readers.
    pub fn retain(&mut self, place: u32, mut keep: impl FnMut(Number) -> bool) {
        self.change(place, |crowd| crowd.retain(|number| keep(*number)));
    }

    /// It is there no longer; these were its readers.
    pub fn leave(&mut self, place: u32) -> Vec<Number> {
        let crowd = std::mem::take(&mut self.crowds[place as usize]);
        self.bytes -= crowd.capacity() * size_of::<Number>();
        self.free.push(place);
        if self.free.len() == self.crowds.len() {
            *self = Self::default();
        }
        crowd
    }

    fn change(&mut self, place: u32, change: impl FnOnce(&mut Vec<Number>)) {
        let crowd = &mut self.crowds[place as usize];
        let before = crowd.capacity();
        change(crowd);
        self.bytes = self.bytes + crowd.capacity() * size_of::<Number>() - before * size_of::<Number>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> Number {
        Number::new(number).expect("it is not 0")
    }

    #[test]
    fn places_are_used_again_and_nothing_is_left() {
        let mut crowds = Crowds::default();
        let one = crowds.enter(vec![number(7), number(3)]);
        let other = crowds.enter(vec![number(70_000)]);
        crowds.push(one, number(5));
        assert!(crowds.has(one, number(5)) && !crowds.has(one, number(4)) && !crowds.has(other, number(5)));
        crowds.retain(one, |reader| reader != number(3));
        assert_eq!((crowds.len(one), crowds.leave(one)), (2, vec![number(5), number(7)]));
        assert_eq!(crowds.enter(vec![number(1)]), one);
        assert_eq!((crowds.leave(one).len(), crowds.leave(other)), (1, vec![number(70_000)]));
        assert_eq!(crowds.bytes(), 0);
    }
}
