//! The loader in the guest: objects that other loaders take in their own way, that a kernel or a
//! guest takes only in part, and that take too long. Each kernel gets one VM for all of them.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::path::PathBuf;
use std::process::Command;

use checkout::workspace;
use common::test_vm::TestVm;
use kernel::Architecture;
use plan::load::{
    AttachResult, EbpfLibrary, Load, LoadResult, LoaderLine, Missing, MissingKind, Phase,
};
use plan::{Outcome, Step};
use requirements::LibbpfBuild;
use testvm::{Failure, Started};
use xtask::pipeline::{build, needs};

const OBJECTS: [&str; 18] = [
    "arena",
    "freplace",
    "go",
    "kconfig",
    "large_array",
    "module",
    "no_programs",
    "no_struct",
    "old_map",
    "refused_types",
    "relocations",
    "sizes",
    "slow",
    "struct_ops",
    "struct_ops_link",
    "tail_call",
    "targets",
    "types",
];

/// A guest with the loader and all objects.
struct Guest {
    started: Started,
    directory: tempfile::TempDir,
}

impl Guest {
    fn start(mut vm: TestVm) -> Self {
        needs::ensure_needs(&needs::BUILD_NEEDS).unwrap();
        needs::ensure_needs(&[&LibbpfBuild]).unwrap();
        let directory = tempfile::tempdir().unwrap();
        vm = vm.with_program(&build::build_tool("object-loader").unwrap());
        for name in OBJECTS {
            let source = source_directory().join(format!("{name}.bpf.c"));
            let object = directory.path().join(name);
            compile(&source, &object, &["-g"]);
            let mut bytes = std::fs::read(&object).unwrap();
            if name == "refused_types" {
                replace(&mut bytes, b"bad_name", b"bad name");
            }
            vm = vm.with_file(&format!("objects/{name}.o"), &bytes);
        }
        vm = vm.with_file("objects/many.o", &many(&directory));
        vm = vm.with_file("objects/shared_map.o", &shared_map(&directory));
        vm = vm.with_file("objects/big_endian.o", &big_endian(&directory));
        Self {
            started: vm.start(),
            directory,
        }
    }

    /// What the loader prints about an object.
    fn load(&mut self, object: &str, options: &[&str]) -> Lines {
        let mut args: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        args.push(format!("/objects/{object}.o"));
        let step = Step {
            program: "/bin/object-loader".into(),
            args,
            seconds: Some(120),
            output_limit: Some(8 << 20),
            ..common::shell("")
        };
        let (report, printed) = common::run(&mut self.started, vec![step]);
        let report = report.map_err(Failure::into_error).unwrap();
        let printed = String::from_utf8(printed.concat()).unwrap();
        assert_eq!(
            report.steps[0].outcome,
            Outcome::Exited(0),
            "{object}: {printed}"
        );
        let lines = printed
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        Lines(lines.collect())
    }
}

fn source_directory() -> PathBuf {
    workspace::workspace_root().join("xtask/tests/programs/loader")
}

fn compile(source: &std::path::Path, object: &std::path::Path, flags: &[&str]) {
    let mut clang = Command::new(workspace::workspace_root().join(".cache/bin/clang"));
    clang
        .args(["-target", "bpf", "-O2", "-mcpu=v2", "-c"])
        .args(flags)
        .arg("-I")
        .arg(source_directory())
        .arg(source)
        .arg("-o")
        .arg(object);
    assert!(clang.status().unwrap().success(), "{}", source.display());
}

/// 300 programs, without BTF.
fn many(directory: &tempfile::TempDir) -> Vec<u8> {
    let program =
        |number| format!("SEC(\"xdp\") int program_{number}(void *ctx) {{ return 2; }}\n");
    let source: String = (0..300).map(program).collect();
    compile_text(directory, "many", &source, &[])
}

/// 60 programs that use the same map.
fn shared_map(directory: &tempfile::TempDir) -> Vec<u8> {
    let map = "struct { __uint(type, HASH); __uint(max_entries, 8); __type(key, int); \
               __type(value, long); } shared SEC(\".maps\");\n";
    let program = |number| {
        format!(
            "SEC(\"xdp\") int program_{number}(void *ctx) {{ int key = {number}; \
             return bpf_map_lookup_elem(&shared, &key) ? 2 : 1; }}\n"
        )
    };
    let programs: String = (0..60).map(program).collect();
    compile_text(
        directory,
        "shared_map",
        &format!("{map}{programs}"),
        &["-g"],
    )
}

fn compile_text(
    directory: &tempfile::TempDir,
    name: &str,
    source: &str,
    flags: &[&str],
) -> Vec<u8> {
    let object = directory.path().join(name);
    let file = object.with_extension("bpf.c");
    std::fs::write(&file, format!("#include \"bpf.h\"\n{source}")).unwrap();
    compile(&file, &object, flags);
    std::fs::read(object).unwrap()
}

fn big_endian(directory: &tempfile::TempDir) -> Vec<u8> {
    let object = directory.path().join("big_endian");
    let source = source_directory().join("slow.bpf.c");
    compile(&source, &object, &["-g", "--target=bpfeb"]);
    std::fs::read(object).unwrap()
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let mut found = 0;
    while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
        found += 1;
    }
    assert_ne!(found, 0);
}

/// The loader's lines about one object.
struct Lines(Vec<LoaderLine>);

impl Lines {
    fn loads(&self) -> impl Iterator<Item = &Load> {
        self.0.iter().filter_map(|line| match line {
            LoaderLine::Load(load) => Some(load),
            _ => None,
        })
    }

    fn of(&self, program: &str) -> &Load {
        let mut found = self.loads().filter(|load| load.program == program);
        let load = found
            .next()
            .unwrap_or_else(|| panic!("nothing on {program}: {:?}", self.0));
        assert!(found.next().is_none(), "{program} twice");
        load
    }

    fn notes(&self, program: &str) -> &[String] {
        self.assert_accepted(program);
        &self.of(program).notes
    }

    fn assert_accepted(&self, program: &str) {
        let load = self.of(program);
        assert!(matches!(load.result, LoadResult::Accepted(_)), "{load:?}");
    }

    fn failure(&self, program: &str) -> (&str, Option<&Missing>) {
        let load = self.of(program);
        match &load.result {
            LoadResult::Failed { why, missing } => (why, missing.as_ref()),
            _ => panic!("{load:?}"),
        }
    }

    fn missing(&self, program: &str) -> Option<(MissingKind, &str)> {
        let (_, missing) = self.failure(program);
        missing.map(|missing| (missing.kind, missing.name.as_str()))
    }

    fn rejection(&self, program: &str) -> &str {
        let load = self.of(program);
        match &load.result {
            LoadResult::Rejected { log, .. } => log,
            _ => panic!("{load:?}"),
        }
    }

    /// First all names, then for each program that it begins and what became of it.
    fn assert_order(&self) {
        let LoaderLine::Programs { programs, .. } = &self.0[0] else {
            panic!("{:?}", self.0);
        };
        let mut begun = Vec::new();
        for line in &self.0[1..] {
            match line {
                LoaderLine::Begin { program, phase, .. } => {
                    assert_eq!(*phase, Phase::Load);
                    begun.push(program.as_str());
                }
                LoaderLine::Load(load) => assert_eq!(begun.last(), Some(&&*load.program)),
                _ => {}
            }
        }
        let listed: Vec<&str> = programs.iter().map(|name| &*name.program).collect();
        assert_eq!(listed, begun);
        assert!(matches!(self.0.last(), Some(LoaderLine::End { .. })));
    }
}

fn check_kernel(kernel: &str) {
    // libbpf looks for the release that `uname` tells, which is known once the guest runs.
    let release = requirements::kernels::find_kernel(kernel, Architecture::HOST)
        .unwrap()
        .release;
    let config = format!("boot/config-{release}");
    let mut guest = Guest::start(TestVm::on(kernel).with_file(&config, b"CONFIG_HZ=250\n"));
    check_go_objects(&mut guest);
    check_sizes(&mut guest);
    check_arrays_of_programs(&mut guest);
    check_types(&mut guest, kernel);
    check_targets(&mut guest);
    check_relocations(&mut guest);
    check_struct_ops(&mut guest, kernel);
    check_limit(&mut guest);
    check_objects_of_all_kinds(&mut guest);
    guest
        .load("kconfig", &["--load-only"])
        .assert_accepted("read_config");
    drop(guest.directory);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_5_10() {
    check_kernel("5.10");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_6_12() {
    check_kernel("6.12");
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn on_7_3() {
    check_kernel("7.3");
}

fn check_go_objects(guest: &mut Guest) {
    let lines = guest.load("go", &["--load-only"]);
    lines.assert_order();
    assert_eq!(
        lines.notes("ring"),
        ["map typed: value_size 4 set to 0, as cilium/ebpf does"]
    );
    assert_eq!(
        lines.notes("ingress"),
        ["section classifier/ingress: read as classifier, as cilium/ebpf does"]
    );
    assert_eq!(
        lines.notes("filter"),
        ["section socket/x: read as socket, as cilium/ebpf does"]
    );
    assert_eq!(
        lines.notes("pass"),
        [
            "section xdp_mine: read as xdp, as cilium/ebpf does",
            "program pass: it is static; loaded all the same, as cilium/ebpf does",
        ]
    );
    let (why, missing) = lines.failure("unknown");
    assert!(why.contains("check ELF section name 'nonsense'"), "{why}");
    assert_eq!(missing, None);
}

fn check_sizes(guest: &mut Guest) {
    let lines = guest.load("sizes", &["--load-only"]);
    assert_eq!(
        lines.notes("use_later"),
        ["map later: it has no max_entries; made with 1 (--map later=ENTRIES)"]
    );
    assert_eq!(
        lines.notes("use_ring"),
        ["map ring: it has no max_entries; made with 4096 bytes (--map ring=ENTRIES)"]
    );
    assert_eq!(
        lines.notes("use_huge"),
        ["map huge: made with max_entries 4096 in place of 3000000, to fit into this VM"]
    );
    assert_eq!(
        lines.notes("use_stacks"),
        [
            "map stacks: it has no value_size; made with 1016, a stack of 127 addresses",
            "map stacks: it has no max_entries; made with 1 (--map stacks=ENTRIES)",
        ]
    );
    assert_eq!(lines.notes("use_none"), [""; 0]);

    let options = ["--load-only", "--map", "later=7", "--skip", "use_huge"];
    let lines = guest.load("sizes", &options);
    assert_eq!(lines.notes("use_later"), [""; 0]);
    assert!(lines.loads().all(|load| load.program != "use_huge"));
    let huge = guest.load("sizes", &["--load-only", "--map", "huge=3000000"]);
    assert_tells_memory(&huge, "use_huge");
    assert_tells_memory(&guest.load("large_array", &["--load-only"]), "pass");

    let old = guest.load("old_map", &["--load-only", "--with=aya"]);
    assert_eq!(old.of("use_later").library, Some(EbpfLibrary::Aya));
    assert_eq!(
        old.notes("use_later"),
        ["map later: it has no max_entries; made with 1 (--map later=ENTRIES)"]
    );
}

fn assert_tells_memory(lines: &Lines, program: &str) {
    let (why, _) = lines.failure(program);
    let end = "failed to create: -ENOMEM\nthis VM has 256 MiB; --memory MIB gives it more";
    assert!(why.ends_with(end), "{why}");
}

fn check_arrays_of_programs(guest: &mut Guest) {
    let lines = guest.load("tail_call", &["--load-only"]);
    for program in ["leaf", "entry", "probe"] {
        assert_eq!(lines.notes(program), [""; 0]);
    }
    let log = lines.rejection("refused");
    assert!(log.contains("invalid mem access"), "{log}");
}

fn check_types(guest: &mut Guest, kernel: &str) {
    use MissingKind::{AttachType, Function, LsmHook, Module, ProgramFlag, ProgramType};
    let lines = guest.load("types", &["--load-only"]);
    let found = |program: &str| match &lines.of(program).result {
        LoadResult::Accepted(_) => None,
        _ => lines.missing(program),
    };
    let before = |last: &[&str], missing| last.contains(&kernel).then_some(missing);
    for (program, expected) in [
        (
            "frags",
            before(&["5.10"], (ProgramFlag, "BPF_F_XDP_HAS_FRAGS")),
        ),
        (
            "of_syscall",
            before(&["5.10"], (ProgramType, "BPF_PROG_TYPE_SYSCALL")),
        ),
        (
            "of_netfilter",
            before(&["5.10"], (ProgramType, "BPF_PROG_TYPE_NETFILTER")),
        ),
        (
            "connect_unix",
            before(&["5.10"], (AttachType, "BPF_CGROUP_UNIX_CONNECT")),
        ),
        (
            "lsm_cgroup",
            before(&["5.10"], (AttachType, "BPF_LSM_CGROUP")),
        ),
        (
            "fsession",
            before(&["5.10", "6.12"], (AttachType, "BPF_TRACE_FSESSION")),
        ),
        ("fentry", before(&["7.3"], (Function, "do_unlinkat"))),
        ("lsm", Some((LsmHook, "no_such_hook"))),
        (
            "tp_btf",
            Some((MissingKind::RawTracepoint, "no_such_event")),
        ),
        ("module", Some((Module, "no_such"))),
        ("wildcard", None),
        ("offset", None),
        ("spaces", None),
        ("of_sk_lookup", None),
    ] {
        assert_eq!(found(program), expected, "{program} on {kernel}");
    }
    // In libbpf's own words.
    let (why, _) = lines.failure("lsm");
    let words = "prog 'lsm': failed to find kernel BTF type ID of 'no_such_hook': -ESRCH";
    assert!(why.contains(words), "{why}");

    let arena = guest.load("arena", &["--load-only"]);
    if kernel == "5.10" {
        let missing = Some((MissingKind::MapType, "BPF_MAP_TYPE_ARENA"));
        assert_eq!(arena.missing("use_arena"), missing);
        assert_eq!(arena.missing("other"), missing);
    } else {
        arena.assert_accepted("other");
    }
}

fn check_targets(guest: &mut Guest) {
    let lines = guest.load("targets", &["--load-only"]);
    lines.assert_accepted("caller");
    let missing = Some((MissingKind::Function, "dummy_function"));
    assert_eq!(lines.missing("changed"), missing);
    for (program, what) in [
        ("function", "--target function=FUNCTION"),
        ("hook", "--target hook=HOOK"),
        ("event", "--target event=TRACEPOINT"),
        ("iterator", "--target iterator=ITERATOR"),
    ] {
        let needed = AttachResult::NeedsTarget { what: what.into() };
        assert_eq!(lines.of(program).attach, Some(needed));
        assert!(lines.failure(program).0.ends_with(what));
    }
    let targets = [
        "--load-only",
        "--target=function=vfs_read",
        "--target=hook=file_open",
        "--target=event=sched_switch",
        "--target=iterator=task",
        "--target=changed=vfs_read",
    ];
    let lines = guest.load("targets", &targets);
    for program in ["function", "hook", "event", "iterator", "changed"] {
        lines.assert_accepted(program);
    }
    let lines = guest.load("targets", &["--load-only", "--target=function=no_such"]);
    let missing = Some((MissingKind::Function, "no_such"));
    assert_eq!(lines.missing("function"), missing);

    let target = "--target=replacement=/objects/targets.o:caller";
    let lines = guest.load("freplace", &["--load-only", target]);
    lines.assert_accepted("replacement");
    let lines = guest.load("freplace", &["--load-only", target, "--with=aya"]);
    lines.assert_accepted("replacement");
    let target = "--target=replacement=/objects/targets.o:nobody";
    let lines = guest.load("freplace", &["--load-only", target]);
    let (why, _) = lines.failure("replacement");
    assert!(
        why.ends_with("cannot be loaded: it has no program nobody"),
        "{why}"
    );
}

fn check_relocations(guest: &mut Guest) {
    let lines = guest.load("relocations", &["--load-only"]);
    lines.assert_order();
    lines.assert_accepted("before");
    lines.assert_accepted("after");
    let log = lines.rejection("no_field");
    assert!(log.contains("failed to resolve CO-RE relocation"), "{log}");
    let (why, _) = lines.failure("calls");
    assert!(why.contains("prog 'calls': "), "{why}");
}

fn check_struct_ops(guest: &mut Guest, kernel: &str) {
    let lines = guest.load("struct_ops", &["--load-only"]);
    for program in ["ssthresh", "cong_avoid", "other"] {
        assert_eq!(lines.notes(program), [""; 0], "{program} on {kernel}");
    }
    let log = lines.rejection("undo_cwnd");
    assert!(log.contains("invalid mem access"), "{log}");

    // Links came with 6.4.
    let lines = guest.load("struct_ops_link", &["--load-only"]);
    lines.assert_accepted("other");
    if kernel == "5.10" {
        let missing = Some((MissingKind::StructOps, "BPF_F_LINK"));
        assert_eq!(lines.missing("ssthresh"), missing);
    } else {
        lines.assert_accepted("ssthresh");
    }

    let lines = guest.load("no_struct", &["--load-only"]);
    lines.assert_accepted("other");
    let missing = Some((MissingKind::StructOps, "no_such_ops"));
    assert_eq!(lines.missing("member"), missing);
}

/// The signal reaches the verifier, and the loader goes on.
fn check_limit(guest: &mut Guest) {
    let lines = guest.load("slow", &["--load-only", "--seconds=1"]);
    lines.assert_accepted("before");
    lines.assert_accepted("after");
    let (why, missing) = lines.failure("slow");
    assert!(why.contains("took more than 1 s"), "{why}");
    assert_eq!(missing, None);

    let lines = guest.load("slow", &["--load-only", "--seconds=1", "--with=aya"]);
    lines.assert_accepted("before");
    lines.assert_accepted("after");
    let (why, _) = lines.failure("slow");
    assert!(why.contains("took more than 1 s"), "{why}");
}

fn check_objects_of_all_kinds(guest: &mut Guest) {
    let lines = guest.load("many", &["--load-only"]);
    lines.assert_order();
    assert_eq!(lines.loads().count(), 300);
    let accepted = |load: &Load| matches!(load.result, LoadResult::Accepted(_));
    assert!(lines.loads().all(accepted));

    let lines = guest.load("no_programs", &["--load-only"]);
    lines.assert_order();
    assert_eq!(lines.loads().count(), 0);

    let lines = guest.load("refused_types", &["--load-only"]);
    let note = "the kernel refused this object's BTF; libbpf goes on without it, aya does not";
    assert_eq!(lines.notes("pass"), [note]);

    let lines = guest.load("big_endian", &["--load-only"]);
    let (why, _) = lines.failure("");
    assert!(why.contains("big-endian"), "{why}");
}

/// A module's functions are there once it is loaded. And without the kernel's configuration, the
/// words say where libbpf looked.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn modules_come_first() {
    // The modules of 6.1 are not compressed.
    let modules = requirements::kernels::find_kernel("6.1", Architecture::HOST)
        .unwrap()
        .modules;
    let dummy = modules.unwrap().join("kernel/drivers/net/dummy.ko");
    let vm = TestVm::on("6.1").with_tools();
    let mut guest = Guest::start(vm.with_file("modules/dummy.ko", &std::fs::read(dummy).unwrap()));
    // A module stays in the guest, and would count as left behind.
    check_maps_are_made_once(&mut guest);
    let lines = guest.load("module", &["--load-only"]);
    let missing = Some((MissingKind::Module, "dummy"));
    assert_eq!(lines.missing("transmit"), missing);
    let lines = guest.load("module", &["--load-only", "--modules=/modules"]);
    lines.assert_accepted("transmit");

    let lines = guest.load("kconfig", &["--load-only"]);
    let (why, _) = lines.failure("read_config");
    assert!(
        why.contains("from /boot/config-RELEASE or /proc/config.gz"),
        "{why}"
    );
}

/// The kernel numbers maps in the order in which they are made. libbpf makes some to see what the
/// kernel can do.
fn check_maps_are_made_once(guest: &mut Guest) {
    let number =
        "bpftool map create /sys/fs/bpf/probe type array key 4 value 4 entries 1 name probe;
        bpftool map show pinned /sys/fs/bpf/probe | sed -n '1s/:.*//p';
        rm /sys/fs/bpf/probe;";
    let load = "object-loader --load-only /objects/shared_map.o | grep -c accepted;";
    let line = format!("{number} {load} {number}");
    let printed = common::run_step(&mut guest.started, common::shell(&line), "6.1");
    let numbers: Vec<u32> = printed.lines().map(|line| line.parse().unwrap()).collect();
    let [before, accepted, after] = numbers[..] else {
        panic!("{printed}");
    };
    assert_eq!(accepted, 60);
    assert!(after - before < 20, "{} maps", after - before);
}
