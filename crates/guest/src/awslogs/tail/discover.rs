//! Which files there are: those that a pattern names, and their rotated generations beside them.

use crate::awslogs::config::{FilePattern, LinePattern};
use crate::awslogs::state::FileId;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Times of folders are this coarse, or finer: two changes within it may leave one time.
const COARSENESS: Duration = Duration::from_millis(100);
/// How often a folder is listed anew although it looks unchanged, and a pattern over several folders is looked up.
const RELOOK: Duration = Duration::from_secs(5);
/// How often files are looked up until two results agree: a file that is being renamed may be missed by one.
const LOOKUPS: usize = 20;

/// How a file came to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The configured pattern matches its path.
    Named,
    /// Its name is that of such a file with a rotation's number or date.
    Generation,
}

/// A file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub id: FileId,
    /// How long.
    pub size: u64,
    /// When it was last written to, in nanoseconds since 1970.
    pub modified: i64,
    /// Why it was looked at.
    pub role: Role,
}

impl Entry {
    fn of(path: PathBuf, role: Role) -> Option<Self> {
        let meta = std::fs::metadata(&path).ok().filter(Metadata::is_file)?;
        Some(Self { id: id_of(&meta), size: meta.len(), modified: modified_of(&meta), path, role })
    }

    /// Its place in the order of writing.
    pub fn age(&self) -> Age<'_> {
        Age::of(self.modified, self.role == Role::Named, &self.path)
    }

    /// Oldest first.
    pub fn sort(entries: &mut [Self]) {
        entries.sort_by(|one, other| one.age().cmp(&other.age()));
    }
}

/// The place of a file in the order of writing: later ones are greater. Times are coarse: of files last written to at
/// once, as far as can be told, the one that the pattern names is the youngest, and then the names tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age<'a>(i64, bool, Rank<'a>);

impl<'a> Age<'a> {
    /// The age of a file last written to at `modified`.
    pub fn of(modified: i64, is_named: bool, path: &'a Path) -> Self {
        Self(modified, is_named, Rank::of(path))
    }
}

/// What the name of a file tells about its age, by length first: `.10` is older than `.9`, `-10` is younger than `-9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank<'a> {
    /// It ends with a date or a serial number, which grow.
    Serial(usize, &'a Path),
    /// It ends with a point and a small number, which grows with every rotation: smaller ones are younger.
    Counter(Reverse<usize>, Reverse<&'a Path>),
    /// It ends with neither: the log itself.
    Plain(Reverse<usize>, Reverse<&'a Path>),
}

/// The most digits of a rotation's counter.
const COUNTER_DIGITS: usize = 4;

impl<'a> Rank<'a> {
    fn of(path: &'a Path) -> Self {
        let name = path.as_os_str().as_bytes();
        let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let stem = &name[..name.len() - digits];
        // A date may have points, too.
        let is_dated = stem.iter().rev().nth(1).is_some_and(u8::is_ascii_digit);
        if digits == 0 {
            Self::Plain(Reverse(name.len()), Reverse(path))
        } else if digits <= COUNTER_DIGITS && stem.ends_with(b".") && !is_dated {
            Self::Counter(Reverse(name.len()), Reverse(path))
        } else {
            Self::Serial(name.len(), path)
        }
    }
}

/// What a file is, apart from its name.
pub fn id_of(meta: &Metadata) -> FileId {
    FileId { dev: meta.dev(), ino: meta.ino() }
}

/// When it was last written to, in nanoseconds since 1970.
pub fn modified_of(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec())
}

/// Folders and the names in them, listed again only when they change. One for all patterns.
#[derive(Default)]
pub struct Folders {
    known: HashMap<PathBuf, Folder>,
    /// Counts looks: within one, a folder is looked at once.
    look: u64,
}

struct Folder {
    modified: Option<SystemTime>,
    listed: Instant,
    /// Changes may have been missed.
    unsure: bool,
    look: u64,
    /// Counts changes.
    version: u64,
    /// Sorted.
    names: Vec<OsString>,
    /// Tells one state of the folder from another.
    contents: u64,
}

impl Folders {
    /// Begins a new look at everything.
    pub fn next_look(&mut self) {
        self.look += 1;
    }

    /// The names in `path`, and a number that grows whenever they may have changed.
    fn list(&mut self, path: &Path) -> (u64, &[OsString]) {
        let look = self.look;
        let folder = self.known.entry(path.to_owned()).or_insert_with(|| Folder {
            modified: None,
            listed: Instant::now(),
            unsure: true,
            look: look.wrapping_sub(1),
            version: 0,
            names: Vec::new(),
            contents: 0,
        });
        if folder.look != look {
            folder.look = look;
            folder.refresh(path);
        }
        (folder.version, &folder.names)
    }

    /// Lists `paths` anew.
    fn list_again<'a>(&mut self, paths: impl Iterator<Item = &'a PathBuf>) {
        for path in paths {
            if let Some(folder) = self.known.get_mut(path) {
                folder.list(path);
            }
        }
    }
}

impl Folder {
    fn refresh(&mut self, path: &Path) {
        let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
        if modified == self.modified && !self.unsure && self.listed.elapsed() < RELOOK {
            return;
        }
        self.modified = modified;
        let age = modified.map(|modified| SystemTime::now().duration_since(modified));
        self.unsure = !matches!(age, Some(Ok(age)) if age > COARSENESS) && modified.is_some();
        let before = self.contents;
        self.list(path);
        if self.version == 0 || self.contents != before {
            self.version += 1;
        }
    }

    fn list(&mut self, path: &Path) {
        self.listed = Instant::now();
        let names = names(path);
        let mut hasher = DefaultHasher::new();
        names.hash(&mut hasher);
        self.contents = hasher.finish();
        self.names = names.into_iter().map(|(name, _)| name).collect();
    }
}

/// The names in a folder, sorted, with their inodes; none when it cannot be read.
fn names(path: &Path) -> Vec<(OsString, u64)> {
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    let mut names: Vec<_> = entries.flatten().map(|entry| (entry.file_name(), entry.ino())).collect();
    names.sort_unstable();
    names
}

/// Looks for the files of one section.
pub struct Search {
    what: What,
    blacklist: Option<LinePattern>,
    /// The version of each folder at the last look.
    seen: HashMap<PathBuf, u64>,
    looked: Option<Instant>,
    /// What was found then.
    found: Vec<(FileId, PathBuf)>,
}

enum What {
    File(PathBuf),
    Pattern(FilePattern),
}

impl Search {
    /// Looks for what `pattern` matches, but for files whose base name `blacklist` matches.
    pub fn pattern(pattern: &FilePattern, blacklist: Option<&LinePattern>) -> Self {
        let what = if pattern.is_wild() {
            What::Pattern(pattern.clone())
        } else {
            What::File(PathBuf::from(pattern.as_str()))
        };
        Self { what, blacklist: blacklist.cloned(), seen: HashMap::new(), looked: None, found: Vec::new() }
    }

    /// Looks for one file.
    pub fn file(path: &Path) -> Self {
        Self {
            what: What::File(path.to_owned()),
            blacklist: None,
            seen: HashMap::new(),
            looked: None,
            found: Vec::new(),
        }
    }

    /// The files, when they may be others than at the last call; `followed` are the paths known so far. None also when
    /// they are just being renamed: the next call looks again.
    pub fn look(&mut self, folders: &mut Folders, followed: &[&Path]) -> Option<Vec<Entry>> {
        let mut homes: Vec<PathBuf> = match &self.what {
            What::File(path) => vec![home(path)],
            What::Pattern(_) => followed.iter().copied().map(home).collect(),
        };
        homes.sort_unstable();
        homes.dedup();
        let versions: HashMap<PathBuf, u64> = homes
            .into_iter()
            .map(|home| {
                let version = folders.list(&home).0;
                (home, version)
            })
            .collect();
        let is_old = self.looked.is_none_or(|looked| looked.elapsed() >= RELOOK);
        if versions == self.seen
            && !(is_old && matches!(self.what, What::Pattern(_)))
            && self.looked.is_some()
        {
            return None;
        }
        self.seen = versions;
        let entries = self.stable_entries(folders, followed);
        self.looked = entries.is_some().then(Instant::now);
        entries
    }

    /// The files as they were at one moment; None when they change too fast. Generations are renamed one after the
    /// other: a single look may see one of them twice and miss another.
    fn stable_entries(&mut self, folders: &mut Folders, followed: &[&Path]) -> Option<Vec<Entry>> {
        let names_of = |entries: &[Entry]| -> Vec<(FileId, PathBuf)> {
            entries.iter().map(|entry| (entry.id, entry.path.clone())).collect()
        };
        let mut found = self.entries(folders, followed);
        let mut names = names_of(&found);
        // What is as it was at the last look needs no second one.
        let mut is_sure = names == self.found;
        for _ in 0..LOOKUPS {
            if is_sure {
                self.found = names;
                return Some(found);
            }
            folders.list_again(self.seen.keys());
            found = self.entries(folders, followed);
            let again = names_of(&found);
            is_sure = again == names;
            names = again;
        }
        None
    }

    /// Makes the next [`Search::look`] look, whatever the folders say.
    pub fn look_again(&mut self) {
        self.looked = None;
    }

    fn entries(&self, folders: &mut Folders, followed: &[&Path]) -> Vec<Entry> {
        let named: Vec<PathBuf> = match &self.what {
            What::File(path) => vec![path.clone()],
            What::Pattern(pattern) => {
                pattern.files().into_iter().filter(|path| !self.is_blacklisted(path)).collect()
            }
        };
        let mut found: Vec<Entry> =
            named.iter().filter_map(|path| Entry::of(path.clone(), Role::Named)).collect();
        let bases = named.iter().map(PathBuf::as_path).chain(followed.iter().copied());
        let mut generations: Vec<PathBuf> = bases.flat_map(|base| generations(folders, base)).collect();
        generations.sort_unstable();
        generations.dedup();
        generations.retain(|path| !named.contains(path));
        found.extend(generations.into_iter().filter_map(|path| Entry::of(path, Role::Generation)));
        // One file may be found under two names, by a link or while it is being renamed.
        let mut ids = std::collections::HashSet::new();
        found.retain(|entry| ids.insert(entry.id));
        found
    }

    fn is_blacklisted(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        self.blacklist.as_ref().is_some_and(|pattern| pattern.is_in(name.as_bytes()))
    }
}

fn home(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

/// The rotated generations of `base` that lie beside it.
fn generations(folders: &mut Folders, base: &Path) -> Vec<PathBuf> {
    let folder = home(base);
    let Some(name) = base.file_name() else { return Vec::new() };
    let (_, names) = folders.list(&folder);
    let from = names.partition_point(|other| other.as_os_str() < name);
    names[from..]
        .iter()
        .take_while(|other| other.as_bytes().starts_with(name.as_bytes()))
        .filter(|other| is_generation(name, other))
        .map(|other| folder.join(other))
        .collect()
}

/// Whether `name` is `base` with a rotation's ending: a number, a date or `old`.
pub fn is_generation(base: &OsStr, name: &OsStr) -> bool {
    let Some(ending) = name.as_bytes().strip_prefix(base.as_bytes()) else { return false };
    match ending {
        b".old" => true,
        [b'.' | b'-' | b'_', rest @ ..] => {
            rest.iter().any(u8::is_ascii_digit)
                && rest.iter().all(|byte| byte.is_ascii_digit() || b"-_.:T".contains(byte))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_files_written_to_at_once_the_names_tell_the_older() {
        let older_first = [
            ["app.log.2", "app.log.1"],
            ["app.log.10", "app.log.9"],
            ["app.log-000021", "app.log-000022"],
            ["app.log-9", "app.log-10"],
            ["app.log-20261120", "app.log-20261121"],
            ["ecs-agent.log.2026-11-21-09", "ecs-agent.log.2026-11-21-10"],
            ["app.log.2026.11.20", "app.log.2026.11.21"],
            ["app.log.20261120", "app.log"],
            ["app.log.1", "app.log"],
            ["app.log.old", "app.log"],
        ];
        for [older, younger] in older_first {
            let age = |name| Age::of(7, true, Path::new(name));
            assert!(age(older) < age(younger), "{older} is older than {younger}");
            assert!(Age::of(8, false, Path::new(older)) > age(younger), "the time of {older} tells more");
        }
    }

    #[test]
    fn generations_have_a_number_a_date_or_old_at_their_end() {
        let cases = [
            ("messages", false),
            ("messages.1", true),
            ("messages.12", true),
            ("messages-20261121", true),
            ("messages-20261121-1700000000", true),
            ("messages.2026-11-21-09", true),
            ("messages.old", true),
            ("messages.1.gz", false),
            ("messages-errors", false),
            ("messages2", false),
            ("messages.", false),
            ("other.1", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_generation(OsStr::new("messages"), OsStr::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn a_file_is_found_with_its_generations_and_again_when_they_change() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(dir.path().join(name), name).unwrap();
        let names = |entries: Vec<Entry>| {
            let name = |entry: Entry| (entry.path.file_name().unwrap().to_owned(), entry.role);
            let mut names: Vec<_> = entries.into_iter().map(name).collect();
            names.sort_by(|one, other| one.0.cmp(&other.0));
            names
        };
        write("a.log.1");
        write("b.log");
        let mut folders = Folders::default();
        let mut search = Search::file(&dir.path().join("a.log"));
        let mut look = |search: &mut Search| {
            folders.next_look();
            search.look(&mut folders, &[])
        };
        assert_eq!(names(look(&mut search).unwrap()), [("a.log.1".into(), Role::Generation)]);
        write("a.log");
        let found = names(look(&mut search).unwrap());
        assert_eq!(found, [("a.log".into(), Role::Named), ("a.log.1".into(), Role::Generation)]);
        std::thread::sleep(COARSENESS * 2);
        // Once more, since the last change was too fresh to be sure of; then no more.
        look(&mut search);
        assert_eq!(look(&mut search), None);
        std::fs::rename(dir.path().join("a.log.1"), dir.path().join("a.log.2")).unwrap();
        assert_eq!(names(look(&mut search).unwrap())[1].0, "a.log.2");
    }

    #[test]
    fn a_pattern_finds_new_files_and_passes_over_the_blacklisted() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.log", "b.log", "c.txt", "b.log.1"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let pattern = FilePattern::python(&format!("{}/*.log", dir.path().display())).unwrap();
        let mut search = Search::pattern(&pattern, Some(&LinePattern::new("^a").unwrap()));
        let mut folders = Folders::default();
        let mut found = search.look(&mut folders, &[]).unwrap();
        Entry::sort(&mut found);
        let names: Vec<_> = found.iter().map(|entry| entry.path.file_name().unwrap()).collect();
        assert_eq!(names.len(), 2);
        assert!(names.contains(&OsStr::new("b.log")) && names.contains(&OsStr::new("b.log.1")));
    }
}
