//! The demo: a prepared folder, and lsm with three policies for it, as a user would start it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;
use common::{Implementation, Stop, say};
use rustix::io::Errno;
use rustix::process::{WaitOptions, set_child_subreaper, wait};
use tempfile::TempDir;

use crate::workload::{DEEP_PLAN, NOTES, PLAN, PROGRAM, READY};

/// Where lsm writes while its standard output is COMMAND's.
const REPORTS: &str = "reports.txt";

pub fn run(implementation: Implementation) -> Result<()> {
    // A signal ends COMMAND and then lsm, which the demo notices; it must stay to tidy up.
    Stop::catch()?;
    let stage = Stage::set(implementation)?;
    say(&format!(
        "demo      in a folder with {NOTES}, and with secret/, which holds plan.txt and program"
    ))?;
    stage.deny()?;
    stage.audit()?;
    stage.kill()
}

struct Stage {
    folder: TempDir,
    program: PathBuf,
    implementation: String,
}

/// lsm with its COMMAND.
struct Show {
    lsm: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Stage {
    fn set(implementation: Implementation) -> Result<Self> {
        let folder = tempfile::tempdir().context("create the demo's folder")?;
        let program = env::current_exe().context("find the lesson's own program")?;
        let inside = |name: &str| folder.path().join(name);
        fs::create_dir_all(inside(DEEP_PLAN).with_file_name(""))
            .context("create the demo's folders")?;
        for file in [NOTES, PLAN, DEEP_PLAN] {
            fs::write(inside(file), "words\n").with_context(|| format!("write {file}"))?;
        }
        fs::copy(&program, inside(PROGRAM)).with_context(|| format!("write {PROGRAM}"))?;
        let value = implementation
            .to_possible_value()
            .context("name the implementation")?;
        Ok(Self {
            folder,
            program,
            implementation: value.get_name().to_owned(),
        })
    }

    /// The policy denies; a process that is not covered comes by.
    fn deny(&self) -> Result<()> {
        say(
            "\nThe witness is a second program on the hook for opening, and stands behind the policy.",
        )?;
        let deeds = "notes,open,exec,link,rename,child,orphan,wait";
        let mut show = self.start(&["--deny", "secret", "--witness"], deeds)?;
        show.print_until_ready()?;
        let result = File::open(self.folder.path().join(PLAN));
        result.with_context(|| format!("open {PLAN}, in a process that is not covered"))?;
        say(&format!(
            "  demo     open    {PLAN:<20} done: this process does not descend from COMMAND"
        ))?;
        self.finish(show)?;
        say("The kernel stops at the first program that denies: the witness was not asked.")
    }

    fn audit(&self) -> Result<()> {
        say("\nAn audit denies nothing. The hook for opening sees executions as well.")?;
        let mut show = self.start(
            &["--deny", "secret", "--witness", "--audit"],
            "open,exec,wait",
        )?;
        show.print_until_ready()?;
        self.finish(show)?;
        say(
            "Nobody had denied, so the witness was asked too: each program is told the verdict so far.",
        )
    }

    /// Who is denied may open the file again as soon as the process is gone that holds the policy's
    /// links.
    fn kill(&self) -> Result<()> {
        say(
            "\nA policy lasts as long as the process that holds its links, which are file descriptors.",
        )?;
        // What COMMAND leaves becomes our child, so that we see its end.
        set_child_subreaper(Some(rustix::process::getpid())).context("adopt orphans")?;
        let mut show = self.start(&["--deny", "secret"], "leave-child,wait")?;
        // COMMAND is ready, and its child has been denied; in either order.
        show.print_line()?;
        show.print_line()?;
        show.lsm.kill().context("kill lsm")?;
        say("  demo     kills lsm with SIGKILL")?;
        show.print_rest()?;
        let (mut killed, mut well) = (0, 0);
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((_, status))) if status.terminating_signal() == Some(9) => killed += 1,
                Ok(Some((_, status))) if status.exit_status() == Some(0) => well += 1,
                Ok(Some((_, status))) => bail!("kill lsm: a process ended with {status:?}"),
                Ok(None) | Err(Errno::INTR) => {}
                Err(Errno::CHILD) => break,
                Err(error) => return Err(error).context("wait for the processes"),
            }
        }
        ensure!(
            (killed, well) == (2, 1),
            "kill lsm: {killed} processes were killed, {well} ended well"
        );
        say("killed    lsm, and COMMAND with it: it had asked to die with its parent")?;
        say("open      COMMAND's child lived on, and the file is open to it again")
    }

    fn start(&self, options: &[&str], deeds: &str) -> Result<Show> {
        say(&format!("$ lsm {} -- COMMAND", options.join(" ")))?;
        let mut lsm = Command::new(&self.program);
        lsm.current_dir(self.folder.path());
        lsm.args(["--impl", &self.implementation])
            .args(options)
            .args(["--output", REPORTS, "--"]);
        lsm.arg(&self.program).args(["--deeds", deeds]);
        let mut lsm = lsm
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start lsm")?;
        let lines = lsm.stdout.take().context("read what COMMAND prints")?;
        Ok(Show {
            lsm,
            lines: BufReader::new(lines).lines(),
        })
    }

    fn finish(&self, mut show: Show) -> Result<()> {
        // The end of its input is what COMMAND waits for.
        drop(show.lsm.stdin.take());
        show.print_rest()?;
        let status = show.lsm.wait().context("wait for lsm")?;
        ensure!(status.success(), "lsm ended with {status}");
        let reports =
            fs::read_to_string(self.folder.path().join(REPORTS)).context("read lsm's reports")?;
        say(&format!("what lsm reported:\n{}", reports.trim_end()))
    }
}

impl Show {
    fn print_until_ready(&mut self) -> Result<()> {
        while self.print_line()?.is_some_and(|line| line != READY) {}
        Ok(())
    }

    fn print_rest(&mut self) -> Result<()> {
        while self.print_line()?.is_some() {}
        Ok(())
    }

    /// The next line of COMMAND's; the one that is only for us is not shown.
    fn print_line(&mut self) -> Result<Option<String>> {
        let Some(line) = self
            .lines
            .next()
            .transpose()
            .context("read what COMMAND prints")?
        else {
            return Ok(None);
        };
        if line != READY {
            say(&line)?;
        }
        Ok(Some(line))
    }
}
