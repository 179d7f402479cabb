//! An OpenSSH server with keys and a configuration of its own, which ends with its value.

use std::{
    fs,
    io::Write,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use builder::{
    communicator::{Communicator, Exit, Output},
    ssh::{self, ConnectError, SshConfig},
};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A running server.
pub struct Sshd {
    pub port: u16,
    pub dir: TempDir,
    /// A private key that it lets in, in OpenSSH's form.
    pub key: String,
    _server: Server,
}

impl Sshd {
    /// A server that takes one Ed25519 key.
    pub fn start() -> Self {
        Self::with("")
    }

    /// A server with lines of its own in its configuration.
    pub fn with(lines: &str) -> Self {
        let prepared = Prepared::new(lines);
        let sshd = prepared.run();
        sshd.await_up();
        sshd
    }

    fn await_up(&self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "sshd does not start: {}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A path in its directory, as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    pub fn config(&self) -> SshConfig {
        let mut config = SshConfig::new(user());
        config.port = self.port;
        config.timeout = Duration::from_secs(20);
        config
    }

    pub async fn connect(&self) -> Arc<dyn Communicator> {
        self.connect_as(&self.config()).await.expect("a connection")
    }

    pub async fn connect_as(&self, config: &SshConfig) -> Result<Arc<dyn Communicator>, ConnectError> {
        ssh::connect(config, "127.0.0.1", Some(&self.key), CancellationToken::new()).await
    }
}

/// A server that is not running yet.
pub struct Prepared {
    pub port: u16,
    pub dir: TempDir,
    pub key: String,
}

impl Prepared {
    pub fn new(lines: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let key = make_key(dir.path(), "user", &["-t", "ed25519"]);
        make_key(dir.path(), "host", &["-t", "ed25519"]);
        fs::copy(dir.path().join("user.pub"), dir.path().join("authorized_keys")).expect("copied");
        let at = dir.path().display();
        // bash takes commands by SSH for logins and reads the tester's .bashrc, which may take long or print something;
        // not so when it is not the outermost shell.
        let config = format!(
            "{lines}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nPidFile none\nStrictModes no\n\
             AuthorizedKeysFile {at}/authorized_keys\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             LogLevel VERBOSE\nSetEnv SHLVL=1\nSubsystem sftp internal-sftp\nMaxStartups 100\nMaxSessions 100\n"
        );
        fs::write(dir.path().join("config"), config).expect("written");
        Self { port, dir, key }
    }

    pub fn run(self) -> Sshd {
        let program = Path::new("/usr/sbin/sshd");
        assert!(program.exists(), "these tests need OpenSSH's server: apt-get install openssh-server");
        if nix::unistd::geteuid().is_root() {
            // Debian's server wants it when root starts it; the service's unit would make it.
            fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let server = Server::start(self.dir.path());
        Sshd { port: self.port, dir: self.dir, key: self.key, _server: server }
    }
}

/// The server's process and those of its sessions; they end with it.
pub struct Server(Child);

impl Server {
    fn start(dir: &Path) -> Self {
        let command = |name: &str| dir.join(name);
        let server = Command::new("/usr/sbin/sshd")
            .arg("-D")
            .arg("-f")
            .arg(command("config"))
            .arg("-E")
            .arg(command("log"))
            .stdin(Stdio::null())
            .spawn();
        Self(server.expect("sshd starts"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Sessions leave the server's process group, so they are found by their parents.
        for pid in descendants(self.0.id()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

/// A process and all that it started, the parents first.
fn descendants(pid: u32) -> Vec<i32> {
    let mut found = vec![i32::try_from(pid).expect("a pid")];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        let children =
            fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        next += 1;
    }
    found
}

/// Starts a server that was there before, from its directory.
pub fn again(dir: &Path) -> Server {
    Server::start(dir)
}

pub fn user() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).expect("users").expect("this user").name
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).expect("a port").local_addr().expect("an address").port()
}

/// Makes a key pair by `ssh-keygen` and gives the private key.
pub fn make_key(dir: &Path, name: &str, options: &[&str]) -> String {
    let path = dir.join(name);
    run(Command::new("ssh-keygen").args(["-q", "-N", "", "-C", name, "-f"]).arg(&path).args(options));
    fs::read_to_string(path).expect("a key")
}

/// Lets another public key in.
pub fn authorize(sshd: &Sshd, public: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(sshd.path("authorized_keys")).expect("opened");
    writeln!(file, "{}", public.trim()).expect("written");
}

/// A command that kills the server's process of its own connection, a while after what was said before it is through.
pub const CUT: &str = "sleep 0.3; p=$$; while [ \"$(cat /proc/$p/comm)\" != sshd ]; do p=$(cut -d ' ' -f 4 /proc/$p/stat); \
                       done; kill -9 $p; sleep 5";

/// Runs a program of the host, which must succeed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?}: {error}; these tests need openssh-client and openssh-server", command.get_program())
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {said}", command.get_program());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o7777
}

/// Keeps a command's output.
#[derive(Default)]
pub struct Kept {
    pub stdout: Mutex<Vec<u8>>,
    pub stderr: Mutex<Vec<u8>>,
}

impl Kept {
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout.lock()).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock()).into_owned()
    }
}

impl Output for Kept {
    fn stdout(&self, bytes: &[u8]) {
        self.stdout.lock().extend_from_slice(bytes);
    }

    fn stderr(&self, bytes: &[u8]) {
        self.stderr.lock().extend_from_slice(bytes);
    }
}

/// Runs a command that must succeed, and gives its output.
pub async fn say(communicator: &dyn Communicator, command: &str) -> String {
    let kept = Kept::default();
    let exit = communicator.run(command, &kept).await.expect("it runs");
    assert_eq!(exit, Exit::Code(0), "{command}: {}", kept.err());
    kept.out()
}
