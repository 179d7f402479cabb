//! `[[service]]`: what init runs and starts at boot, under systemd, Upstart and System V scripts.

use std::collections::HashMap;

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{Name, Several};
use crate::verdict::Findings;

/// What init must do with a service.
#[derive(Debug)]
struct Service {
    name: Name,
    enabled: Option<bool>,
    running: Option<bool>,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let names: Option<Several<Name>> = entry.required("service");
    let enabled = entry.optional("enabled");
    let running = entry.optional("running");
    entry.demand_one(&["enabled", "running"]);
    super::each(names, |name| Service { name, enabled, running })
}

/// Prints `KEY=VALUE` lines about `$unit` (systemd's name) or `$name`. Which init there is decides who is asked; System V
/// scripts are looked for under systemd too, because it runs them.
const FACTS: &str = r#"links() {
    for link in /etc/rc[2345].d/S??"$name" /etc/rc.d/rc[2345].d/S??"$name"; do
        if [ -e "$link" ] || [ -L "$link" ]; then echo "Link=$link"; fi
    done
}
if [ -d /run/systemd/system ]; then
    echo Init=systemd
    systemctl show -p LoadState -p ActiveState -p SubState -p UnitFileState -- "$unit" || exit
    links
elif [ -e "/etc/init/$name.conf" ]; then
    echo Init=upstart
    echo "Status=$(initctl status "$name" 2>&1)"
    if grep -q '^[[:space:]]*start on' "/etc/init/$name.conf"; then echo StartOn=yes; fi
    cat "/etc/init/$name.conf" "/etc/init/$name.override" 2>/dev/null | sed -n 's/^[[:space:]]*manual[[:space:]]*$/Manual=yes/p'
elif [ -e "/etc/init.d/$name" ]; then
    echo Init=sysv
    service "$name" status >/dev/null 2>&1
    echo "Exit=$?"
    links
else
    echo Init=none
fi
"#;

impl Service {
    fn question(&self) -> Question {
        let name = &self.name.0;
        let has_type = [".service", ".socket", ".timer", ".target", ".mount", ".path"];
        let unit = if has_type.iter().any(|end| name.ends_with(end)) {
            name.clone()
        } else {
            format!("{name}.service")
        };
        Question::new(format!("name={}\nunit={}\n{FACTS}", quote(name), quote(&unit)))
    }
}

/// What init says about a service.
#[derive(Debug, PartialEq, Eq)]
struct State {
    /// None: neither yet, as while it starts.
    running: Option<bool>,
    /// In init's words.
    activity: String,
    enabled: bool,
    enablement: String,
}

/// None when init knows no such service.
fn state(text: &str) -> Result<Option<State>, Unknown> {
    let mut facts: HashMap<&str, &str> = HashMap::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        facts.entry(key).or_insert(value);
    }
    let fact = |key: &str| facts.get(key).copied().unwrap_or_default();
    match fact("Init") {
        "systemd" => systemd(&fact),
        "upstart" => upstart(&fact).map(Some),
        "sysv" => sysv(&fact).map(Some),
        "none" => Ok(None),
        other => Err(Unknown(format!("the machine's init says \"{other}\""))),
    }
}

fn systemd<'a>(fact: &dyn Fn(&str) -> &'a str) -> Result<Option<State>, Unknown> {
    match fact("LoadState") {
        "loaded" | "masked" => {}
        "not-found" => return Ok(None),
        other => return Err(Unknown(format!("systemd could not load it: \"{other}\""))),
    }
    let active = fact("ActiveState");
    let running = match active {
        "active" | "reloading" => Some(true),
        "inactive" | "failed" | "maintenance" => Some(false),
        // `activating`, `deactivating`.
        _ => None,
    };
    // A unit made out of a System V script is enabled by that script's links.
    let (enabled, enablement) = match fact("UnitFileState") {
        "enabled" | "enabled-runtime" => (true, "enabled".to_owned()),
        "generated" if !fact("Link").is_empty() => (true, format!("enabled ({})", fact("Link"))),
        "generated" => (false, "disabled".to_owned()),
        "" => (false, "no unit file".to_owned()),
        other => (false, other.to_owned()),
    };
    let activity = format!("{active} ({})", fact("SubState"));
    Ok(Some(State { running, activity, enabled, enablement }))
}

fn upstart<'a>(fact: &dyn Fn(&str) -> &'a str) -> Result<State, Unknown> {
    // `ecs start/running, process 2301`: goal and state.
    let status = fact("Status");
    let goal = status.split_whitespace().find(|word| word.starts_with("start/") || word.starts_with("stop/"));
    let running = match goal.map(|goal| goal.trim_end_matches(',')) {
        Some("start/running") => Some(true),
        Some("stop/waiting") => Some(false),
        Some(_) => None,
        None => return Err(Unknown(format!("initctl says \"{status}\""))),
    };
    let enabled = !fact("StartOn").is_empty() && fact("Manual").is_empty();
    let enablement = if enabled { "starts by itself" } else { "manual" };
    Ok(State { running, activity: status.to_owned(), enabled, enablement: enablement.to_owned() })
}

fn sysv<'a>(fact: &dyn Fn(&str) -> &'a str) -> Result<State, Unknown> {
    // LSB's exit codes of `status`: 0 running, 1 and 2 dead, 3 stopped, 4 unknown.
    let (running, activity) = match fact("Exit") {
        "0" => (Some(true), "running"),
        "1" | "2" => (Some(false), "dead"),
        "3" => (Some(false), "stopped"),
        other => return Err(Unknown(format!("its init script answers `status` with exit code {other}"))),
    };
    let link = fact("Link");
    let enablement = if link.is_empty() { "disabled".to_owned() } else { format!("enabled ({link})") };
    Ok(State { running, activity: activity.to_owned(), enabled: !link.is_empty(), enablement })
}

impl Expectation for Service {
    fn subject(&self) -> String {
        self.name.to_string()
    }

    fn claim(&self) -> String {
        let enabled = self.enabled.map(|enabled| if enabled { "enabled" } else { "disabled" });
        let running = self.running.map(|running| if running { "running" } else { "stopped" });
        let words: Vec<&str> = [enabled, running].into_iter().flatten().collect();
        format!("service {} is {}", self.name, words.join(" and "))
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let text = answers.to(&self.question())?.success()?;
        // A service that nobody has is not "stopped": the name may be misspelt.
        let Some(state) = state(text)? else { return Ok(Findings::failed("a service", "none of this name")) };
        let mut findings = Findings::default();
        if let Some(wanted) = self.enabled {
            let expected = if wanted { "enabled" } else { "disabled" };
            findings.expect(state.enabled == wanted, expected, state.enablement);
        }
        if let Some(wanted) = self.running {
            let expected = if wanted { "running" } else { "stopped" };
            findings.expect(state.running == Some(wanted), expected, state.activity);
        }
        Ok(findings)
    }
}
