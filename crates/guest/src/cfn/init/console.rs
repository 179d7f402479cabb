//! Short lines on standard error, with `-v`, that say which step is running: whoever reads the instance's console sees
//! where its set-up is.

use std::fmt;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// Standard error, or silence.
pub struct Console<'a> {
    sink: Option<Mutex<&'a mut (dyn Write + Send)>>,
}

impl<'a> Console<'a> {
    /// Writes to `sink` when `verbose`.
    pub fn new(verbose: bool, sink: &'a mut (dyn Write + Send)) -> Self {
        Self { sink: verbose.then(|| Mutex::new(sink)) }
    }

    /// Writes one line, after the tool's name.
    pub fn say(&self, message: impl fmt::Display) {
        if let Some(sink) = &self.sink {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            // The console is a courtesy; the log has it all.
            let _ = writeln!(sink, "cfn-init: {message}");
        }
    }
}
