//! A backend that calls in the vendor's shape.

use std::cell::Cell;

use md5::{Digest as _, Md5};
use serde_json::Value;
use tidings::config::Config;

use super::{Answer, T0, World, WorldBuilder, fetch};

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const APP: u32 = 1_234_567_890;

pub(crate) struct Vendor<'a> {
    pub(crate) world: &'a World,
    nonces: Cell<u64>,
}

pub(crate) fn switched_on(config: &mut Config) {
    config.auth.app_id = APP;
    config.vendor_api.enabled = true;
    config.vendor_api.server_secret = SECRET.to_owned();
}

pub(crate) fn md5_of(app: u32, nonce: &str, secret: &str, seconds: u64) -> String {
    let digest = Md5::digest(format!("{app}{nonce}{secret}{seconds}").as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> Vendor<'a> {
    /// Makes the backend of a world whose time stands still.
    pub(crate) fn of(world: &'a World) -> Self {
        Self { world, nonces: Cell::new(0) }
    }

    pub(crate) fn builder() -> WorldBuilder {
        World::builder().frozen().config(switched_on)
    }

    pub(crate) fn nonce(&self) -> String {
        self.nonces.set(self.nonces.get() + 1);
        format!("{:016x}", self.nonces.get())
    }

    /// Returns a signed query, with more parameters before the signature.
    pub(crate) fn query(&self, action: &str, more: &str) -> String {
        self.query_at(action, more, T0 / 1000)
    }

    pub(crate) fn query_at(&self, action: &str, more: &str, seconds: u64) -> String {
        let nonce = self.nonce();
        let signature = md5_of(APP, &nonce, SECRET, seconds);
        format!("/?Action={action}{more}&AppId={APP}&Timestamp={seconds}&SignatureNonce={nonce}&SignatureVersion=2.0&Signature={signature}")
    }

    pub(crate) async fn fetch(&self, request: &str, body: &str) -> Answer {
        let answer = fetch(self.world.address(), request, &[("Content-Type", "application/json")], body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// Returns the answer to a POST with this body.
    pub(crate) async fn post(&self, action: &str, body: Value) -> Value {
        self.fetch(&format!("POST {}", self.query(action, "")), &body.to_string()).await.json()
    }

    /// Returns the answer to a GET with these parameters.
    pub(crate) async fn get(&self, action: &str, more: &str) -> Value {
        self.fetch(&format!("GET {}", self.query(action, more)), "").await.json()
    }

    /// Makes a POST that succeeds.
    pub(crate) async fn ok(&self, action: &str, body: Value) -> Value {
        let answer = self.post(action, body).await;
        assert_eq!(answer["Code"], 0, "{action}: {answer}");
        answer
    }

    /// Makes a GET that succeeds.
    pub(crate) async fn got(&self, action: &str, more: &str) -> Value {
        let answer = self.get(action, more).await;
        assert_eq!(answer["Code"], 0, "{action}: {answer}");
        answer
    }

    /// Returns the number a POST ends with.
    pub(crate) async fn code(&self, action: &str, body: Value) -> u64 {
        self.post(action, body).await["Code"].as_u64().unwrap()
    }
}
