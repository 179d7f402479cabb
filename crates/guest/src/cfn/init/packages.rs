//! The `packages` section: yum, apt and rpm.

use super::build::Build;
use super::error::{BuildError, IoContext};
use super::values::{Members, is_falsy, object, texts};
use super::versions;
use crate::runner::Spec;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The order in which package managers are used; others follow by name.
const ORDER: [&str; 5] = ["msi", "dpkg", "rpm", "apt", "yum"];

/// Installs packages; returns by manager the names of those installed.
pub fn apply(build: &Build<'_>, section: &Members) -> Result<BTreeMap<String, Vec<String>>, BuildError> {
    if section.is_empty() {
        build.log.debug("No packages specified");
    }
    let mut managers: Vec<(&String, &Value)> = section.iter().collect();
    managers.sort_by_key(|(name, _)| {
        let position = ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len());
        (position, name.to_ascii_lowercase())
    });
    let mut changed = BTreeMap::new();
    for (manager, wanted) in managers {
        let wanted = object(wanted, &format!("packages of {manager}"))?;
        build.console.say(format_args!("installing packages with {manager}"));
        let installed = match manager.as_str() {
            "yum" => yum(build, wanted)?,
            "apt" => apt(build, wanted)?,
            "rpm" => rpm(build, wanted)?,
            "rubygems" | "python" | "msi" => {
                return Err(BuildError::Unsupported(format!("The package manager {manager}")));
            }
            other => {
                build.log.warning(format_args!("Unsupported package manager: {other}"));
                continue;
            }
        };
        changed.insert(manager.clone(), installed);
    }
    Ok(changed)
}

/// The versions asked for; none for the newest.
fn wanted_versions(manager: &str, name: &str, value: &Value) -> Result<Vec<String>, BuildError> {
    if is_falsy(value) {
        return Ok(Vec::new());
    }
    let versions = texts(value).ok_or_else(|| {
        BuildError::Metadata(format!(
            "{name} in packages of {manager} must be a version or a list of versions"
        ))
    })?;
    Ok(versions.into_iter().filter(|version| !version.is_empty()).collect())
}

fn yum(build: &Build<'_>, wanted: &Members) -> Result<Vec<String>, BuildError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    must(build, &["yum", "-y", "makecache"], "Could not create yum cache")?;
    let (mut upgrade, mut downgrade, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in wanted {
        let version = wanted_versions("yum", name, value)?.into_iter().max_by(|a, b| versions::compare(a, b));
        let spec = version.as_ref().map_or_else(|| name.clone(), |version| format!("{name}-{version}"));
        if succeeds(build, &["yum", "-C", "-y", "list", "installed", &spec])? {
            build.log.debug(format_args!("{spec} will not be installed as it is already present"));
            continue;
        }
        if !succeeds(build, &["yum", "-C", "-y", "--showduplicates", "list", "available", &spec])? {
            build.log.error(format_args!("{spec} is not available to be installed"));
            return Err(BuildError::Tool(format!("Yum does not have {spec} available for installation")));
        }
        if version.is_some_and(|version| is_newer_installed(build, name, &version)) {
            downgrade.push(spec);
        } else {
            upgrade.push(spec);
        }
        changed.push(name.clone());
    }
    install(
        build,
        &["yum", "-y", "install"],
        &upgrade,
        "Could not successfully install/update yum packages",
    )?;
    install(build, &["yum", "-y", "downgrade"], &downgrade, "Could not successfully downgrade yum packages")?;
    if !changed.is_empty() {
        build.log.info(format_args!("Yum installed {changed:?}"));
    }
    Ok(changed)
}

fn is_newer_installed(build: &Build<'_>, name: &str, version: &str) -> bool {
    let query = Spec::new(&["rpm", "-qa", "--queryformat", "%{VERSION}-%{RELEASE}", name]);
    match build.runner.output(&query) {
        Ok((0, installed)) if !installed.is_empty() => {
            versions::compare(version, installed.trim()) != Ordering::Greater
        }
        _ => false,
    }
}

fn apt(build: &Build<'_>, wanted: &Members) -> Result<Vec<String>, BuildError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    must(build, &["apt-cache", "-q", "gencaches"], "Could not create apt cache")?;
    let (mut specs, mut changed) = (Vec::new(), Vec::new());
    for (name, value) in wanted {
        let versions = wanted_versions("apt", name, value)?;
        let candidates = if versions.is_empty() {
            vec![name.clone()]
        } else {
            versions.iter().map(|version| format!("{name}={version}")).collect()
        };
        for spec in candidates {
            if is_apt_installed(build, name, &spec)? {
                build.log.debug(format_args!("{spec} will not be installed as it is already present"));
                continue;
            }
            if !succeeds(build, &["apt-cache", "-q", "show", &spec])? {
                build.log.error(format_args!("{spec} is not available to be installed"));
                return Err(BuildError::Tool(format!("APT does not have {spec} available for installation")));
            }
            specs.push(spec);
            if changed.last() != Some(name) {
                changed.push(name.clone());
            }
        }
    }
    if specs.is_empty() {
        build.log.info("All APT packages were already installed");
        return Ok(changed);
    }
    build.log.info(format_args!("Attempting to install {specs:?} via APT"));
    install(
        build,
        &["apt-get", "-q", "-y", "install"],
        &specs,
        "Could not successfully install APT packages",
    )?;
    Ok(changed)
}

fn is_apt_installed(build: &Build<'_>, name: &str, spec: &str) -> Result<bool, BuildError> {
    let query = Spec {
        drop_stderr: true,
        ..Spec::new(&["dpkg-query", "-f", "${Status}|${Package}=${Version}", "-W", name])
    };
    let (code, output) = build.runner.output(&query).during(|| format!("Could not ask dpkg for {name}"))?;
    let Some((status, found)) = output.trim().split_once('|') else { return Ok(false) };
    Ok(code == 0 && status.ends_with(" installed") && found.starts_with(spec))
}

fn rpm(build: &Build<'_>, wanted: &Members) -> Result<Vec<String>, BuildError> {
    let (mut locations, mut changed) = (Vec::new(), Vec::new());
    for (name, value) in wanted {
        let before = locations.len();
        for location in wanted_versions("rpm", name, value)? {
            if is_rpm_installed(build, &location)? {
                build.log.debug(format_args!("Skipping RPM at {location} as it is already installed"));
            } else {
                locations.push(location);
            }
        }
        if locations.len() > before {
            changed.push(name.clone());
        }
    }
    let argv = ["rpm", "-U", "--quiet", "--nosignature", "--replacepkgs"];
    install(build, &argv, &locations, "Could not successfully install rpm packages")?;
    Ok(changed)
}

fn is_rpm_installed(build: &Build<'_>, location: &str) -> Result<bool, BuildError> {
    let query = Spec {
        drop_stderr: true,
        ..Spec::new(&[
            "rpm",
            "-qp",
            "--queryformat",
            "%{NAME}-%{VERSION}-%{RELEASE}",
            "--nosignature",
            location,
        ])
    };
    let (code, package) =
        build.runner.output(&query).during(|| format!("Could not ask rpm for {location}"))?;
    // If the file cannot be asked, installing it will tell why.
    Ok(code == 0 && succeeds(build, &["rpm", "-q", "--quiet", package.trim()])?)
}

fn install(build: &Build<'_>, argv: &[&str], specs: &[String], failure: &str) -> Result<(), BuildError> {
    if specs.is_empty() {
        return Ok(());
    }
    let argv: Vec<&str> = argv.iter().copied().chain(specs.iter().map(String::as_str)).collect();
    must(build, &argv, failure)
}

fn succeeds(build: &Build<'_>, argv: &[&str]) -> Result<bool, BuildError> {
    let (code, _) =
        build.runner.output(&Spec::new(argv)).during(|| format!("cannot run {}", argv.join(" ")))?;
    Ok(code == 0)
}

fn must(build: &Build<'_>, argv: &[&str], failure: &str) -> Result<(), BuildError> {
    let (code, output) = build.runner.output(&Spec::new(argv)).during(|| failure.to_owned())?;
    if code == 0 {
        build.log.debug(format_args!("{} output: {output}", argv.join(" ")));
        return Ok(());
    }
    build.log.error(format_args!("{failure}. Output: {output}"));
    Err(BuildError::ToolFailed { message: failure.to_owned(), code })
}
