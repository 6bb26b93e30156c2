//! `where` as people meet it, and its data: they are those of the kernels that are locked.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use checkout::workspace;
use common::{Run, stderr, stdout};
use kernel::{Architecture, SERIES};
use kernel_names::{Kind, Names, stored_version};
use requirements::{kernels, require_kernel};
use xtask::pipeline::name_capture::NameCapture;
use xtask::pipeline::needs;

/// What it prints, with an exit code.
fn told(arguments: &[&str], code: i32) -> String {
    let output = Run::new(&[&["where"], arguments].concat()).output();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn a_renamed_function() {
    insta::assert_snapshot!(told(&["do_unlinkat"], 0));
}

#[test]
fn a_function_whose_arguments_changed() {
    insta::assert_snapshot!(told(&["vfs_mkdir"], 0));
}

#[test]
fn a_function_of_which_only_copies_are_left() {
    insta::assert_snapshot!(told(&["finish_task_switch"], 0));
}

#[test]
fn a_function_that_is_gone_and_comes_back() {
    insta::assert_snapshot!(told(&["do_page_cache_ra"], 0));
}

#[test]
fn functions_of_one_name() {
    insta::assert_snapshot!(told(&["init_once", "--kernel", "5.10..6.12"], 0));
}

#[test]
fn a_tracepoint_whose_record_changed() {
    insta::assert_snapshot!(told(&["skb:kfree_skb"], 0));
}

#[test]
fn a_field_that_moved() {
    insta::assert_snapshot!(told(&["task_struct.tgid"], 0));
}

#[test]
fn a_struct_that_grew() {
    insta::assert_snapshot!(told(&["struct cred", "--kernel", "every"], 0));
}

#[test]
fn a_helper() {
    insta::assert_snapshot!(told(&["bpf_strncmp"], 0));
}

#[test]
fn a_helper_by_its_number() {
    assert_eq!(told(&["182"], 0), told(&["bpf_strncmp"], 0));
    assert!(told(&["100000"], 1).starts_with("100000: no kernel"));
}

#[test]
fn a_kfunc_that_was_renamed() {
    insta::assert_snapshot!(told(&["bpf_wq_set_callback_impl"], 0));
}

#[test]
fn a_hook() {
    insta::assert_snapshot!(told(&["lsm/bpf_map_alloc_security"], 0));
}

#[test]
fn types_of_the_system_call() {
    let names = [
        "BPF_PROG_TYPE_NETFILTER",
        "BPF_MAP_TYPE_ARENA",
        "BPF_TRACE_KPROBE_SESSION",
    ];
    insta::assert_snapshot!(names.map(|name| told(&[name], 0)).join("\n"));
}

/// Each architecture calls the functions that carry out system calls differently.
#[test]
fn a_system_call_on_both_architectures() {
    let name = ["ksyscall/openat", "--arch", "both"];
    insta::assert_snapshot!(told(&name, 0));
    let name = ["kprobe/__x64_sys_openat", "--arch", "both"];
    assert!(told(&name, 0).ends_with(": no arm64 kernel of these series has it\n"));
}

#[test]
fn what_is_the_same_on_both_architectures_is_told_once() {
    let told = ["both", "amd64"].map(|architecture| {
        let lines = told(&["bpf_strncmp", "--arch", architecture], 0);
        let (heading, below) = lines.split_once('\n').unwrap();
        (heading.to_owned(), below.to_owned())
    });
    assert_eq!(told[0].0, "bpf_strncmp: a helper, on amd64 and arm64");
    assert_eq!(told[0].1, told[1].1);
}

/// Before Linux 6.4, arm64 attaches no BPF trampoline.
#[test]
fn what_needs_trampolines_on_arm64() {
    let names = ["vfs_unlink", "lsm/file_open"];
    let told = names.map(|name| told(&[name, "--arch", "arm64"], 0));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_name_of_another_architecture_says_so() {
    insta::assert_snapshot!(told(&["__x64_sys_openat", "--arch", "arm64"], 1));
}

#[test]
fn a_misspelt_name() {
    insta::assert_snapshot!(told(&["do_unlnkat"], 1));
}

#[test]
fn a_field_that_a_struct_does_not_have() {
    assert!(told(&["task_struct.tgit"], 1).contains("similar: task_struct.tgid\n"));
    assert_eq!(
        told(&["no_such_struct.field"], 1).lines().next(),
        Some("no_such_struct.field: no kernel of these series has it")
    );
}

#[test]
fn only_the_kernels_that_were_asked_for_count() {
    assert!(told(&["do_unlinkat", "--kernel", "6.19"], 0).contains("6.19"));
    assert!(!told(&["do_unlinkat", "--kernel", "7.0..7.3"], 1).contains("6.19"));
}

#[test]
fn what_is_no_name_is_refused() {
    let long = "x".repeat(5000);
    for name in ["", " ", "vfs_*", "kprobe/", "größe", "a\u{1b}[31m", &long] {
        let output = Run::new(&["where", name]).output();
        assert_eq!(output.status.code(), Some(2), "{name:?}");
        let said = stderr(&output);
        assert!(
            said.contains("cargo xtask where sched:sched_switch"),
            "{said}"
        );
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn json_is_one_object() {
    let text = told(&["do_unlinkat", "--json"], 0);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = &value["found"][0];
    assert_eq!(found["successor"]["name"], "filename_unlinkat");
    assert_eq!(found["ranges"][2]["there"], false);
    assert_eq!(found["ranges"][2]["first"], "7.0");
}

/// All of them, so that what was captured is in sight.
#[test]
fn the_names_are_those_of_the_locked_kernels() {
    for architecture in Architecture::ALL {
        for series in SERIES {
            let stored = stored_version(series, architecture).unwrap();
            let locked = kernels::locked_version(series, architecture).unwrap();
            let help = "cargo xtask where --update";
            assert_eq!(stored.version, locked, "{series} {architecture}: {help}");
        }
    }
}

/// `xtask/facts` looks in the same kernels for some of the names, with other code.
#[test]
fn the_names_are_those_that_the_facts_tell() {
    let names = Names::read(Architecture::Amd64).unwrap();
    let mut compared = 0;
    for series in SERIES {
        let path = format!("book/facts/{series}.snap");
        let facts = std::fs::read_to_string(workspace::workspace_root().join(path)).unwrap();
        for (fact, value) in facts.lines().filter_map(|line| line.split_once(" = ")) {
            let Some((kind, name)) = fact.split_once('/') else {
                continue;
            };
            // Others tell what a helper does.
            if name.contains(' ') {
                continue;
            }
            if kind == "offset" {
                assert_eq!(offset_of(&names, name, series), value, "{fact} on {series}");
                compared += 1;
                continue;
            }
            let found = match kind {
                "function" => has_function(&names, name, series),
                "helper" => has_name(&names, Kind::Helper, name, series),
                "attach-type" => has_name(&names, Kind::AttachType, &format!("BPF_{name}"), series),
                "tracepoint" => {
                    let full = names.tracepoints_named(name).unwrap();
                    full.iter()
                        .any(|it| has_name(&names, Kind::Tracepoint, it, series))
                }
                _ => continue,
            };
            let found = if found { "yes" } else { "no" };
            assert_eq!(found, value, "{fact} on {series}");
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
}

fn offset_of(names: &Names, name: &str, series: &str) -> String {
    let (structure, field) = name.split_once('.').unwrap();
    let history = names.structs(structure).unwrap();
    let mut definitions = history.on_series(series).into_iter().flatten();
    let found = definitions.find_map(|definition| definition.find_field(field));
    found.map_or("no".to_owned(), |field| field.offset.to_string())
}

fn has_name(names: &Names, kind: Kind, name: &str, series: &str) -> bool {
    let ranges = names.presence(kind, name).unwrap();
    ranges.iter().any(|range| range.contains_series(series))
}

fn has_function(names: &Names, name: &str, series: &str) -> bool {
    let history = names.function(name).unwrap();
    history
        .on_series(series)
        .is_some_and(|function| function.has_symbol)
}

fn the_stored_names_are_those_of(series: &str, architecture: Architecture) {
    needs::ensure_needs(&needs::vm_needs(architecture)).unwrap();
    needs::ensure_needs(&[require_kernel(series, architecture).unwrap()]).unwrap();
    let kernel = kernels::find_kernel(series, architecture).unwrap();
    let capture = NameCapture::build_program(architecture).unwrap();
    let (version, capture) = capture.capture_kernel(&kernel).unwrap();
    assert_eq!(version, stored_version(series, architecture).unwrap());
    let names = Names::read(architecture).unwrap();
    let different = names.find_differences(series, &capture);
    let different = different.unwrap();
    assert!(
        different.is_empty(),
        "{} lines differ: {:#?}",
        different.len(),
        &different[..different.len().min(20)]
    );
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_oldest_kernel_has_the_stored_names() {
    the_stored_names_are_those_of("5.10", Architecture::Amd64);
}

#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_newest_kernel_has_the_stored_names() {
    the_stored_names_are_those_of("7.3", Architecture::Amd64);
}

/// Its image has no sections that would say where BTF is, and where the ids are that follow it.
#[test]
#[ignore = "needs a VM: cargo xtask test vm"]
fn the_newest_arm64_kernel_has_the_stored_names() {
    the_stored_names_are_those_of("7.3", Architecture::Arm64);
}
