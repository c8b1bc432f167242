//! What the middleware tells the handlers of a caller, and what they tell it for the audit log.

use actix_web::{HttpMessage as _, HttpRequest};

use crate::auth::{ApiKey, Scope};

/// What a caller may do, and until when; handlers ask for it as `web::ReqData`.
#[derive(Debug, Clone)]
pub(super) struct CallerRights {
    scopes: Vec<Scope>,
    /// When its key ends, Unix milliseconds; 0: not by itself.
    pub(super) expires_ms: u64,
}

impl CallerRights {
    /// Returns what a key may do.
    pub(super) fn of_key(key: &ApiKey) -> Self {
        Self { scopes: key.scopes.clone(), expires_ms: key.expires_ms }
    }

    /// Returns what an operator may do who is signed in to the console: everything.
    pub(super) fn of_operator() -> Self {
        Self { scopes: vec![Scope::All], expires_ms: 0 }
    }

    /// Says whether it has a scope.
    pub(super) fn may(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|scope| *scope == Scope::All || *scope == wanted)
    }

    /// Says whether it has all that a key has.
    pub(super) fn may_all_of(&self, key: &ApiKey) -> bool {
        key.scopes.iter().all(|scope| self.may(*scope))
    }
}

/// What a call is done to, where its path does not say so. A handler puts it into the request's extensions; what it names is noted,
/// read or changed.
#[derive(Debug, Clone)]
pub(super) struct AuditTarget(pub(super) String);

/// Names for the audit log what is read, and as whom it is seen.
pub(super) fn note_reading(request: &HttpRequest, user: Option<&str>, conversation: Option<(&str, u8)>) {
    let kind = |number: u8| ["peer", "room", "group"].get(usize::from(number)).copied().unwrap_or("conversation");
    let place = conversation.map(|(id, number)| format!("{} {id}", kind(number)));
    let target = [place, user.map(|user| format!("as {user}"))].into_iter().flatten().collect::<Vec<_>>().join(" ");
    request.extensions_mut().insert(AuditTarget(target));
}
