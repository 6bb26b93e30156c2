//! What the demo does: it opens a file, makes calls that fail, and makes one that has to wait.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, process};

use anyhow::{Context as _, Result, anyhow, bail};
use common::{Stop, wait_until};
use nix::libc::SYS_openat;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const THERE: &str = "/proc/version";
const MISSING: &str = "/proc/missing";

/// How long the call waits that has to wait.
const HOLD: Duration = Duration::from_millis(50);

/// A thread that opens a named pipe when it is told to. That takes a while: a reader waits in the
/// function until there is a writer.
pub struct Workload {
    pipe: Pipe,
    reader: JoinHandle<io::Result<File>>,
    start: Sender<()>,
    /// What the thread is doing, as the kernel tells it.
    syscall: File,
}

struct Pipe(PathBuf);

impl Workload {
    /// Opens whatever files the demo itself needs, so that the programs do not see that.
    pub fn prepare_reader() -> Result<Self> {
        let pipe = Pipe::create()?;
        let path = pipe.0.clone();
        let (start, started) = mpsc::channel();
        let (sender, receiver) = mpsc::channel();
        let reader = thread::Builder::new().name("reader".to_owned());
        let reader = reader.spawn(move || {
            let _ = sender.send(File::open("/proc/thread-self/syscall"));
            // When the demo is over without a word, nobody would open the other end.
            started.recv().map_err(io::Error::other)?;
            File::open(path)
        });
        let syscall = receiver.recv().context("cannot start a thread")?;
        Ok(Self {
            pipe,
            reader: reader.context("cannot start a thread")?,
            start,
            syscall: syscall.context("cannot open /proc/thread-self/syscall")?,
        })
    }

    /// All calls but the reader's are made one after the other. While the reader waits in the
    /// function, two more calls are made. An error when `stop` is set before the reader waits.
    pub fn open_files(mut self, stop: &Stop) -> Result<()> {
        call_function()?;
        expect_error(File::open(MISSING), ErrorKind::NotFound)?;
        let directory = OpenOptions::new().write(true).open("/proc");
        expect_error(directory, ErrorKind::IsADirectory)?;
        expect_error(File::create_new(THERE), ErrorKind::AlreadyExists)?;

        self.start.send(()).context("cannot start the reader")?;
        self.wait_for_reader(stop)?;
        expect_error(File::open(MISSING), ErrorKind::NotFound)?;
        thread::sleep(HOLD);
        let writer = OpenOptions::new().write(true).open(&self.pipe.0);
        let _writer = writer.context("cannot open the pipe for writing")?;
        let reader = self.reader.join();
        let reader = reader.map_err(|_| anyhow!("the reader panicked"))?;
        reader.context("cannot open the pipe for reading").map(drop)
    }

    fn wait_for_reader(&mut self, stop: &Stop) -> Result<()> {
        wait_until("the reader opens the pipe", Some(stop), || {
            let mut syscall = String::new();
            self.syscall.rewind()?;
            self.syscall.read_to_string(&mut syscall)?;
            // Its number comes first.
            Ok(syscall.starts_with(&format!("{SYS_openat} ")))
        })
    }
}

/// One call of the function, so that a program runs once.
pub fn call_function() -> Result<()> {
    File::open(THERE).with_context(|| format!("cannot open {THERE}"))?;
    Ok(())
}

fn expect_error(result: io::Result<File>, expected: ErrorKind) -> Result<()> {
    match result {
        Err(error) if error.kind() == expected => Ok(()),
        Err(error) => Err(error).context("a call failed for another reason than it should"),
        Ok(_) => bail!("a call did not fail, but should have failed with: {expected}"),
    }
}

impl Pipe {
    fn create() -> Result<Self> {
        let path = env::temp_dir().join(format!("fentry-fexit-{}", process::id()));
        let created = mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR);
        created.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
