//! `explain --cost`: any text, read in one piece and in two, has the same costs.

#![no_main]

use bpf_verifier_log::{CostReader, measure_cost};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = measure_cost(input);
    let middle = input
        .first()
        .map_or(0, |byte| usize::from(*byte) % input.len());
    let mut reader = CostReader::new();
    reader.push(&input[..middle]);
    reader.push(&input[middle..]);
    assert_eq!(format!("{:?}", reader.finish()), format!("{whole:?}"));
});
