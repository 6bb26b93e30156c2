//! Lesson 02.

use std::fs::{self, File};
use std::io::{self, PipeReader, Read as _, Write as _};
use std::path::Path;
use std::process;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::prctl::set_name;
use nix::unistd::{Pid, gettid};

use crate::answer::{LoadedAnswer, comm_bytes, sum_per_cpu};
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "02/long-paths",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("on_open", Hook::KProbe(&["do_sys_openat2"]))],
            maps: &[MapSpec::ring_buf("OPENS")],
            globals: &[],
            checks: &[
                Check {
                    says: "reports a path that is opened",
                    holds: short_path,
                },
                Check {
                    says: "reports a path of thousands of bytes whole",
                    holds: long_path,
                },
                Check {
                    says: "reports a short one after it as short as it is",
                    holds: short_path,
                },
                Check {
                    says: "reports no path that is not opened",
                    holds: no_path,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "02/read-sizes",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("on_read", Hook::Tracepoint("syscalls/sys_enter_read")),
                ("on_return", Hook::Tracepoint("syscalls/sys_exit_read")),
            ],
            maps: &[MapSpec::per_cpu_hash::<i32, Sizes>("READS")],
            globals: &[],
            checks: &[
                Check {
                    says: "adds up the reads of one thread",
                    holds: one_reader,
                },
                Check {
                    says: "has no entry for a thread that only writes",
                    holds: no_reader,
                },
                Check {
                    says: "is right about a thread that waits while another reads",
                    holds: waiting_reader,
                },
                Check {
                    says: "is right about a thread that wakes up on another CPU",
                    holds: moving_reader,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "02/top-changes",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("on_create", Hook::KProbe(&["security_inode_create"])),
                ("on_mkdir", Hook::KProbe(&["security_inode_mkdir"])),
                ("on_unlink", Hook::KProbe(&["security_inode_unlink"])),
                ("on_rmdir", Hook::KProbe(&["security_inode_rmdir"])),
                ("on_rename", Hook::KProbe(&["security_inode_rename"])),
            ],
            maps: &[MapSpec::per_cpu_hash::<[u8; 16], [u64; 3]>("TOP")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts what a program makes",
                    holds: made,
                },
                Check {
                    says: "counts what a program removes",
                    holds: removed,
                },
                Check {
                    says: "counts what a program renames",
                    holds: renamed,
                },
                Check {
                    says: "has no entry for a program that only reads and writes",
                    holds: unchanged,
                },
                Check {
                    says: "counts a program that comes after hundreds of others",
                    holds: latecomer,
                },
            ],
        }),
    },
];

fn short_path(answer: &mut LoadedAnswer) -> Result<()> {
    opened(answer, &format!("/tmp/{}", work::any_name()))
}

fn long_path(answer: &mut LoadedAnswer) -> Result<()> {
    let directories = fastrand::usize(300..400);
    opened(
        answer,
        &format!("/{}", work::any_name()).repeat(directories),
    )
}

fn no_path(answer: &mut LoadedAnswer) -> Result<()> {
    let path = format!("/tmp/{}", work::any_name());
    ensure!(fs::metadata(&path).is_err(), "{path} should not exist");
    let reported = paths(answer)?.contains(&path);
    ensure!(
        !reported,
        "{path} was looked for and not opened, and OPENS has a record of it"
    );
    Ok(())
}

/// The file does not exist: the kernel is asked to open it all the same.
fn opened(answer: &mut LoadedAnswer, path: &str) -> Result<()> {
    paths(answer)?;
    drop(File::open(path));
    let paths = paths(answer)?;
    let seen: Vec<String> = paths.iter().map(|path| abridged(path)).collect();
    let seen = if seen.is_empty() {
        "nothing".to_owned()
    } else {
        seen.join(", ")
    };
    ensure!(
        paths.iter().any(|seen| seen == path),
        "{} was opened, and OPENS has {seen}",
        abridged(path)
    );
    Ok(())
}

/// What this process opened since the last time.
fn paths(answer: &mut LoadedAnswer) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for record in answer.read_records_of_any_size("OPENS")? {
        let Some((pid, path)) = record.split_first_chunk() else {
            bail!(
                "a record in OPENS has {} bytes, and should have more than 4",
                record.len()
            )
        };
        if u32::from_ne_bytes(*pid) != process::id() {
            continue;
        }
        let text = path
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(path.len());
        let (length, right) = (path.len(), text + 1);
        ensure!(
            length == right,
            "a record in OPENS has a path of {length} bytes with its zero byte, not {right}"
        );
        paths.push(String::from_utf8_lossy(&path[..text]).into_owned());
    }
    Ok(paths)
}

fn abridged(path: &str) -> String {
    if path.len() < 40 {
        path.to_owned()
    } else {
        format!("{}... ({} bytes)", &path[..27], path.len())
    }
}

/// What a read asked for, and what it got.
type Sizes = [u64; 2];

fn one_reader(answer: &mut LoadedAnswer) -> Result<()> {
    let (thread, expected) = work::as_program("reader", 0, || {
        let mut sum = [0, 0];
        for _ in 0..fastrand::u64(3..9) {
            let [asked, got] = read_at_once()?;
            sum = [sum[0] + asked, sum[1] + got];
        }
        ensure!(
            File::open("/tmp")?.read(&mut [0; 100]).is_err(),
            "a directory cannot be read like a file"
        );
        Ok((gettid(), sum))
    })?;
    adds_up(answer, thread, expected)
}

fn no_reader(answer: &mut LoadedAnswer) -> Result<()> {
    let thread = work::as_program("writer", 0, || {
        let (_reader, mut writer) = io::pipe().context("make a pipe")?;
        writer.write_all(&[0; 100]).context("write to a pipe")?;
        Ok(gettid())
    })?;
    let reads = answer.per_cpu_hash::<i32, Sizes>("READS")?;
    ensure!(
        reads.get(&thread.as_raw(), 0).is_err(),
        "a thread wrote and did not read, and READS has an entry for it"
    );
    Ok(())
}

fn waiting_reader(answer: &mut LoadedAnswer) -> Result<()> {
    sleeping_reader(answer, 0)
}

fn moving_reader(answer: &mut LoadedAnswer) -> Result<()> {
    sleeping_reader(answer, 1)
}

/// A thread goes to sleep in a read, on CPU 0. While another one reads there, it waits; then it
/// wakes up.
fn sleeping_reader(answer: &mut LoadedAnswer, wakes_up_on: usize) -> Result<()> {
    let (asks, gets) = (fastrand::usize(5000..9000), fastrand::usize(1..64));
    let (reader, writer) = io::pipe().context("make a pipe")?;
    let (say, hear) = mpsc::channel();
    let (sleeper, other) = thread::scope(|scope| {
        // Whatever fails here, the writer is dropped, and that ends the read.
        let mut writer = writer;
        let sleeper = scope.spawn(move || {
            work::move_to(0, None)?;
            say.send(gettid()).context("tell who sleeps")?;
            read(&reader, asks)
        });
        let thread = hear.recv().context("hear who sleeps")?;
        work::wait_for_sleep(thread)?;
        let other = work::as_program("other", 0, || Ok((gettid(), read_at_once()?)))?;
        work::move_to(wakes_up_on, Some(thread))?;
        writer
            .write_all(&vec![0; gets])
            .context("write to a pipe")?;
        Ok::<_, anyhow::Error>(((thread, work::join_thread(sleeper)?), other))
    })?;
    adds_up(answer, other.0, other.1)?;
    adds_up(answer, sleeper.0, sleeper.1)
}

/// Reads from a pipe that has something.
fn read_at_once() -> Result<Sizes> {
    let (reader, mut writer) = io::pipe().context("make a pipe")?;
    writer
        .write_all(&vec![0; fastrand::usize(1..64)])
        .context("write to a pipe")?;
    read(&reader, fastrand::usize(64..4096))
}

fn read(mut pipe: &PipeReader, asks: usize) -> Result<Sizes> {
    let got = pipe.read(&mut vec![0; asks]).context("read from a pipe")?;
    Ok([asks as u64, got as u64])
}

fn adds_up(answer: &LoadedAnswer, thread: Pid, [asked, got]: Sizes) -> Result<()> {
    let reads = answer.per_cpu_hash::<i32, Sizes>("READS")?;
    let seen = reads.get(&thread.as_raw(), 0).ok();
    let seen = seen.with_context(|| {
        format!("a thread asked for {asked} bytes and got {got}, and READS has no entry for it")
    })?;
    let [seen_asked, seen_got] = sum_per_cpu(&seen);
    ensure!(
        [seen_asked, seen_got] == [asked, got],
        "a thread asked for {asked} bytes and got {got}, and READS says that it asked for \
         {seen_asked} and got {seen_got}"
    );
    Ok(())
}

/// The CPUs that programs work on: every VM has two.
const CPUS: [usize; 2] = [0, 1];

fn made(answer: &mut LoadedAnswer) -> Result<()> {
    let (directory, program) = (tempfile::tempdir()?, work::any_name());
    let mut made = 0;
    for cpu in CPUS {
        let files = fastrand::u64(1..6);
        work::as_program(&program, cpu, || {
            make(directory.path(), &format!("{cpu}"), files)?;
            fs::create_dir(directory.path().join(format!("directory-{cpu}")))
                .context("make a directory")
        })?;
        made += files + 1;
    }
    changed(answer, &program, [made, 0, 0])
}

fn removed(answer: &mut LoadedAnswer) -> Result<()> {
    let (directory, program) = (tempfile::tempdir()?, work::any_name());
    let mut removed = 0;
    for cpu in CPUS {
        let (files, inner) = (fastrand::u64(1..6), directory.path().join(cpu.to_string()));
        fs::create_dir(&inner).context("make a directory")?;
        make(&inner, "file", files)?;
        work::as_program(&program, cpu, || {
            fs::remove_dir_all(&inner).context("remove a directory")
        })?;
        removed += files + 1;
    }
    changed(answer, &program, [0, removed, 0])
}

fn renamed(answer: &mut LoadedAnswer) -> Result<()> {
    let (directory, program) = (tempfile::tempdir()?, work::any_name());
    let path = |number: u64| directory.path().join(format!("file-{number}"));
    make(directory.path(), "file", 1)?;
    let times = fastrand::u64(1..6);
    for cpu in CPUS {
        work::as_program(&program, cpu, || {
            (0..times).try_for_each(|_| {
                fs::rename(path(0), path(1)).context("rename a file")?;
                fs::rename(path(1), path(0)).context("rename it back")
            })
        })?;
    }
    changed(answer, &program, [0, 0, 4 * times])
}

fn unchanged(answer: &mut LoadedAnswer) -> Result<()> {
    let (directory, program) = (tempfile::tempdir()?, work::any_name());
    make(directory.path(), "file", 1)?;
    let path = directory.path().join("file-0");
    work::as_program(&program, 0, || {
        fs::write(&path, "text").context("write a file")?;
        fs::read(&path).context("read a file")
    })?;
    let entry = answer
        .per_cpu_hash::<[u8; 16], [u64; 3]>("TOP")?
        .get(&comm_bytes(&program), 0)
        .ok();
    let entry = entry.map(|values| sum_per_cpu(&values));
    ensure!(
        entry.is_none(),
        "{program} wrote and read a file, and TOP says {}",
        told(entry.unwrap_or_default())
    );
    Ok(())
}

/// What the exercise says that TOP has room for.
const ROOM: usize = 256;

fn latecomer(answer: &mut LoadedAnswer) -> Result<()> {
    // No name of the others has this end.
    let (directory, program) = (tempfile::tempdir()?, format!("{}-late", work::any_name()));
    work::as_program("first", 0, || {
        (0..ROOM + 50).try_for_each(|_| {
            let name = work::any_name();
            set_name(&std::ffi::CString::new(name.as_str())?).context("take a name")?;
            make(directory.path(), &name, 1)
        })
    })?;
    let files = fastrand::u64(2..9);
    work::as_program(&program, 0, || make(directory.path(), "late", files))?;
    changed(answer, &program, [files, 0, 0])?;
    let entries = answer
        .per_cpu_hash::<[u8; 16], [u64; 3]>("TOP")?
        .keys()
        .flatten()
        .count();
    ensure!(
        entries <= ROOM,
        "TOP has {entries} entries, and {ROOM} should be enough"
    );
    Ok(())
}

fn make(directory: &Path, name: &str, files: u64) -> Result<()> {
    let make = |number| File::create(directory.join(format!("{name}-{number}"))).map(drop);
    (0..files).try_for_each(make).context("make a file")
}

fn changed(answer: &LoadedAnswer, program: &str, expected: [u64; 3]) -> Result<()> {
    let top = answer.per_cpu_hash::<[u8; 16], [u64; 3]>("TOP")?;
    let seen = top.get(&comm_bytes(program), 0).ok();
    let expected_words = told(expected);
    let seen = seen.with_context(|| {
        format!("{program} did this: {expected_words}; and TOP has no entry for it")
    })?;
    let seen = sum_per_cpu(&seen);
    ensure!(
        seen == expected,
        "{program} did this: {expected_words}; and TOP says {}",
        told(seen)
    );
    Ok(())
}

fn told([made, removed, renamed]: [u64; 3]) -> String {
    format!("{made} made, {removed} removed, {renamed} renamed")
}
