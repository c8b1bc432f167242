// Crates: base64, hmac, sha2, serde_json.
use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};

pub fn token_for(user: &str, secret: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    let claims = serde_json::json!({"sub": user, "exp": now + 3600}).to_string();
    let body = format!("{}.{}", BASE64.encode(r#"{"alg":"HS256","typ":"JWT"}"#), BASE64.encode(claims));
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length").chain_update(&body).finalize();
    format!("{body}.{}", BASE64.encode(mac.into_bytes()))
}
