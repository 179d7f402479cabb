//! `[[mount]]`: what is mounted where.

use crate::answer::{Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{AbsolutePath, Quantity, Several};
use crate::verdict::Findings;

/// What must be mounted at a path, or that nothing is.
#[derive(Debug)]
struct Mount {
    path: AbsolutePath,
    mounted: bool,
    device: Option<AbsolutePath>,
    label: Option<String>,
    file_system: Option<String>,
    options: Vec<String>,
    size: Option<Quantity>,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let path = entry.required("path");
    let mounted = entry.optional("mounted").unwrap_or(true);
    let device = entry.optional("device");
    let label = entry.optional("label");
    let file_system = entry.optional("type");
    let options = entry.optional::<Several<String>>("options").map(|options| options.0).unwrap_or_default();
    let size = entry.optional("size");
    if !mounted {
        entry
            .refuse(&["device", "label", "type", "options", "size"], "about a path where nothing is mounted");
    }
    super::one(path.map(|path| Mount { path, mounted, device, label, file_system, options, size }))
}

impl Mount {
    fn table() -> Question {
        Question::new("cat /proc/self/mountinfo")
    }

    /// The device's number in hexadecimal digits: `MAJOR:MINOR`.
    fn device_number(device: &AbsolutePath) -> Question {
        Question::new(format!("stat -L -c %t:%T -- {}", quote(&device.0)))
    }

    /// The label on the device that is mounted last at the path, read from the device itself and not from a cache;
    /// blkid exits with 2 when there is none.
    fn label_question(&self) -> Question {
        let point = quote(&escape(&self.path.0));
        Question::new(format!(
            "source=
while read -r _ _ _ _ point rest; do
    [ \"$point\" != {point} ] || source=${{rest##* - }}
done </proc/self/mountinfo
set -f
set -- $source
[ $# -ge 2 ] || {{ echo 'nothing is mounted' >&2; exit 3; }}
exec blkid -p -s LABEL -o value -- \"$2\""
        ))
    }

    fn size_question(&self) -> Question {
        Question::new(format!("stat -f -c '%S %b' -- {}", quote(&self.path.0)))
    }

    fn judge_device(
        &self,
        wanted: &AbsolutePath,
        entry: &MountEntry<'_>,
        answers: &Answers,
    ) -> Result<Verified, Unknown> {
        let answer = answers.to(&Self::device_number(wanted))?.complete()?;
        if answer.exit != 0 {
            return Ok((false, wanted.to_string(), format!("{} (there is no {wanted})", entry.source)));
        }
        let number = device_number(&answer.stdout)
            .ok_or_else(|| Unknown(format!("stat says \"{}\" of {wanted}", answer.stdout.trim())))?;
        let holds = number == entry.device;
        // The kernel may know the device by another name.
        let found = if holds && entry.source != wanted.0 {
            format!("{wanted} (as {})", entry.source)
        } else {
            entry.source.clone()
        };
        Ok((holds, wanted.to_string(), found))
    }

    fn judge_label(&self, wanted: &str, answers: &Answers) -> Result<Verified, Unknown> {
        let answer = answers.to(&self.label_question())?.complete()?;
        let found = match answer.exit {
            0 => answer.stdout.trim_end_matches('\n'),
            2 => "",
            _ => return Err(answer.failure()),
        };
        let shown = if found.is_empty() { "no label".to_owned() } else { format!("label {found}") };
        Ok((found == wanted, format!("label {wanted}"), shown))
    }

    fn judge_size(&self, wanted: Quantity, answers: &Answers) -> Result<Verified, Unknown> {
        let text = answers.to(&self.size_question())?.success()?;
        let size = text.split_once(' ').and_then(|(block, blocks)| {
            let (block, blocks): (u64, u64) = (block.trim().parse().ok()?, blocks.trim().parse().ok()?);
            block.checked_mul(blocks).map(Quantity)
        });
        let size =
            size.ok_or_else(|| Unknown(format!("stat says \"{}\" of the file system", text.trim())))?;
        Ok((size >= wanted, format!("at least {wanted}"), size.to_string()))
    }
}

/// Whether something holds, what was expected, and what was found.
type Verified = (bool, String, String);

impl Expectation for Mount {
    fn subject(&self) -> String {
        self.path.to_string()
    }

    fn claim(&self) -> String {
        if self.mounted {
            format!("{} is mounted", self.path)
        } else {
            format!("nothing is mounted at {}", self.path)
        }
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![Self::table()];
        questions.extend(self.device.as_ref().map(Self::device_number));
        questions.extend(self.label.as_ref().map(|_| self.label_question()));
        questions.extend(self.size.map(|_| self.size_question()));
        questions
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let table = answers.to(&Self::table())?.success()?;
        let mounted = table.lines().filter_map(MountEntry::parse).rfind(|entry| entry.point == self.path.0);
        let mut findings = Findings::default();
        let Some(entry) = mounted else {
            findings.expect(!self.mounted, "a file system", "nothing");
            return Ok(findings);
        };
        if !self.mounted {
            return Ok(Findings::failed("nothing", format!("{}, {}", entry.source, entry.file_system)));
        }
        match &self.device {
            Some(device) => add(&mut findings, self.judge_device(device, &entry, answers)?),
            None => findings.note(&entry.source),
        }
        if let Some(label) = &self.label {
            add(&mut findings, self.judge_label(label, answers)?);
        }
        match &self.file_system {
            Some(wanted) => findings.expect(entry.file_system == wanted, wanted, entry.file_system),
            None => findings.note(entry.file_system),
        }
        let missing: Vec<&str> =
            self.options.iter().map(String::as_str).filter(|option| !entry.has(option)).collect();
        if !self.options.is_empty() {
            findings.expect(missing.is_empty(), format!("option {}", missing.join(", ")), entry.options());
        }
        if let Some(wanted) = self.size {
            add(&mut findings, self.judge_size(wanted, answers)?);
        }
        Ok(findings)
    }
}

fn add(findings: &mut Findings, (holds, expected, found): Verified) {
    findings.expect(holds, expected, found);
}

/// A line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
#[derive(Debug, PartialEq, Eq)]
struct MountEntry<'a> {
    device: (u32, u32),
    point: String,
    options: &'a str,
    file_system: &'a str,
    source: String,
    super_options: &'a str,
}

impl<'a> MountEntry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let (major, minor) = mount.next()?.split_once(':')?;
        let _root = mount.next()?;
        let point = unescape(mount.next()?);
        let options = mount.next()?;
        let mut rest = file_system.splitn(3, ' ');
        Some(Self {
            device: (major.parse().ok()?, minor.parse().ok()?),
            point,
            options,
            file_system: rest.next()?,
            source: unescape(rest.next()?),
            super_options: rest.next()?,
        })
    }

    /// Whether an option is in force: the mount's own or the file system's. It can be written to only where both say so.
    fn has(&self, option: &str) -> bool {
        let in_list = |list: &str| list.split(',').any(|one| one == option);
        if option == "rw" {
            return in_list(self.options) && in_list(self.super_options);
        }
        in_list(self.options) || in_list(self.super_options)
    }

    fn options(&self) -> String {
        let mut all: Vec<&str> = self.options.split(',').collect();
        all.extend(
            self.super_options.split(',').filter(|option| !self.options.split(',').any(|own| own == *option)),
        );
        all.join(",")
    }
}

/// Takes back the kernel's octal escapes of blanks, backslashes and `#`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Escapes a path as the kernel does in mountinfo.
fn escape(path: &str) -> String {
    path.chars()
        .map(|c| match c {
            ' ' => "\\040".to_owned(),
            '\t' => "\\011".to_owned(),
            '\n' => "\\012".to_owned(),
            '\\' => "\\134".to_owned(),
            other => other.to_string(),
        })
        .collect()
}

/// `stat`'s hexadecimal `MAJOR:MINOR`; 0:0 is no device.
fn device_number(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    let number = (u32::from_str_radix(major, 16).ok()?, u32::from_str_radix(minor, 16).ok()?);
    (number != (0, 0)).then_some(number)
}
