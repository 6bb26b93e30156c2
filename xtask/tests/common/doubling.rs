//! Whether twice the input takes twice the time, by the time that a thread has run: what else runs
//! on the machine does not count.

use std::fs;
use std::thread;
use std::time::Duration;

/// How many times as long twice the input may take. Work that grows with the square of the input
/// takes four times as long.
const MOST: f64 = 2.2;

/// Rounds of which the quickest counts.
const ROUNDS: usize = 3;

/// What else runs fills the processor's caches: an input is slow if it is slow each time.
const TRIES: usize = 5;

/// How long this thread has run, without the time in which others did.
fn time_on_processor() -> Duration {
    // The kernel counts it up when it looks for another thread to run.
    thread::yield_now();
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds = stat.split(' ').next().unwrap().parse().unwrap();
    Duration::from_nanos(nanoseconds)
}

/// The least time of several rounds, each long enough to be measured.
fn least_time(work: &impl Fn(), runs: u32) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = time_on_processor();
        for _ in 0..runs {
            work();
        }
        least = least.min((time_on_processor() - start) / runs);
    }
    least
}

/// How many times as long twice the input takes.
fn ratio_of_double(make: &impl Fn(usize) -> Vec<u8>, size: usize, read: fn(&[u8])) -> f64 {
    let [some, twice] = [size, 2 * size].map(make);
    let once = least_time(&|| read(&some), 1).max(Duration::from_micros(20));
    let runs = Duration::from_millis(5).div_duration_f64(once) as u32 + 1;
    let [some, twice] = [&some, &twice].map(|input| least_time(&|| read(input), runs));
    twice.as_secs_f64() / some.as_secs_f64()
}

/// Whether twice the input takes more than twice the time, which is shown under this name.
pub fn is_slow(name: &str, make: impl Fn(usize) -> Vec<u8>, size: usize, read: fn(&[u8])) -> bool {
    (0..TRIES).all(|_| {
        let ratio = ratio_of_double(&make, size, read);
        println!("{name:<40} {ratio:.2}");
        ratio > MOST
    })
}
