//! One run of the tool: how it ended, what it tried again, what it left.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use processes::child::{end_with_us, pid_of};
use tempfile::TempDir;
use testvm::timeline::{RETRY, TIMELINE, parse_timeline};

use crate::common::Run;
use crate::known::{Round, Uses};
use crate::places::{LeftOver, Places};

/// Many times what any of these runs takes on a busy machine, with what it has to compile: what is
/// not over by then never is.
const HANG: Duration = Duration::from_secs(600);

/// What goes with its processes goes at once, but the kernel may be slow to tell.
const PATIENCE: Duration = Duration::from_secs(3);

/// A run that was started.
pub struct WatchedRun {
    run: Run,
    child: Child,
    command: String,
    uses: Uses,
    files: TempDir,
    places: Places,
}

/// A run that is over.
pub struct EndedRun {
    pub command: String,
    pub uses: Uses,
    pub status: Option<ExitStatus>,
    pub stdout: String,
    pub stderr: String,
    /// Why something was tried again, once for each time.
    pub retries: Vec<String>,
    /// What it left, of each kind.
    pub left: Vec<LeftOver>,
    /// What is wrong with it; what it left is.
    pub faults: Vec<String>,
}

impl WatchedRun {
    /// With its own directory for temporary files. Its output goes into files: a pipe would stay
    /// open as long as anything that was left behind.
    pub fn start(mut run: Run, uses: Uses) -> Self {
        let files = tempfile::Builder::new().prefix("xtask-soak-").tempdir();
        let files = files.unwrap();
        let path = |name: &str| files.path().join(name);
        let create = |name: &str| File::create(path(name)).unwrap();
        fs::create_dir(path("tmp")).unwrap();
        run.command
            .env("TMPDIR", path("tmp"))
            .env(TIMELINE, path("timeline"))
            .stdin(Stdio::null())
            .stdout(create("stdout"))
            .stderr(create("stderr"));
        create("timeline");
        end_with_us(&mut run.command);
        let arguments = run.command.get_args().map(|it| it.to_string_lossy());
        Self {
            command: arguments.collect::<Vec<_>>().join(" "),
            uses,
            places: Places::look(),
            child: run.command.spawn().unwrap(),
            run,
            files,
        }
    }

    pub fn send_signal(&self, signal: Signal) {
        kill(pid_of(&self.child), signal).unwrap();
    }

    pub fn wait_for_end(mut self) -> EndedRun {
        let deadline = Instant::now() + HANG;
        let mut faults = Vec::new();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                faults.push(format!("it did not end within {} s", HANG.as_secs()));
                self.end_all();
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut all_left = Vec::new();
        for process in self.run.left_behind() {
            faults.push(format!("left a process: {process}"));
            all_left.push(LeftOver::Process);
        }
        let temporary = self.files.path().join("tmp");
        let begin = Instant::now();
        let mut left = self.places.find_left_over(&temporary);
        while !left.is_empty() && begin.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
            left = self.places.find_left_over(&temporary);
        }
        for (kind, what) in left {
            faults.push(format!("left behind: {what}"));
            all_left.push(kind);
        }
        self.end_all();
        let read = |name: &str| {
            let bytes = fs::read(self.files.path().join(name)).unwrap();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let timeline = read("timeline");
        let moments = parse_timeline(&timeline).into_iter();
        let retries = moments.filter_map(|(_, moment)| moment.strip_prefix(RETRY));
        EndedRun {
            command: self.command,
            uses: self.uses,
            status,
            stdout: read("stdout"),
            stderr: read("stderr"),
            retries: retries.map(str::to_owned).collect(),
            left: all_left,
            faults,
        }
    }

    /// What still lives of it would spoil the next run.
    fn end_all(&mut self) {
        for process in self.run.living_processes() {
            // It may end by itself at this moment.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
        // One that has ended already is waited for a second time, which gives the same.
        let _ = self.child.wait();
    }
}

impl EndedRun {
    /// The exit code, or less than 0: the signal that ended it.
    pub fn code(&self) -> Option<i32> {
        let status = self.status?;
        status
            .code()
            .or_else(|| status.signal().map(|signal| -signal))
    }

    /// Notes what is not as it should be.
    pub fn expect(&mut self, holds: bool, what: &str) {
        if !holds {
            self.faults.push(format!("not so: {what}"));
        }
    }

    pub fn expect_code(&mut self, code: i32) {
        let found = self.code();
        // Without a code it hung, which is noted.
        if found.is_some_and(|found| found != code) {
            let found = found.unwrap_or_default();
            self.faults.push(format!("exit code {found}, not {code}"));
        }
    }

    pub fn as_text(&self, round: &Round) -> String {
        let Self {
            command,
            status,
            stdout,
            stderr,
            retries,
            faults,
            ..
        } = self;
        let (seed, number) = (round.seed, round.number);
        format!(
            "\nWRONG, round {number}: {} on {}\n  {}\n  cargo xtask {command}\n  {status:?}\n  \
             tried again: {retries:?}\n  this round alone: XTASK_SOAK_SEED={seed} \
             XTASK_SOAK_ROUND={number} cargo test -p xtask --test soak -- --ignored --nocapture\n\
             ---- standard output\n{stdout}\n---- standard error\n{stderr}\n----",
            round.kind.name(),
            round.kernel,
            faults.join("\n  "),
        )
    }
}
