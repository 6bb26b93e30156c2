//! Lesson 10, the exercises of user-space programs.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context as _, Result, ensure};

use super::traffic::{Listener, connect_to};
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::{cgroup, traced, work};

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "10/take-out-backend",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: any_service,
        programs: &["balance"],
        checks: &[
            Check {
                says: "leaves connections alone while there is no backend",
                holds: no_backend,
            },
            Check {
                says: "shares out connections among its backends",
                holds: some_backends,
            },
            Check {
                says: "sends nothing to a backend that was taken out",
                holds: first_taken_out,
            },
            Check {
                says: "takes out any of them, one after the other",
                holds: all_taken_out,
            },
            Check {
                says: "loses no connection while it takes one out",
                holds: connections_meanwhile,
            },
        ],
    }),
}];

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// As many as the exercise's array has room for.
const MOST_BACKENDS: usize = 16;

fn any_service() -> Vec<String> {
    // It is attached to it when it starts.
    let _ = cgroup::make_directory();
    vec![
        cgroup::DIRECTORY.to_owned(),
        fastrand::u16(1024..30000).to_string(),
    ]
}

fn no_backend(answer: &mut UserProgram) -> Result<()> {
    let service = Listener::open(ADDRESS)?;
    start_for(answer, &service)?;
    connect_times(service.port, 3)?;
    ensure!(
        service.count_connections(3)? == 3,
        "there was no backend, and a connection to the service's port did not arrive there"
    );
    Ok(())
}

fn some_backends(answer: &mut UserProgram) -> Result<()> {
    let balanced = Balanced::start(answer, fastrand::usize(3..6))?;
    balanced.connect_to_each()?;
    balanced.check_share("was added")?;
    let other = Listener::open(ADDRESS)?;
    connect_times(other.port, 1)?;
    ensure!(
        other.count_connections(1)? == 1,
        "a connection to another port than the service's did not arrive there"
    );
    Ok(())
}

fn first_taken_out(answer: &mut UserProgram) -> Result<()> {
    let mut balanced = Balanced::start(answer, 3)?;
    balanced.take_out(answer, 0)
}

fn all_taken_out(answer: &mut UserProgram) -> Result<()> {
    let mut balanced = Balanced::start(answer, MOST_BACKENDS)?;
    balanced.take_out(answer, MOST_BACKENDS - 1)?;
    while !balanced.backends.is_empty() {
        let index = fastrand::usize(..balanced.backends.len());
        balanced.take_out(answer, index)?;
    }
    connect_times(balanced.service.port, 1)?;
    ensure!(
        balanced.service.count_connections(1)? == 1,
        "all backends were taken out, and a connection did not arrive at the service's port"
    );
    balanced.add(answer, Listener::open(ADDRESS)?)?;
    balanced.connect_to_each()?;
    balanced.check_share("was added again")
}

fn connections_meanwhile(answer: &mut UserProgram) -> Result<()> {
    let mut balanced = Balanced::start(answer, 3)?;
    let (port, backends) = (balanced.service.port, balanced.backends.len());
    let taken_out = balanced.backends.remove(0);
    let order = format!("remove {}", taken_out.port);
    let calls = cgroup::work_inside(|| {
        traced::call_between_steps(
            answer,
            &work::any_name(),
            // One for each place in the array.
            || (0..backends).try_for_each(|_| connect_to(ADDRESS, port)),
            |answer| answer.order(&order),
        )
    })
    .context("while it took a backend out")?;
    let lost = balanced.service.count_connections(0)?;
    ensure!(
        lost == 0,
        "while a backend was taken out, {lost} of {} connections went to no backend",
        calls * backends as u64
    );
    for listener in balanced.backends.iter().chain([&taken_out]) {
        listener.count_connections(0)?;
    }
    balanced.connect_to_each()?;
    check_taken_out(&taken_out)?;
    balanced.check_share("stayed")
}

/// A service with its backends.
struct Balanced {
    service: Listener,
    backends: Vec<Listener>,
}

impl Balanced {
    /// Starts the answer again, and adds as many backends.
    fn start(answer: &mut UserProgram, backends: usize) -> Result<Self> {
        let service = Listener::open(ADDRESS)?;
        start_for(answer, &service)?;
        let mut balanced = Self {
            service,
            backends: Vec::new(),
        };
        for _ in 0..backends {
            balanced.add(answer, Listener::open(ADDRESS)?)?;
        }
        Ok(balanced)
    }

    fn add(&mut self, answer: &mut UserProgram, backend: Listener) -> Result<()> {
        answer.order(&format!("add {}", backend.port))?;
        self.backends.push(backend);
        Ok(())
    }

    fn take_out(&mut self, answer: &mut UserProgram, index: usize) -> Result<()> {
        let taken_out = self.backends.remove(index);
        answer.order(&format!("remove {}", taken_out.port))?;
        self.connect_to_each()?;
        check_taken_out(&taken_out)?;
        self.check_share("stayed")
    }

    /// As many connections as there are backends.
    fn connect_to_each(&self) -> Result<()> {
        connect_times(self.service.port, self.backends.len())
    }

    /// The eBPF program takes one backend after the other: each had its turn.
    fn check_share(&self, what: &str) -> Result<()> {
        let backends = self.backends.len();
        for backend in &self.backends {
            let (port, got) = (backend.port, backend.count_connections(1)?);
            ensure!(
                got == 1,
                "port {port} {what} as one of {backends} backends, and got {got} of {backends} \
                 connections"
            );
        }
        Ok(())
    }
}

fn start_for(answer: &mut UserProgram, service: &Listener) -> Result<()> {
    answer.start_again(vec![cgroup::DIRECTORY.to_owned(), service.port.to_string()])
}

fn connect_times(port: u16, times: usize) -> Result<()> {
    cgroup::work_inside(|| (0..times).try_for_each(|_| connect_to(ADDRESS, port)))
}

fn check_taken_out(backend: &Listener) -> Result<()> {
    ensure!(
        backend.count_connections(0)? == 0,
        "port {} was taken out, and a connection arrived at it",
        backend.port
    );
    Ok(())
}
