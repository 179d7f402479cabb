//! `-machine-readable`: one record a line, `TIME,BUILD,CATEGORY,VALUE…`.

use std::io::Write;

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Console, Kind, Line, text::prefixed};

/// Writes Packer's machine-readable records.
pub struct MachineReadable<W> {
    out: Mutex<W>,
}

impl<W: Write + Send> MachineReadable<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Mutex::new(out) }
    }
}

#[async_trait]
impl<W: Write + Send> Console for MachineReadable<W> {
    fn show(&self, line: Line<'_>) {
        let text = match line.target {
            Some(target) => prefixed(line.kind, target, line.text),
            None => line.text.to_owned(),
        };
        let kind = match line.kind {
            Kind::Say => "say",
            Kind::Message => "message",
            Kind::Error => "error",
        };
        self.record("", "ui", &[kind, &text]);
    }

    fn record(&self, target: &str, category: &str, values: &[&str]) {
        let record = record(Timestamp::now().as_second(), target, category, values);
        let mut out = self.out.lock();
        // Who has stopped reading does not want to know.
        let _ = out.write_all(record.as_bytes()).and_then(|()| out.flush());
    }

    async fn ask(&self, _question: Line<'_>, _cancel: &CancellationToken) -> Option<String> {
        None
    }
}

/// A record with its line end. Commas and line ends inside values are written as Packer writes them.
fn record(seconds: i64, target: &str, category: &str, values: &[&str]) -> String {
    let values: Vec<String> = values.iter().map(|value| escaped(value)).collect();
    format!("{seconds},{target},{category},{}\n", values.join(","))
}

fn escaped(value: &str) -> String {
    value.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that Packer 1.6.6 wrote.
    #[test]
    fn records_are_packers() {
        let cases: [(&str, &str, &[&str], &str); 4] = [
            (
                "bad",
                "error",
                &["Script exited with non-zero exit status: 3.Allowed exit codes are: [0]"],
                "1795240153,bad,error,Script exited with non-zero exit status: 3.Allowed exit codes are: [0]\n",
            ),
            ("null", "artifact", &["0", "id", "Null"], "1795240153,null,artifact,0,id,Null\n"),
            (
                "",
                "ui",
                &["say", "\n==> Wait completed after 49 milliseconds 195 microseconds"],
                "1795240153,,ui,say,\\n==> Wait completed after 49 milliseconds 195 microseconds\n",
            ),
            (
                "",
                "ui",
                &["say", "==> bad: Running the cleanup provisioner, if present..."],
                "1795240153,,ui,say,==> bad: Running the cleanup provisioner%!(PACKER_COMMA) if present...\n",
            ),
        ];
        for (target, category, values, expected) in cases {
            assert_eq!(record(1_795_240_153, target, category, values), expected);
        }
    }
}
