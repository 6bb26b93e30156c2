//! Whether an answer has what its exercise asks for: programs, on their hooks; maps; global
//! variables.
//!
//! This is found out before a library loads the answer, from its object file: a map of another
//! size, or another hook, makes the verifier or the kernel say something else, and later.

use anyhow::{Context as _, Result, bail, ensure};
use plan::load::EbpfLibrary;

use crate::answer_object::AnswerObject;
use crate::global::{GLOBAL_SIZE, Global};
use crate::hook::{Hook, Placed};
use crate::kernel_exercise::KernelExercise;
use crate::library::OpenedObject;
use crate::map_spec::MapSpec;

/// The answer's programs, in the order of the exercise.
pub fn check_fit(
    exercise: &KernelExercise,
    library: EbpfLibrary,
    file: &AnswerObject,
    opened: &dyn OpenedObject,
) -> Result<Vec<Placed>> {
    let there = opened.program_names();
    let find = |&(name, hook): &(&'static str, Hook)| find_program(name, hook, &there, file);
    let programs = exercise
        .programs
        .iter()
        .map(find)
        .collect::<Result<Vec<Placed>>>()?;
    for program in &programs {
        if let Some(mistake) = program
            .find_mistake(library)
            .or_else(|| opened.odd_parameters(program))
        {
            bail!(mistake);
        }
    }
    exercise
        .maps
        .iter()
        .try_for_each(|spec| check_map(spec, library, file, opened))?;
    exercise
        .globals
        .iter()
        .try_for_each(|global| check_global(global, library, file))?;
    Ok(programs)
}

fn find_program(
    name: &'static str,
    hook: Hook,
    there: &[String],
    file: &AnswerObject,
) -> Result<Placed> {
    let names: Vec<&str> = there.iter().map(String::as_str).collect();
    let is_there = names.contains(&name);
    ensure!(
        is_there,
        "there is no {} program called {name}; there is: {}",
        hook.kind_name(),
        or_none(&names)
    );
    let function = file
        .find_function(name)
        .with_context(|| format!("find the function {name}"))?;
    Ok(Placed {
        name,
        hook,
        section: function.section.clone(),
    })
}

fn check_map(
    spec: &MapSpec,
    library: EbpfLibrary,
    file: &AnswerObject,
    opened: &dyn OpenedObject,
) -> Result<()> {
    let (name, maps) = (spec.name, opened.map_shapes());
    if let Some(shape) = maps.iter().find(|map| map.name == name) {
        return spec
            .find_mistake(shape)
            .map_or(Ok(()), |mistake| bail!(mistake));
    }
    let variable = file
        .find_variable(name)
        .or_else(|| file.find_mangled_variable(name));
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
fn map_marker(library: EbpfLibrary) -> &'static str {
    match library {
        EbpfLibrary::Aya => "#[btf_map]",
        EbpfLibrary::Libbpf => "SEC(\".maps\")",
    }
}

fn check_global(
    Global { name, .. }: &Global,
    library: EbpfLibrary,
    file: &AnswerObject,
) -> Result<()> {
    let Some(variable) = file.find_variable(name) else {
        let renamed = file.find_mangled_variable(name).is_some() && library == EbpfLibrary::Aya;
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
pub fn licence_note(library: EbpfLibrary, file: &AnswerObject, log: &str) -> Option<String> {
    let has_licence = file
        .symbols
        .iter()
        .any(|symbol| symbol.section == "license");
    let is_missing = library == EbpfLibrary::Libbpf && log.contains("GPL") && !has_licence;
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
