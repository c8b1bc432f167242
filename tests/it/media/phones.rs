//! Pictures as phones take them.

use serde_json::json;

use super::{fixture, image, read, text, upload};
use crate::support::{To, World};

#[tokio::test]
async fn a_heic_is_an_image_that_is_handed_out_as_it_came() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let file = upload(&world, "alice", "image", "photo.heic").await;
    alice.send(To::Peer("bob"), image(&file)).await.unwrap();
    let heard = bob.messages(1).await.remove(0);
    for name in ["originalImage", "largeImage", "thumbnail"] {
        let size = (&heard[format!("{name}Width")], &heard[format!("{name}Height")]);
        assert_eq!(size, (&json!(300), &json!(400)), "{name}, upright as it is shown");
    }
    // Nothing is made of it: it stands in for the smaller ones.
    for name in ["fileDownloadUrl", "largeImageDownloadUrl", "thumbnailDownloadUrl"] {
        let answer = read(&world, &bob, text(&heard, name)).await;
        assert_eq!((answer.status, answer.header("Content-Type")), (200, "image/heic"), "{name}");
        assert_eq!(answer.bytes, fixture("photo.heic"), "{name}");
    }
}
