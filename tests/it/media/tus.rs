//! Uploads that are resumed, cut, too slow, given up, or cut short by the broker's own end.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::media::fixture;
use crate::support::{Answer, To, World, fetch, fetch_bytes, soon};

pub(crate) struct Tus<'a> {
    world: &'a World,
    pub(crate) token: String,
}

impl<'a> Tus<'a> {
    pub(crate) fn of(world: &'a World, user: &str) -> Self {
        Self { world, token: format!("Bearer {}", world.token(user)) }
    }

    pub(crate) async fn ask(&self, request: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut headers = vec![("Tus-Resumable", "1.0.0"), ("Authorization", self.token.as_str())];
        headers.extend(more);
        let answer = fetch_bytes(self.world.address(), request, &headers, body).await;
        assert_eq!(answer.header("Tus-Resumable"), "1.0.0", "{request}");
        answer
    }

    /// `kind` in base64.
    pub(crate) async fn create(&self, bytes: usize, kind: &str) -> String {
        let metadata = format!("filename YS5iaW4=,kind {kind}");
        let answer = self.ask("POST /media/tus", &[("Upload-Length", &bytes.to_string()), ("Upload-Metadata", &metadata)], b"").await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert!(answer.header("Upload-Expires").ends_with("GMT"));
        answer.header("Location").to_owned()
    }

    pub(crate) async fn patch(&self, place: &str, offset: usize, more: &[(&str, &str)], bytes: &[u8]) -> Answer {
        let offset = offset.to_string();
        let mut headers = vec![("Upload-Offset", offset.as_str()), ("Content-Type", "application/offset+octet-stream")];
        headers.extend(more);
        self.ask(&format!("PATCH {place}"), &headers, bytes).await
    }

    pub(crate) async fn offset(&self, place: &str) -> String {
        let answer = self.ask(&format!("HEAD {place}"), &[], b"").await;
        assert_eq!(answer.header("Cache-Control"), "no-store");
        answer.header("Upload-Offset").to_owned()
    }

    /// Sends a part and vanishes in its midst; returns when the broker has noticed.
    async fn cut(&self, place: &str, offset: usize, bytes: &[u8], claimed: usize) {
        let mut stream = TcpStream::connect(self.world.address()).await.unwrap();
        let head = format!(
            "PATCH {place} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nAuthorization: {}\r\nUpload-Offset: {offset}\r\n\
             Content-Type: application/offset+octet-stream\r\nContent-Length: {claimed}\r\n\r\n",
            self.token
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let _gone = stream.read_to_end(&mut rest).await;
    }
}

const FILE: &str = "ZmlsZQ==";
const IMAGE: &str = "aW1hZ2U=";

#[tokio::test]
async fn the_protocol_is_announced_and_another_version_is_refused() {
    let world = World::start();
    let answer = fetch(world.address(), "OPTIONS /media/tus", &[], "").await;
    assert_eq!((answer.status, answer.header("Tus-Version")), (204, "1.0.0"));
    assert_eq!(answer.header("Tus-Extension"), "creation,termination,expiration,checksum");
    assert_eq!((answer.header("Tus-Max-Size"), answer.header("Tus-Checksum-Algorithm")), ("104857600", "sha1,sha256"));
    let answer = fetch(world.address(), "POST /media/tus", &[("Upload-Length", "1")], "").await;
    assert_eq!((answer.status, answer.header("Tus-Version")), (412, "1.0.0"));
}

#[tokio::test]
async fn an_upload_in_parts_is_one_file_in_the_end() {
    let world = World::builder().no_rates().start();
    let (mut alice, mut bob) = (world.client("alice").await, world.client("bob").await);
    let tus = Tus::of(&world, "alice");
    let bytes = fixture("picture.png");
    let place = tus.create(bytes.len(), IMAGE).await;
    let uid = place.rsplit('/').next().unwrap().to_owned();
    assert_eq!(tus.offset(&place).await, "0");
    let message = json!({"type": 11, "fileUID": uid});
    assert_eq!(alice.send(To::Peer("bob"), message.clone()).await.unwrap_err().code, 6_000_211, "not complete");
    let answer = tus.patch(&place, 0, &[], &bytes[..1000]).await;
    assert_eq!((answer.status, answer.header("Upload-Offset")), (204, "1000"));
    for wrong in [0, 999, 1001] {
        assert_eq!(tus.patch(&place, wrong, &[], b"x").await.status, 409);
    }
    // By another way, for those behind what lets only POST through.
    let override_patch =
        [("X-HTTP-Method-Override", "PATCH"), ("Upload-Offset", "1000"), ("Content-Type", "application/offset+octet-stream")];
    assert_eq!(tus.ask(&format!("POST {place}"), &override_patch, &bytes[1000..2000]).await.status, 204);
    let answer = tus.patch(&place, 2000, &[], &bytes[2000..]).await;
    assert_eq!((answer.status, answer.header("Upload-Offset")), (204, bytes.len().to_string().as_str()));
    assert_eq!(tus.offset(&place).await, bytes.len().to_string(), "complete, and still known");
    let info = tus.ask_info(&uid).await;
    assert_eq!((&info["kind"], &info["fileName"], &info["thumbnailWidth"]), (&json!("image"), &json!("a.bin"), &json!(264)));
    alice.send(To::Peer("bob"), message).await.unwrap();
    assert_eq!(bob.messages(1).await[0]["fileUID"], json!(uid));
}

impl Tus<'_> {
    async fn ask_info(&self, uid: &str) -> serde_json::Value {
        fetch(self.world.address(), &format!("GET /media/uploads/{uid}"), &[("Authorization", &self.token)], "").await.json()
    }
}

#[tokio::test]
async fn a_name_that_is_no_utf8_is_repaired_and_its_upload_goes_on() {
    let world = World::start();
    let tus = Tus::of(&world, "alice");
    // 报告.png in GBK, what is a text in nothing, and a value of bytes under a key that nobody knows.
    for (name, kept) in [("sai45i5wbmc=", "报告.png"), ("/////w==", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}")] {
        let metadata = format!("filename {name},kind {FILE},digest /wCA/g==");
        let created = tus.ask("POST /media/tus", &[("Upload-Length", "2"), ("Upload-Metadata", &metadata)], b"").await;
        assert_eq!(created.status, 201, "{}", created.body);
        let place = created.header("Location");
        assert_eq!(tus.patch(place, 0, &[], b"ok").await.status, 204);
        assert_eq!(tus.ask_info(place.rsplit('/').next().unwrap()).await["fileName"], kept);
    }
}

#[tokio::test]
async fn a_part_with_a_checksum_counts_only_when_it_matches() {
    let world = World::start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(11, FILE).await;
    assert_eq!(tus.patch(&place, 0, &[("Upload-Checksum", "sha1 xxxx")], b"hello").await.status, 460);
    assert_eq!(tus.offset(&place).await, "0");
    for wrong in ["md5 xxxx", "sha1", "sha1 !"] {
        assert_eq!(tus.patch(&place, 0, &[("Upload-Checksum", wrong)], b"hello").await.status, 400, "{wrong}");
    }
    assert_eq!(tus.patch(&place, 0, &[("Upload-Checksum", "sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=")], b"hello").await.status, 204);
    let rest = [("Upload-Checksum", "sha256 hZf5s4I0WSwKHfjTYQZyuWjMoqPr4ujnovDm9DBaf0I=")];
    assert_eq!(tus.patch(&place, 5, &rest, b" there").await.status, 460);
    assert_eq!(tus.patch(&place, 5, &[], b" world").await.status, 204);
    let uid = place.rsplit('/').next().unwrap();
    assert_eq!(tus.ask_info(uid).await["sha256"], "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9");
}

#[tokio::test]
async fn what_a_lost_connection_brought_stays_and_the_client_goes_on_from_there() {
    let world = World::builder().config(|config| config.media.stalled_seconds = 300).start();
    let tus = Tus::of(&world, "alice");
    let bytes: Vec<u8> = (0..300_000u32).map(|n| n.to_le_bytes()[0]).collect();
    let place = tus.create(bytes.len(), FILE).await;
    tus.cut(&place, 0, &bytes[..100_000], bytes.len()).await;
    let offset: usize = tus.offset(&place).await.parse().unwrap();
    assert!(offset <= 100_000, "{offset}");
    // One that hangs gives way to the one that comes back.
    let mut hanging = TcpStream::connect(world.address()).await.unwrap();
    let head = format!(
        "PATCH {place} HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nAuthorization: {}\r\nUpload-Offset: {offset}\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: 200000\r\n\r\nx",
        tus.token
    );
    hanging.write_all(head.as_bytes()).await.unwrap();
    let finished = async {
        loop {
            let offset: usize = tus.offset(&place).await.parse().unwrap();
            // Its one byte may have come by now; it is the right one then, or was never there.
            let answer = tus.patch(&place, offset, &[], &bytes[offset..]).await;
            if answer.status == 204 {
                return;
            }
            assert_eq!(answer.status, 409, "{}", answer.body);
        }
    };
    soon("the upload goes on", finished).await;
    let info = tus.ask_info(place.rsplit('/').next().unwrap()).await;
    assert_eq!(info["fileSize"], 300_000);
}

#[tokio::test]
async fn an_upload_is_its_owners_and_can_be_ended() {
    let world = World::start();
    let (tus, eve) = (Tus::of(&world, "alice"), Tus::of(&world, "eve"));
    let place = tus.create(10, FILE).await;
    for request in ["HEAD", "DELETE"] {
        assert_eq!(eve.ask(&format!("{request} {place}"), &[], b"").await.status, 404);
    }
    assert_eq!(eve.patch(&place, 0, &[], b"x").await.status, 404);
    assert_eq!(tus.ask(&format!("DELETE {place}"), &[], b"").await.status, 204);
    assert_eq!(tus.ask(&format!("HEAD {place}"), &[], b"").await.status, 404);
    for (headers, status) in [
        (vec![("Upload-Length", "0")], 201),
        (vec![("Upload-Length", "0"), ("Upload-Metadata", "kind aW1hZ2U=")], 413),
        (vec![("Upload-Length", "104857601")], 413),
        (vec![("Upload-Length", "x")], 400),
        (vec![], 400),
        (vec![("Upload-Length", "1"), ("Upload-Metadata", "kind eA==")], 400),
        (vec![("Upload-Length", "10485761"), ("Upload-Metadata", "kind aW1hZ2U=")], 413),
    ] {
        assert_eq!(tus.ask("POST /media/tus", &headers, b"").await.status, status, "{headers:?}");
    }
    let place = tus.create(3, FILE).await;
    assert_eq!(tus.patch(&place, 0, &[], b"four").await.status, 413, "more than was announced");
    let place = tus.create(4, IMAGE).await;
    let answer = tus.patch(&place, 0, &[], b"text").await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (415, Some(6_000_213)));
    assert_eq!(tus.ask(&format!("HEAD {place}"), &[], b"").await.status, 404, "refused, and gone");
}

#[tokio::test]
async fn uploads_that_nobody_goes_on_with_are_deleted() {
    let world = World::builder().frozen().start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(10, FILE).await;
    assert_eq!(tus.patch(&place, 0, &[], b"half").await.status, 204);
    world.advance(Duration::from_secs(86_401));
    let gone = async {
        while Tus::of(&world, "alice").ask(&format!("HEAD {place}"), &[], b"").await.status != 404 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("the upload is given up", gone).await;
    Tus::of(&world, "alice").create(10, FILE).await;
}

#[tokio::test]
async fn one_that_comes_too_slowly_is_cut_off() {
    let world = World::builder()
        .config(|config| {
            config.media.stalled_seconds = 1;
            config.media.bytes_per_second_min = 1000;
        })
        .start();
    let token = format!("Bearer {}", world.token("alice"));
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let head = format!("POST /media/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: 100000\r\n\r\nabc");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let answered = async {
        let mut chunk = [0; 1024];
        while !answer.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
            let read = stream.read(&mut chunk).await.unwrap();
            assert!(read > 0, "cut without a word");
            answer.extend_from_slice(&chunk[..read]);
        }
    };
    soon("an answer to the slow one", answered).await;
    assert!(answer.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn the_next_start_sweeps_what_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::builder().folder(folder.path()).start();
    let tus = Tus::of(&world, "alice");
    let place = tus.create(10, FILE).await;
    tus.patch(&place, 0, &[], b"half").await;
    world.stop().await;
    // As after a crash: a temporary file, and bytes whose record was not written.
    let incoming = folder.path().join("incoming");
    std::fs::create_dir_all(&incoming).unwrap();
    std::fs::write(incoming.join("left"), b"x").unwrap();
    let shelf = folder.path().join("media/ab");
    std::fs::create_dir_all(&shelf).unwrap();
    std::fs::write(shelf.join("ab000000000000000000000000000001.original"), b"x").unwrap();
    let world = World::builder().folder(folder.path()).start();
    assert_eq!(std::fs::read_dir(&incoming).unwrap().count(), 0);
    let swept = async {
        while std::fs::read_dir(&shelf).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("bytes without a record are deleted", swept).await;
    world.stop().await;
}
