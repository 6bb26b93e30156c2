//! What the loader says about attaching: a program of each kind of section, on each kernel.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace;
use common::run_step;
use common::test_vm::TestVm;
use plan::Step;
use plan::load::{AttachResult, Load, LoadResult, LoaderLine};
use testvm::Started;
use xtask::pipeline::{build, needs};

/// Where the loader attaches what libbpf by itself does not.
const LIBBPF_CANNOT: [&str; 4] = [
    // It reads a function's name up to the colon.
    "kprobe/veth:veth_xmit",
    // It does not say which part of the control groups to walk over.
    "iter/cgroup",
    // It wants maps for the arguments, which these programs do not read.
    "usdt//lib/libmarked.so:marks:plain",
    "usdt//lib/libmarked.so:marks:counted",
];

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn sections_are_attached_or_refused_with_the_reason() {
    needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
    let guest = GuestFiles::build();
    let mut table = Table::default();
    for kernel in kernel::MATRIX {
        let mut vm = guest.start(kernel);
        let loads = load(&mut vm, kernel, &["/sections.o", "/tables.o"]);
        assert!(loads.len() > 100, "{kernel}: {loads:?}");
        compare_with_libbpf(&mut vm, kernel, &loads);
        compare_with_aya(&mut vm, kernel);
        check_chosen(&mut vm, kernel);
        loads.iter().for_each(|load| table.add(kernel, load));
    }
    insta::assert_snapshot!(table.print());
}

struct GuestFiles {
    loader: PathBuf,
    libbpf: PathBuf,
    sections: Vec<u8>,
    tables: Vec<u8>,
    aya: Vec<u8>,
    chosen: Vec<u8>,
    marked: Vec<u8>,
}

impl GuestFiles {
    fn build() -> Self {
        // 5.10 knows no newer instructions.
        let flags = ["-target", "bpf", "-mcpu=v2", "-g", "-c"];
        let clang = workspace::workspace_root().join(".cache/bin/clang");
        Self {
            loader: build::build_tool("object-loader").unwrap(),
            libbpf: build_example(),
            sections: compile(&clang, &flags, "sections.bpf.c"),
            tables: compile(&clang, &flags, "tables.bpf.c"),
            aya: compile(&clang, &flags, "aya.bpf.c"),
            chosen: compile(&clang, &flags, "chosen.bpf.c"),
            marked: compile(
                Path::new("cc"),
                &["-shared", "-nostdlib", "-fPIC"],
                "marked.c",
            ),
        }
    }

    fn start(&self, kernel: &str) -> Started {
        TestVm::on(kernel)
            .with_program(&self.loader)
            .with_program(&self.libbpf)
            .with_file("sections.o", &self.sections)
            .with_file("tables.o", &self.tables)
            .with_file("aya.o", &self.aya)
            .with_file("chosen.o", &self.chosen)
            .with_file("lib/libmarked.so", &self.marked)
            .start()
    }
}

fn compile(compiler: &Path, flags: &[&str], source: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let output = directory.path().join("output");
    let sources = workspace::workspace_root().join("xtask/tests/attach");
    let mut compiler = Command::new(compiler);
    compiler.args(flags).arg("-O2").arg(sources.join(source));
    compiler.arg("-o").arg(&output);
    assert!(compiler.status().unwrap().success(), "{source}");
    std::fs::read(output).unwrap()
}

/// With the packages of `build_tool`, so that nothing is built twice.
fn build_example() -> PathBuf {
    let mut cargo = build::inner_cargo();
    cargo.args([
        "build",
        "--quiet",
        "--workspace",
        "--example",
        "libbpf_attach",
    ]);
    assert!(cargo.status().unwrap().success());
    build::built_program("examples/libbpf_attach")
}

fn step(program: &str, arguments: &[&str]) -> Step {
    Step {
        program: format!("/bin/{program}"),
        args: arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        env: Vec::new(),
        // A machine with much else to do takes four times what an idle one takes.
        seconds: Some(240),
        output_limit: Some(16 << 20),
        terminal: None,
        observe: false,
        surroundings: None,
    }
}

/// Nothing may be left behind.
fn load(vm: &mut Started, kernel: &str, arguments: &[&str]) -> Vec<Load> {
    let printed = run_step(vm, step("object-loader", arguments), kernel);
    let lines = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines
        .filter_map(|line| match line {
            LoaderLine::Load(load) => Some(load),
            _ => None,
        })
        .collect()
}

/// What libbpf attaches by itself, the loader attaches too, and the other way round.
fn compare_with_libbpf(vm: &mut Started, kernel: &str, loads: &[Load]) {
    let printed = run_step(vm, step("libbpf_attach", &["/sections.o"]), kernel);
    let theirs: BTreeMap<&str, &str> = printed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    assert!(theirs.len() > 40, "{kernel}: {printed}");
    for load in loads {
        let Some(&theirs) = theirs.get(load.program.as_str()) else {
            continue;
        };
        if LIBBPF_CANNOT.contains(&load.section.as_str()) {
            continue;
        }
        let is_attached = load.attach == Some(AttachResult::Attached);
        let context = format!("{} on {kernel}: {load:?}, {theirs}", load.section);
        assert_eq!(is_attached, theirs == "attached", "{context}");
    }
}

/// Which library loaded a program does not matter.
fn compare_with_aya(vm: &mut Started, kernel: &str) {
    let mut with = |library| {
        let loads = load(vm, kernel, &[library, "/aya.o"]);
        let results: Vec<_> = loads
            .into_iter()
            .map(|load| (load.section, load.attach))
            .collect();
        results
    };
    let (mut aya, mut libbpf) = (with("--with=aya"), with("--with=libbpf"));
    // aya has the programs in no order.
    aya.sort_by(|(one, _), (other, _)| one.cmp(other));
    libbpf.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(aya, libbpf, "{kernel}");
    let attached = aya
        .iter()
        .filter(|(_, attach)| *attach == Some(AttachResult::Attached));
    assert_eq!(attached.count(), aya.len() - 2, "{kernel}: {aya:?}");
}

/// Maps and tables of an object's own.
fn check_chosen(vm: &mut Started, kernel: &str) {
    let loads = load(vm, kernel, &["--target=dump=counts", "/chosen.o"]);
    let of = |program: &str| loads.iter().find(|load| load.program == program).unwrap();
    let attached = Some(AttachResult::Attached);
    assert_eq!(of("dump").attach, attached, "{kernel}: {:?}", of("dump"));
    let Some(AttachResult::Refused { error, .. }) = &of("shared").attach else {
        panic!("{kernel}: {:?}", of("shared"));
    };
    assert!(
        error.starts_with("struct_ops map lacking: "),
        "{kernel}: {error}"
    );
    // Links came with 6.4. Those that lack them have no schedulers either.
    let linked = of("linked_only");
    match &linked.result {
        LoadResult::Failed { missing, .. } if matches!(kernel, "5.10" | "6.1") => {
            let missing = missing.as_ref().unwrap();
            assert_eq!(missing.name, "BPF_F_LINK", "{kernel}: {linked:?}");
        }
        _ => assert_eq!(linked.attach, attached, "{kernel}: {linked:?}"),
    }
    let loads = load(vm, kernel, &["--target=dump=nothing", "/chosen.o"]);
    let dump = loads.iter().find(|load| load.program == "dump").unwrap();
    let what = "this object has no map nothing".to_owned();
    assert_eq!(
        dump.attach,
        Some(AttachResult::NeedsTarget { what }),
        "{kernel}"
    );
}

/// Sections in the order of the objects.
#[derive(Default)]
struct Table(Vec<Row>);

struct Row {
    section: String,
    /// What was said, and on which kernels in a row.
    results: Vec<(String, Vec<&'static str>)>,
}

impl Table {
    fn add(&mut self, kernel: &'static str, load: &Load) {
        let section = load.section.as_str();
        let text = describe(load);
        let Some(row) = self.0.iter_mut().find(|row| row.section == section) else {
            self.0.push(Row {
                section: section.to_owned(),
                results: vec![(text, vec![kernel])],
            });
            return;
        };
        match row.results.last_mut() {
            Some((last, kernels)) if *last == text => kernels.push(kernel),
            _ => row.results.push((text, vec![kernel])),
        }
    }

    fn print(&self) -> String {
        let mut text = String::new();
        for row in &self.0 {
            text += &format!("{}\n", row.section);
            for (result, kernels) in &row.results {
                let kernels = if kernels.len() == kernel::MATRIX.len() {
                    "all".to_owned()
                } else {
                    kernels.join(" ")
                };
                text += &format!("    {kernels}: {result}\n");
            }
        }
        text
    }
}

fn describe(load: &Load) -> String {
    match &load.result {
        LoadResult::Accepted(_) => {}
        LoadResult::Failed {
            missing: Some(missing),
            ..
        } => return format!("not loaded, {:?} {}", missing.kind, missing.name),
        _ => return "not loaded".to_owned(),
    }
    match load.attach.as_ref().unwrap() {
        AttachResult::Attached => "attached".to_owned(),
        AttachResult::RunsOnDemand => "runs on demand".to_owned(),
        AttachResult::Refused {
            missing: Some(missing),
            ..
        } => format!("refused, {:?} {}", missing.kind, missing.name),
        AttachResult::Refused {
            missing: None,
            error,
        } => format!("refused, {error}"),
        AttachResult::NeedsTarget { what } => format!("needs a target: {what}"),
        AttachResult::NotTried { why } => format!("not tried: {why}"),
    }
}
