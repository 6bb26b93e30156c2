//! The program that is watched: this one again, in a child process. It obeys the words on its
//! standard input, one on a line, and answers each with a line.

use std::env;
use std::ffi::{CStr, CString, c_char, c_void};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::num::NonZeroUsize;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, Result, bail};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::unistd::write;

use crate::points::{REPLY_SEMAPHORE, reach_reply, reach_request};

pub struct Target {
    pub child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Target {
    pub fn start() -> Result<Self> {
        let program = env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command
            .arg("--target")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the target")?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (commands, answers) = pipes.context("cannot talk to the target")?;
        let answers = BufReader::new(answers);
        Ok(Self {
            child,
            commands,
            answers,
        })
    }

    /// When this returns, everything that the word causes has happened.
    pub fn ask(&mut self, word: &str) -> Result<String> {
        writeln!(self.commands, "{word}").context("cannot talk to the target")?;
        let mut answer = String::new();
        let read = self.answers.read_line(&mut answer);
        read.context("cannot read what the target answers")?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the child does, until its input ends.
pub fn obey_commands() -> Result<()> {
    // On the heap, where they have just been written: no page of theirs is missing. A constant is
    // in the file, and may never have been read.
    let [name, longer, path] = ["Ada", "Margaret", "/index.html"].map(CString::new);
    let (name, longer, path) = (name?, longer?, path?);
    for word in io::stdin().lines() {
        let answer = match &*word.context("cannot read a command")? {
            "greet" => greet(name.as_ptr(), 2),
            "greet-late" => greet(map_name(c"Grace")?, 3),
            "count" => count_letters(&longer).into(),
            "getenv" => env::var_os("UPROBE_LESSON").is_some().into(),
            "serve" => serve_request(7, &path),
            "semaphore" => REPLY_SEMAPHORE.load(Ordering::Relaxed).into(),
            word => bail!("cannot obey '{word}'"),
        };
        println!("{answer}");
    }
    Ok(())
}

// ANCHOR: functions
/// How many letters it takes to greet somebody so often. Its symbol is `greet`.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn greet(name: *const c_char, times: u32) -> u32 {
    // SAFETY: all callers pass a C string.
    let name = unsafe { CStr::from_ptr(name) };
    name.count_bytes() as u32 * times
}

/// rustc encodes the path of this one, `uprobe::target::count_letters`, in its symbol.
#[inline(never)]
fn count_letters(name: &CStr) -> u16 {
    name.count_bytes() as u16
}
// ANCHOR_END: functions

/// The name is in a file that is mapped, but nobody has read it there: the page is not in the page
/// table of this process.
fn map_name(name: &CStr) -> Result<*const c_char> {
    let file = memfd_create(c"name", MFdFlags::MFD_CLOEXEC).context("cannot create a file")?;
    let mut page = name.to_bytes().to_vec();
    page.resize(4096, 0);
    write(&file, &page).context("cannot write the name")?;
    let length = NonZeroUsize::new(4096).context("a page is not empty")?;
    // SAFETY: the kernel chooses the address, so nothing that is mapped is replaced.
    let mapped = unsafe {
        mmap(
            None,
            length,
            ProtFlags::PROT_READ,
            MapFlags::MAP_SHARED,
            &file,
            0,
        )
    };
    let address: *mut c_void = mapped.context("cannot map the file")?.as_ptr();
    Ok(address.cast())
}

fn serve_request(id: u64, path: &CStr) -> u32 {
    reach_request(id, path);
    // Nobody has to prepare arguments that nobody wants to see.
    if REPLY_SEMAPHORE.load(Ordering::Relaxed) > 0 {
        reach_reply(id, -404);
    }
    0
}
