//! What the tests share: the program under test, VMs for plans, and a look at what was left behind.

#![expect(dead_code, reason = "each test file uses a part of it")]

pub mod checkout_copy;
pub mod fake_qemu;
pub mod moved_clock;
pub mod test_vm;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Result;
use checkout::workspace;
use course::Implementation;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use plan::{Outcome, Plan, Step};
use test_vm::TestVm;
use testvm::{Failure, Happening, PlanReport, Started, Stream};
use xtask::pipeline::{build, needs};

/// Makes a test for each kernel of the matrix, called `on_5_10` and so on, which runs the named
/// function with the kernel's name.
#[macro_export]
macro_rules! on_each_kernel {
    ($function:ident) => {
        $crate::on_each_kernel! {
            $function: on_5_10 "5.10", on_6_1 "6.1", on_6_12 "6.12", on_6_18 "6.18", on_7_3 "7.3"
        }
    };
    ($function:ident: $($name:ident $kernel:literal),*) => {
        $(
            #[test]
            #[ignore = "needs a VM: cargo xtask test vm"]
            fn $name() {
                $function($kernel);
            }
        )*

        #[test]
        fn every_kernel_is_tested() {
            assert_eq!(::kernel::MATRIX, [$($kernel),*]);
        }
    };
}

/// The kernels for arm64 that a test asks: these, and with `XTASK_ARM64=all` all of the course's.
pub fn arm64_kernels(few: &[&'static str]) -> Vec<&'static str> {
    match std::env::var("XTASK_ARM64") {
        Ok(which) if which == "all" => kernel::MATRIX.to_vec(),
        _ => few.to_vec(),
    }
}

/// Says that a test, or a part of one, does not run here. `cargo xtask test` counts and names these
/// at its end, so that no test passes silently by not running.
pub fn skip(what: &str, why: &str) {
    let line = format!("{what}: {why}");
    // The test harness hides what a passing test prints with `eprintln!`.
    let mut stderr = std::io::stderr();
    writeln!(stderr, "skipped: {line}").unwrap();
    if let Some(file) = std::env::var_os("XTASK_TEST_SKIPS") {
        // One write of a whole line: test files run at the same time.
        let mut file = File::options().append(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// A run of xtask whose processes can be told from all others.
pub struct Run {
    pub command: Command,
    mark: String,
}

impl Run {
    pub fn new(arguments: &[&str]) -> Self {
        Self::of(&program(), arguments)
    }

    /// A run of the xtask of another checkout.
    pub fn of(program: &Path, arguments: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!(
            "XTASK_TEST_MARK={}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let mut command = Command::new(program);
        let (name, value) = mark.split_once('=').unwrap();
        command
            .args(arguments)
            .env(name, value)
            .env("NO_COLOR", "1")
            .env("LANG", "C.UTF-8");
        // In a checkout where somebody learns, his progress is not ours.
        command.env("XTASK_PROGRESS", scratch());
        // A shell without job control starts what runs in the background with Ctrl-C ignored, and
        // programs inherit that.
        // SAFETY: no handler is set, so nothing can run at a bad moment.
        unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.unwrap();
        Self { command, mark }
    }

    /// Starts the run with its input and output on a terminal, and its errors in a pipe.
    pub fn start_on_terminal(&mut self, terminal: OwnedFd) -> Child {
        self.command
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal)
            .stderr(Stdio::piped());
        let child = self.command.spawn().unwrap();
        // Our copies of the terminal's other end would keep it open for ever.
        self.command = Command::new("true");
        child
    }

    pub fn output(&mut self) -> Output {
        self.command.output().unwrap()
    }

    /// The same, of a command that must end at once: one that goes on is a failure, and is ended.
    pub fn output_soon(&mut self) -> Output {
        self.command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = self.command.spawn().unwrap();
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait_with_output()));
        let output = ended.recv_timeout(Duration::from_secs(60));
        output.expect("it goes on after a minute").unwrap()
    }

    /// The processes of this run that are still alive, by command line. A killed one may take a
    /// moment to go.
    pub fn left_behind(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(3);
        loop {
            let left: Vec<String> = processes_with(&self.mark)
                .into_iter()
                .map(|(_, command)| command)
                .collect();
            if left.is_empty() || Instant::now() > deadline {
                return left;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The numbers of the processes of this run that are still alive.
    pub fn living_processes(&self) -> Vec<i32> {
        let processes = processes_with(&self.mark).into_iter();
        processes.map(|(process, _)| process).collect()
    }

    /// Waits until QEMU runs as a child of this run.
    pub fn wait_for_qemu(&self) {
        self.wait_for_program(OF_QEMU);
    }

    /// Waits until a program of this run has this in its command line.
    pub fn wait_for_program(&self, part: &str) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !processes_with(&self.mark)
            .iter()
            .any(|(_, command)| command.contains(part))
        {
            assert!(Instant::now() < deadline, "{part} was never started");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// This run's QEMU.
    pub fn qemu(&self) -> Pid {
        let found = processes_with(&self.mark)
            .into_iter()
            .find(|(_, command)| command.contains(OF_QEMU));
        Pid::from_raw(found.unwrap().0)
    }
}

/// What a test that failed has started ends with it.
impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in self.living_processes() {
                // It may have ended meanwhile.
                let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            }
        }
    }
}

/// An option in the command line of each VM, of any architecture.
const OF_QEMU: &str = "-accel";

/// The program under test. Asked at run time, as everything about places: the checkout may be a
/// copy, with what was built in the original.
pub fn program() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_xtask").unwrap().into()
}

/// A directory for what tests leave behind.
pub fn scratch() -> PathBuf {
    let directory = workspace::target_directory().join("tmp");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn processes_with(mark: &str) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        let read = |name: &str| std::fs::read(entry.path().join(name)).unwrap_or_default();
        if read("environ")
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
        {
            found.push((
                pid,
                String::from_utf8_lossy(&read("cmdline")).replace('\0', " "),
            ));
        }
    }
    found
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Both ends of a real terminal: a person's, and a program's.
pub fn terminal() -> (File, OwnedFd) {
    let ends = openpty(None, None).unwrap();
    (ends.master.into(), ends.slave)
}

/// Reads until this text has come; returns all that came.
pub fn wait_for(from: &mut (impl Read + AsFd), text: &str) -> String {
    wait_until(Instant::now() + Duration::from_secs(300), from, text)
}

/// A program that says nothing more must not make a test wait for ever.
pub fn wait_until(deadline: Instant, from: &mut (impl Read + AsFd), text: &str) -> String {
    let mut screen = String::new();
    let mut buffer = [0; 1024];
    while !screen.contains(text) {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut ends = [PollFd::new(from.as_fd(), PollFlags::POLLIN)];
        let ready = poll(&mut ends, PollTimeout::try_from(left).unwrap()).unwrap();
        assert!(ready > 0, "{text} never came: {screen}");
        let length = from.read(&mut buffer).unwrap();
        assert!(length > 0, "it ended before {text}: {screen}");
        screen.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    screen
}

/// A VM with busybox in it.
pub fn start_with_tools(kernel: &str) -> Started {
    TestVm::on(kernel).with_tools().start()
}

/// A step that runs a line of shell in the guest.
pub fn shell(line: &str) -> Step {
    Step {
        program: "/bin/busybox".into(),
        args: vec!["sh".into(), "-c".into(), line.into()],
        env: Vec::new(),
        // A machine with much else to do takes three times what an idle one takes.
        seconds: Some(60),
        output_limit: Some(1 << 20),
        terminal: None,
        observe: false,
        surroundings: None,
    }
}

/// What a step prints with each implementation: the same, and nothing is left behind.
pub fn run_with_both(
    started: &mut Started,
    kernel: &str,
    step: impl Fn(Implementation) -> Step,
) -> String {
    let [aya, libbpf] = Implementation::ALL.map(|implementation| {
        let context = format!("{implementation} on {kernel}");
        run_step(started, step(implementation), &context)
    });
    assert_eq!(aya, libbpf);
    aya
}

/// A step that runs lines of shell in their own namespaces for mounts and for the network, where lo
/// is on. The lesson's program is there as a variable of its name, for example `$xdp`. What
/// `in_background` starts writes to a new file `out`: the text of an earlier one would end
/// `until_out` before the program has begun.
pub fn script_in_namespaces(program: &str, implementation: Implementation, lines: &str) -> Step {
    let prepare = "exec 2>&1; alias ip='busybox ip' ping='busybox ping' grep='busybox grep'; \
        cd /tmp; busybox rm -f out; ip link set lo up";
    let helpers = format!(
        "{program}=\"/bin/{program} --impl {implementation}\"\n\
         in_background() {{ busybox rm -f out; \"$@\" > out 2>&1 & }}\n\
         until_out() {{ for _ in $(busybox seq 200); do grep -q \"$1\" out 2>/dev/null && return; \
             busybox usleep 50000; done; echo \"no $1 in out\"; busybox cat out; exit 1; }}\n\
         fails() {{ ${program} \"$@\" 2>&1; echo \"code $?\"; }}"
    );
    let arguments = ["unshare", "-m", "-n", "/bin/busybox", "sh", "-c"].map(String::from);
    let script = format!("{prepare}\n{helpers}\n{lines}");
    Step {
        args: arguments.into_iter().chain([script]).collect(),
        seconds: Some(120),
        ..shell("")
    }
}

/// What a step printed. It must succeed and leave nothing behind.
pub fn run_step(started: &mut Started, step: Step, context: &str) -> String {
    let (report, printed) = run(started, vec![step]);
    let text = String::from_utf8(printed.concat()).unwrap();
    let report = report.map_err(Failure::into_error).unwrap();
    let outcome = &report.steps[0].outcome;
    assert_eq!(*outcome, Outcome::Exited(0), "{context}: {text}");
    assert_eq!(report.left_behind, [""; 0], "{context}: {text}");
    assert_eq!(report.complaints, [""; 0], "{context}: {text}");
    text
}

/// Runs a lesson's own tests, those that need root, on each kernel. So many must pass.
pub fn run_lesson_tests(program: &str, passed: usize) {
    let tests = build_lesson_tests(program);
    let name = tests.file_name().unwrap().to_string_lossy();
    for kernel in kernel::MATRIX {
        let mut started = TestVm::on(kernel).with_program(&tests).start();
        let step = Step {
            program: format!("/bin/{name}"),
            args: vec!["--ignored".into(), "--test-threads=1".into()],
            seconds: Some(300),
            ..shell("")
        };
        let text = run_step(&mut started, step, kernel);
        let expected = format!("test result: ok. {passed} passed");
        assert!(text.contains(&expected), "{kernel}: {text}");
    }
}

fn build_lesson_tests(program: &str) -> PathBuf {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let mut cargo = build::inner_cargo();
    cargo.args([
        "test",
        "--no-run",
        "--bin",
        program,
        "--message-format=json",
    ]);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    for line in stdout(&output).lines() {
        let message: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(path) = message["executable"].as_str() {
            return path.into();
        }
    }
    panic!("cargo names no test program: {}", stdout(&output));
}

/// Runs this line of shell once for each implementation, with the lesson's program in place of
/// `LESSON`. Returns how each ended and what it printed; nothing may be left behind.
pub fn run_each(started: &mut Started, program: &str, line: &str) -> Vec<(Outcome, String)> {
    let mut steps = Vec::new();
    for implementation in Implementation::ALL {
        let line = line.replace("LESSON", &format!("/bin/{program} --impl {implementation}"));
        steps.push(Step {
            seconds: Some(120),
            ..shell(&line)
        });
    }
    let (report, printed) = run(started, steps);
    let report: PlanReport = report.map_err(Failure::into_error).unwrap();
    assert_eq!(report.complaints, [""; 0]);
    assert_eq!(report.left_behind, [""; 0], "after: {line}");
    let outcomes = report.steps.into_iter().map(|step| step.outcome);
    let printed = printed
        .into_iter()
        .map(|bytes| String::from_utf8(bytes).unwrap());
    outcomes.zip(printed).collect()
}

/// Runs steps and collects what each printed on standard output.
pub fn run(started: &mut Started, steps: Vec<Step>) -> (Result<PlanReport, Failure>, Vec<Vec<u8>>) {
    let mut printed = Vec::new();
    let report = started.guest.run_plan(&Plan { steps }, |happening| {
        match happening {
            Happening::Started(_) => printed.push(Vec::new()),
            Happening::Output(Stream::Stdout, bytes) => {
                printed.last_mut().unwrap().extend_from_slice(bytes)
            }
            // Shown when the test fails.
            Happening::Output(Stream::Stderr, bytes) => {
                eprint!("{}", String::from_utf8_lossy(bytes));
            }
            Happening::Ended(..) => {}
        }
        Ok(())
    });
    (report, printed)
}
