//! `breakpoint`: waits for the user.

use packer_template::config::Breakpoint;
use tokio_util::sync::CancellationToken;

use super::ProvisionError;
use crate::ui::Ui;

/// Waits until enter is pressed, unless the breakpoint is disabled.
///
/// # Errors
/// When nobody can press it, or the build is cancelled meanwhile.
pub async fn run(config: &Breakpoint, ui: &dyn Ui, cancel: &CancellationToken) -> Result<(), ProvisionError> {
    let note = config.note.as_ref().map(|note| format!(" with note \"{note}\"")).unwrap_or_default();
    if config.disable {
        ui.say(&format!("Breakpoint provisioner{note} disabled; continuing..."));
        return Ok(());
    }
    ui.say(&format!("Pausing at breakpoint provisioner{note}."));
    let answer = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(ProvisionError::Cancelled),
        answer = ui.ask("Press enter to continue.") => answer,
    };
    match answer {
        Some(_) => Ok(()),
        None if cancel.is_cancelled() => Err(ProvisionError::Cancelled),
        None => Err(ProvisionError::NoTerminal),
    }
}
