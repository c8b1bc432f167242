//! A page that is being developed on the machine of its broker: any loopback origin may use it, and what is refused is said how to allow.

use tidings::config::Config;

use crate::media::bearer;
use crate::support::{Client, World, fetch};

#[tokio::test]
async fn every_loopback_origin_may_use_a_broker_that_only_this_machine_reaches() {
    let world = World::with(|config: &mut Config| config.auth.secret.clear());
    for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://[::1]:8443"] {
        assert!(Client::try_connect(world.address(), &[("origin", origin)]).await.is_ok(), "{origin}");
        let headers = [("Origin", origin), ("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "authorization")];
        let answer = fetch(world.address(), "OPTIONS /media/uploads", &headers, "").await;
        assert_eq!(answer.header("Access-Control-Allow-Origin"), origin, "{answer:?}");
        let answer = fetch(world.address(), "GET /sdk/tidings.js", &[("Origin", origin)], "").await;
        assert_eq!((answer.status, answer.header("Access-Control-Allow-Origin")), (200, "*"));
    }
    let other = "http://app.example";
    let (status, body) = Client::try_connect(world.address(), &[("origin", other)]).await.err().unwrap();
    assert!(status == 403 && body.contains("server.origins"), "{body}");
    let answer = fetch(world.address(), "GET /media/uploads/x", &[("Origin", other), ("Authorization", &bearer("x"))], "").await;
    assert_eq!(answer.header("Access-Control-Allow-Origin"), "");
}

#[tokio::test]
async fn a_broker_with_a_secret_of_its_operators_lets_in_who_is_named() {
    let world = World::start();
    assert!(Client::try_connect(world.address(), &[("origin", "http://localhost:3000")]).await.is_err());
}
