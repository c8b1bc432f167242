//! Calls in the vendor's shape: who may call, and how often.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tidings::config::VendorSignature;

use crate::support::vendor::{APP, SECRET, Vendor, md5_of, switched_on};
use crate::support::{T0, World, fetch};

const NOW: u64 = T0 / 1000;

fn query(app: &str, nonce: &str, seconds: &str, version: &str, signature: &str) -> String {
    format!(
        "GET /?Action=QueryAppGroupList&AppId={app}&Timestamp={seconds}&SignatureNonce={nonce}&SignatureVersion={version}&Signature={signature}"
    )
}

async fn code(vendor: &Vendor<'_>, request: &str) -> u64 {
    vendor.fetch(request, "").await.json()["Code"].as_u64().unwrap()
}

#[tokio::test]
async fn only_who_has_the_secret_is_answered_and_once_and_in_time() {
    let world = Vendor::builder().config(|config| config.vendor_api.group_lists_per_second = 100).start();
    let vendor = Vendor::of(&world);
    let app = APP.to_string();
    let signed = |nonce: &str, seconds: u64| query(&app, nonce, &seconds.to_string(), "2.0", &md5_of(APP, nonce, SECRET, seconds));
    let good = signed("aa", NOW);
    let answer = vendor.fetch(&good, "").await.json();
    assert_eq!((&answer["Code"], &answer["Message"]), (&json!(0), &json!("success")));
    assert!(!answer["RequestId"].as_str().unwrap().is_empty());
    assert_eq!(code(&vendor, &good).await, 100_000_005, "again");
    assert_eq!(code(&vendor, &signed("aa", NOW + 1)).await, 100_000_005, "the same nonce");
    for (seconds, wanted) in [(NOW - 600, 0), (NOW + 600, 0), (NOW - 601, 100_000_004), (NOW + 601, 100_000_004)] {
        assert_eq!(code(&vendor, &signed(&format!("t{seconds}"), seconds)).await, wanted, "{seconds}");
    }
    let right = md5_of(APP, "b", SECRET, NOW);
    let now = NOW.to_string();
    let wrong = [
        (query(&app, "b", &now, "2.0", &md5_of(APP, "b", "another secret of this length!!!", NOW)), 100_000_005),
        (query(&app, "b", &now, "2.0", &right[..31]), 100_000_005),
        (query(&app, "b", &now, "2.0", &format!("{right}00")), 100_000_005),
        (query(&app, "c", &now, "2.0", &right), 100_000_005),
        (query("1", "b", &now, "2.0", &md5_of(1, "b", SECRET, NOW)), 100_000_001),
        (query("x", "b", &now, "2.0", &right), 100_000_001),
        (query("", "b", &now, "2.0", &right), 100_000_001),
        (query(&app, "b", "", "2.0", &right), 100_000_002),
        (query(&app, "b", "soon", "2.0", &right), 100_000_003),
        (query(&app, "", &now, "2.0", &right), 100_000_008),
        (query(&app, &"n".repeat(65), &now, "2.0", &right), 100_000_008),
        (query(&app, "b", &now, "", &right), 100_000_013),
        (query(&app, "b", &now, "1.0", &right), 100_000_014),
        (query(&app, "b", &now, "2.0", ""), 100_000_009),
        ("GET /?Action=".to_owned(), 100_000_006),
    ];
    for (request, wanted) in wrong {
        assert_eq!(code(&vendor, &request).await, wanted, "{request}");
    }
    assert_eq!(code(&vendor, &query(&app, "b", &now, "2.0", &right.to_uppercase())).await, 0, "none of them took the nonce");
    assert_eq!(vendor.get("GetRich", "").await["Code"], 100_000_007);
}

#[tokio::test]
async fn hmac_covers_the_whole_call() {
    let hmac = |text: &str, body: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(format!("{text}\n{body}").as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let unsigned = |nonce: &str| format!("Action=UserRegister&AppId={APP}&Timestamp={NOW}&SignatureNonce={nonce}&SignatureVersion=2.0");
    let body = json!({"UserInfo": [{"UserId": "carol"}]}).to_string();
    for (kind, by_md5, by_hmac) in
        [(VendorSignature::Both, 0, 0), (VendorSignature::HmacSha256, 100_000_005, 0), (VendorSignature::Md5, 0, 100_000_005)]
    {
        let world = Vendor::builder().config(|config| config.vendor_api.signature = kind).start();
        let vendor = Vendor::of(&world);
        assert_eq!(vendor.code("UserRegister", json!({"UserInfo": [{"UserId": "dave"}]})).await, by_md5, "{kind:?}");
        let (text, other) = (unsigned("h1"), unsigned("h2"));
        let signature = hmac(&text, &body);
        let call = async |query: &str, signature: &str, body: &str| {
            vendor.fetch(&format!("POST /?{query}&Signature={signature}"), body).await.json()["Code"].as_u64().unwrap()
        };
        assert_eq!(call(&text, &signature, &body.replace("carol", "mallory")).await, 100_000_005, "another body");
        assert_eq!(call(&text.replace("UserRegister", "CreateRoom"), &signature, &body).await, 100_000_005, "another action");
        assert_eq!(call(&other, &format!("{}&RoomId=r", hmac(&other, &body)), &body).await, 100_000_005, "something behind it");
        assert_eq!(call(&text, &signature, &body).await, by_hmac, "{kind:?}");
    }
}

#[tokio::test]
async fn it_is_off_until_it_is_switched_on_and_the_page_stays() {
    let world = World::start();
    let vendor = Vendor::of(&world);
    let request = format!("GET {}", vendor.query("QueryAppGroupList", ""));
    let page = fetch(world.address(), &request, &[], "").await;
    assert!(page.body.starts_with("<!doctype html>") || page.body.starts_with("<!DOCTYPE html>"), "{page:?}");
    let request = format!("POST {}", vendor.query("QueryAppGroupList", ""));
    assert!(matches!(fetch(world.address(), &request, &[], "").await.status, 404 | 405));
    let world = Vendor::builder().start();
    let page = fetch(world.address(), "GET /", &[], "").await;
    assert_eq!((page.status, page.header("Content-Type")), (200, "text/html; charset=utf-8"));
    let world = World::builder().frozen().config(switched_on).mounted().start();
    let vendor = Vendor::of(&world);
    for prefix in ["/im", "/im/"] {
        let query = vendor.query("QueryAppGroupList", "");
        let answer = vendor.fetch(&format!("GET {prefix}{}", &query[1..]), "").await.json();
        assert!(answer["RequestId"].is_string(), "{answer}");
    }
}

#[tokio::test]
async fn each_action_has_its_rate_and_number() {
    let world = Vendor::builder().start();
    let vendor = Vendor::of(&world);
    let rates: [(&str, Value, usize, u64); 12] = [
        ("SendPeerMessage", json!({}), 20, 660_300_005),
        ("SendGroupMessage", json!({}), 10, 660_300_005),
        ("SendRoomMessage", json!({}), 10, 660_300_005),
        ("QueryRoomUserList", json!({}), 20, 660_300_006),
        ("QueryRoomMembers", json!({"RoomId": "r"}), 5, 660_300_006),
        ("QueryGroupMemberList", json!({}), 20, 660_600_004),
        ("KickoutGroupUser", json!({}), 20, 660_600_005),
        ("QueryAppGroupList", json!({}), 1, 660_600_007),
        ("CreateGroup", json!({}), 20, 660_600_010),
        ("UserRegister", json!({}), 20, 660_700_001),
        ("DismissGroup", json!({"GroupId": "g"}), 1, 660_300_006),
        ("InviteUsersIntoGroup", json!({"GroupId": "g"}), 1, 660_300_006),
    ];
    for (action, body, per_second, over) in &rates {
        for n in 0..*per_second {
            assert_ne!(vendor.code(action, body.clone()).await, *over, "{action} {n}");
        }
        assert_eq!(vendor.code(action, body.clone()).await, *over, "{action}");
    }
    assert_eq!(vendor.code("DismissGroup", json!({"GroupId": "other"})).await, 660_000_002, "another group has its own");
    world.advance(Duration::from_secs(1));
    assert_eq!(vendor.code("DismissGroup", json!({"GroupId": "g"})).await, 660_000_002);
}

/// One signature covers `AppId` and `SignatureNonce` side by side, so a digit could be moved from one to the other.
#[tokio::test]
async fn a_call_cannot_be_sent_again_with_its_numbers_spelled_differently() {
    let settings = |config: &mut tidings::config::Config| {
        config.auth.app_id = 0;
        config.vendor_api.group_lists_per_second = 100;
    };
    let world = Vendor::builder().config(settings).start();
    let vendor = Vendor::of(&world);
    let (signature, now) = (md5_of(0, "0a", SECRET, NOW), NOW.to_string());
    assert_eq!(code(&vendor, &query("0", "0a", &now, "2.0", &signature)).await, 0);
    assert_eq!(code(&vendor, &query("00", "a", &now, "2.0", &signature)).await, 100_000_001);
    let fresh = md5_of(0, "b", SECRET, NOW);
    assert_eq!(code(&vendor, &query("0", "b", &format!("0{now}"), "2.0", &fresh)).await, 100_000_003);
    assert_eq!(code(&vendor, &query("%2B0", "b", &now, "2.0", &fresh)).await, 100_000_001);
    assert_eq!(code(&vendor, &query("0", "b", &now, "2.0", &fresh)).await, 0, "none of them took the nonce");
}

#[tokio::test]
async fn nonces_are_bounded_and_bodies_too() {
    let world = Vendor::builder()
        .config(|config| {
            config.vendor_api.nonces_max = 1000;
            config.vendor_api.calls_per_second = 100_000;
            config.api.body_bytes_max = 1024;
        })
        .start();
    let vendor = Vendor::of(&world);
    let long = json!({"FromUserId": "x".repeat(1024)});
    assert_eq!(vendor.code("DestroyRoom", long).await, 100_000_012);
    assert_eq!(vendor.fetch(&format!("POST {}", vendor.query("DestroyRoom", "")), "[1]").await.json()["Code"], 660_000_002);
    // A nonce is used up before the body is read, too long or not.
    for _ in 2..1000 {
        assert_eq!(vendor.code("DestroyRoom", json!({})).await, 660_000_002);
    }
    assert_eq!(vendor.code("DestroyRoom", json!({})).await, 7);
    world.advance(Duration::from_secs(601));
    let later = vendor.fetch(&format!("GET {}", vendor.query_at("DestroyRoom", "&RoomId=r", NOW + 601)), "").await.json();
    assert_eq!(later["Code"], 660_300_001, "the old ones are forgotten");
}
