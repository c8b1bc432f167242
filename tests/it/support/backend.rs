//! A backend: calls of the server API with a key.

use serde_json::Value;
use tidings::auth::{ApiKeyFile, Scope};

use super::{Answer, World, fetch};

/// One key of one world.
pub(crate) struct Backend<'a> {
    world: &'a World,
    key: String,
}

impl World {
    /// Makes a backend with a key of its own for these scopes.
    pub(crate) fn backend(&self, name: &str, scopes: &[Scope]) -> Backend<'_> {
        let file = ApiKeyFile::among(tidings::broker::documents(&self.broker.config()).unwrap());
        let key = file.make(name, scopes.to_vec(), 0, 0).unwrap();
        #[cfg(feature = "cluster")]
        if !self.others.is_empty() {
            self.wait_until_known(&key);
        }
        Backend { world: self, key }
    }

    /// Waits until the broker accepts a key: those that share a database learn of it with their next heartbeat.
    #[cfg(feature = "cluster")]
    #[expect(clippy::disallowed_methods, reason = "nobody is told when a broker has learned of a key")]
    fn wait_until_known(&self, key: &str) {
        use std::io::{Read as _, Write as _};
        let began = std::time::Instant::now();
        loop {
            let mut stream = std::net::TcpStream::connect(self.address()).unwrap();
            let request = format!("GET /api/v1/stats HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            if !answer.starts_with("HTTP/1.1 401") {
                return;
            }
            assert!(began.elapsed() < std::time::Duration::from_secs(10), "the key is not known: {answer}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Makes one that may do everything.
    pub(crate) fn any_backend(&self) -> Backend<'_> {
        self.backend("backend", &[Scope::All])
    }
}

impl Backend<'_> {
    /// `GET /users`, below the API's own path. An empty body: none.
    pub(crate) async fn call(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        call(self.world, Some(&self.key), request, headers, body).await
    }

    /// Returns the answer of an accepted call.
    pub(crate) async fn ok(&self, request: &str, body: Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.call(request, &[], &body).await;
        assert_eq!(answer.status, 200, "{request} {body}: {}", answer.body);
        answer.json()
    }

    /// Returns the status and number of a refused call, which is a problem as documented.
    pub(crate) async fn refused(&self, request: &str, body: Value) -> (u16, u64) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        problem(&self.call(request, &[], &body).await)
    }
}

/// Returns the status and number of a problem.
pub(crate) fn problem(answer: &Answer) -> (u16, u64) {
    assert!(answer.header("Content-Type").starts_with("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status, "{problem}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    (answer.status, problem["code"].as_u64().unwrap())
}

/// Makes a call with any text as its key.
pub(crate) async fn call(world: &World, key: Option<&str>, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let (method, path) = request.split_once(' ').unwrap();
    let authorization = key.map(|key| format!("Bearer {key}"));
    let mut all = headers.to_vec();
    all.extend(authorization.as_ref().map(|value| ("Authorization", value.as_str())));
    if !body.is_empty() && !all.iter().any(|(name, _)| *name == "Content-Type") {
        all.push(("Content-Type", "application/json"));
    }
    fetch(world.address(), &format!("{method} /api/v1{path}"), &all, body).await
}
