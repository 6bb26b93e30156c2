//! Does what programs do that are hard on a guest, one argument after the other.

use std::ffi::{CStr, c_char, c_int, c_ulong, c_void};
use std::fs::{self, File};
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

// SAFETY: as the manual pages unshare(2) and mount(2) declare them.
unsafe extern "C" {
    fn unshare(flags: c_int) -> c_int;
    fn mount(
        source: *const c_char,
        target: *const c_char,
        kind: *const c_char,
        flags: c_ulong,
        data: *const c_void,
    ) -> c_int;
}

const CLONE_NEWNET: c_int = 0x4000_0000;
const MS_BIND: c_ulong = 4096;

fn main() -> io::Result<()> {
    for action in std::env::args().skip(1) {
        match action.as_str() {
            "echo" => drop(io::copy(&mut io::stdin(), &mut io::stdout())?),
            "bytes" => io::stdout().write_all(b"\xff\n")?,
            "stay" => stay()?,
            "sleep" => std::thread::sleep(Duration::from_secs(1000)),
            "namespace" => keep_namespace()?,
            "mount" => mount_tmpfs()?,
            "group" => fs::create_dir("/sys/fs/cgroup/left")?,
            "fill" => println!("{:?} on /tmp", fill_disk()?),
            "eat" => eat_memory(),
            "abort" => std::process::abort(),
            other => panic!("there is no action {other}"),
        }
    }
    Ok(())
}

fn stay() -> io::Result<()> {
    for _ in 0..2 {
        Command::new("/proc/self/exe")
            .arg("sleep")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
    }
    Ok(())
}

fn keep_namespace() -> io::Result<()> {
    File::create("/run/blue")?;
    // SAFETY: the call takes a number.
    check(unsafe { unshare(CLONE_NEWNET) })?;
    bind(c"/proc/self/ns/net", c"/run/blue")
}

fn mount_tmpfs() -> io::Result<()> {
    fs::create_dir_all("/mnt")?;
    let kind = c"tmpfs".as_ptr();
    // SAFETY: all texts live as long as the call.
    check(unsafe { mount(kind, c"/mnt".as_ptr(), kind, 0, std::ptr::null()) })
}

fn bind(source: &CStr, target: &CStr) -> io::Result<()> {
    let kind = std::ptr::null();
    // SAFETY: both texts live as long as the call.
    check(unsafe { mount(source.as_ptr(), target.as_ptr(), kind, MS_BIND, kind.cast()) })
}

fn check(result: c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Why no more could be written.
fn fill_disk() -> io::Result<io::ErrorKind> {
    let mut file = File::create("/tmp/full")?;
    let block = vec![1; 1 << 20];
    loop {
        if let Err(error) = file.write_all(&block) {
            return Ok(error.kind());
        }
    }
}

fn eat_memory() {
    let mut eaten = Vec::new();
    loop {
        eaten.push(vec![1_u8; 1 << 20]);
    }
}
