//! What differs between two arrivals at one instruction. Where paths meet, the verifier compares
//! the state with those that it has kept; a difference in what matters makes it go on.

use alloc::vec::Vec;

use super::walked_state::{LocationNumber, ValueForm, WalkedFrame};

/// An instruction that jumps lead to.
#[derive(Debug, Default)]
pub struct WatchPoint {
    pub arrivals: u64,
    /// Hashes of the values at the last arrival, by location.
    last: Vec<(LocationNumber, u64)>,
    pub differences: Vec<Difference>,
    /// Instructions before it.
    pub before: Vec<u32>,
}

/// How one location differed from arrival to arrival.
#[derive(Clone, Debug)]
pub struct Difference {
    pub location: LocationNumber,
    /// In how many arrivals it was not what it was in the one before.
    pub count: u64,
    /// How many of these values were numbers.
    pub numbers: u64,
    pub least: i64,
    pub greatest: i64,
    last: i64,
    /// The first distance from one number to the next, and how often it came again.
    pub step: i64,
    pub same_steps: u64,
    pub has_pointers: bool,
    /// The instructions that set it, in the order in which they were met.
    pub origins: Vec<u32>,
}

const MOST_ORIGINS: usize = 4;
const MOST_BEFORE: usize = 8;

impl WatchPoint {
    pub fn add_arrival(&mut self, before: Option<u32>, frame: &WalkedFrame) {
        if let Some(before) = before
            && self.before.len() < MOST_BEFORE
            && !self.before.contains(&before)
        {
            self.before.push(before);
        }
        if self.arrivals > 0 {
            self.compare(frame);
        }
        self.arrivals += 1;
        self.last.clear();
        let values = frame.known_values();
        self.last
            .extend(values.map(|(location, value)| (location, value.hash)));
    }

    fn compare(&mut self, frame: &WalkedFrame) {
        let mut last = self.last.iter().peekable();
        for (location, value) in frame.known_values() {
            while last.next_if(|(earlier, _)| *earlier < location).is_some() {}
            let Some((_, hash)) = last.next_if(|(same, _)| *same == location) else {
                continue;
            };
            if *hash == value.hash {
                continue;
            }
            let found = self
                .differences
                .iter()
                .position(|difference| difference.location == location);
            let index = found.unwrap_or_else(|| {
                self.differences.push(Difference::new(location));
                self.differences.len() - 1
            });
            self.differences[index].add_value(value.form, value.origin);
        }
    }
}

impl Difference {
    fn new(location: LocationNumber) -> Self {
        Self {
            location,
            count: 0,
            numbers: 0,
            least: i64::MAX,
            greatest: i64::MIN,
            last: 0,
            step: 0,
            same_steps: 0,
            has_pointers: false,
            origins: Vec::new(),
        }
    }

    fn add_value(&mut self, form: ValueForm, origin: u32) {
        self.count += 1;
        match form {
            ValueForm::Number(number) => self.add_number(number),
            ValueForm::Scalar => {}
            ValueForm::Pointer => self.has_pointers = true,
        }
        if self.origins.len() < MOST_ORIGINS && !self.origins.contains(&origin) {
            self.origins.push(origin);
        }
    }

    fn add_number(&mut self, number: i64) {
        let step = number.wrapping_sub(self.last);
        if self.numbers == 1 {
            self.step = step;
        }
        if self.numbers > 0 && step == self.step {
            self.same_steps += 1;
        }
        self.numbers += 1;
        self.last = number;
        self.least = self.least.min(number);
        self.greatest = self.greatest.max(number);
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::super::walked_state::WalkedState;
    use super::*;

    #[test]
    fn a_counter_is_what_differs() {
        let mut point = WatchPoint::default();
        let mut state = WalkedState::default();
        for round in 0..10 {
            state.replace_by(format!("R1={} R2=5 R3=ctx()", round * 8).as_bytes(), 12);
            point.add_arrival(Some(20), state.current_frame());
        }
        assert_eq!((point.arrivals, point.before.as_slice()), (10, &[20][..]));
        let [counter] = point.differences.as_slice() else {
            panic!("{:?}", point.differences);
        };
        assert_eq!((counter.location, counter.count), (1, 9));
        assert_eq!((counter.least, counter.greatest), (8, 72));
        assert_eq!((counter.step, counter.same_steps), (8, 8));
        assert_eq!(counter.origins, [12]);
    }
}
