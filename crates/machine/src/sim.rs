//! A driver without an operating system: what machines do is written down beforehand. For tests of the control plane.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::driver::{
    ByteRange, Chunk, Driver, ExecOutcome, ExecRequest, InstanceSpec, Leftover, MachineStatus, Stillness,
    VolumeAttachment,
};
use crate::error::{BootError, DriverError};

/// What a boot is to come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its init runs after this long.
    Boots {
        /// How long the boot takes.
        after: Duration,
    },
    /// It ends before its init runs.
    Fails {
        /// What its console says.
        console: String,
    },
    /// It boots at once and ends by itself this long after.
    Dies {
        /// How long its init runs.
        after: Duration,
    },
}

/// Something that was asked of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `boot`, with what was asked for.
    Boot(Box<InstanceSpec>),
    /// `shutdown`.
    Shutdown(String),
    /// `reboot`.
    Reboot(String),
    /// `kill`.
    Kill(String),
    /// `destroy`.
    Destroy(String),
    /// `exec`, with the command.
    Exec(String, Vec<String>),
    /// `attach_volume`, with the volume's id.
    Attach(String, String),
    /// `detach_volume`, with the volume's id.
    Detach(String, String),
    /// `grow_volume`, with the volume's id and its new size in GiB.
    Grow(String, String, u32),
    /// `hold_still`.
    HoldStill(String),
}

/// What a command inside a simulated machine comes to.
pub type ExecScript = Box<dyn Fn(&str, &ExecRequest) -> ExecOutcome + Send + Sync>;

/// The simulated driver. Cheap to clone; clones are the same driver.
#[derive(Clone)]
pub struct SimDriver(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

struct Inner {
    default: Outcome,
    next: std::collections::VecDeque<Outcome>,
    machines: HashMap<String, Machine>,
    calls: Vec<Call>,
    exec: ExecScript,
    next_pid: i32,
}

#[derive(Default)]
struct Machine {
    state: State,
    /// Counts boots, so that what a former boot was to come to does not happen to a later one.
    boots: u64,
    console: Vec<u8>,
    files: HashMap<PathBuf, Vec<u8>>,
    volumes: Vec<VolumeAttachment>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Exited,
    Booting,
    Running(i32),
}

impl Default for SimDriver {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDriver {
    /// A driver whose machines boot at once, until it is told otherwise.
    pub fn new() -> Self {
        let inner = Inner {
            default: Outcome::Boots { after: Duration::ZERO },
            next: Default::default(),
            machines: HashMap::new(),
            calls: Vec::new(),
            exec: Box::new(|_, _| ExecOutcome::default()),
            next_pid: 1_000_000,
        };
        Self(Arc::new(Shared { inner: Mutex::new(inner), changed: watch::Sender::new(0) }))
    }

    /// What boots come to from now on.
    pub fn set_outcome(&self, outcome: Outcome) {
        self.0.inner.lock().default = outcome;
    }

    /// What the next boot comes to, after those already foreseen.
    pub fn foresee(&self, outcome: Outcome) {
        self.0.inner.lock().next.push_back(outcome);
    }

    /// What commands come to from now on.
    pub fn on_exec(&self, script: impl Fn(&str, &ExecRequest) -> ExecOutcome + Send + Sync + 'static) {
        self.0.inner.lock().exec = Box::new(script);
    }

    /// Ends a machine from outside, as somebody's `kill -9` does.
    pub fn die(&self, id: &str) {
        self.change(id, |machine| machine.state = State::Exited);
    }

    /// Adds to a machine's console.
    pub fn print(&self, id: &str, text: &str) {
        self.change(id, |machine| machine.console.extend_from_slice(text.as_bytes()));
    }

    /// Puts a file into a machine.
    pub fn put_file(&self, id: &str, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) {
        self.change(id, |machine| {
            machine.files.insert(path.into(), content.into());
        });
    }

    /// Everything that was asked so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0.inner.lock().calls.clone()
    }

    fn note(&self, call: Call) {
        self.0.inner.lock().calls.push(call);
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Machine)) {
        if let Some(machine) = self.0.inner.lock().machines.get_mut(id) {
            change(machine);
        }
        self.0.changed.send_modify(|version| *version += 1);
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&Machine) -> T) -> Result<T, DriverError> {
        let inner = self.0.inner.lock();
        inner.machines.get(id).map(look).ok_or_else(|| DriverError::Absent { id: id.to_owned() })
    }

    fn require_running(&self, id: &str) -> Result<(), DriverError> {
        match self.with(id, |m| m.state)? {
            State::Running(_) => Ok(()),
            State::Booting | State::Exited => Err(DriverError::NotRunning { id: id.to_owned() }),
        }
    }

    /// Begins a boot and says which one it is and what it comes to.
    fn begin(&self, spec: &InstanceSpec) -> Result<(u64, Outcome), BootError> {
        let mut inner = self.0.inner.lock();
        inner.calls.push(Call::Boot(Box::new(spec.clone())));
        if inner.machines.get(&spec.id).is_some_and(|m| m.state != State::Exited) {
            return Err(BootError::AlreadyRunning { id: spec.id.clone() });
        }
        let outcome = inner.next.pop_front().unwrap_or_else(|| inner.default.clone());
        let machine = inner.machines.entry(spec.id.clone()).or_default();
        machine.state = State::Booting;
        machine.boots += 1;
        machine.volumes = spec.volumes.clone();
        for file in &spec.files {
            let old = machine.files.entry(file.path.clone()).or_default();
            if !file.append {
                old.clear();
            }
            old.extend_from_slice(&file.content);
        }
        Ok((machine.boots, outcome))
    }

    /// Moves a machine from one state to another, unless it has been booted anew or moved on since.
    fn advance(&self, id: &str, boot: u64, from: fn(State) -> bool, to: State) -> bool {
        let mut moved = false;
        self.change(id, |machine| {
            if machine.boots == boot && from(machine.state) {
                machine.state = to;
                moved = true;
            }
        });
        moved
    }

    fn new_pid(&self) -> i32 {
        let mut inner = self.0.inner.lock();
        inner.next_pid += 1;
        inner.next_pid
    }

    /// Resolves when that boot is over, because the machine was killed or removed.
    async fn no_longer_boots(&self, id: &str, boot: u64) {
        let mut changed = self.0.changed.subscribe();
        while self
            .with(id, |machine| machine.boots == boot && machine.state == State::Booting)
            .unwrap_or(false)
        {
            // The sender lives as long as this driver does.
            if changed.changed().await.is_err() {
                break;
            }
        }
    }

    fn start(&self, id: &str, boot: u64) -> Result<(), BootError> {
        let running = State::Running(self.new_pid());
        match self.advance(id, boot, |s| s == State::Booting, running) {
            true => Ok(()),
            // Killed on the way.
            false => Err(BootError::Died { id: id.to_owned(), console: "(nothing)".to_owned() }),
        }
    }
}

#[async_trait]
impl Driver for SimDriver {
    async fn boot(&self, spec: &InstanceSpec) -> Result<(), BootError> {
        let (boot, outcome) = self.begin(spec)?;
        let id = spec.id.clone();
        match outcome {
            Outcome::Boots { after } => {
                tokio::select! {
                    () = tokio::time::sleep(after) => {}
                    () = self.no_longer_boots(&id, boot) => {}
                }
                self.start(&id, boot)
            }
            Outcome::Fails { console } => {
                self.print(&id, &console);
                self.advance(&id, boot, |_| true, State::Exited);
                Err(BootError::Died { id, console })
            }
            Outcome::Dies { after } => {
                self.start(&id, boot)?;
                let driver = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    driver.advance(&id, boot, |s| matches!(s, State::Running(_)), State::Exited);
                });
                Ok(())
            }
        }
    }

    async fn shutdown(&self, id: &str, _grace: Duration) -> Result<(), DriverError> {
        self.note(Call::Shutdown(id.to_owned()));
        self.with(id, |_| ())?;
        self.die(id);
        Ok(())
    }

    async fn reboot(&self, id: &str, _grace: Duration) -> Result<(), DriverError> {
        self.note(Call::Reboot(id.to_owned()));
        self.require_running(id)?;
        let pid = self.new_pid();
        self.change(id, |machine| machine.state = State::Running(pid));
        Ok(())
    }

    async fn kill(&self, id: &str) -> Result<(), DriverError> {
        self.note(Call::Kill(id.to_owned()));
        self.with(id, |_| ())?;
        self.die(id);
        Ok(())
    }

    async fn destroy(&self, id: &str) -> Result<(), DriverError> {
        self.note(Call::Destroy(id.to_owned()));
        self.0.inner.lock().machines.remove(id);
        self.0.changed.send_modify(|version| *version += 1);
        Ok(())
    }

    fn status(&self, id: &str) -> MachineStatus {
        match self.with(id, |m| m.state) {
            Err(_) => MachineStatus::Absent,
            Ok(State::Booting) => MachineStatus::Booting,
            Ok(State::Running(leader_pid)) => MachineStatus::Running { leader_pid },
            Ok(State::Exited) => MachineStatus::Exited,
        }
    }

    async fn exited(&self, id: &str) -> Result<(), DriverError> {
        let mut changed = self.0.changed.subscribe();
        while matches!(self.status(id), MachineStatus::Booting | MachineStatus::Running { .. }) {
            // The sender lives as long as this driver does.
            if changed.changed().await.is_err() {
                break;
            }
        }
        Ok(())
    }

    fn console(&self, id: &str, range: ByteRange) -> Result<Chunk, DriverError> {
        self.with(id, |machine| part_of(&machine.console, range))
    }

    async fn exec(&self, id: &str, request: ExecRequest) -> Result<ExecOutcome, DriverError> {
        self.note(Call::Exec(id.to_owned(), request.argv.clone()));
        self.require_running(id)?;
        Ok((self.0.inner.lock().exec)(id, &request))
    }

    async fn read_file(&self, id: &str, path: &Path, range: ByteRange) -> Result<Option<Chunk>, DriverError> {
        self.with(id, |machine| machine.files.get(path).map(|content| part_of(content, range)))
    }

    async fn attach_volume(&self, id: &str, volume: &VolumeAttachment) -> Result<(), DriverError> {
        self.note(Call::Attach(id.to_owned(), volume.volume_id.clone()));
        self.require_running(id)?;
        self.change(id, |machine| machine.volumes.push(volume.clone()));
        Ok(())
    }

    async fn detach_volume(&self, id: &str, volume_id: &str, _force: bool) -> Result<(), DriverError> {
        self.note(Call::Detach(id.to_owned(), volume_id.to_owned()));
        if !self.with(id, |machine| machine.volumes.iter().any(|v| v.volume_id == volume_id))? {
            let reason = "it is not attached".to_owned();
            return Err(DriverError::Volume { id: id.to_owned(), volume: volume_id.to_owned(), reason });
        }
        self.change(id, |machine| machine.volumes.retain(|v| v.volume_id != volume_id));
        Ok(())
    }

    async fn grow_volume(&self, id: &str, volume_id: &str, size_gib: u32) -> Result<(), DriverError> {
        self.note(Call::Grow(id.to_owned(), volume_id.to_owned(), size_gib));
        self.with(id, |_| ())
    }

    async fn hold_still(&self, id: &str) -> Result<Stillness, DriverError> {
        self.note(Call::HoldStill(id.to_owned()));
        self.require_running(id)?;
        Ok(Stillness::new(()))
    }

    fn instances(&self) -> Result<Vec<String>, DriverError> {
        let mut ids: Vec<String> = self.0.inner.lock().machines.keys().cloned().collect();
        ids.sort();
        Ok(ids)
    }

    fn leftovers(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        let unkept = self.instances()?.into_iter().filter(|id| !keep.contains(id));
        Ok(unkept.map(|instance| Leftover::Directory { path: PathBuf::from(&instance), instance }).collect())
    }

    async fn sweep(&self, keep: &[String]) -> Result<Vec<Leftover>, DriverError> {
        let found = self.leftovers(keep)?;
        for id in self.instances()?.into_iter().filter(|id| !keep.contains(id)) {
            self.destroy(&id).await?;
        }
        Ok(found)
    }
}

fn part_of(bytes: &[u8], range: ByteRange) -> Chunk {
    let size = bytes.len() as u64;
    let (offset, max) = range.within(size);
    let end = offset.saturating_add(max).min(size);
    // Both are at most the length, which is a usize.
    let bytes = bytes.get(offset as usize..end as usize).unwrap_or_default().to_vec();
    Chunk { offset, bytes, size }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn spec(id: &str) -> InstanceSpec {
        let root = VolumeAttachment {
            volume_id: "vol-1".into(),
            device: "/dev/xvda".into(),
            file: "/f".into(),
            size_gib: 8,
        };
        InstanceSpec {
            id: id.into(),
            hostname: "h".into(),
            image_layers: vec![],
            root,
            volumes: vec![],
            netns: "/n".into(),
            files: vec![],
            memory_mib: None,
            cpus: None,
        }
    }

    #[tokio::test]
    async fn follows_its_script() {
        let driver = SimDriver::new();
        driver.foresee(Outcome::Fails { console: "no init".into() });
        driver.foresee(Outcome::Dies { after: Duration::from_millis(30) });
        driver.foresee(Outcome::Boots { after: Duration::from_millis(10) });
        assert!(matches!(driver.boot(&spec("i-1")).await, Err(BootError::Died { .. })));
        assert_eq!(driver.status("i-1"), MachineStatus::Exited);
        assert_eq!(driver.console("i-1", ByteRange::Tail { max: 4 }).unwrap().bytes, b"init");

        let begun = Instant::now();
        driver.boot(&spec("i-1")).await.unwrap();
        assert!(matches!(driver.boot(&spec("i-1")).await, Err(BootError::AlreadyRunning { .. })));
        driver.exited("i-1").await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(30));

        let begun = Instant::now();
        driver.boot(&spec("i-1")).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(10));
        assert_eq!(driver.sweep(&["i-1".to_owned()]).await.unwrap(), []);
        driver.destroy("i-1").await.unwrap();
        assert_eq!(driver.status("i-1"), MachineStatus::Absent);
        assert_eq!(driver.calls().len(), 5);
    }

    #[tokio::test]
    async fn a_machine_killed_while_it_boots_did_not_boot() {
        let driver = SimDriver::new();
        driver.set_outcome(Outcome::Boots { after: Duration::from_secs(3600) });
        let boot = tokio::spawn({
            let driver = driver.clone();
            async move { driver.boot(&spec("i-1")).await }
        });
        while driver.status("i-1") != MachineStatus::Booting {
            tokio::task::yield_now().await;
        }
        driver.kill("i-1").await.unwrap();
        assert!(matches!(boot.await.unwrap(), Err(BootError::Died { .. })));
    }
}
