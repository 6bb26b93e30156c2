//! Meets what is missing.

use anyhow::Result;
use kernel::Architecture;
use problem::Problem;

use crate::apt;
use crate::bpf_linker::BpfLinker;
use crate::clang::Clang;
use crate::exposure;
use crate::guest_needs;
use crate::libbpf_build::LibbpfBuild;
use crate::packages;
use crate::part::Part;
use crate::reporter::Reporter;
use crate::requirement::Need;
use crate::rust_src::RustSrc;
use crate::site::SetupSite;
use crate::space;

/// All that the course needs for guests of this architecture, with these kernels, in the order in
/// which it is met: what needs the user's consent comes first, then nothing more is asked.
pub fn all_needs(architecture: Architecture, kernels: &[Need]) -> Vec<Need> {
    let mut needs: Vec<Need> = vec![&Clang, &LibbpfBuild];
    let quiet: [Need; 2] = [&RustSrc, &BpfLinker];
    needs.extend(quiet);
    needs.extend(guest_needs::shell_needs(architecture));
    needs.extend(guest_needs::cross_build_needs(architecture));
    needs.extend(kernels);
    needs.sort_by_key(|need| need.parts().is_empty());
    needs
}

/// What set-up would do about a need that is not met.
pub fn plan_need(need: Need) -> String {
    let plan = need.plan();
    plan.unwrap_or_else(|| packages::plan_install(need.parts()))
}

/// Does what is missing. When nothing is, this costs a few looks at files.
pub fn meet_missing(needs: &[Need], reporter: &'static dyn Reporter) -> Result<()> {
    exposure::refuse_exposed_files()?;
    if needs.iter().all(|need| need.is_met()) {
        return Ok(());
    }
    let site = SetupSite::open_work_area(reporter)?;
    // Another set-up may have done it while this one waited.
    let missing: Vec<Need> = needs
        .iter()
        .copied()
        .filter(|need| !need.is_met())
        .collect();
    meet(site, &missing, false)
}

/// Does what is missing or damaged, which reads every checksum. With `yes`, packages of the
/// system's are installed without a question.
pub fn meet_whole(needs: &[Need], yes: bool, reporter: &'static dyn Reporter) -> Result<()> {
    exposure::refuse_exposed_files()?;
    let is_missing = |need: &Need| !need.is_whole();
    if !needs.iter().any(is_missing) {
        return Ok(());
    }
    let site = SetupSite::open_work_area(reporter)?;
    // Another set-up may have done it while this one waited.
    let missing: Vec<Need> = needs.iter().copied().filter(is_missing).collect();
    meet(site, &missing, yes)
}

fn meet(site: SetupSite, needs: &[Need], yes: bool) -> Result<()> {
    apt::forget_lists(site.work_directory())?;
    // The largest step decides: each gives its room back before the next begins, except for what it
    // keeps.
    let largest = needs.iter().map(|need| need.bytes()).max().unwrap_or(0);
    space::need_space(site.work_directory(), largest)?;
    let parts: Vec<Part> = needs
        .iter()
        .flat_map(|need| need.parts())
        .copied()
        .collect();
    packages::install_missing(&site, &parts, yes)?;
    for need in needs {
        meet_one(&site, *need)?;
    }
    site.remove_leftovers()
}

/// Another program may fill the disk meanwhile.
fn meet_one(site: &SetupSite, need: Need) -> Result<()> {
    space::need_space(site.work_directory(), need.bytes())?;
    need.meet(site).map_err(|error| {
        let is_full = space::is_full(site.work_directory());
        match error.downcast::<Problem>() {
            Ok(problem) if is_full => {
                let megabytes = need.bytes() / 1_000_000;
                let directory = site.work_directory().display();
                let name = need.name();
                problem
                    .help(format!(
                        "{name} needs {megabytes} MB in {directory} for a while"
                    ))
                    .into()
            }
            Ok(problem) => problem.into(),
            Err(error) => error,
        }
    })
}

#[cfg(test)]
mod tests {
    use kernel::DEFAULT;

    use super::*;
    use crate::kernels::require_kernel;

    #[test]
    fn all_needs_include_the_kernels_and_ask_first() {
        for architecture in Architecture::ALL {
            let kernel = require_kernel(DEFAULT, architecture).unwrap();
            let needs = all_needs(architecture, &[kernel]);
            assert!(needs.iter().any(|need| need.name() == kernel.name()));
            let asks = |need: &Need| !need.parts().is_empty();
            let first_quiet = needs.iter().position(|need| !asks(need)).unwrap();
            assert!(needs[first_quiet..].iter().all(|need| !asks(need)));
        }
    }
}
