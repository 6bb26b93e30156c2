//! What COMMAND does in the demo: a list of deeds, in a folder that the demo has prepared.

use std::env;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use common::{say, text};
use rustix::thread::set_name;

pub const NOTES: &str = "notes.txt";
pub const PLAN: &str = "secret/plan.txt";
pub const DEEP_PLAN: &str = "secret/a/b/plan.txt";
pub const PROGRAM: &str = "secret/program";
const STOLEN: &str = "stolen.txt";

/// How often the storm opens a file.
const STORM: u32 = 100_000;

/// The kernel takes a moment to detach the programs of a process that was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// What `wait` prints.
pub const READY: &str = "ready";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Deed {
    /// Open a file beside the directory
    Notes,
    /// Open a file in the directory
    Open,
    /// The same, again and again until it works
    Again,
    /// Open a file two folders further down
    Deep,
    Exec,
    Link,
    Rename,
    /// Start a child that opens a file, and wait for it
    Child,
    /// Start a process that ends when it has left an orphan, and wait for the orphan
    Orphan,
    /// Start a child that opens a file, and then tries again and again
    LeaveChild,
    LeaveOrphan,
    AsChild,
    AsOrphan,
    /// Say that all is done, and wait until standard input ends
    Wait,
    /// Open a file a hundred thousand times, and expect to be denied
    Storm,
    Nothing,
}

pub fn run(deeds: &[Deed]) -> Result<()> {
    let mut who = "command";
    set_name(c"command").context("take a name")?;
    for deed in deeds {
        match deed {
            Deed::Notes => tell(who, "open", NOTES, File::open(NOTES).map(drop))?,
            Deed::Open => tell(who, "open", PLAN, File::open(PLAN).map(drop))?,
            Deed::Again => tell(who, "again", PLAN, open_at_last())?,
            Deed::Deep => tell(who, "open", DEEP_PLAN, File::open(DEEP_PLAN).map(drop))?,
            Deed::Exec => tell(who, "exec", PROGRAM, execute())?,
            Deed::Link => tell(who, "link", PLAN, link())?,
            Deed::Rename => tell(who, "rename", PLAN, rename())?,
            Deed::Child => pass_on(start("as-child,open")?)?,
            Deed::Orphan => pass_on(start("leave-orphan")?)?,
            Deed::LeaveChild => leave("as-child,open,again")?,
            Deed::LeaveOrphan => leave("as-orphan,deep")?,
            Deed::AsChild => {
                set_name(c"child").context("take a name")?;
                who = "child";
            }
            Deed::AsOrphan => {
                set_name(c"orphan").context("take a name")?;
                who = "orphan";
                // Its parent holds the other end, and lets go of it by ending.
                wait_for_end_of_input()?;
            }
            Deed::Wait => {
                say(READY)?;
                wait_for_end_of_input()?;
            }
            Deed::Storm => storm()?,
            Deed::Nothing => {}
        }
    }
    Ok(())
}

fn tell(who: &str, what: &str, path: &str, result: io::Result<()>) -> Result<()> {
    let result = match result {
        Ok(()) => "done".to_owned(),
        Err(error) => {
            let name = error
                .raw_os_error()
                .and_then(|code| text::errno(-i64::from(code)));
            name.unwrap_or_else(|| error.to_string())
        }
    };
    say(&format!("  {who:<8} {what:<7} {path:<20} {result}"))
}

fn open_at_last() -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match File::open(PLAN) {
            Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(10)),
            last => return last.map(drop),
        }
    }
}

fn execute() -> io::Result<()> {
    Command::new(PROGRAM)
        .args(["--deeds", "nothing"])
        .status()
        .map(drop)
}

fn link() -> io::Result<()> {
    fs::hard_link(PLAN, STOLEN)?;
    fs::remove_file(STOLEN)
}

/// Carries the file out, and back in where that worked.
fn rename() -> io::Result<()> {
    fs::rename(PLAN, STOLEN)?;
    fs::rename(STOLEN, PLAN)
}

fn start(deeds: &str) -> Result<Child> {
    let program = env::current_exe().context("find the lesson's own program")?;
    let mut command = Command::new(program);
    command
        .args(["--deeds", deeds])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().context("start a process of the demo")
}

/// What it prints, and what the processes print that it leaves: then they have all ended.
fn pass_on(mut child: Child) -> Result<()> {
    if let Some(mut output) = child.stdout.take() {
        io::copy(&mut output, &mut io::stdout()).context("read what a process prints")?;
    }
    ensure!(
        child
            .wait()
            .context("wait for a process of the demo")?
            .success(),
        "a process of the demo failed"
    );
    Ok(())
}

/// Starts a process, and does not wait for it. Its standard input ends when we do.
fn leave(deeds: &str) -> Result<()> {
    let program = env::current_exe().context("find the lesson's own program")?;
    let mut command = Command::new(program);
    let child = command
        .args(["--deeds", deeds])
        .stdin(Stdio::piped())
        .spawn();
    std::mem::forget(child.context("start a process of the demo")?);
    Ok(())
}

fn wait_for_end_of_input() -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink())
        .context("read standard input")
        .map(drop)
}

fn storm() -> Result<()> {
    for _ in 0..STORM {
        match File::open(PLAN) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
            other => bail!("open {PLAN}: expected to be denied, but {other:?}"),
        }
    }
    Ok(())
}
