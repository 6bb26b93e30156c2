//! The same work on several kernels, or other works of one kind, some side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, anyhow};
use kernel::Kernel;

use crate::pipeline::memory::{self, DEFAULT_MIB};

/// Does `work` for each kernel, `jobs` at a time, and returns the results in the kernels' order.
/// `None`: as many as cores and memory allow. After an error no further kernel is begun.
pub fn run_on_each<T: Send>(
    kernels: &[Kernel],
    jobs: Option<usize>,
    work: impl Fn(usize, &Kernel) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    run_side_by_side(kernels.len(), jobs, |number| work(number, &kernels[number]))
}

/// The same for any works, by their numbers.
pub fn run_side_by_side<T: Send>(
    works: usize,
    jobs: Option<usize>,
    work: impl Fn(usize) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<Vec<(usize, T)>> {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= works {
                return Ok(done);
            }
            let result = work(number);
            if result.is_err() {
                // The user, or a full disk, wants no more of them.
                next.store(works, Ordering::Relaxed);
            }
            done.push((number, result?));
        }
    };
    let jobs = jobs.unwrap_or_else(as_many_as_fit).clamp(1, works.max(1));
    let workers: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let mut results = Vec::new();
    for done in workers {
        results.extend(done.map_err(|_| anyhow!("a thread that ran a VM panicked"))??);
    }
    results.sort_by_key(|(number, _)| *number);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

pub fn as_many_as_fit() -> usize {
    as_many_as_fit_of(DEFAULT_MIB)
}

/// How many guests with this much memory. One VM keeps one core busy, and QEMU takes some more for
/// itself.
pub fn as_many_as_fit_of(memory_mib: u32) -> usize {
    as_many_as_fit_beside(memory_mib, 0)
}

/// The same for guests that wait so much that some more of them than there are cores keep those
/// busy.
pub fn as_many_as_fit_beside(memory_mib: u32, waiting: usize) -> usize {
    const OF_QEMU_MIB: u32 = 344;
    let cores = thread::available_parallelism().map_or(1, usize::from) + waiting;
    let each = u64::from(memory_mib.saturating_add(OF_QEMU_MIB)) << 10;
    let memory = memory::available_kib().map(|kib| usize::try_from(kib / each));
    memory
        .map_or(cores, |fit| cores.min(fit.unwrap_or(cores)))
        .max(1)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use kernel::Architecture;

    use super::*;

    fn kernels(number: usize) -> Vec<Kernel> {
        let kernel = |number: usize| Kernel {
            name: number.to_string(),
            architecture: Architecture::HOST,
            release: String::new(),
            origin: String::new(),
            image: PathBuf::new(),
            modules: None,
            config: None,
        };
        (0..number).map(kernel).collect()
    }

    #[test]
    fn results_come_in_the_kernels_order() {
        let found = run_on_each(&kernels(5), Some(3), |number, kernel| {
            Ok((number, kernel.name.clone()))
        })
        .unwrap();
        let expected: Vec<_> = (0..5).map(|number| (number, number.to_string())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = Mutex::new(0);
        let result = run_on_each(&kernels(5), Some(1), |number, _| {
            *begun.lock().unwrap() += 1;
            if number == 1 {
                Err(anyhow!("no"))
            } else {
                Ok(())
            }
        });
        assert!(result.is_err());
        assert_eq!(*begun.lock().unwrap(), 2);
    }
}
