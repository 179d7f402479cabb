//! Logging in: everything that the user can show, in the order agent, key file, the build's key, password.

use russh::{
    MethodKind, MethodSet,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse},
    keys::{
        HashAlg, PrivateKeyWithHashAlg,
        agent::{AgentIdentity, client::AgentClient},
    },
};

use super::{
    config::Secret,
    dial::{DialError, Events},
    key::Identity,
};

/// What one user can show one host, read and parsed.
#[derive(Clone, Default)]
pub(super) struct Proofs {
    /// The agent whose keys are tried.
    pub agent: Option<std::path::PathBuf>,
    /// Keys, in the order in which they are tried.
    pub identities: Vec<Identity>,
    /// The password.
    pub password: Option<Secret>,
}

/// A dialogue of the server that asks more often than this is not about a password.
const MAX_PROMPTS: usize = 10;

/// Logs in, or says what was tried and what the server takes.
pub(super) async fn log_in(
    handle: &mut Handle<Events>,
    user: &str,
    proofs: &Proofs,
) -> Result<(), DialError> {
    // Asking for nothing makes the server say what it takes, and is not counted against its limit of tries.
    let mut login = match handle.authenticate_none(user).await? {
        AuthResult::Success => return Ok(()),
        AuthResult::Failure { remaining_methods, .. } => {
            Login { handle, user, accepted: remaining_methods, tried: Vec::new() }
        }
    };
    if login.with_agent(proofs).await?
        || login.with_keys(proofs).await?
        || login.with_password(proofs).await?
    {
        return Ok(());
    }
    let Login { accepted, tried, .. } = login;
    Err(DialError::Refused { user: user.to_owned(), accepted: names(&accepted), tried })
}

struct Login<'a> {
    handle: &'a mut Handle<Events>,
    user: &'a str,
    accepted: MethodSet,
    tried: Vec<String>,
}

impl Login<'_> {
    fn takes(&self, method: MethodKind) -> bool {
        self.accepted.contains(&method)
    }

    /// Notes what came of showing `what`; true when the user is in.
    fn note(&mut self, result: AuthResult, what: String) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure { remaining_methods, partial_success } => {
                self.accepted = remaining_methods;
                self.tried.push(if partial_success { format!("{what} (not enough alone)") } else { what });
                false
            }
        }
    }

    async fn with_agent(&mut self, proofs: &Proofs) -> Result<bool, DialError> {
        let Some(socket) = proofs.agent.as_deref().filter(|_| self.takes(MethodKind::PublicKey)) else {
            return Ok(false);
        };
        let unusable = |source| DialError::Agent { socket: socket.to_owned(), source };
        let mut agent = AgentClient::connect_uds(socket).await.map_err(unusable)?;
        for identity in agent.request_identities().await.map_err(unusable)? {
            let what = format!("agent key {}", identity.comment());
            let key = identity.public_key().into_owned();
            // Only the best: an agent may have many keys, and a server counts the tries.
            let hash = if key.algorithm().is_rsa() { self.best_rsa_hash().await? } else { None };
            let shown = match identity {
                AgentIdentity::PublicKey { key, .. } => {
                    self.handle.authenticate_publickey_with(self.user, key, hash, &mut agent).await
                }
                AgentIdentity::Certificate { certificate, .. } => {
                    self.handle.authenticate_certificate_with(self.user, certificate, hash, &mut agent).await
                }
            };
            let result = shown.map_err(|error| DialError::Signing { reason: error.to_string() })?;
            if self.note(result, what) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_keys(&mut self, proofs: &Proofs) -> Result<bool, DialError> {
        for identity in &proofs.identities {
            if !self.takes(MethodKind::PublicKey) {
                break;
            }
            if let Some(certificate) = &identity.certificate {
                let result = self
                    .handle
                    .authenticate_openssh_cert(self.user, identity.key.clone(), certificate.clone())
                    .await?;
                if self.note(result, identity.name()) {
                    return Ok(true);
                }
            } else if self.with_key(identity).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn with_key(&mut self, identity: &Identity) -> Result<bool, DialError> {
        let hashes = if identity.key.algorithm().is_rsa() { self.rsa_hashes().await? } else { vec![None] };
        for (index, hash) in hashes.into_iter().enumerate() {
            // The first refusal of the same key says all that the user needs.
            if index > 0 {
                self.tried.pop();
            }
            let key = PrivateKeyWithHashAlg::new(identity.key.clone(), hash);
            let result = self.handle.authenticate_publickey(self.user, key).await?;
            if self.note(result, identity.name()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The signature hashes to try with an RSA key: the best one that the server knows, then the others, for what a
    /// server says it knows is not all that its configuration lets it accept.
    async fn rsa_hashes(&self) -> Result<Vec<Option<HashAlg>>, DialError> {
        let best = self.best_rsa_hash().await?;
        let others = [Some(HashAlg::Sha256), None].into_iter().filter(|hash| *hash != best);
        Ok([best].into_iter().chain(others).collect())
    }

    /// The best signature hash for RSA that the server says it knows. Those older than OpenSSH 7.2 say nothing.
    async fn best_rsa_hash(&self) -> Result<Option<HashAlg>, DialError> {
        Ok(self.handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha256)))
    }

    async fn with_password(&mut self, proofs: &Proofs) -> Result<bool, DialError> {
        let Some(password) = &proofs.password else {
            return Ok(false);
        };
        if self.takes(MethodKind::Password) {
            let result = self.handle.authenticate_password(self.user, password.expose()).await?;
            if self.note(result, "password".to_owned()) {
                return Ok(true);
            }
        }
        if self.takes(MethodKind::KeyboardInteractive) {
            return self.answer_prompts(password).await;
        }
        Ok(false)
    }

    /// Answers every question of a keyboard-interactive login with the password, as Packer does.
    async fn answer_prompts(&mut self, password: &Secret) -> Result<bool, DialError> {
        let mut reply = self.handle.authenticate_keyboard_interactive_start(self.user, None).await?;
        for _ in 0..MAX_PROMPTS {
            match reply {
                KeyboardInteractiveAuthResponse::Success => return Ok(true),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. } => {
                    self.accepted = remaining_methods;
                    break;
                }
                KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                    let answers = prompts.iter().map(|_| password.expose().to_owned()).collect();
                    reply = self.handle.authenticate_keyboard_interactive_respond(answers).await?;
                }
            }
        }
        self.tried.push("password (keyboard-interactive)".to_owned());
        Ok(false)
    }
}

fn names(methods: &MethodSet) -> Vec<String> {
    methods.iter().filter(|method| **method != MethodKind::None).map(String::from).collect()
}
