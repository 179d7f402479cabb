//! The two threads of a store: one writes memory into segments, one keeps segments few and free of dead events.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rustix::process::setpriority_process;
use rustix::thread::gettid;

use crate::StoreError;
use crate::engine::Engine;

/// How long to wait after a failure, such as a full disk, before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// How much the joining of segments yields to everything else.
const NICE: i32 = 10;
/// How often to look without having been woken.
const IDLE: Duration = Duration::from_secs(30);

/// Tells the threads that there may be something to do.
#[derive(Debug, Default)]
pub(crate) struct Wake {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wanted {
    seal: bool,
    compact: bool,
}

impl Wake {
    pub(crate) fn seal(&self) {
        self.wanted.lock().seal = true;
        self.changed.notify_all();
    }

    pub(crate) fn compact(&self) {
        self.wanted.lock().compact = true;
        self.changed.notify_all();
    }

    /// Both threads, to see that the store was closed.
    pub(crate) fn all(&self) {
        *self.wanted.lock() = Wanted { seal: true, compact: true };
        self.changed.notify_all();
    }

    fn wait(&self, timeout: Duration, mine: impl Fn(&mut Wanted) -> &mut bool) {
        let deadline = Instant::now() + timeout;
        let mut wanted = self.wanted.lock();
        while !*mine(&mut wanted) {
            if self.changed.wait_until(&mut wanted, deadline).timed_out() {
                return;
            }
        }
        *mine(&mut wanted) = false;
    }
}

/// Starts the threads. They end when the store is closed.
pub(crate) fn start(engine: &Arc<Engine>) -> Result<Vec<JoinHandle<()>>, StoreError> {
    let spawn = |name: &str, run: fn(&Engine)| {
        let shared = engine.clone();
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared));
        thread.map_err(StoreError::io("start a thread for", engine.layout.dir()))
    };
    Ok(vec![spawn("log-store-seal", keep_sealing)?, spawn("log-store-compact", keep_compacting)?])
}

fn keep_sealing(engine: &Engine) {
    let look = (engine.options.seal_after / 4).clamp(Duration::from_millis(10), IDLE);
    while !engine.is_closed() {
        engine.rotate_when_old();
        match engine.seal_oldest() {
            Ok(true) => {}
            Ok(false) => {
                engine.tidy();
                engine.wake.wait(look, |wanted| &mut wanted.seal);
            }
            Err(error) => pause(engine, &error, "log events stay in memory for now"),
        }
    }
}

fn keep_compacting(engine: &Engine) {
    // Nobody waits for it, while scans and appends want the same cores. On Linux this is about the thread alone.
    if let Err(error) = setpriority_process(Some(gettid()), NICE) {
        tracing::debug!(%error, "segments are joined at the priority of everything else");
    }
    while !engine.is_closed() {
        match engine.compact_once() {
            Ok(true) => {}
            Ok(false) => {
                engine.tidy();
                engine.wake.wait(IDLE, |wanted| &mut wanted.compact);
            }
            Err(StoreError::Closed) => return,
            Err(error) => pause(engine, &error, "segments of log events stay as they are for now"),
        }
    }
}

fn pause(engine: &Engine, error: &StoreError, consequence: &str) {
    tracing::warn!(%error, "{consequence}");
    let until = Instant::now() + PAUSE;
    while !engine.is_closed() && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
}

impl Engine {
    /// Freezes events that have been in memory for long. Leaves it to the next time when somebody is writing, who
    /// may be waiting for this very thread.
    fn rotate_when_old(&self) {
        let since = self.state.read().active.since();
        if since.is_none_or(|since| since.elapsed() < self.options.seal_after) {
            return;
        }
        if let Some(mut log) = self.log.try_lock()
            && let Err(error) = self.rotate(&mut log)
        {
            tracing::warn!(%error, "log events stay in memory for now");
        }
    }
}
