//! The tool after lesson 07: who opens files, and who fails to. What it prints is all that counts:
//! the judge knows no map and no program of it.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::lost_update::find_lost_update;
use crate::traced;
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "07/own-tool",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: Vec::new,
        programs: &[],
        checks: &[
            Check {
                says: "reports who calls openat, and how many calls succeed and fail",
                holds: callers,
            },
            Check {
                says: "takes the file descriptor 0 for a success",
                holds: descriptor_zero,
            },
            Check {
                says: "counts no other system call",
                holds: other_calls,
            },
            Check {
                says: "forgets everything at `clear`, and counts again",
                holds: clear,
            },
            Check {
                says: "puts the most calls first, and equal ones in the order of their names",
                holds: order,
            },
            Check {
                says: "has room for 1000 names",
                holds: many_names,
            },
            Check {
                says: "counts one name after `only`, and everybody after `all`",
                holds: only_and_all,
            },
            Check {
                says: "tells apart names of 15 bytes, and names with a space",
                holds: whole_names,
            },
            Check {
                says: "counts without its own calls, and with all others of its name",
                holds: own_calls,
            },
            Check {
                says: "counts a call that waits once, when it ends",
                holds: waiting_call,
            },
            Check {
                says: "loses no call when all CPUs call at once",
                holds: all_cpus,
            },
            Check {
                says: "loses no call of a name while `only` and `all` take turns",
                holds: taking_turns,
            },
        ],
    }),
}];

/// Every VM has two.
const CPUS: [usize; 2] = [0, 1];

/// How many calls succeed, and how many fail.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Calls {
    succeed: u64,
    fail: u64,
}

impl Calls {
    fn any() -> Self {
        Self {
            succeed: fastrand::u64(1..9),
            fail: fastrand::u64(1..9),
        }
    }

    fn sum(self) -> u64 {
        self.succeed + self.fail
    }

    /// Calls openat so, in any order. The thread that runs calls it for nothing else.
    fn call(self) -> Result<()> {
        let mut left = self;
        while left.sum() > 0 {
            if fastrand::u64(..left.sum()) < left.succeed {
                left.succeed -= 1;
                open_root()?;
            } else {
                left.fail -= 1;
                let missing = Path::new("/tmp").join(work::any_name());
                fail_to_open([Path::new("/"), &missing][fastrand::usize(..2)])?;
            }
        }
        Ok(())
    }

    fn call_as(self, name: &str) -> Result<()> {
        work::as_thread(name, move || self.call()).map(drop)
    }
}

fn open_root() -> Result<()> {
    File::open("/").context("open /").map(drop)
}

fn fail_to_open(path: impl AsRef<Path>) -> Result<()> {
    // A directory cannot be written to, and most paths are missing.
    let opened = File::options().write(true).open(path);
    ensure!(opened.is_err(), "opening a file was to fail");
    Ok(())
}

/// What the tool reported.
struct Report {
    /// In its order.
    names: Vec<String>,
    calls: BTreeMap<String, Calls>,
    /// What was done before, for errors.
    did: String,
}

impl Report {
    /// `did` says what the tool should have seen.
    fn ask(answer: &mut UserProgram, did: &str) -> Result<Self> {
        let lines = answer.tell("report")?;
        Self::read(&lines, did)
    }

    fn read(lines: &[String], did: &str) -> Result<Self> {
        let mut report = Self {
            names: Vec::new(),
            calls: BTreeMap::new(),
            did: did.to_owned(),
        };
        for line in lines {
            ensure!(
                !line.contains('\0'),
                "the report has a zero byte in {line:?}: a name ends at its first zero byte, and \
                 what comes after it is not a part of it"
            );
            let (name, calls) = read_line(line).with_context(|| {
                format!("the report has the line `{line}`, which is not `NAME SUCCEEDED FAILED`")
            })?;
            ensure!(
                report.calls.insert(name.to_owned(), calls).is_none(),
                "the report has two lines for `{name}`: names that differ only after their first \
                 zero byte are the same"
            );
            report.names.push(name.to_owned());
        }
        Ok(report)
    }

    fn has(&self, name: &str, expected: Calls) -> Result<()> {
        let Calls { succeed, fail } = expected;
        let did = &self.did;
        let expected_line = format!("expected `{name} {succeed} {fail}`");
        match self.calls.get(name) {
            Some(calls) if *calls == expected => Ok(()),
            Some(calls) => bail!(
                "{did}: the report says `{name} {} {}`; {expected_line}",
                calls.succeed,
                calls.fail
            ),
            None => bail!("{did}: the report has no line for `{name}`; {expected_line}"),
        }
    }

    fn has_all<'a>(&self, expected: impl IntoIterator<Item = &'a (String, Calls)>) -> Result<()> {
        let mut expected = expected.into_iter();
        expected.try_for_each(|(name, calls)| self.has(name, *calls))
    }

    fn has_no(&self, name: &str) -> Result<()> {
        match self.calls.get(name) {
            None => Ok(()),
            Some(Calls { succeed, fail }) => bail!(
                "{}: the report says `{name} {succeed} {fail}`; expected no line for `{name}`",
                self.did
            ),
        }
    }
}

/// The name may have spaces.
fn read_line(line: &str) -> Option<(&str, Calls)> {
    let mut parts = line.rsplitn(3, ' ');
    let (fail, succeed) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((parts.next()?, Calls { succeed, fail }))
}

fn any_callers(number: usize) -> Vec<(String, Calls)> {
    let caller = |_| (work::any_name(), Calls::any());
    (0..number).map(caller).collect()
}

fn call_all(callers: &[(String, Calls)]) -> Result<()> {
    callers
        .iter()
        .try_for_each(|(name, calls)| calls.call_as(name))
}

fn callers(answer: &mut UserProgram) -> Result<()> {
    let callers = any_callers(3);
    call_all(&callers)?;
    let only_one = [
        (
            work::any_name(),
            Calls {
                succeed: fastrand::u64(2..9),
                fail: 0,
            },
        ),
        (
            work::any_name(),
            Calls {
                succeed: 0,
                fail: fastrand::u64(2..9),
            },
        ),
    ];
    call_all(&only_one)?;
    let did = "some threads called openat";
    let report = Report::ask(answer, did)?;
    report.has_all(callers.iter().chain(&only_one))?;
    // And more by the same: each thread is new, its name is not.
    call_all(&callers)?;
    let report = Report::ask(answer, "each name called openat again as often as before")?;
    let twice = callers.into_iter().map(|(name, Calls { succeed, fail })| {
        let calls = Calls {
            succeed: 2 * succeed,
            fail: 2 * fail,
        };
        (name, calls)
    });
    report.has_all(&twice.collect::<Vec<_>>())?;
    report.has_all(&only_one)
}

fn descriptor_zero(answer: &mut UserProgram) -> Result<()> {
    let (name, fail) = (work::any_name(), fastrand::u64(1..4));
    work::as_thread(&name, move || {
        // This thread alone loses its standard input, whose number the next file gets.
        unshare(CloneFlags::CLONE_FILES).context("get a table of files")?;
        nix::unistd::close(0).context("close the standard input")?;
        let file = File::open("/").context("open /")?;
        ensure!(
            file.as_raw_fd() == 0,
            "the kernel was to choose the number 0"
        );
        (0..fail).try_for_each(|_| fail_to_open("/"))
    })?;
    let did = "a call of openat returned 0";
    Report::ask(answer, did)?.has(&name, Calls { succeed: 1, fail })
}

fn other_calls(answer: &mut UserProgram) -> Result<()> {
    let (other, both, calls) = (work::any_name(), work::any_name(), Calls::any());
    work::as_thread(&other, call_others)?;
    work::as_thread(&both, move || {
        calls.call()?;
        call_others()
    })?;
    let did = format!("a thread called {OTHER_CALLS}");
    let report = Report::ask(answer, &did)?;
    report.has_no(&other)?;
    report.has(&both, calls)
}

/// What [`call_others`] calls.
#[cfg(target_arch = "x86_64")]
const OTHER_CALLS: &str = "open(2), creat(2), openat2(2) and stat(2)";
#[cfg(target_arch = "aarch64")]
const OTHER_CALLS: &str = "openat2(2) and stat(2)";

/// What is not openat(2), although it may open a file.
fn call_others() -> Result<()> {
    let path = Path::new("/tmp").join(work::any_name());
    let name = CString::new(path.to_string_lossy().into_owned()).context("name a file")?;
    // Flags, mode and resolve, of 8 bytes each: to create it.
    let how: [u64; 3] = [(libc::O_CREAT | libc::O_WRONLY).try_into()?, 0o600, 0];
    // SAFETY: it gets the addresses of a text that ends with a zero byte and of 24 bytes, reads
    // both, and writes to no memory.
    let created = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            name.as_ptr(),
            how.as_ptr(),
            size_of_val(&how),
        )
    };
    let created = Errno::result(created).with_context(|| format!("create {}", path.display()))?;
    let mut opened = vec![created];
    opened.extend(call_older(&name));
    for descriptor in opened.into_iter().filter(|descriptor| *descriptor >= 0) {
        nix::unistd::close(i32::try_from(descriptor)?).context("close a file")?;
    }
    fs::metadata(&path).with_context(|| format!("look at {}", path.display()))?;
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

/// The calls that there were before openat(2): two that succeed, and one that fails.
#[cfg(target_arch = "x86_64")]
fn call_older(name: &CStr) -> Vec<libc::c_long> {
    // SAFETY: each call gets the address of a text that ends with a zero byte, and writes to no
    // memory.
    unsafe {
        vec![
            libc::syscall(libc::SYS_creat, name.as_ptr(), 0o600),
            libc::syscall(libc::SYS_open, name.as_ptr(), libc::O_RDONLY),
            libc::syscall(libc::SYS_open, name.as_ptr().add(1), libc::O_RDONLY),
        ]
    }
}

/// arm64 has none of them.
#[cfg(target_arch = "aarch64")]
fn call_older(_name: &CStr) -> Vec<libc::c_long> {
    Vec::new()
}

fn order(answer: &mut UserProgram) -> Result<()> {
    answer.order("clear")?;
    let number = fastrand::u64(6..9);
    let mut callers = any_callers(3);
    // As many calls by several, of which not as many succeed. Seven names are in the right order by
    // chance in one of 5,040 runs.
    for succeed in 0..=number {
        let fail = number - succeed;
        callers.push((work::any_name(), Calls { succeed, fail }));
    }
    // More digits are not a smaller number.
    callers.push((
        work::any_name(),
        Calls {
            succeed: 60,
            fail: 50,
        },
    ));
    fastrand::shuffle(&mut callers);
    call_all(&callers)?;
    let report = Report::ask(answer, "some threads called openat")?;
    report.has_all(&callers)?;
    let rank = |name: &String| (u64::MAX - report.calls[name].sum(), name.clone());
    for pair in report.names.windows(2) {
        ensure!(
            rank(&pair[0]) < rank(&pair[1]),
            "`{}` called openat {} times and `{}` {} times, and the report has them in this order",
            pair[0],
            report.calls[&pair[0]].sum(),
            pair[1],
            report.calls[&pair[1]].sum()
        );
    }
    Ok(())
}

fn whole_names(answer: &mut UserProgram) -> Result<()> {
    let (start, word) = (work::any_name() + &work::any_name()[..6], work::any_name());
    // Of 15 bytes and 14, with the same start.
    let names = [
        format!("{start}x"),
        format!("{start}y"),
        start,
        format!("{word} {}", &work::any_name()[..3]),
        format!("{word} {}", &work::any_name()[..6]),
        word,
        "7".to_owned(),
        format!("{} 1 2", work::any_name()),
    ];
    let callers: Vec<_> = names.map(|name| (name, Calls::any())).into();
    call_all(&callers)?;
    Report::ask(answer, "threads with such names called openat")?.has_all(&callers)?;
    // The filter takes them as well.
    for (name, calls) in &callers {
        answer.order("clear")?;
        answer.order(&format!("only {name}"))?;
        call_all(&callers)?;
        let report = Report::ask(answer, &format!("after `only {name}`, many called openat"))?;
        report.has(name, *calls)?;
        for (other, _) in callers.iter().filter(|(other, _)| other != name) {
            report.has_no(other)?;
        }
    }
    answer.order("all")
}

fn many_names(answer: &mut UserProgram) -> Result<()> {
    const NAMES: usize = 1000;
    answer.order("clear")?;
    let callers = work::as_thread(&work::any_name(), || {
        let name = |number| {
            let name = new_name(number);
            rename_thread(&name)?;
            open_root()?;
            Ok((
                name,
                Calls {
                    succeed: 1,
                    fail: 0,
                },
            ))
        };
        (0..NAMES).map(name).collect::<Result<Vec<_>>>()
    })?;
    let did = format!("a thread called openat under {NAMES} names, once under each");
    Report::ask(answer, &did)?.has_all(&callers.1)
}

/// Among hundreds of names of eight letters, two would be the same in one of a million runs.
fn new_name(number: usize) -> String {
    format!("{}-{number}", work::any_name())
}

/// Gives the thread that runs this name.
fn rename_thread(name: &str) -> Result<()> {
    prctl::set_name(&CString::new(name)?).context("rename a thread")
}

fn clear(answer: &mut UserProgram) -> Result<()> {
    let [before, after] = [any_callers(3), any_callers(2)];
    call_all(&before)?;
    Report::ask(answer, "some threads called openat")?.has_all(&before)?;
    answer.order("clear")?;
    let report = Report::ask(answer, "nobody of that name called openat since `clear`")?;
    before
        .iter()
        .try_for_each(|(name, _)| report.has_no(name))?;
    let (back, calls) = (&before[0].0, Calls::any());
    calls.call_as(back)?;
    call_all(&after)?;
    let report = Report::ask(answer, "some threads called openat since `clear`")?;
    report.has(back, calls)?;
    report.has_all(&after)?;
    before[1..]
        .iter()
        .try_for_each(|(name, _)| report.has_no(name))
}

fn only_and_all(answer: &mut UserProgram) -> Result<()> {
    let names = [work::any_name(), work::any_name(), work::any_name()];
    let mut expected = names.clone().map(|name| (name, Calls::default()));
    answer.order("clear")?;
    // Twice the same, and one after the other; what was counted before stays.
    for wanted in [
        None,
        Some(0),
        Some(1),
        Some(1),
        None,
        None,
        Some(2),
        None,
        Some(0),
    ] {
        let command = wanted.map_or("all".to_owned(), |number| format!("only {}", names[number]));
        answer.order(&command)?;
        for (number, (name, counted)) in expected.iter_mut().enumerate() {
            let calls = Calls::any();
            calls.call_as(name)?;
            if wanted.is_none_or(|wanted| wanted == number) {
                counted.succeed += calls.succeed;
                counted.fail += calls.fail;
            }
        }
        let report = Report::ask(
            answer,
            &format!("three names called openat after `{command}`"),
        )?;
        report.has_all(&expected)?;
    }
    // It stays at one name after `clear`.
    answer.order("clear")?;
    let calls = Calls::any();
    names.iter().try_for_each(|name| calls.call_as(name))?;
    let did = format!(
        "three names called openat after `only {}` and `clear`",
        names[0]
    );
    let report = Report::ask(answer, &did)?;
    report.has(&names[0], calls)?;
    names[1..].iter().try_for_each(|name| report.has_no(name))?;
    answer.order("all")
}

fn own_calls(answer: &mut UserProgram) -> Result<()> {
    let (own, name, calls) = (answer.thread_name(), work::any_name(), Calls::any());
    answer.order("clear")?;
    calls.call_as(&name)?;
    for _ in 0..fastrand::u64(2..6) {
        let path = Path::new("/tmp").join(work::any_name());
        answer.order(&format!("save {}", path.display()))?;
        let saved = fs::read_to_string(&path)
            .with_context(|| format!("read {}, where it was to save its report", path.display()))?;
        let lines: Vec<_> = saved.lines().map(str::to_owned).collect();
        Report::read(&lines, &format!("in what it saved: `{name}` called openat"))?
            .has(&name, calls)?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    let did = "the tool opened files to save its report, and nobody else of its name did";
    Report::ask(answer, did)?.has_no(&own)?;
    calls.call_as(&own)?;
    let did = "a thread of another process called openat, with the tool's name";
    Report::ask(answer, did)?.has(&own, calls)
}

fn waiting_call(answer: &mut UserProgram) -> Result<()> {
    let (waiting, callers) = (work::any_name(), any_callers(3));
    let mut own = Calls::default();
    work::open_slowly_as(&waiting, || {
        let report = Report::ask(answer, "a thread waits in openat");
        report?.has_no(&waiting)?;
        for _ in 0..20 {
            call_all(&callers)?;
        }
        // Others with its name, too.
        own = Calls::any();
        own.call_as(&waiting)?;
        let did = "a thread waits in openat, and others with its name called it";
        Report::ask(answer, did)?.has(&waiting, own)
    })?;
    own.succeed += 1;
    let did = "others with its name called openat, and the one that waited there has opened a file";
    let report = Report::ask(answer, did)?;
    report.has(&waiting, own)?;
    let times = |(name, calls): &(String, Calls)| {
        let calls = Calls {
            succeed: 20 * calls.succeed,
            fail: 20 * calls.fail,
        };
        (name.clone(), calls)
    };
    report.has_all(&callers.iter().map(times).collect::<Vec<_>>())
}

/// First names that are new on all CPUs at once: few at a time, as the tool need not have room for
/// more than 1000. Then one name that calls often.
fn all_cpus(answer: &mut UserProgram) -> Result<()> {
    if let Some(what) = find_lost_update(&answer.read_object()?) {
        bail!(
            "{what}: what another CPU adds in between is lost. `__sync_fetch_and_add` in C and \
             `atomic_xadd` in Rust lose nothing"
        );
    }
    let news = (0..3).map(|_| (0..400).map(|number| (new_name(number), 1)).collect());
    let often = vec![(work::any_name(), 50_000)];
    for callers in news.chain([often]) {
        answer.order("clear")?;
        call_on_all_cpus(&callers)?;
        let did = "threads with the same name called openat on all CPUs at once";
        let report = Report::ask(answer, did)?;
        for (name, times) in &callers {
            let fail = times * CPUS.len() as u64;
            report.has(name, Calls { succeed: 0, fail })?;
        }
    }
    Ok(())
}

/// On each CPU a thread takes these names, one after the other, and calls so often.
fn call_on_all_cpus(callers: &[(String, u64)]) -> Result<()> {
    /// They wait for each other, or one would soon be far ahead.
    const TOGETHER: usize = 20;
    let met = AtomicUsize::new(0);
    let on_cpu = |cpu| {
        work::move_to(cpu, None)?;
        for (round, together) in (1..).zip(callers.chunks(TOGETHER)) {
            met.fetch_add(1, Ordering::SeqCst);
            while met.load(Ordering::SeqCst) < round * CPUS.len() {
                work::let_others_run();
            }
            for (name, times) in together {
                rename_thread(name)?;
                // The shortest call: most of the time, the tool's program runs.
                (0..*times).try_for_each(|_| fail_to_open(""))?;
            }
        }
        Ok(())
    };
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        // Where one CPU of the host emulates all of the VM's, it turns to the next at an interrupt.
        scope.spawn(|| {
            work::run_first()?;
            while !ends.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_micros(fastrand::u64(1..40)));
            }
            anyhow::Ok(())
        });
        let threads = CPUS.map(|cpu| scope.spawn(move || on_cpu(cpu)));
        let called = threads.into_iter().try_for_each(work::join_thread);
        ends.store(true, Ordering::SeqCst);
        called
    })
}

fn taking_turns(answer: &mut UserProgram) -> Result<()> {
    answer.order("clear")?;
    let mut callers = Vec::new();
    for _ in 0..3 {
        let name = work::any_name();
        let succeed = traced::call_between_steps(answer, &name, open_root, |answer| {
            answer.order(&format!("only {name}"))?;
            answer.order(&format!("only {name}"))?;
            answer.order("all")
        })?;
        callers.push((name, Calls { succeed, fail: 0 }));
    }
    let did = "each name called openat before, during and after `only` with this name, then `all`";
    Report::ask(answer, did)?.has_all(&callers)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn new_names_with_the_same_letters_differ() {
        // Found by trying: two of the next 400 names of eight letters are the same.
        fastrand::seed(834_162);
        let names: BTreeSet<String> = (0..400).map(new_name).collect();
        assert_eq!(names.len(), 400);
    }
}
