//! The example in Rust of how a backend makes a token, as the page "Your own page" shows it.

#[expect(clippy::disallowed_methods, reason = "an example for programs outside of this one")]
#[path = "../web/docs/tokens/token.rs"]
// An example that other crates copy: visible to all, and short.
#[allow(unreachable_pub, clippy::expect_used)]
mod example;

use crate::support::{Login, World};

const SECRET: &str = "a secret with spaces, \"quotes\" and ünïcode";
const TOKEN_INVALID: u32 = 6_000_103;

#[tokio::test]
async fn a_token_made_as_the_page_says_logs_in_and_lets_in_nobody_else() {
    let world = World::with(|config| config.auth.secret = SECRET.to_owned());
    let token = example::token_for("from-rust", SECRET);
    let mut client = world.connect().await;
    for (user, token) in [("somebody-else", token.as_str()), ("from-rust", &example::token_for("from-rust", "another secret"))] {
        assert_eq!(client.code("login", Login { user, ..Login::default() }.args(token)).await, TOKEN_INVALID, "{user}");
    }
    client.login(&token, Login { user: "from-rust", ..Login::default() }).await;
}
