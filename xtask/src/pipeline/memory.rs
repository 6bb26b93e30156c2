//! How much memory a guest gets, and what this process keeps.

use std::fs;

use nix::libc;

/// Enough for a kernel, its initial file system and a lesson.
pub const DEFAULT_MIB: u32 = 256;

/// The kernels of the matrix, of which the newest take most, do not boot with much less.
const SMALLEST_MIB: u32 = 128;

/// `--memory MIB`, in bounds.
pub fn parse_memory(text: &str) -> Result<u32, String> {
    let available = available_kib().map(|kib| kib >> 10);
    check_memory(text, available.unwrap_or(u64::MAX))
}

fn check_memory(text: &str, available: u64) -> Result<u32, String> {
    let wanted: u32 = text
        .parse()
        .map_err(|_| format!("it is a number of MiB, such as {}", 2 * DEFAULT_MIB))?;
    if wanted < SMALLEST_MIB {
        return Err(format!("a kernel needs at least {SMALLEST_MIB} MiB"));
    }
    if u64::from(wanted) > available {
        return Err(format!(
            "this machine has {available} MiB of memory that are not in use"
        ));
    }
    Ok(wanted)
}

/// Lets the C library give blocks of 256 KiB and more back to the system when they are freed. By
/// itself it keeps blocks as large as the largest that was freed so far: with many objects, twice
/// the memory that is in use.
pub fn give_back_large_blocks() {
    const LARGE: libc::c_int = 256 << 10;
    #[cfg(target_env = "gnu")]
    // SAFETY: it sets a number. Where it does not, more memory is kept.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
    }
}

/// Of this machine's memory, what programs could have; `None` where the kernel does not say.
pub fn available_kib() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    available.trim().trim_end_matches(" kB").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_bounds_is_told_with_the_bound() {
        assert_eq!(check_memory("512", 4096), Ok(512));
        assert_eq!(check_memory("128", 4096), Ok(128));
        let told = |text| check_memory(text, 4096).unwrap_err();
        assert_eq!(told("127"), "a kernel needs at least 128 MiB");
        assert!(told("4097").starts_with("this machine has 4096 MiB"));
        assert_eq!(told("1G"), "it is a number of MiB, such as 512");
    }

    #[test]
    fn this_machine_says_what_it_has() {
        assert!(available_kib().unwrap() > 0);
    }
}
