//! Reading `/var/log/ecs/ecs-agent.log`.
//!
//! Today's agents write `level=error time=… msg="…" error="…"`, those of Amazon Linux 1 `2018-03-01T10:00:00Z
//! [ERROR] …`.

/// How long a complaint may be: a refusal by IAM names the role, the action and the resource.
const LENGTH: usize = 400;

/// The agent's last error, unless it has been connected to its cluster since.
pub fn agent_trouble(log: &str) -> Option<String> {
    let mut trouble = None;
    for line in log.lines() {
        if line.contains("Connected to ACS endpoint") {
            trouble = None;
        } else if let Some(text) = error(line) {
            trouble = Some(text);
        }
    }
    trouble.map(|text| match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    })
}

/// What a line says when it tells of an error.
fn error(line: &str) -> Option<String> {
    if let Some((_, text)) = line.split_once("[ERROR] ") {
        return Some(text.trim().to_owned());
    }
    let fields = line.strip_prefix("level=error ").or_else(|| line.strip_prefix("level=critical "))?;
    match (field(fields, "msg"), field(fields, "error")) {
        (Some(message), Some(error)) => Some(format!("{message}: {error}")),
        (message, error) => message.or(error),
    }
}

/// The value of a quoted field, with its escapes undone.
fn field(line: &str, name: &str) -> Option<String> {
    let (_, rest) = line.split_once(&format!("{name}=\""))?;
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Some(value),
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENIED: &str = r#"level=error time=2026-11-21T04:20:35Z msg="Unable to register" error="AccessDeniedException: no \"x\"""#;
    const CONNECTED: &str = r#"level=info time=2026-11-21T04:20:36Z msg="Connected to ACS endpoint""#;

    #[test]
    fn the_last_error_counts_until_the_agent_is_connected() {
        let told = "Unable to register: AccessDeniedException: no \"x\"";
        for (log, expected) in [
            (String::new(), None),
            (CONNECTED.to_owned(), None),
            (format!("{DENIED}\nlevel=info msg=\"Registering Instance with ECS\"\n"), Some(told)),
            (format!("{DENIED}\n{CONNECTED}\n"), None),
            (format!("{CONNECTED}\n{DENIED}\n"), Some(told)),
            ("level=error time=x msg=\"cut".to_owned(), Some("cut")),
            (
                "2018-03-01T10:00:00Z [ERROR] Could not register: AccessDeniedException\n".to_owned(),
                Some("Could not register: AccessDeniedException"),
            ),
        ] {
            assert_eq!(agent_trouble(&log).as_deref(), expected, "{log}");
        }
    }

    #[test]
    fn a_long_complaint_is_cut() {
        let told = agent_trouble(&format!("level=error msg=\"{}\"", "é".repeat(1000))).unwrap_or_default();
        assert_eq!(told.chars().count(), LENGTH + 1);
    }
}
