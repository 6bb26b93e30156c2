//! What the program for the kernel is told before it is loaded.

use crate::hook::Hook;
use crate::records::Watched;

pub struct Settings {
    pub watched: Watched,
    /// The bytes of a process's name as the kernel keeps them, as two numbers; zeros for every
    /// process.
    pub only_process: [u64; 2],
    /// Of the ring buffer, in bytes.
    pub buffer: u32,
    /// Room in the table of processes.
    pub processes: u32,
    pub hooks: Vec<&'static Hook>,
}

/// The kernel takes whole pages, and only powers of two. Both libraries would round up without a
/// word.
pub fn buffer(kib: &str) -> Result<u32, String> {
    match kib.parse::<u32>() {
        Ok(kib @ 4..=1_048_576) if kib.is_power_of_two() => Ok(kib * 1024),
        _ => Err("the kernel takes powers of two from 4 to 1048576: 4, 8, 16, ...".to_owned()),
    }
}

pub fn process_name(name: &str) -> Result<[u64; 2], String> {
    if name.is_empty() || name.len() > 15 {
        return Err("the kernel keeps 1 to 15 bytes of a process's name".to_owned());
    }
    let mut words = [[0; 8]; 2];
    words.as_flattened_mut()[..name.len()].copy_from_slice(name.as_bytes());
    Ok(words.map(u64::from_ne_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sizes_that_the_kernel_takes() {
        assert_eq!(buffer("4"), Ok(4096));
        assert_eq!(buffer("1048576"), Ok(1 << 30));
        for kib in [
            "0",
            "1",
            "2",
            "3",
            "5",
            "12",
            "2097152",
            "-4",
            "4k",
            "",
            "99999999999",
        ] {
            assert!(buffer(kib).is_err(), "{kib}");
        }
    }

    #[test]
    fn a_name_is_its_bytes_and_zeros() {
        let words = process_name("cargo-nextest").expect("13 bytes");
        assert_eq!(words.map(u64::to_ne_bytes).concat(), b"cargo-nextest\0\0\0");
        assert!(process_name("fifteen-bytes-x").is_ok());
        assert!(process_name("sixteen-bytes-xx").is_err());
        assert!(process_name("").is_err());
    }
}
