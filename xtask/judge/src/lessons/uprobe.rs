//! Lesson 08.

use std::collections::BTreeMap;
use std::ptr;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use aya::maps::MapError;
use common::text::{printable, until_nul};

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::probed::{FIND_USER, PAY, Payment, call_find_user};
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "08/user-names",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("on_find_user", Hook::UProbe(FIND_USER))],
            maps: &[
                MapSpec::hash::<[u8; NAME_SIZE], u64>("NAMES"),
                MapSpec::array::<u64>("UNREADABLE"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the calls with one name",
                    holds: one_name,
                },
                Check {
                    says: "counts each name on its own",
                    holds: many_names,
                },
                Check {
                    says: "cuts a name that is too long",
                    holds: long_name,
                },
                Check {
                    says: "counts in UNREADABLE what it cannot read",
                    holds: unreadable_names,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "08/failed-payments",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("pay_enter", Hook::UProbe(PAY)),
                ("pay_exit", Hook::URetProbe(PAY)),
            ],
            maps: &[
                MapSpec::hash::<[u32; 2], u64>("FAILED"),
                MapSpec::hash::<u64, u32>("ACCOUNTS"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the payments that fail",
                    holds: failed_payments,
                },
                Check {
                    says: "counts each account and each error on its own",
                    holds: accounts_and_errors,
                },
                Check {
                    says: "does not count what works",
                    holds: payments_that_work,
                },
                Check {
                    says: "keeps threads apart that pay at the same time",
                    holds: payments_at_once,
                },
                Check {
                    says: "forgets the payments that are over",
                    holds: payments_are_forgotten,
                },
            ],
        }),
    },
];

// 08/user-names

/// Bytes of a name, with its zero byte.
const NAME_SIZE: usize = 32;

/// What the answer has counted.
struct Names {
    by_name: BTreeMap<[u8; NAME_SIZE], u64>,
    unreadable: u64,
}

impl Names {
    fn read(answer: &LoadedAnswer) -> Result<Self> {
        let names = answer.hash_map::<[u8; NAME_SIZE], u64>("NAMES")?;
        let by_name = names.iter().collect::<Result<_, _>>();
        let unreadable = answer.array_map::<u64>("UNREADABLE")?;
        Ok(Self {
            by_name: by_name.context("read the map NAMES")?,
            unreadable: unreadable.get(&0, 0).context("read the map UNREADABLE")?,
        })
    }

    fn count(&self, name: &str) -> Option<u64> {
        self.by_name.get(&name_key(name)).copied()
    }
}

fn name_key(name: &str) -> [u8; NAME_SIZE] {
    let mut key = [0; NAME_SIZE];
    let length = name.len().min(NAME_SIZE - 1);
    key[..length].copy_from_slice(&name.as_bytes()[..length]);
    key
}

/// After the zero byte of the name there is something else, as there is in any program.
fn find_user(name: &str, times: u64) {
    let memory = format!("{name}\0{}", work::any_name().repeat(5));
    for _ in 0..times {
        call_find_user(memory.as_ptr().cast());
    }
}

fn one_name(answer: &mut LoadedAnswer) -> Result<()> {
    counted(answer, &[(work::any_name(), fastrand::u64(2..9))])
}

/// One begins like another: nothing of a longer name may stay in the buffer.
fn many_names(answer: &mut LoadedAnswer) -> Result<()> {
    let short = work::any_name();
    let long = format!("{short}-{}", work::any_name());
    let longest = "x".repeat(NAME_SIZE - 9) + &work::any_name();
    let times = || fastrand::u64(2..6);
    counted(
        answer,
        &[
            (longest, times()),
            (long, times()),
            (short, times()),
            (String::new(), times()),
        ],
    )
}

fn long_name(answer: &mut LoadedAnswer) -> Result<()> {
    counted(answer, &[(work::any_name().repeat(9), fastrand::u64(2..6))])
}

/// Calls with each name this many times, in turns, and looks for exactly that.
fn counted(answer: &LoadedAnswer, calls: &[(String, u64)]) -> Result<()> {
    let before = Names::read(answer)?;
    for (name, times) in calls {
        find_user(name, *times);
    }
    let after = Names::read(answer)?;
    for (name, times) in calls {
        let was = before.count(name).unwrap_or(0);
        let is = after.count(name).with_context(|| {
            let (key, more) = (name_key(name), after.unreadable - before.unreadable);
            let kept = printable(until_nul(&key));
            format!(
                "find_user(\"{name}\") was called {times} times, and NAMES has no entry for \
                 \"{kept}\"; UNREADABLE went up by {more}"
            )
        })?;
        ensure!(
            is == was + times,
            "find_user(\"{name}\") was called {times} times, and its number in NAMES went from \
             {was} to {is}"
        );
    }
    let known = |key: &[u8; NAME_SIZE]| {
        before.by_name.contains_key(key) || calls.iter().any(|(name, _)| name_key(name) == *key)
    };
    if let Some(other) = after.by_name.keys().find(|key| !known(key)) {
        let shown = printable(until_nul(other));
        anyhow::bail!(
            "NAMES has an entry for \"{shown}\" that no call explains: is there something after \
             the name's zero byte?"
        );
    }
    Ok(())
}

fn unreadable_names(answer: &mut LoadedAnswer) -> Result<()> {
    let before = Names::read(answer)?;
    let (null, kernel) = (fastrand::u64(2..6), fastrand::u64(2..6));
    for _ in 0..null {
        call_find_user(ptr::null());
    }
    for _ in 0..kernel {
        call_find_user(ptr::without_provenance(usize::MAX << 12));
    }
    find_user("root", 1);
    let after = Names::read(answer)?;
    let (calls, counted) = (null + kernel, after.unreadable - before.unreadable);
    ensure!(
        counted == calls,
        "find_user was called {calls} times with an address of no name, and UNREADABLE went up by \
         {counted}"
    );
    let (was, is) = (sum(&before) + 1, sum(&after));
    ensure!(
        was == is,
        "find_user was called once with a name and {calls} times without, and the numbers in NAMES \
         went up by {} in all",
        is + 1 - was
    );
    Ok(())
}

fn sum(names: &Names) -> u64 {
    names.by_name.values().sum()
}

// 08/failed-payments

/// Errors that a payment can have.
fn any_error() -> i32 {
    fastrand::i32(1..134)
}

fn any_account() -> u32 {
    fastrand::u32(1 << 20..)
}

/// Pays this many times from an account.
fn pay(account: u32, result: i32, times: u64) {
    for _ in 0..times {
        let meanwhile = &mut || {};
        Payment {
            account,
            result,
            meanwhile,
        }
        .call();
    }
}

fn failed_payments(answer: &mut LoadedAnswer) -> Result<()> {
    let (account, error, times) = (any_account(), any_error(), fastrand::u64(2..9));
    pay(account, -error, times);
    failures_are(answer, account, error, times)
}

fn accounts_and_errors(answer: &mut LoadedAnswer) -> Result<()> {
    let first = any_account();
    let calls: Vec<(u32, i32, u64)> = [first, first + 1, any_account()]
        .into_iter()
        .flat_map(|account| [2, 13, 110].map(|error| (account, error, fastrand::u64(1..6))))
        .collect();
    // In turns: nothing that was kept of one call may be seen in another.
    for (account, error, times) in &calls {
        pay(*account, -error, *times);
    }
    for (account, error, times) in calls {
        failures_are(answer, account, error, times)?;
    }
    Ok(())
}

fn payments_that_work(answer: &mut LoadedAnswer) -> Result<()> {
    let before = all_failures(answer)?;
    let times = fastrand::u64(2..9);
    // A result of 0 says that it worked; so does any other that is not negative.
    pay(any_account(), 0, times);
    pay(any_account(), i32::MAX, times);
    let after = all_failures(answer)?;
    ensure!(
        before == after,
        "{} payments worked, and the numbers in FAILED went up by {}",
        2 * times,
        after - before
    );
    Ok(())
}

/// While one thread pays, others do, which fail or not.
fn payments_at_once(answer: &mut LoadedAnswer) -> Result<()> {
    let (outer, inner) = (any_account(), any_account());
    let (outer_error, inner_error) = (any_error(), any_error());
    let other_threads = &mut || {
        thread::scope(|scope| {
            scope.spawn(|| pay(inner, -inner_error, 1));
            scope.spawn(|| pay(inner, 0, 1));
        });
    };
    Payment {
        account: outer,
        result: -outer_error,
        meanwhile: other_threads,
    }
    .call();
    failures_are(answer, inner, inner_error, 1)?;
    failures_are(answer, outer, outer_error, 1)
}

fn payments_are_forgotten(answer: &mut LoadedAnswer) -> Result<()> {
    pay(any_account(), -any_error(), 1);
    pay(any_account(), 0, 1);
    let accounts = answer.hash_map::<u64, u32>("ACCOUNTS")?;
    let left = accounts.keys().count();
    ensure!(
        left == 0,
        "no thread is paying, and ACCOUNTS still has {left} entries"
    );
    let mut seen = None;
    let look = &mut || seen = Some(accounts.keys().count());
    Payment {
        account: any_account(),
        result: 0,
        meanwhile: look,
    }
    .call();
    ensure!(
        seen == Some(1),
        "one thread was paying, and ACCOUNTS had {} entries",
        seen.unwrap_or(0)
    );
    Ok(())
}

fn failures_are(answer: &LoadedAnswer, account: u32, error: i32, times: u64) -> Result<()> {
    let failed = answer.hash_map::<[u32; 2], u64>("FAILED")?;
    let count = match failed.get(&[account, error.unsigned_abs()], 0) {
        Ok(count) => Some(count),
        Err(MapError::KeyNotFound) => None,
        Err(error) => return Err(error).context("read the map FAILED"),
    };
    let did = format!("pay({account}, ...) returned -{error}, {times} times");
    let count = count.with_context(|| {
        let others = failed.keys().flatten().take(3);
        let others: Vec<String> = others
            .map(|[account, error]| format!("account {account} and error {error}"))
            .collect();
        let others = if others.is_empty() {
            "it is empty".to_owned()
        } else {
            format!("it has one for {}", others.join(", for "))
        };
        format!("{did}, and FAILED has no entry for account {account} and error {error}; {others}")
    })?;
    ensure!(count == times, "{did}, and FAILED says {count}");
    Ok(())
}

fn all_failures(answer: &LoadedAnswer) -> Result<u64> {
    let failed = answer.hash_map::<[u32; 2], u64>("FAILED")?;
    let mut sum = 0;
    for entry in failed.iter() {
        sum += entry.context("read the map FAILED")?.1;
    }
    Ok(sum)
}
