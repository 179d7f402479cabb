//! `[[file]]`: what is in the file system.

use crate::answer::{Answer, Answers, Question, Unknown, quote};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::values::{AbsolutePath, Mode, Name, Quantity, Several};
use crate::verdict::Findings;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    File,
    Directory,
    Symlink,
    Socket,
    Fifo,
    BlockDevice,
    CharacterDevice,
}

impl Type {
    /// How GNU's and BusyBox's `stat -c %F` call it.
    fn parse(words: &str) -> Option<Self> {
        Some(match words {
            "regular file" | "regular empty file" => Self::File,
            "directory" => Self::Directory,
            "symbolic link" => Self::Symlink,
            "socket" => Self::Socket,
            "fifo" => Self::Fifo,
            "block special file" => Self::BlockDevice,
            "character special file" => Self::CharacterDevice,
            _ => return None,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Socket => "a socket",
            Self::Fifo => "a fifo",
            Self::BlockDevice => "a block device",
            Self::CharacterDevice => "a character device",
        }
    }
}

/// What a file must be like. All but `symlink` and `target` are about what a symbolic link leads to.
#[derive(Clone, Debug, Default)]
struct Attributes {
    kind: Option<Type>,
    mode: Option<Mode>,
    owner: Option<Name>,
    group: Option<Name>,
    size: Option<Quantity>,
    sha256: Option<String>,
    target: Option<String>,
}

/// A file that must be there, or not.
#[derive(Debug)]
struct File {
    path: AbsolutePath,
    exists: bool,
    attributes: Attributes,
}

/// Whether any file's name matches a pattern.
#[derive(Debug)]
struct Glob {
    pattern: AbsolutePath,
    exists: bool,
}

const ATTRIBUTES: [&str; 7] = ["type", "mode", "owner", "group", "size", "sha256", "target"];

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let exists = entry.optional("exists").unwrap_or(true);
    let pattern: Option<AbsolutePath> = entry.optional("glob");
    let path: Option<Several<AbsolutePath>> = entry.optional("path");
    let attributes = read_attributes(entry);
    match (entry.has("path"), entry.has("glob")) {
        (true, true) => entry.complain(Some("glob"), "`path` and `glob` exclude each other"),
        (false, false) => entry.complain(None, "[[file]] has no `path` and no `glob`"),
        _ => {}
    }
    if entry.has("glob") {
        entry.refuse(&ATTRIBUTES, "of a `glob`, which asks only whether there is such a file");
    }
    if !exists {
        entry.refuse(&ATTRIBUTES, "about a file that does not exist");
    }
    match pattern {
        Some(pattern) => super::one(Some(Glob { pattern, exists })),
        None => super::each(path, |path| File { path, exists, attributes: attributes.clone() }),
    }
}

fn read_attributes(entry: &mut Entry<'_>) -> Attributes {
    let attributes = Attributes {
        kind: entry.optional("type"),
        mode: entry.optional("mode"),
        owner: entry.optional("owner"),
        group: entry.optional("group"),
        size: entry.optional("size"),
        sha256: entry.optional::<String>("sha256").map(|digest| digest.to_lowercase()),
        target: entry.optional("target"),
    };
    let is_digest =
        |digest: &String| digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !attributes.sha256.as_ref().is_none_or(is_digest) {
        entry.complain(Some("sha256"), "`sha256` must have 64 hexadecimal digits");
    }
    if attributes.target.is_some() && attributes.kind.is_some_and(|kind| kind != Type::Symlink) {
        entry.complain(Some("target"), "only a symbolic link has a `target`");
    }
    if attributes.kind == Some(Type::Symlink) || attributes.target.is_some() {
        entry.refuse(&["mode", "size", "sha256"], "of a symbolic link");
    }
    attributes
}

/// Prints what `stat -c %a %u %U %g %G %s %F` does, or `absent`. `options`: `-L` to follow links.
fn status_question(path: &AbsolutePath, options: &str) -> Question {
    let path = quote(&path.0);
    Question::new(format!(
        "[ -e {path} ] || [ -L {path} ] || {{ echo absent; exit; }}
exec stat {options} -c '%a %u %U %g %G %s %F' -- {path}"
    ))
}

impl File {
    fn own(&self) -> Question {
        status_question(&self.path, "")
    }

    fn followed(&self) -> Question {
        status_question(&self.path, "-L")
    }

    fn digest(&self) -> Question {
        Question::new(format!("exec sha256sum <{}", quote(&self.path.0)))
    }

    fn link(&self) -> Question {
        Question::new(format!("exec readlink -- {}", quote(&self.path.0)))
    }

    /// Whether it is the link itself that is looked at.
    fn is_link(&self) -> bool {
        self.attributes.kind == Some(Type::Symlink) || self.attributes.target.is_some()
    }

    fn judge_there(&self, own: &Status, answers: &Answers, findings: &mut Findings) -> Result<(), Unknown> {
        let wanted = &self.attributes;
        let followed;
        let status = if own.kind == Type::Symlink && !self.is_link() {
            let answer = answers.to(&self.followed())?.complete()?;
            // stat's own complaint about a link to nowhere.
            if answer.exit != 0 {
                findings.expect(false, "something there", "a symbolic link that leads to nothing");
                return Ok(());
            }
            followed = Status::read(answer)?;
            match &followed {
                Some(status) => status,
                None => return Err(Unknown(format!("{} changed while it was looked at", self.path))),
            }
        } else {
            own
        };
        let kind = if self.is_link() { Some(Type::Symlink) } else { wanted.kind };
        match kind {
            Some(kind) => findings.expect(status.kind == kind, kind.words(), status.kind.words()),
            None => findings.note(status.kind.words()),
        }
        if let Some(mode) = wanted.mode {
            findings.expect(status.mode == mode, format!("mode {mode}"), format!("mode {}", status.mode));
        }
        for (role, wanted, (id, name)) in
            [("owner", &wanted.owner, &status.owner), ("group", &wanted.group, &status.group)]
        {
            if let Some(wanted) = wanted {
                let holds = wanted.0 == *name || wanted.0 == *id;
                findings.expect(holds, format!("{role} {wanted}"), format!("{role} {name}"));
            }
        }
        if let Some(size) = wanted.size {
            findings.expect(status.size == size, size.to_string(), status.size.to_string());
        }
        self.judge_content(status, answers, findings)
    }

    fn judge_content(
        &self,
        status: &Status,
        answers: &Answers,
        findings: &mut Findings,
    ) -> Result<(), Unknown> {
        if let Some(wanted) = &self.attributes.sha256
            && status.kind == Type::File
        {
            let digest = answers.to(&self.digest())?.success()?.split(' ').next().unwrap_or_default();
            findings.expect(digest == wanted, format!("SHA-256 {wanted}"), format!("SHA-256 {digest}"));
        }
        if let Some(wanted) = &self.attributes.target
            && status.kind == Type::Symlink
        {
            let target = answers.to(&self.link())?.success()?.trim_end_matches('\n');
            findings.expect(target == wanted, format!("target {wanted}"), format!("target {target}"));
        }
        Ok(())
    }
}

impl Expectation for File {
    fn subject(&self) -> String {
        self.path.to_string()
    }

    fn claim(&self) -> String {
        let Attributes { kind, mode, owner, group, size, sha256, target } = &self.attributes;
        if !self.exists {
            return format!("{} does not exist", self.path);
        }
        let plain =
            mode.is_none() && owner.is_none() && group.is_none() && size.is_none() && sha256.is_none();
        match (kind, target) {
            (_, Some(target)) => format!("{} is a symbolic link to {target}", self.path),
            (Some(kind), None) => format!("{} is {}", self.path, kind.words()),
            (None, None) if plain => format!("{} exists", self.path),
            (None, None) => format!("{} is as it should be", self.path),
        }
    }

    fn questions(&self) -> Vec<Question> {
        let mut questions = vec![self.own()];
        if self.exists && !self.is_link() {
            questions.push(self.followed());
        }
        questions.extend(self.attributes.sha256.as_ref().map(|_| self.digest()));
        questions.extend(self.attributes.target.as_ref().map(|_| self.link()));
        questions
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let own = Status::read(answers.to(&self.own())?.complete()?)?;
        let mut findings = Findings::default();
        match own {
            None if self.exists => findings.expect(false, "something there", "nothing"),
            None => findings.note("it does not"),
            Some(own) if self.exists => self.judge_there(&own, answers, &mut findings)?,
            Some(own) => findings.expect(false, "nothing there", own.describe()),
        }
        Ok(findings)
    }
}

/// What `stat` says.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    mode: Mode,
    /// Id and name.
    owner: (String, String),
    group: (String, String),
    size: Quantity,
    kind: Type,
}

impl Status {
    /// None when there is no such file.
    fn read(answer: &Answer) -> Result<Option<Self>, Unknown> {
        let text = answer.success()?.trim_end();
        if text == "absent" {
            return Ok(None);
        }
        Self::parse(text).map(Some).ok_or_else(|| Unknown(format!("stat says \"{text}\"")))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(7, ' ');
        Some(Self {
            mode: Mode::parse(words.next()?)?,
            owner: (words.next()?.to_owned(), words.next()?.to_owned()),
            group: (words.next()?.to_owned(), words.next()?.to_owned()),
            size: Quantity(words.next()?.parse().ok()?),
            kind: Type::parse(words.next()?)?,
        })
    }

    fn describe(&self) -> String {
        format!("{}, mode {}, {}", self.kind.words(), self.mode, self.size)
    }
}

impl Glob {
    fn question(&self) -> Question {
        Question::new(format!(
            "for file in {}; do
    if [ -e \"$file\" ] || [ -L \"$file\" ]; then printf '%s\\n' \"$file\"; fi
done",
            glob_word(&self.pattern.0)
        ))
    }
}

/// A pattern as a word of a shell command, in which only `*` and `?` are special.
fn glob_word(pattern: &str) -> String {
    let is_wild = |c: char| matches!(c, '*' | '?');
    let mut word = String::new();
    let mut rest = pattern;
    while !rest.is_empty() {
        let end = rest.find(is_wild).unwrap_or(rest.len());
        let (plain, wild) = rest.split_at(end);
        if !plain.is_empty() {
            word += &quote(plain);
        }
        let end = wild.find(|c| !is_wild(c)).unwrap_or(wild.len());
        word += &wild[..end];
        rest = &wild[end..];
    }
    word
}

impl Expectation for Glob {
    fn subject(&self) -> String {
        self.pattern.to_string()
    }

    fn claim(&self) -> String {
        if self.exists {
            format!("there is a file {}", self.pattern)
        } else {
            format!("there is no file {}", self.pattern)
        }
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let files: Vec<&str> = answers.to(&self.question())?.success()?.lines().collect();
        let found = match files.as_slice() {
            [] => "none".to_owned(),
            [one] => (*one).to_owned(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        let mut findings = Findings::default();
        let expected = if self.exists { "at least one" } else { "none" };
        findings.expect(files.is_empty() != self.exists, expected, found);
        Ok(findings)
    }
}
