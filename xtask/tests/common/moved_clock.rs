//! A clock that shows another day, for a command and all that it starts. The machine's own, which
//! the times of new files come from, stays as it is; so does that of a VM.

use std::path::PathBuf;
use std::process::Command;

use super::Run;

/// The system call itself is made, so that nothing else need be found.
const SOURCE: &str = "
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time)
{
\tint result = syscall(SYS_clock_gettime, clock, time);
\tif (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
\t\ttime->tv_sec += OFFSET;
\treturn result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
\tstruct timespec now;
\tclock_gettime(CLOCK_REALTIME, &now);
\ttime->tv_sec = now.tv_sec;
\ttime->tv_usec = now.tv_nsec / 1000;
\treturn 0;
}

time_t time(time_t *place)
{
\tstruct timespec now;
\tclock_gettime(CLOCK_REALTIME, &now);
\tif (place)
\t\t*place = now.tv_sec;
\treturn now.tv_sec;
}
";

pub struct MovedClock {
    library: PathBuf,
    _directory: tempfile::TempDir,
}

impl MovedClock {
    /// `seconds` ahead of the machine's clock, or behind it.
    pub fn moved_by(seconds: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [source, library] = ["clock.c", "clock.so"].map(|name| directory.path().join(name));
        std::fs::write(&source, SOURCE).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1"]);
        compiler.arg(format!("-DOFFSET={seconds}"));
        let status = compiler.arg("-o").args([&library, &source]).status();
        assert!(status.unwrap().success());
        let clock = Self {
            library,
            _directory: directory,
        };
        clock.assert_moved(seconds);
        clock
    }

    pub fn show_to(&self, run: &mut Run) {
        run.command.env("LD_PRELOAD", &self.library);
    }

    /// What another program reads from it.
    fn assert_moved(&self, seconds: i64) {
        let read = |date: &mut Command| {
            let output = date.arg("+%s").output().unwrap();
            super::stdout(&output).trim().parse::<i64>().unwrap()
        };
        let moved = read(Command::new("date").env("LD_PRELOAD", &self.library));
        let apart = moved - read(&mut Command::new("date"));
        assert!((apart - seconds).abs() <= 10, "moved by {apart} s");
    }
}
