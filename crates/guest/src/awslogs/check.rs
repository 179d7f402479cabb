//! `awslogs-agent check`: reads the configuration and says what would be shipped where, without shipping it.

use super::config::{LineStart, Loaded, LogStreamSettings, Names, Settings, Severity, Sources, load};
use super::datetime::TimeZone;
use std::io::{self, Write};

/// Everything is as it should be, but for warnings.
pub const FINE: u8 = 0;
/// Something would not be shipped.
pub const WRONG: u8 = 1;

/// Prints problems to `err` and what would be shipped to `out`; returns the exit code.
///
/// # Errors
/// When nobody reads what is printed.
pub fn run(sources: &Sources, names: &dyn Names, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let Loaded { settings, problems } = load(sources, names);
    for problem in &problems {
        writeln!(err, "{problem}")?;
    }
    if let Some(settings) = &settings {
        summary(settings, names, out)?;
        for stream in &settings.streams {
            section(stream, out)?;
        }
    }
    let wrong = problems.iter().any(|problem| problem.severity > Severity::Warning);
    Ok(if wrong { WRONG } else { FINE })
}

fn summary(settings: &Settings, names: &dyn Names, out: &mut dyn Write) -> io::Result<()> {
    let region = settings.region.clone().or_else(|| names.region());
    writeln!(out, "region      {}", region.as_deref().unwrap_or("unknown: name it in awscli.conf"))?;
    if let Some(endpoint) = &settings.endpoint {
        writeln!(out, "endpoint    {endpoint}")?;
    }
    let proxy = settings.proxy.https.as_deref().or(settings.proxy.http.as_deref());
    writeln!(out, "proxy       {}", proxy.map_or_else(|| "none".to_owned(), without_user))?;
    let credentials = if settings.credentials.is_some() { "an access key" } else { "the instance's role" };
    writeln!(out, "credentials {credentials}")?;
    writeln!(out, "state file  {}", settings.state_file.display())
}

fn section(stream: &LogStreamSettings, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n[{}]", stream.section)?;
    writeln!(out, "file        {}", stream.file.as_str())?;
    writeln!(out, "to          {} {}", stream.log_group_name, stream.log_stream_name)?;
    let zone = match stream.time_zone {
        TimeZone::Local => "LOCAL",
        TimeZone::Utc => "UTC",
    };
    match &stream.datetime_format {
        Some(format) => writeln!(out, "times       {} ({zone})", format.as_str())?,
        None => writeln!(out, "times       when a line is read")?,
    }
    match &stream.multi_line_start_pattern {
        LineStart::NotBlank => {}
        LineStart::Time(_) => writeln!(out, "events      begin with a time")?,
        LineStart::Pattern(pattern) => writeln!(out, "events      begin with {}", pattern.as_str())?,
    }
    if !stream.encoding.is_utf_8() {
        writeln!(out, "encoding    {}", stream.encoding.name())?;
    }
    let files = stream.file.files();
    if files.is_empty() {
        writeln!(out, "now         no such file")?;
    }
    for file in files {
        let bytes = file.metadata().map(|meta| meta.len()).unwrap_or_default();
        writeln!(out, "now         {} ({bytes} bytes)", file.display())?;
    }
    Ok(())
}

/// A proxy's address without its user and password.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        (None, Some((_, host))) => format!("***@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::awslogs::config::names::tests::Known;
    use std::path::Path;

    fn check(dir: &Path) -> (u8, String, String) {
        let sources = Sources {
            config: dir.join("awslogs.conf"),
            additional_configs_dir: dir.join("config"),
            aws_config: dir.join("awscli.conf"),
            proxy: dir.join("proxy.conf"),
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&sources, &Known(true), &mut out, &mut err).unwrap();
        (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    }

    #[test]
    fn what_would_be_shipped_where_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("app.log");
        std::fs::write(&log, "text\n").unwrap();
        let conf = format!(
            "[general]\nstate_file = /s\n[app]\nfile = {}*\nlog_group_name = g\nlog_stream_name = {{instance_id}}\n\
             datetime_format = %H:%M\nmulti_line_start_pattern = ^x\nencoding = latin_1\n",
            log.display()
        );
        std::fs::write(dir.path().join("awslogs.conf"), conf).unwrap();
        std::fs::write(dir.path().join("proxy.conf"), "HTTPS_PROXY=http://me:secret@p:1\n").unwrap();
        let (code, out, err) = check(dir.path());
        assert_eq!((code, err.as_str()), (FINE, ""));
        let expected = format!(
            "region      eu-west-1\nproxy       http://***@p:1\ncredentials the instance's role\nstate file  /s\n\n\
             [app]\nfile        {log}*\nto          g i-0123\ntimes       %H:%M (LOCAL)\nevents      begin with ^x\n\
             encoding    latin_1\nnow         {log} (5 bytes)\n",
            log = log.display()
        );
        assert_eq!(out, expected);
    }

    #[test]
    fn the_exit_code_tells_an_error_from_a_warning() {
        let dir = tempfile::tempdir().unwrap();
        let section = "file = /a\nlog_group_name = g\nlog_stream_name = s\n";
        for (conf, expected, said) in [
            (format!("[general]\n[a]\n{section}time_zone = CET\n"), FINE, "warning: "),
            (format!("[general]\n[a]\n{section}encoding = utf_16\n[b]\n{section}"), WRONG, "error: "),
            ("nonsense".to_owned(), WRONG, "error: "),
        ] {
            std::fs::write(dir.path().join("awslogs.conf"), &conf).unwrap();
            let (code, _, err) = check(dir.path());
            assert_eq!(code, expected, "{conf}: {err}");
            assert!(err.contains(said), "{err}");
        }
    }
}
