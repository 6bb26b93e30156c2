//! What several CPUs count together, they count with atomic additions: in the lessons, and in the
//! answers that the course shows.
//!
//! An emulated machine would not show a lost count: its CPUs take turns, and seldom within three
//! instructions. So this reads the instructions.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};

use course::catalog::{self, StepPlace};
use course::exercises::{self, Variant};
use kernel::Architecture;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SymbolKind};
use xtask::pipeline::{build, needs};

/// Maps whose values no two CPUs change at once, and why. They need neither atomic additions nor
/// `BPF_NOEXIST`.
const NOT_SHARED: [(&str, &str, &str); 32] = [
    ("01/removal-errors", "NAMES", BY_THREAD),
    ("01/time-asleep", "SLEPT", BY_THREAD),
    ("01/time-asleep", "START", BY_THREAD),
    ("02/read-sizes", "ASKED", BY_THREAD),
    ("02/read-sizes", "READS", BY_THREAD),
    ("02/top-changes", "TOP", PER_CPU),
    ("03/count-exits", "EXITS", PER_CPU),
    ("03/exec-log", "LOST", PER_CPU),
    ("04/all-cpus", "MADE", PER_CPU),
    ("04/bytes-read", "TOTALS", PER_CPU),
    ("04/open-latency", "HISTOGRAM", PER_CPU),
    ("04/open-latency", "STARTS", BY_THREAD),
    ("04/two-sleepers", "SLEPT", BY_THREAD),
    ("04/two-sleepers", "STARTS", BY_THREAD),
    ("06/count-protocols", "PACKETS", PER_CPU),
    ("07/files-removed", "REMOVED", BY_THREAD),
    ("08/failed-payments", "ACCOUNTS", BY_THREAD),
    ("09/every-cpu", "SAMPLES", PER_CPU),
    ("10/take-out-backend", "CONNECTIONS", ONLY_A_TURN),
    ("lesson 03", "LOST", PER_CPU),
    ("lesson 04", "CALLS", BY_THREAD),
    ("lesson 04", "STARTS", BY_THREAD),
    ("lesson 04", "TOTALS", PER_CPU),
    (
        "lesson 05",
        "COVERED",
        "the key is a task that does not run yet",
    ),
    ("lesson 06", "EGRESS_DROPS", PER_CPU),
    ("lesson 06", "FRAMES", PER_CPU),
    ("lesson 08", "COUNTS", PER_CPU),
    ("lesson 09", "TOTALS", PER_CPU),
    ("lesson 10", "CHOICES", ONLY_A_TURN),
    ("lesson 10", "COUNTERS", PER_CPU),
    (
        "lesson 10",
        "FLOWS",
        "the key is a flow, whose packets come one after the other",
    ),
    (
        "lesson 10",
        "SOCKETS",
        "the key is a socket, which is locked during connect",
    ),
];

const PER_CPU: &str = "each CPU has its own value";
const ONLY_A_TURN: &str = "two that choose at once may choose the same backend, which does no harm";
const BY_THREAD: &str = "only the thread in the key changes the value";

#[test]
#[ignore = "needs both toolchains: cargo xtask test vm"]
fn no_count_is_lost_between_two_cpus() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let mut unguarded = BTreeSet::new();
    for (place, bytes) in solutions().into_iter().chain(lessons()) {
        unguarded.extend(
            unguarded_changes(&bytes)
                .into_iter()
                .map(|change| (place.clone(), change)),
        );
    }
    let is_known = |place: &str, map: &str| {
        NOT_SHARED
            .iter()
            .any(|known| (known.0, known.1) == (place, map))
    };
    let races: Vec<_> = unguarded
        .iter()
        .filter(|(place, change)| !is_known(place, &change.map))
        .collect();
    assert!(
        races.is_empty(),
        "other CPUs can do so at the same time: {races:#?}"
    );
    for (place, map, _) in NOT_SHARED {
        let is_found = unguarded
            .iter()
            .any(|(found, change)| found == place && change.map == map);
        assert!(
            is_found,
            "{place} does nothing to {map} that would need a reason"
        );
    }
}

/// The object files of all solutions, with the names of their exercises.
fn solutions() -> Vec<(String, Vec<u8>)> {
    let exercises = exercises::read_exercises().unwrap();
    let in_kernel = exercises
        .iter()
        .filter(|exercise| exercise.about.place == StepPlace::Kernel);
    let each = in_kernel.flat_map(|exercise| {
        exercise
            .offered_implementations()
            .map(move |it| (exercise, it))
    });
    each.map(|(exercise, implementation)| {
        let built = xtask::pipeline::answer_build::build_answer(
            exercise,
            implementation,
            Variant::Solution,
            Architecture::HOST,
        )
        .unwrap();
        let built = built.unwrap();
        let object = built.object.unwrap_or(built.file);
        (exercise.name.clone(), std::fs::read(object).unwrap())
    })
    .collect()
}

/// The object files that lie in the programs of the lessons.
fn lessons() -> Vec<(String, Vec<u8>)> {
    const MACHINE_BPF: [u8; 2] = [247, 0];
    let mut objects = Vec::new();
    // Those of the gallery are loaded and never run. Each has one error, and is about nothing else.
    for lesson in catalog::read_lessons()
        .unwrap()
        .iter()
        .filter(|lesson| lesson.name != "verifier-pitfalls")
    {
        let program =
            std::fs::read(build::build_lesson(lesson, Architecture::HOST).unwrap()).unwrap();
        let begins = (0..program.len() - 20).filter(|begin| {
            program[*begin..].starts_with(b"\x7fELF")
                && program[begin + 18..begin + 20] == MACHINE_BPF
        });
        let before = objects.len();
        objects.extend(begins.map(|begin| {
            (
                format!("lesson {}", lesson.number),
                program[begin..].to_vec(),
            )
        }));
        assert!(
            objects.len() > before,
            "{}: no object file in it",
            lesson.name
        );
    }
    objects
}

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Change {
    map: String,
    how: &'static str,
}

/// Where a value of a map, or a global, is read, changed and written back by three instructions;
/// and where an entry is set whatever another CPU has put there meanwhile.
fn unguarded_changes(object: &[u8]) -> Vec<Change> {
    let file = object::File::parse(object).unwrap();
    let mut changes = Vec::new();
    for symbol in file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
    {
        let section = file
            .section_by_index(symbol.section_index().unwrap())
            .unwrap();
        let code = &section.data().unwrap()[symbol.address() as usize..][..symbol.size() as usize];
        let maps = section.relocations().filter_map(|(at, relocation)| {
            let RelocationTarget::Symbol(index) = relocation.target() else {
                return None;
            };
            let name = file
                .symbol_by_index(index)
                .ok()?
                .name()
                .ok()?
                .to_uppercase();
            Some(((at.checked_sub(symbol.address())? / 8) as usize, name))
        });
        changes.extend(Follower::new(maps.collect()).follow(code));
    }
    changes
}

/// What a register or a place on the stack holds, as far as this test must know.
#[derive(Clone, Debug, Default, PartialEq)]
enum Held {
    #[default]
    Unknown,
    Number(i32),
    /// The address of a map, of a global, or of a value in one of them.
    Address(String),
    /// What was read from such an address; `changed` after arithmetic.
    Value {
        map: String,
        offset: i16,
        changed: bool,
    },
}

#[derive(Clone, Default)]
struct State {
    registers: [Held; 11],
    stack: BTreeMap<i16, Held>,
}

/// Follows a function's instructions in the order of their places.
struct Follower {
    /// By the number of the instruction that takes the address.
    maps: BTreeMap<usize, String>,
    state: State,
    /// Of instructions that are jumped to.
    states: BTreeMap<usize, State>,
    changes: Vec<Change>,
}

impl Follower {
    fn new(maps: BTreeMap<usize, String>) -> Self {
        let mut state = State::default();
        // A function of the program's own may be called with an address in a map.
        state.registers[1..6].fill(Held::Address("AN ARGUMENT".to_owned()));
        Self {
            maps,
            state,
            states: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    fn follow(mut self, code: &[u8]) -> Vec<Change> {
        for (number, bytes) in code.chunks_exact(8).enumerate() {
            if let Some(state) = self.states.remove(&number) {
                self.state = state;
            }
            let offset = i16::from_le_bytes([bytes[2], bytes[3]]);
            let immediate = i32::from_le_bytes(bytes[4..8].try_into().unwrap());
            let (target, source) = (usize::from(bytes[1] & 15), usize::from(bytes[1] >> 4));
            self.step(number, bytes[0], target, source, offset, immediate);
        }
        self.changes
    }

    fn step(
        &mut self,
        number: usize,
        code: u8,
        target: usize,
        source: usize,
        offset: i16,
        immediate: i32,
    ) {
        const STACK: usize = 10;
        match code {
            0x18 => {
                let map = self.maps.get(&number).cloned();
                self.state.registers[target] = map.map_or(Held::Unknown, Held::Address);
            }
            // Loads of 1, 2, 4 and 8 bytes.
            0x61 | 0x69 | 0x71 | 0x79 => {
                self.state.registers[target] = match &self.state.registers[source] {
                    _ if source == STACK => {
                        self.state.stack.get(&offset).cloned().unwrap_or_default()
                    }
                    Held::Address(map) => Held::Value {
                        map: map.clone(),
                        offset,
                        changed: false,
                    },
                    _ => Held::Unknown,
                };
            }
            // Stores of them.
            0x63 | 0x6b | 0x73 | 0x7b => self.store(target, source, offset),
            0x85 if source == 0 => self.call(immediate),
            0x85 => self.state.registers[..6].fill(Held::Unknown),
            0xb7 | 0xb4 => self.state.registers[target] = Held::Number(immediate),
            0xbf => self.state.registers[target] = self.state.registers[source].clone(),
            // Jumps, of 64 bits and of 32.
            _ if matches!(code & 7, 5 | 6) && code != 0x95 => {
                let to = (number + 1).wrapping_add_signed(isize::from(offset));
                self.states.entry(to).or_insert_with(|| self.state.clone());
            }
            // Arithmetic.
            _ if matches!(code & 7, 4 | 7) => match &mut self.state.registers[target] {
                Held::Value { changed, .. } => *changed = true,
                // Still in the same map.
                Held::Address(_) => {}
                other => *other = Held::Unknown,
            },
            _ => {}
        }
    }

    fn store(&mut self, target: usize, source: usize, at: i16) {
        let State { registers, stack } = &mut self.state;
        match (&registers[target], &registers[source]) {
            (
                Held::Address(to),
                Held::Value {
                    map,
                    offset,
                    changed: true,
                },
            ) if to == map && *offset == at => {
                self.changes.push(Change {
                    map: map.clone(),
                    how: "is read, changed and written back",
                });
            }
            (_, held) if target == 10 => drop(stack.insert(at, held.clone())),
            _ => {}
        }
    }

    fn call(&mut self, helper: i32) {
        const LOOKUP: i32 = 1;
        const UPDATE: i32 = 2;
        const ANY: i32 = 0;
        let registers = &mut self.state.registers;
        let map = match &registers[1] {
            Held::Address(map) => Some(map.clone()),
            _ => None,
        };
        if helper == UPDATE && registers[4] == Held::Number(ANY) {
            let map = map.clone().unwrap_or_else(|| "A MAP".to_owned());
            self.changes.push(Change {
                map,
                how: "is set whatever is there",
            });
        }
        registers[..6].fill(Held::Unknown);
        if let (LOOKUP, Some(map)) = (helper, map) {
            registers[0] = Held::Address(map);
        }
    }
}
