//! What the kernel has by name: functions, types, enums, tracepoints.

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::{Context as _, Result};
use common::btf::Kernel;
use common::tracepoint_format::parse_record_fields;
use libbpf_rs::btf::types::{Array, Composite, Enum, Func, FuncProto};
use libbpf_rs::btf::{BtfKind, BtfType, ReferencesType as _, TypeId};

use crate::print::{print_fact, print_whether};

/// Functions that the pages name, or that do what a feature needs and are built only with it.
const FUNCTIONS: [&str; 27] = [
    "bpf_nf_link_attach",
    "bpf_token_create",
    "bpf_uprobe_multi_link_attach",
    "btf_module_notify",
    "do_filp_open",
    "do_linkat",
    "do_mkdirat",
    "do_nanosleep",
    "do_renameat2",
    "do_rmdir",
    "do_symlinkat",
    "do_sys_openat2",
    "do_unlinkat",
    "filename_linkat",
    "filename_mkdirat",
    "filename_renameat2",
    "filename_rmdir",
    "filename_symlinkat",
    "filename_unlinkat",
    "kernel_clone",
    "netkit_link_attach",
    "security_file_open",
    "tcp_connect",
    "tcx_link_attach",
    "try_to_wake_up",
    "vfs_mkdir",
    "vfs_unlink",
];

/// Functions whose description in BTF the pages tell.
const PROTOTYPES: [&str; 4] = [
    "__x64_sys_getpid",
    "do_sys_openat2",
    "vfs_mkdir",
    "vfs_unlink",
];

/// Functions made for eBPF programs.
const KFUNCS: [&str; 12] = [
    "__bpf_trap",
    "bpf_cpumask_test_cpu",
    "bpf_dynptr_from_skb",
    "bpf_iter_num_new",
    "bpf_rdonly_cast",
    "bpf_stream_vprintk",
    "bpf_stream_vprintk_impl",
    "bpf_task_from_pid",
    "bpf_throw",
    "bpf_wq_init",
    "bpf_wq_set_callback",
    "bpf_wq_set_callback_impl",
];

/// Helpers, by what follows `BPF_FUNC_`.
const HELPERS: [&str; 17] = [
    "copy_from_user",
    "d_path",
    "dynptr_from_mem",
    "for_each_map_elem",
    "get_attach_cookie",
    "get_func_ip",
    "get_func_ret",
    "kptr_xchg",
    "loop",
    "override_return",
    "probe_read_kernel",
    "ringbuf_output",
    "strncmp",
    "timer_init",
    "trace_vprintk",
    "user_ringbuf_drain",
    "xdp_load_bytes",
];

/// Ways to attach, by what follows `BPF_`: a kernel knows the name although it may be built without
/// what it needs.
const ATTACH_TYPES: [&str; 13] = [
    "LSM_CGROUP",
    "LSM_MAC",
    "MODIFY_RETURN",
    "NETFILTER",
    "NETKIT_PRIMARY",
    "SK_LOOKUP",
    "TCX_INGRESS",
    "TRACE_FSESSION",
    "TRACE_ITER",
    "TRACE_KPROBE_MULTI",
    "TRACE_KPROBE_SESSION",
    "TRACE_UPROBE_MULTI",
    "TRACE_UPROBE_SESSION",
];

const FIELDS: [(&str, &str); 7] = [
    ("file", "f_path"),
    ("filename", "name"),
    ("net_device", "name"),
    ("task_struct", "__state"),
    ("task_struct", "real_parent"),
    ("task_struct", "state"),
    ("task_struct", "tgid"),
];

const EVENTS: [(&str, &str); 10] = [
    ("dma", "dma_map_page"),
    ("kmem", "kmalloc"),
    ("kmem", "kmalloc_node"),
    ("sched", "sched_process_exec"),
    ("sched", "sched_process_fork"),
    ("syscalls", "sys_enter_openat"),
    ("timer", "hrtimer_init"),
    ("timer", "hrtimer_setup"),
    ("xdp", "xdp_redirect"),
    ("xdp", "xdp_redirect_map"),
];

/// Fields of records.
const RECORDS: [(&str, &str, &str); 4] = [
    ("sched", "sched_process_exec", "filename"),
    ("sched", "sched_process_exec", "old_pid"),
    ("sched", "sched_process_fork", "child_pid"),
    ("syscalls", "sys_enter_openat", "mode"),
];

const TRACEFS: &str = "/sys/kernel/tracing/events";

/// The kernel's names, read once: a search through its BTF takes 10 ms in an emulated VM.
pub struct RunningNames {
    kernel: Kernel,
    /// By kind and name; of two types with one name, the first.
    types: HashMap<(Sort, String), TypeId>,
    /// In the order of their addresses.
    pub symbols: Vec<(u64, String)>,
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub enum Sort {
    Function,
    Struct,
    Enum,
    Typedef,
}

impl RunningNames {
    pub fn read_all() -> Result<Self> {
        let kernel = Kernel::open().map_err(|error| anyhow::anyhow!("{error}"))?;
        let mut types = HashMap::new();
        for id in 1..kernel.btf_types().len() as u32 {
            let Some(found) = kernel
                .btf_types()
                .type_by_id::<BtfType<'_>>(TypeId::from(id))
            else {
                continue;
            };
            let sort = match found.kind() {
                BtfKind::Func => Sort::Function,
                BtfKind::Struct => Sort::Struct,
                BtfKind::Enum => Sort::Enum,
                BtfKind::Typedef => Sort::Typedef,
                _ => continue,
            };
            if let Some(name) = found.name() {
                types
                    .entry((sort, name.to_string_lossy().into_owned()))
                    .or_insert(TypeId::from(id));
            }
        }
        Ok(Self {
            kernel,
            types,
            symbols: symbols()?,
        })
    }

    pub fn print_facts(&self) -> Result<()> {
        self.print_functions();
        self.print_types();
        print_events()
    }

    fn print_functions(&self) {
        let names: HashSet<&str> = self.symbols.iter().map(|(_, name)| name.as_str()).collect();
        for function in FUNCTIONS {
            print_whether(&format!("function/{function}"), names.contains(function));
        }
        for function in PROTOTYPES {
            let prototype = self.prototype(function).unwrap_or_else(|| "no".to_owned());
            print_fact(&format!("btf/{function}"), prototype);
        }
        for kfunc in KFUNCS {
            print_whether(
                &format!("kfunc/{kfunc}"),
                self.find_type(Sort::Function, kfunc).is_some(),
            );
        }
        print_whether(
            "symbols/.cold parts come before their functions",
            self.cold_parts_come_first(),
        );
    }

    fn print_types(&self) {
        for helper in HELPERS {
            let value = self.enum_value("bpf_func_id", &format!("BPF_FUNC_{helper}"));
            print_whether(&format!("helper/bpf_{helper}"), value.is_some());
        }
        for attach in ATTACH_TYPES {
            let value = self.enum_value("bpf_attach_type", &format!("BPF_{attach}"));
            print_whether(&format!("attach-type/{attach}"), value.is_some());
        }
        print_whether(
            "struct/sched_ext_ops",
            self.find_type(Sort::Struct, "sched_ext_ops").is_some(),
        );
        for (name, field) in FIELDS {
            let offset = self.kernel.offset(name, field);
            let offset = offset.map_or_else(|_| "no".to_owned(), |offset| offset.to_string());
            print_fact(&format!("offset/{name}.{field}"), offset);
        }
        let most = self.programs_on_one_function();
        print_fact(
            "fentry/programs on one function",
            most.map_or("?".to_owned(), |most| most.to_string()),
        );
    }

    pub fn find_type(&self, sort: Sort, name: &str) -> Option<u32> {
        self.types
            .get(&(sort, name.to_owned()))
            .map(|id| u32::from(*id))
    }

    pub fn enum_value(&self, name: &str, member: &str) -> Option<i64> {
        let id = self.types.get(&(Sort::Enum, name.to_owned()))?;
        let found = self.kernel.btf_types().type_by_id::<Enum<'_>>(*id)?;
        let value = found
            .iter()
            .find(|other| other.name.is_some_and(|name| name == member));
        value.map(|member| member.value)
    }

    pub fn find_address(&self, function: &str) -> Option<u64> {
        self.symbols
            .iter()
            .find(|(_, name)| name == function)
            .map(|(address, _)| *address)
    }

    /// "4 arguments, int"
    fn prototype(&self, function: &str) -> Option<String> {
        let id = self.types.get(&(Sort::Function, function.to_owned()))?;
        let found = self.kernel.btf_types().type_by_id::<Func<'_>>(*id)?;
        let prototype: FuncProto<'_> = found.referenced_type().try_into().ok()?;
        let result = prototype.referenced_type();
        let result = match result.kind() {
            BtfKind::Ptr => {
                let name = result
                    .next_type()
                    .and_then(|inner| inner.name().map(|name| name.to_owned()));
                format!("struct {} *", name.unwrap_or_default().to_string_lossy())
            }
            _ => result
                .name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        };
        Some(format!("{} arguments, {result}", prototype.len()))
    }

    /// A trampoline has room for so many: the length of an array in the kernel's own struct for
    /// them.
    fn programs_on_one_function(&self) -> Option<usize> {
        let structs = [
            ("bpf_tramp_progs", "progs"),
            ("bpf_tramp_links", "links"),
            ("bpf_tramp_nodes", "nodes"),
        ];
        structs.into_iter().find_map(|(name, field)| {
            let id = self.types.get(&(Sort::Struct, name.to_owned()))?;
            let found = self.kernel.btf_types().type_by_id::<Composite<'_>>(*id)?;
            let member = found
                .iter()
                .find(|member| member.name.is_some_and(|name| name == field))?;
            Some(
                self.kernel
                    .btf_types()
                    .type_by_id::<Array<'_>>(member.ty)?
                    .capacity(),
            )
        })
    }

    fn cold_parts_come_first(&self) -> bool {
        let places: HashMap<&str, usize> = self
            .symbols
            .iter()
            .enumerate()
            .map(|(place, (_, name))| (name.as_str(), place))
            .collect();
        let cold = self
            .symbols
            .iter()
            .enumerate()
            .filter_map(|(place, (_, name))| {
                places
                    .get(name.strip_suffix(".cold")?)
                    .map(|whole| place < *whole)
            });
        let (first, later): (Vec<bool>, Vec<bool>) = cold.partition(|first| *first);
        first.len() > later.len()
    }

    /// Of these, the first that two functions have.
    pub fn find_shared_name<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| {
            self.symbols
                .iter()
                .filter(|(_, other)| other == name)
                .count()
                > 1
        })
    }
}

/// The functions of the kernel itself, without those of modules.
fn symbols() -> Result<Vec<(u64, String)>> {
    let text = fs::read_to_string("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
    let mut symbols: Vec<(u64, String)> = text.lines().filter_map(symbol).collect();
    symbols.sort_by_key(|(address, _)| *address);
    Ok(symbols)
}

fn symbol(line: &str) -> Option<(u64, String)> {
    let mut words = line.split_whitespace();
    let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
    let is_ours = words.next().is_none() && kind.eq_ignore_ascii_case("t");
    is_ours.then_some((u64::from_str_radix(address, 16).ok()?, name.to_owned()))
}

fn print_events() -> Result<()> {
    for (group, event) in EVENTS {
        let exists =
            fs::exists(format!("{TRACEFS}/{group}/{event}")).context("cannot look into tracefs")?;
        print_whether(&format!("tracepoint/{event}"), exists);
    }
    for (group, event, field) in RECORDS {
        let format = fs::read_to_string(format!("{TRACEFS}/{group}/{event}/format"))
            .with_context(|| format!("cannot read the format of {event}"))?;
        print_fact(
            &format!("record/{event}.{field}"),
            offset_or(find_offset(&format, field), "no"),
        );
        if field == "child_pid" {
            print_fact(
                "record/common fields end at",
                offset_or(end_of_common_fields(&format), "?"),
            );
        }
    }
    let format = fs::read_to_string(format!("{TRACEFS}/syscalls/sys_enter_openat/format"))
        .context("cannot read the format of sys_enter_openat")?;
    print_fact(
        "record/fields of sys_enter_openat",
        parse_record_fields(&format).count() - COMMON_FIELDS,
    );
    Ok(())
}

/// Type, flags, preemption count and process id begin every record.
const COMMON_FIELDS: usize = 4;

fn find_offset(format: &str, name: &str) -> Option<u32> {
    let mut fields = parse_record_fields(format);
    let field = fields.find(|field| field.name() == name)?;
    Some(field.offset)
}

/// Where the event's own fields begin, after an empty line.
fn end_of_common_fields(format: &str) -> Option<u32> {
    let own = format.split("\n\n").nth(1)?;
    let first = parse_record_fields(own).next()?;
    Some(first.offset)
}

fn offset_or(offset: Option<u32>, otherwise: &str) -> String {
    offset.map_or_else(|| otherwise.to_owned(), |offset| offset.to_string())
}
