//! Mistakes that people make, made in the object file of a solution that is right.

mod elf;
mod wrong_answers;

use std::fs;

use course::Implementation;
use course::exercises::{Exercise, Variant};
use kernel::{Architecture, DEFAULT};
use xtask::pipeline::answer_build;
use xtask::pipeline::judging::{ACCEPTED, ATTACHED, FITS};

pub use elf::Elf;

/// A program with one mistake, and what the judge must say about it.
pub struct Mistake {
    pub name: &'static str,
    /// Where it is tried.
    pub kernel: &'static str,
    pub object: Vec<u8>,
    pub verdict: Expected,
}

pub enum Expected {
    /// It is no mistake for this library, or for this exercise.
    Right,
    /// At this check, with all of these words.
    Refused {
        at: &'static str,
        words: Vec<String>,
    },
}

/// The exercises whose answers in C need a licence that is compatible with the GPL: the verifier
/// refuses a helper, or an LSM program, without. For others libbpf and the kernel do without, and
/// for answers in Rust aya says "GPL".
const NEED_A_LICENCE: [&str; 8] = [
    "01/removal-errors",
    "02/long-paths",
    "03/exec-log",
    "05/no-setuid",
    "05/port-guard",
    "05/verdict-table",
    "07/what-was-written",
    "08/user-names",
];

/// What programs are for whose section names no hook, in either language. (Of these functions,
/// do_unlinkat is renamed in newer kernels: that is why the course leaves it to user space.)
const HOOKS: [(&str, &str); 4] = [
    ("01/failed-removals", "do_unlinkat"),
    ("01/removal-errors", "do_unlinkat"),
    ("01/time-asleep", "do_nanosleep"),
    ("02/long-paths", "do_sys_openat2"),
];

/// The exercise without a map.
const WITHOUT_A_MAP: &str = "05/no-setuid";

/// Whose map has a key that is as long as its value: with the value's type it is no shorter.
const KEY_AS_LONG_AS_VALUE: [&str; 2] = ["04/open-latency", "09/user-or-kernel"];

/// Another hook, which every kernel has, for programs of this kind.
const OTHER_HOOKS: [(&str, &[&str]); 7] = [
    ("kprobe", &["ksys_read", "vfs_read"]),
    ("kretprobe", &["ksys_read", "vfs_read"]),
    ("fentry", &["ksys_read", "vfs_write"]),
    ("fexit", &["ksys_read", "vfs_write"]),
    ("lsm", &["file_open"]),
    (
        "tracepoint",
        &["sched/sched_process_exit", "sched/sched_process_exec"],
    ),
    ("cgroup", &["bind4"]),
];

/// For each section another of the same library, and how the judge calls the two types.
const OTHER_TYPES: [(&str, &str, &str, &str); 11] = [
    ("kprobe", "kretprobe", "kprobe", "kretprobe"),
    ("kretprobe", "kprobe", "kretprobe", "kprobe"),
    ("fentry", "fexit", "fentry", "fexit"),
    ("fexit", "fentry", "fexit", "fentry"),
    ("lsm", "fexit", "LSM", "fexit"),
    ("tracepoint", "raw_tp", "tracepoint", "raw tracepoint"),
    ("xdp", "classifier", "XDP", "tc"),
    ("classifier", "xdp", "tc", "XDP"),
    ("cgroup", "xdp", "cgroup", "XDP"),
    ("uprobe", "uretprobe", "uprobe", "uretprobe"),
    ("perf_event", "raw_tp", "perf event", "raw tracepoint"),
];

/// Every kind of mistake, in one exercise's solution. `in_c` is the solution in C, whose sections
/// name most hooks.
pub fn mistakes(
    exercise: &Exercise,
    implementation: Implementation,
    solution: &[u8],
    in_c: &[u8],
) -> Vec<Mistake> {
    let original = Elf::read(solution);
    let (program, section) = original.programs().swap_remove(0);
    let kind = section.split('/').next().unwrap().to_owned();
    let subject = Subject {
        exercise: &exercise.name,
        implementation,
        target: target(&exercise.name, &program, in_c),
        map: original
            .maps()
            .into_iter()
            .find(|map| is_judged(&exercise.name, map)),
        solution,
        program,
        section,
        kind,
    };
    let mut mistakes = vec![
        subject.licence_missing(),
        subject.section_misspelt(),
        subject.another_type(),
    ];
    mistakes.extend(
        [
            subject.hook_misspelt(),
            subject.another_hook(),
            subject.attach_fails(),
        ]
        .into_iter()
        .flatten(),
    );
    mistakes.extend(subject.map_mistakes());
    mistakes.extend(subject.function_renamed());
    if implementation == Implementation::Libbpf {
        mistakes.extend(macro_missing(exercise));
        mistakes.extend(wrong_answers::wrong_answers(exercise));
    }
    mistakes
}

/// A program whose macro was forgotten, which hides that a program has a single parameter. A macro
/// without parameters hides nothing.
fn macro_missing(exercise: &Exercise) -> Option<Mistake> {
    let solution = exercise.program_path(Variant::Solution, Implementation::Libbpf);
    let text = fs::read_to_string(&solution).unwrap();
    let macros = [
        "BPF_KPROBE",
        "BPF_KRETPROBE",
        "BPF_PROG",
        "BPF_UPROBE",
        "BPF_URETPROBE",
    ];
    let (name, at) = macros
        .into_iter()
        .find_map(|name| Some((name, text.find(&format!("int {name}("))?)))?;
    let (begin, rest) = text.split_at(at);
    let (program, parameters) = rest["int (".len() + name.len()..].split_once(", ")?;
    if program.contains(')') {
        return None;
    }
    let text = format!("{begin}int {program}({parameters}");
    let object = compile(exercise, &text, &format!("without {name}"));
    let words = format!("is {name} missing, as in {name}({program}, ...)?");
    let verdict = refused(FITS, &[&words]);
    Some(Mistake {
        name: "the macro is missing",
        kernel: DEFAULT,
        object,
        verdict,
    })
}

/// The object file of an answer in C with this text.
fn compile(exercise: &Exercise, text: &str, what: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let [source, object] = ["main.bpf.c", "main.bpf.o"].map(|file| directory.path().join(file));
    fs::write(&source, text).unwrap();
    let clang = answer_build::clang_for_kernel(exercise, Architecture::HOST)
        .unwrap()
        .arg("-c")
        .arg(source)
        .arg("-o")
        .arg(&object)
        .status();
    assert!(clang.unwrap().success(), "{}: {what}", exercise.name);
    fs::read(object).unwrap()
}

/// The hook of a program; XDP and tc programs have none that a section could name.
fn target(exercise: &str, program: &str, in_c: &[u8]) -> Option<String> {
    let programs = Elf::read(in_c).programs();
    let (_, section) = programs
        .iter()
        .find(|(name, _)| name == program)
        .expect("the same names in C");
    if let Some((_, target)) = section.split_once('/') {
        return Some(target.to_owned());
    }
    let known = HOOKS.iter().find(|(name, _)| *name == exercise);
    known.map(|(_, target)| (*target).to_owned())
}

/// Others are the answer's own business.
fn is_judged(exercise: &str, map: &str) -> bool {
    !matches!((exercise, map), (_, "SCRATCH" | "ASKED" | "STARTS"))
}

struct Subject<'a> {
    exercise: &'a str,
    implementation: Implementation,
    solution: &'a [u8],
    /// The first of its programs, and where that is.
    program: String,
    section: String,
    kind: String,
    target: Option<String>,
    map: Option<String>,
}

fn refused(at: &'static str, words: &[&str]) -> Expected {
    Expected::Refused {
        at,
        words: words.iter().map(|&word| word.to_owned()).collect(),
    }
}

impl Subject<'_> {
    fn mistake(
        &self,
        name: &'static str,
        verdict: Expected,
        change: impl FnOnce(&mut Elf),
    ) -> Mistake {
        let mut elf = Elf::read(self.solution);
        change(&mut elf);
        Mistake {
            name,
            kernel: DEFAULT,
            object: elf.bytes().to_vec(),
            verdict,
        }
    }

    fn in_section(&self, name: &'static str, section: &str, verdict: Expected) -> Mistake {
        self.mistake(name, verdict, |elf| {
            elf.rename_section(&self.section, section)
        })
    }

    fn is_in_c(&self) -> bool {
        self.implementation == Implementation::Libbpf
    }

    fn licence_missing(&self) -> Mistake {
        let verdict = if self.is_in_c() && NEED_A_LICENCE.contains(&self.exercise) {
            refused(ACCEPTED, &["GPL", "the object has no licence"])
        } else {
            Expected::Right
        };
        self.mistake("the licence is missing", verdict, |elf| {
            elf.rename_data_section("license", "nothing")
        })
    }

    fn section_misspelt(&self) -> Mistake {
        let (kind, last) = (&self.kind, self.kind.chars().last().unwrap());
        let wrong = format!("{kind}{last}");
        let verdict = refused(
            FITS,
            &[&self.program, &wrong, &format!("the nearest is {kind}\n")],
        );
        self.in_section(
            "the section is misspelt",
            &self.section.replacen(kind, &wrong, 1),
            verdict,
        )
    }

    fn another_type(&self) -> Mistake {
        let types = OTHER_TYPES
            .iter()
            .find(|(section, ..)| *section == self.kind);
        let (_, other, is, instead) =
            types.unwrap_or_else(|| panic!("another type than {}", self.kind));
        let words = format!(
            "{} should be a {is} program, and is a {instead} program",
            self.program
        );
        self.in_section("another program type", other, refused(FITS, &[&words]))
    }

    /// With a target where there should be none, in a program whose section names none.
    fn hook_misspelt(&self) -> Option<Mistake> {
        let name = "the hook is misspelt";
        let Some(target) = &self.target else {
            return self.of_no_hook(name);
        };
        let (begin, end) = target.split_at(target.len() - 2);
        let wrong = format!("{begin}{}", &end[1..]);
        if self.kind == "cgroup" {
            // Unlike a function or a tracepoint, it is a part of what the libraries know.
            let words = [&self.program, &format!("cgroup/{wrong}"), "cgroup/connect4"];
            let section = format!("cgroup/{wrong}");
            return Some(self.in_section(name, &section, refused(FITS, &words)));
        }
        let verdict = refused(FITS, &[&self.program, &wrong, target, "misspelt"]);
        Some(self.in_section(name, &format!("{}/{wrong}", self.kind), verdict))
    }

    fn another_hook(&self) -> Option<Mistake> {
        let name = "another hook";
        let Some(target) = &self.target else {
            return self.of_no_hook(name);
        };
        let others = OTHER_HOOKS
            .iter()
            .find(|(kind, _)| *kind == self.kind)
            .expect("another hook")
            .1;
        let other = others.iter().find(|other| *other != target).unwrap();
        let verdict = refused(FITS, &[&self.program, other, target]);
        Some(self.in_section(name, &format!("{}/{other}", self.kind), verdict))
    }

    /// What an XDP or tc program is attached to is no matter of its section. What can be said there
    /// is this.
    fn of_no_hook(&self, name: &'static str) -> Option<Mistake> {
        match (self.kind.as_str(), self.is_in_c()) {
            ("xdp", _) => {
                let verdict = refused(FITS, &[&self.program, "xdp/devmap"]);
                Some(self.in_section(name, "xdp/devmap", verdict))
            }
            ("classifier", true) => {
                let verdict = refused(
                    FITS,
                    &[&self.program, "classifier/eth0", "it knows: classifier"],
                );
                Some(self.in_section(name, "classifier/eth0", verdict))
            }
            // A file and a function of it, or an event.
            ("uprobe" | "perf_event", _) => {
                let section = format!("{}//bin/true:main", self.kind);
                let verdict = refused(FITS, &[&self.program, &section]);
                Some(self.in_section(name, &section, verdict))
            }
            // aya's macro takes nothing that it could put there.
            ("classifier", false) => None,
            (kind, _) => panic!("{kind} programs have hooks"),
        }
    }

    /// The rest of the program is emptied: this is about attaching it, and neither about CO-RE nor
    /// about the verifier.
    fn attach_fails(&self) -> Option<Mistake> {
        let name = "it cannot be attached";
        let target = self.target.clone().unwrap_or_default();
        let attach = format!("cannot attach {} to {target}", self.program);
        let verdict = refused(ATTACHED, &[&attach]);
        match self.kind.as_str() {
            // Between two instructions of the function, or for a kretprobe anywhere but at its
            // begin.
            "kprobe" | "kretprobe" => Some(self.mistake(name, verdict, |elf| {
                elf.empty_functions(0);
                elf.rename_section(&self.section, &format!("{}/{target}+1", self.kind));
            })),
            // The verifier does not know how long the record is that the tracepoint has.
            "tracepoint" => Some(self.mistake(
                name,
                refused(ATTACHED, &[&attach, "beyond the end of the record"]),
                |elf| {
                    elf.empty_functions(0);
                    elf.read_context_at(1024);
                },
            )),
            // Whatever could be wrong with the hook of these, the library or the verifier says
            // before.
            "fentry" | "fexit" | "lsm" | "cgroup" => None,
            // The judge does not attach these, it runs them.
            "xdp" | "classifier" => None,
            // The judge says to what they are attached.
            "uprobe" | "perf_event" => None,
            kind => panic!("{kind}: how would attaching fail?"),
        }
    }

    /// The right name, on a kernel that has given the function another.
    fn function_renamed(&self) -> Option<Mistake> {
        let function = self
            .target
            .as_deref()
            .filter(|target| *target == "do_unlinkat")?;
        let words = [
            format!("cannot attach {} to {function}", self.program),
            format!("no {function}"),
        ];
        let verdict = refused(ATTACHED, &words.each_ref().map(String::as_str));
        let mistake = self.mistake("the function is renamed", verdict, |elf| {
            elf.empty_functions(0);
            elf.rename_section(&self.section, &format!("{}/{function}", self.kind));
        });
        Some(Mistake {
            kernel: "7.3",
            ..mistake
        })
    }

    fn map_mistakes(&self) -> Vec<Mistake> {
        let Some(map) = &self.map else {
            assert_eq!(self.exercise, WITHOUT_A_MAP);
            return Vec::new();
        };
        let kind = Elf::read(self.solution).map_type(map);
        // A hash becomes an array, an array a per-CPU array, and all others a hash. Another map may
        // have the same type in BTF, and then changes as well: the message names one of them.
        let (other, words) = match kind {
            1 | 9 => (2, "is an array, and should be a"),
            2 => (6, "is a per-CPU array, and should be a"),
            _ => (1, "is a hash, and should be a"),
        };
        let typed = self.mistake("another map type", refused(FITS, &[words]), |elf| {
            elf.set_map_type(map, other)
        });
        let renamed = format!("{}X", &map[..map.len() - 1]);
        let words = format!("there is no map called {map}; there is: ");
        let named = self.mistake(
            "another map name",
            refused(FITS, &[&words, &renamed]),
            |elf| {
                elf.rename_map(map, &renamed);
            },
        );
        // Without #[btf_map] or SEC(".maps") they are variables like others.
        let words = format!(
            " is a variable in .data and no map: is {} missing?",
            self.map_marker()
        );
        let forgotten = self.mistake("the map is none", refused(FITS, &[&words]), |elf| {
            if elf.has_section(".maps") {
                elf.rename_data_section(".maps", ".data");
            } else {
                elf.rename_section("maps", ".data");
            }
        });
        let mut mistakes = vec![typed, named, forgotten];
        let mut elf = Elf::read(self.solution);
        if elf.give_key_type_of_value(map) && !KEY_AS_LONG_AS_VALUE.contains(&self.exercise) {
            let words = [&format!("{map}'s key has "), " bytes, and should have "];
            let (object, verdict) = (elf.bytes().to_vec(), refused(FITS, &words));
            mistakes.push(Mistake {
                name: "another key size",
                kernel: DEFAULT,
                object,
                verdict,
            });
        }
        mistakes
    }

    fn map_marker(&self) -> &'static str {
        if self.is_in_c() {
            "SEC(\".maps\")"
        } else {
            "#[btf_map]"
        }
    }
}
