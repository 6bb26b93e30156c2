//! Whether an answer has what its exercise asks for: programs, on their hooks; maps; global
//! variables.
//!
//! This is found out before a library loads the answer, from its object file: a map of another
//! size, or another hook, makes the verifier or the kernel say something else, and later.

use anyhow::{Context as _, Result, bail, ensure};

use crate::Library;
use crate::hook::{Hook, Placed};
use crate::kernel::{GLOBAL_SIZE, Global, Kernel};
use crate::library::Opened;
use crate::map_spec::MapSpec;
use crate::object_file::ObjectFile;

/// The answer's programs, in the order of the exercise.
pub fn check(
    kernel: &Kernel,
    library: Library,
    file: &ObjectFile,
    opened: &dyn Opened,
) -> Result<Vec<Placed>> {
    let there = opened.programs();
    let find = |&(name, hook): &(&'static str, Hook)| find_program(name, hook, &there, file);
    let programs = kernel
        .programs
        .iter()
        .map(find)
        .collect::<Result<Vec<Placed>>>()?;
    for program in &programs {
        if let Some(mistake) = program
            .mistake(library)
            .or_else(|| opened.odd_parameters(program))
        {
            bail!(mistake);
        }
    }
    kernel
        .maps
        .iter()
        .try_for_each(|spec| check_map(spec, library, file, opened))?;
    kernel
        .globals
        .iter()
        .try_for_each(|global| check_global(global, library, file))?;
    Ok(programs)
}

fn find_program(
    name: &'static str,
    hook: Hook,
    there: &[String],
    file: &ObjectFile,
) -> Result<Placed> {
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    let is_there = names.contains(&name);
    ensure!(
        is_there,
        "there is no {} program called {name}; there is: {}",
        hook.kind(),
        or_none(&names)
    );
    let function = file
        .function(name)
        .with_context(|| format!("find the function {name}"))?;
    Ok(Placed {
        name,
        hook,
        section: function.section.clone(),
    })
}

fn check_map(
    spec: &MapSpec,
    library: Library,
    file: &ObjectFile,
    opened: &dyn Opened,
) -> Result<()> {
    let (name, maps) = (spec.name, opened.maps());
    if let Some(shape) = maps.iter().find(|map| map.name == name) {
        return spec.mistake(shape).map_or(Ok(()), |mistake| bail!(mistake));
    }
    let variable = file.variable(name).or_else(|| file.mangled_variable(name));
    if let Some(variable) = variable {
        let (section, marker) = (&variable.section, map_marker(library));
        bail!("{name} is a variable in {section} and no map: is {marker} missing?");
    }
    let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
    // A variable that nothing refers to is not in the object at all.
    let guess = if names.is_empty() {
        format!(". Is {} missing?", map_marker(library))
    } else {
        String::new()
    };
    bail!(
        "there is no map called {name}; there is: {}{guess}",
        or_none(&names)
    )
}

/// What makes a map of a variable.
fn map_marker(library: Library) -> &'static str {
    match library {
        Library::Aya => "#[map]",
        Library::Libbpf => "SEC(\".maps\")",
    }
}

fn check_global(Global { name, .. }: &Global, library: Library, file: &ObjectFile) -> Result<()> {
    let Some(variable) = file.variable(name) else {
        let renamed = file.mangled_variable(name).is_some() && library == Library::Aya;
        let guess = if renamed {
            "; is #[unsafe(no_mangle)] missing?"
        } else {
            ""
        };
        bail!("there is no global variable called {name}{guess}");
    };
    let (is, should) = (variable.size, GLOBAL_SIZE);
    ensure!(
        is == should,
        "the global variable {name} has {is} bytes, and should have {should}"
    );
    Ok(())
}

/// Why the verifier wants a licence, where the answer has none. aya takes a missing one as "GPL".
pub fn licence_note(library: Library, file: &ObjectFile, log: &str) -> Option<String> {
    let has_licence = file
        .symbols
        .iter()
        .any(|symbol| symbol.section == "license");
    let is_missing = library == Library::Libbpf && log.contains("GPL") && !has_licence;
    let line = "char LICENSE[] SEC(\"license\") = \"Dual MIT/GPL\";";
    is_missing.then(|| format!("the object has no licence: is this line missing? {line}"))
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
