//! The program that the demo profiles. The build script compiles it twice, with frame pointers and
//! without. Each line on its standard input is a request; it ends when its input ends.

use std::arch::asm;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Its argument becomes the name that the kernel has for this process.
    fs::write("/proc/self/comm", env::args().nth(1).unwrap_or_default())?;
    for line in io::stdin().lines() {
        let line = line?;
        black_box(serve_request(line.as_bytes()));
        writeln!(io::stdout(), "served")?;
    }
    Ok(())
}

/// No function here is inlined: one that is has no frame. What follows each call keeps it from
/// being a jump, which leaves no frame either.
#[inline(never)]
fn serve_request(body: &[u8]) -> u64 {
    let mut sum = 0;
    for _ in 0..4 {
        let begin = Instant::now();
        sum ^= black_box(compress(body));
        sum ^= black_box(encrypt(body, begin.elapsed() / 5));
        sum ^= black_box(walk_tree(150, body));
    }
    sum
}

#[inline(never)]
fn compress(body: &[u8]) -> u64 {
    black_box(hash_bytes(body, 350_000))
}

/// Stops at the limit, ready or not: an emulated arm64 CPU was at times 15 times slower in this
/// system call, which then had most of the samples.
#[inline(never)]
fn encrypt(body: &[u8], limit: Duration) -> u64 {
    let mut key = [0; 4 * 1024];
    let begin = Instant::now();
    for _ in 0..16 {
        fill_random(&mut key);
        if begin.elapsed() > limit {
            break;
        }
    }
    black_box(u64::from(key[0]) + body.len() as u64)
}

/// Calls itself: deeper than what the kernel keeps of a stack.
#[inline(never)]
fn walk_tree(depth: u32, body: &[u8]) -> u64 {
    if depth == 0 {
        return hash_bytes(body, 80_000);
    }
    black_box(walk_tree(depth - 1, body)) + 1
}

#[inline(never)]
fn hash_bytes(body: &[u8], rounds: u32) -> u64 {
    let (mut a, mut b, mut c, mut d) = (1u64, 2u64, 3u64, 4u64);
    for round in 0..rounds {
        let byte = u64::from(body.get(round as usize % 7).copied().unwrap_or(0));
        a = (a ^ byte).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(5);
        b = (b ^ a).wrapping_add(c).rotate_left(7);
        c = (c ^ b).wrapping_mul(31);
        d = d.wrapping_add(c ^ a);
    }
    a ^ b ^ c ^ d
}

/// The system call itself, without the C library: that was built without frame pointers.
#[inline(never)]
#[cfg(target_arch = "x86_64")]
fn fill_random(bytes: &mut [u8]) {
    const GETRANDOM: u64 = 318;
    // SAFETY: the kernel fills the bytes of the slice, and no more; the instruction changes rcx and
    // r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") GETRANDOM => _,
            in("rdi") bytes.as_mut_ptr(),
            in("rsi") bytes.len(),
            in("rdx") 0,
            out("rcx") _,
            out("r11") _,
        );
    }
}

#[inline(never)]
#[cfg(target_arch = "aarch64")]
fn fill_random(bytes: &mut [u8]) {
    const GETRANDOM: u64 = 278;
    // SAFETY: the kernel fills the bytes of the slice, and no more.
    unsafe {
        asm!(
            "svc 0",
            in("x8") GETRANDOM,
            inlateout("x0") bytes.as_mut_ptr() => _,
            in("x1") bytes.len(),
            in("x2") 0,
        );
    }
}
