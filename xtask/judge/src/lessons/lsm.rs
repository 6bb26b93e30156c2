//! Lesson 05.

use std::fs::{self, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process;
use std::thread;

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::libc;

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work::{self, Scratch};

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "05/no-setuid",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("no_setuid", Hook::Lsm("path_chmod"))],
            maps: &[],
            globals: &[],
            checks: &[
                Check {
                    says: "lets other modes through",
                    holds: other_modes,
                },
                Check {
                    says: "denies setuid and setgid",
                    holds: setuid_modes,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "05/verdict-table",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("on_bind", Hook::Lsm("socket_bind"))],
            maps: &[MapSpec::hash::<u16, i64>("VERDICTS")],
            globals: &[],
            checks: &[
                Check {
                    says: "returns what the table says",
                    holds: verdicts,
                },
                Check {
                    says: "denies where the table makes no sense",
                    holds: mistakes,
                },
                Check {
                    says: "lets all else through",
                    holds: not_in_the_table,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "05/port-guard",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("guard_bind", Hook::Lsm("socket_bind"))],
            maps: &[
                MapSpec::hash::<u16, [u32; 2]>("RULES"),
                MapSpec::ring_buf("ATTEMPTS"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "denies whom a port does not belong to",
                    holds: denied,
                },
                Check {
                    says: "lets all else through",
                    holds: allowed,
                },
                Check {
                    says: "reports what it denies",
                    holds: reported,
                },
                Check {
                    says: "only reports under an audit",
                    holds: audited,
                },
                Check {
                    says: "denies when nobody reads the reports",
                    holds: unread,
                },
            ],
        }),
    },
];

// Modes.

fn other_modes(_: &mut LoadedAnswer) -> Result<()> {
    let scratch = Scratch::make_file(1)?;
    for sticky in [0, 0, 0, 0o1000] {
        let mode = sticky | 0o400 | fastrand::u32(0..0o1000);
        change_mode(&scratch.path, mode)
            .with_context(|| format!("chmod {mode:o} should have been let through"))?;
        let found = mode_of(&scratch.path)?;
        ensure!(
            found == mode,
            "chmod {mode:o} was let through, and the mode is {found:o}"
        );
    }
    Ok(())
}

fn setuid_modes(_: &mut LoadedAnswer) -> Result<()> {
    let scratch = Scratch::make_file(1)?;
    let before = mode_of(&scratch.path)?;
    for bits in [0o4000, 0o2000, 0o6000] {
        let mode = bits | 0o400 | fastrand::u32(0..0o2000);
        let result = change_mode(&scratch.path, mode);
        is_denied(result, libc::EPERM).with_context(|| format!("chmod {mode:o}"))?;
        let found = mode_of(&scratch.path)?;
        ensure!(
            found == before,
            "chmod {mode:o} was denied, and has changed the mode {before:o} to {found:o}"
        );
    }
    Ok(())
}

fn change_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
}

fn mode_of(path: &Path) -> Result<u32> {
    let metadata = fs::metadata(path).with_context(|| format!("look at {}", path.display()))?;
    Ok(metadata.permissions().mode() & 0o7777)
}

fn is_denied<T>(result: io::Result<T>, expected: i32) -> Result<()> {
    let code = match result {
        Ok(_) => Err(anyhow!("should have been denied, and was let through")),
        Err(error) => error
            .raw_os_error()
            .with_context(|| format!("should have been denied: {error}")),
    }?;
    ensure!(
        code == expected,
        "should have been denied with the error {expected}, and got {code}"
    );
    Ok(())
}

// Ports.

const ANYWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    IpAddr::V6(Ipv6Addr::UNSPECIFIED),
];

/// Different ports that nobody uses. As two bytes, each is two letters: see [`name_like`].
fn ports<const COUNT: usize>() -> [u16; COUNT] {
    let letters = fastrand::choose_multiple(b'a'..=b'z', COUNT);
    let mut letters = letters.into_iter();
    [(); COUNT]
        .map(|()| u16::from_be_bytes([letters.next().unwrap_or(b'a'), fastrand::u8(b'a'..=b'z')]))
}

/// Gives the port back when it is done.
fn bind(address: IpAddr, port: u16) -> io::Result<()> {
    let bound = UdpSocket::bind((address, port))?.local_addr()?.port();
    // A verdict above 0 is no error to bind, and yet nothing is bound.
    if bound == port {
        Ok(())
    } else {
        Err(io::Error::other(format!(
            "it returned no error, and bound port {bound}"
        )))
    }
}

fn is_bound(address: IpAddr, port: u16) -> Result<()> {
    bind(address, port).with_context(|| {
        format!("bind port {port} of {address}, which should have been let through")
    })
}

/// A name that begins with the same two bytes as an address with this port does.
fn bind_name_like(port: u16) -> Result<()> {
    let name =
        String::from_utf8(port.to_be_bytes().to_vec()).context("choose ports that are letters")?;
    let path = format!("{name}{}", work::any_name());
    let bound = UnixDatagram::bind(&path);
    let _ = fs::remove_file(&path);
    bound.map(drop).with_context(|| {
        format!("bind a Unix socket to {path}: it has no port, and should have been let through")
    })
}

// A table of verdicts.

fn set_verdict(answer: &mut LoadedAnswer, port: u16, verdict: i64) -> Result<()> {
    let mut verdicts = answer.hash_mut::<u16, i64>("VERDICTS")?;
    verdicts
        .insert(port, verdict, 0)
        .with_context(|| format!("write {verdict} to VERDICTS"))
}

/// The greatest number that the kernel takes for an error.
const LAST_ERROR: i32 = 4095;

fn verdicts(answer: &mut LoadedAnswer) -> Result<()> {
    let errors = [
        libc::EPERM,
        libc::EACCES,
        libc::EADDRINUSE,
        libc::ENOBUFS,
        LAST_ERROR,
    ];
    for (port, error) in ports::<5>().into_iter().zip(errors) {
        set_verdict(answer, port, -i64::from(error))?;
        for address in ANYWHERE {
            is_denied(bind(address, port), error)
                .with_context(|| format!("bind port {port} of {address}"))?;
        }
    }
    Ok(())
}

fn mistakes(answer: &mut LoadedAnswer) -> Result<()> {
    // Some of them look like a verdict in their lower 32 bits.
    let wrong = [
        1,
        i64::from(fastrand::u16(2..)),
        -4096,
        -(1 << 32) - 13,
        (1 << 32) - 13,
        1 << 32,
        i64::MIN,
    ];
    for (port, verdict) in ports::<7>().into_iter().zip(wrong) {
        set_verdict(answer, port, verdict)?;
        let result = bind(ANYWHERE[0], port);
        is_denied(result, libc::EPERM)
            .with_context(|| format!("bind port {port} with {verdict} in the table"))?;
    }
    Ok(())
}

fn not_in_the_table(answer: &mut LoadedAnswer) -> Result<()> {
    let [denied, let_through, absent] = ports();
    // What has no port does not have port 0 either.
    set_verdict(answer, 0, -13)?;
    set_verdict(answer, denied, -13)?;
    set_verdict(answer, let_through, 0)?;
    // The checks before may have left an entry of this port.
    let _ = answer.hash_mut::<u16, i64>("VERDICTS")?.remove(&absent);
    for port in [let_through, absent] {
        ANYWHERE
            .into_iter()
            .try_for_each(|address| is_bound(address, port))?;
    }
    bind_name_like(denied)
}

// Ports that belong to somebody.

const DENY: u32 = 0;
const AUDIT: u32 = 1;

/// Strangers have this number or a greater one, owners a smaller one: no stranger is an owner.
const FIRST_STRANGER: u32 = 1_000;

/// Whom a port belongs to, and not root.
fn any_owner() -> u32 {
    fastrand::u32(1..FIRST_STRANGER)
}

/// Only this thread becomes somebody else: the C library's function would change all threads.
fn become_user(uid: u32) -> nix::Result<()> {
    // SAFETY: the call takes three numbers and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    Errno::result(result).map(drop)
}

/// Somebody who tries: a thread of the judge's, as another user.
struct Attempt {
    uid: u32,
    name: String,
    port: u16,
}

impl Attempt {
    /// By a stranger.
    fn new(port: u16) -> Self {
        Self::by(fastrand::u32(FIRST_STRANGER..60_000), port)
    }

    fn by(uid: u32, port: u16) -> Self {
        Self {
            uid,
            name: work::any_name(),
            port,
        }
    }

    fn make(&self, address: IpAddr) -> Result<io::Result<()>> {
        let (uid, port) = (self.uid, self.port);
        let work = move || become_user(uid).map(|()| bind(address, port));
        let thread = thread::Builder::new()
            .name(self.name.clone())
            .spawn(work)
            .context("start a thread")?;
        let result = thread.join().map_err(|_| anyhow!("a thread panicked"))?;
        result.with_context(|| format!("become user {}", self.uid))
    }

    /// As the answer reports it.
    fn record(&self, denied: u16) -> [u8; 28] {
        let mut record = [0; 28];
        record[..4].copy_from_slice(&self.uid.to_ne_bytes());
        record[4..8].copy_from_slice(&process::id().to_ne_bytes());
        record[8..10].copy_from_slice(&self.port.to_ne_bytes());
        record[10..12].copy_from_slice(&denied.to_ne_bytes());
        record[12..][..self.name.len()].copy_from_slice(self.name.as_bytes());
        record
    }
}

fn set_rule(answer: &mut LoadedAnswer, port: u16, uid: u32, action: u32) -> Result<()> {
    let mut rules = answer.hash_mut::<u16, [u32; 2]>("RULES")?;
    rules
        .insert(port, [uid, action], 0)
        .with_context(|| format!("write a rule for port {port} to RULES"))
}

fn is_refused(attempt: &Attempt, address: IpAddr) -> Result<()> {
    let Attempt { uid, port, .. } = attempt;
    is_denied(attempt.make(address)?, libc::EACCES).with_context(|| {
        format!("port {port} belongs to another user; user {uid} binds it, of {address}")
    })
}

fn denied(answer: &mut LoadedAnswer) -> Result<()> {
    for port in ports::<3>() {
        set_rule(answer, port, any_owner(), DENY)?;
        for address in ANYWHERE {
            is_refused(&Attempt::new(port), address)?;
            // Root may not either.
            is_refused(&Attempt::by(0, port), address)?;
        }
    }
    Ok(())
}

fn allowed(answer: &mut LoadedAnswer) -> Result<()> {
    let [own, denied, absent] = ports();
    let attempt = Attempt::by(any_owner(), own);
    // What has no port does not have port 0 either.
    set_rule(answer, 0, attempt.uid, DENY)?;
    set_rule(answer, own, attempt.uid, DENY)?;
    set_rule(answer, denied, attempt.uid, DENY)?;
    let _ = answer.hash_mut::<u16, [u32; 2]>("RULES")?.remove(&absent);
    for address in ANYWHERE {
        attempt
            .make(address)?
            .with_context(|| format!("port {own} belongs to user {}: bind it", attempt.uid))?;
        is_bound(address, absent)?;
    }
    bind_name_like(denied)
}

fn reported(answer: &mut LoadedAnswer) -> Result<()> {
    reports(answer, DENY, |attempt| is_refused(attempt, ANYWHERE[0]))
}

fn audited(answer: &mut LoadedAnswer) -> Result<()> {
    reports(answer, AUDIT, |attempt| {
        let Attempt { uid, port, .. } = attempt;
        let result = attempt.make(ANYWHERE[0])?;
        result.with_context(|| {
            format!("port {port} is audited: user {uid} binds it, which should be let through")
        })
    })
}

/// Attempts under this action, and one that is no matter for a report.
fn reports(
    answer: &mut LoadedAnswer,
    action: u32,
    is_right: impl Fn(&Attempt) -> Result<()>,
) -> Result<()> {
    answer.read_records::<28>("ATTEMPTS")?;
    let owner = any_owner();
    let attempts: Vec<Attempt> = ports::<4>().into_iter().map(Attempt::new).collect();
    for attempt in &attempts {
        let port = attempt.port;
        set_rule(answer, port, owner, action)?;
        is_right(attempt)?;
        Attempt::by(owner, port)
            .make(ANYWHERE[0])?
            .with_context(|| format!("port {port} belongs to user {owner}: bind it"))?;
    }
    let records = answer.read_records::<28>("ATTEMPTS")?;
    let (made, found) = (attempts.len(), records.len());
    ensure!(
        found == made,
        "{made} attempts were made, and ATTEMPTS has {found} records"
    );
    for (attempt, record) in attempts.iter().zip(records) {
        let expected = shown(&attempt.record(u16::from(action == DENY)));
        let found = shown(&record);
        ensure!(
            found == expected,
            "a record should be {expected}, and is {found}"
        );
    }
    Ok(())
}

fn shown(record: &[u8; 28]) -> String {
    let word = |at: usize| {
        u32::from_ne_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
    };
    let half = |at: usize| u16::from_ne_bytes([record[at], record[at + 1]]);
    let comm = String::from_utf8_lossy(&record[12..]);
    let comm = comm.trim_end_matches('\0').escape_debug();
    format!(
        "(uid {}, pid {}, port {}, denied {}, comm {comm})",
        word(0),
        word(4),
        half(8),
        half(10)
    )
}

/// The ring buffer that the exercise gives has room for about a hundred.
fn unread(answer: &mut LoadedAnswer) -> Result<()> {
    let [port] = ports();
    set_rule(answer, port, 1, DENY)?;
    for number in 1..=150 {
        let result = bind(ANYWHERE[0], port);
        is_denied(result, libc::EACCES)
            .with_context(|| format!("attempt {number} without reading ATTEMPTS"))?;
    }
    let found = answer.read_records::<28>("ATTEMPTS")?.len();
    ensure!(
        found > 50,
        "150 attempts were made without reading ATTEMPTS, and it has {found} records"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stranger_is_an_owner() {
        for seed in 0..200_000 {
            fastrand::seed(seed);
            let owner = any_owner();
            assert_ne!(Attempt::new(1).uid, owner, "with the seed {seed}");
        }
    }
}
