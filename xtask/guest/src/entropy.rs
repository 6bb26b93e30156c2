//! Random numbers of its own for a resumed guest: without them it would repeat those of every other
//! guest that was resumed from the same snapshot.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use nix::libc;

/// From `linux/random.h`.
const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;
const RNDRESEEDCRNG: libc::Ioctl = 0x5207;

/// The most that one call takes here: many times what the kernel's generator holds.
const SEED: usize = 64;

/// `struct rand_pool_info`
#[repr(C)]
struct Entropy {
    bits: i32,
    size: i32,
    bytes: [u8; SEED],
}

/// Mixes `seed` into the random numbers.
pub fn reseed_random(seed: &[u8]) -> Result<()> {
    mix_in(seed).context("cannot seed the random numbers")
}

fn mix_in(seed: &[u8]) -> Result<()> {
    let bytes: [u8; SEED] = seed.try_into().context("the seed has another length")?;
    let entropy = Entropy {
        bits: 8 * SEED as i32,
        size: SEED as i32,
        bytes,
    };
    let device = File::options().write(true).open("/dev/urandom")?;
    // SAFETY: RNDADDENTROPY reads a rand_pool_info with `size` bytes after it, which `entropy` is;
    // RNDRESEEDCRNG takes no argument.
    let done = unsafe {
        libc::ioctl(device.as_raw_fd(), RNDADDENTROPY, &entropy) == 0
            && libc::ioctl(device.as_raw_fd(), RNDRESEEDCRNG) == 0
    };
    ensure!(done, std::io::Error::last_os_error());
    Ok(())
}
