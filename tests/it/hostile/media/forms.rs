//! Forms: what they take, what they may carry beside their file, and that no byte of it is lost without a word.

use serde_json::Value;

use super::{Slow, gauge};
use crate::media::{bearer, read, text, try_upload};
use crate::support::{Answer, To, World, fetch_bytes, until};

/// What a form takes of the quota while it is under way.
fn form_of(bytes: &[u8]) -> Vec<u8> {
    [b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n", bytes, b"\r\n--b--\r\n"].concat()
}

#[tokio::test]
async fn a_form_takes_what_it_announces_and_not_what_it_might_become() {
    let world = World::builder()
        .config(|config| {
            config.media.user_bytes_max = 1000;
            config.media.uploads_per_user_max = 20;
        })
        .start();
    let form = form_of(b"12345");
    let head = format!(
        "POST /media/uploads?kind=file HTTP/1.1\r\nAuthorization: {}\r\nContent-Type: multipart/form-data; boundary=b\r\n",
        bearer(&world.token("alice"))
    );
    let announced = format!("{head}Content-Length: {}", form.len());
    let mut forms = Vec::new();
    for _ in 0..9 {
        let mut slow = Slow::begin(&world, &announced).await;
        slow.send(&form[..form.len() - 12]).await;
        forms.push(slow);
    }
    until("nine uploads at once", || gauge(&world, "tidings_uploads_unfinished") == 9).await;
    assert_eq!(gauge(&world, "tidings_media_bytes"), 9 * form.len() as u64);
    // One of a length that is not told takes a step, or what it needs where there is less.
    let mut chunked = Slow::begin(&world, &format!("{head}Transfer-Encoding: chunked")).await;
    chunked.send(format!("{:x}\r\n", form.len()).as_bytes()).await;
    chunked.send(&[&form[..], b"\r\n0\r\n\r\n"].concat()).await;
    let (status, answer) = chunked.answer().await;
    assert_eq!(status, 201, "{answer}");
    for mut slow in forms {
        slow.send(&form[form.len() - 12..]).await;
        let (status, answer) = slow.answer().await;
        assert_eq!(status, 201, "{answer}");
    }
    until("all uploads to end", || gauge(&world, "tidings_uploads_unfinished") == 0).await;
    assert_eq!(gauge(&world, "tidings_media_bytes"), 10 * 5);
}

async fn post(world: &World, form: &[u8]) -> Answer {
    let token = bearer(&world.token("alice"));
    let headers = [("Authorization", token.as_str()), ("Content-Type", "multipart/form-data; boundary=b")];
    fetch_bytes(world.address(), "POST /media/uploads?kind=file", &headers, form).await
}

fn part(head: &str, bytes: &[u8]) -> Vec<u8> {
    [b"--b\r\nContent-Disposition: form-data; ", head.as_bytes(), b"\r\n\r\n", bytes, b"\r\n"].concat()
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--b--\r\n".to_vec()].concat()
}

#[tokio::test]
async fn what_a_part_says_of_its_length_cuts_nothing_off() {
    let world = World::builder().no_rates().start();
    for said in ["3", "7", "0", "x", "18446744073709551615"] {
        let file = part(&format!("name=\"file\"; filename=\"a\"\r\nContent-Length: {said}"), b"1234567");
        let answer = post(&world, &form(&[part("name=\"note\"\r\ncontent-length: 1", b"hello"), file])).await;
        assert_eq!((answer.status, answer.json()["fileSize"].as_u64()), (201, Some(7)), "{said}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_second_file_in_a_form_is_refused_and_nothing_of_it_is_kept() {
    let world = World::builder().no_rates().start();
    let (file, other) = (part("name=\"file\"; filename=\"a\"", b"one"), part("name=\"other\"; filename=\"b\"", b"two"));
    for parts in [[file.clone(), file.clone()], [file.clone(), other.clone()], [other.clone(), file.clone()]] {
        let answer = post(&world, &form(&parts)).await;
        assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(6_000_001)), "{}", answer.body);
        assert!(answer.body.contains("is a second file"), "{}", answer.body);
    }
    // One that has no end may have lost more than that.
    let answer = post(&world, &file).await;
    assert_eq!((answer.status, answer.json()["code"].as_u64()), (400, Some(6_000_001)), "{}", answer.body);
    assert_eq!(gauge(&world, "tidings_media_bytes"), 0);
    // What a page sends for a field for files that was left empty is no file.
    let empty = part("name=\"other\"; filename=\"\"", b"");
    let answer = post(&world, &form(&[empty.clone(), file, empty])).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[tokio::test]
async fn the_other_fields_of_a_form_are_bounded_together() {
    let world = World::builder().no_rates().config(|config| config.media.form_bytes_max = 1000).start();
    let (file, note) = (part("name=\"file\"; filename=\"a\"", b"one"), |bytes: usize| part("name=\"note\"", &vec![b'n'; bytes]));
    for (parts, status) in [
        (vec![note(400), file.clone(), note(600)], 201),
        (vec![note(400), file.clone(), note(601)], 400),
        (vec![note(1001), file.clone()], 400),
    ] {
        let answer = post(&world, &form(&parts)).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        if status == 400 {
            assert_eq!(answer.json()["code"], 6_000_001);
            assert!(answer.body.contains("note") && answer.body.contains("1000 bytes, the limit media.form_bytes_max"), "{}", answer.body);
        }
    }
    assert_eq!(gauge(&world, "tidings_media_bytes"), 3);
}

#[tokio::test]
async fn the_other_fields_of_a_form_must_come_as_fast_as_its_file() {
    let world = World::builder()
        .config(|config| {
            config.media.stalled_seconds = 1;
            config.media.bytes_per_second_min = 1000;
        })
        .start();
    let file = part("name=\"file\"; filename=\"a\"", b"one");
    let head = format!(
        "POST /media/uploads HTTP/1.1\r\nAuthorization: {}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9000",
        bearer(&world.token("alice"))
    );
    for begun in [b"--b\r\nContent-Dis".to_vec(), part("name=\"note\"", b"hel"), [file.clone(), part("name=\"note\"", b"h")].concat()] {
        let mut slow = Slow::begin(&world, &head).await;
        slow.send(&begun[..begun.len() - 2]).await;
        let (status, answer) = slow.answer().await;
        assert_eq!(status, 408, "{answer}");
    }
    until("the uploads to end", || gauge(&world, "tidings_uploads_unfinished") == 0).await;
}

#[tokio::test]
async fn other_sites_may_use_files_only_once_they_are_configured() {
    for (origins, wanted) in [(vec![], "same-site"), (vec!["https://app.example".to_owned()], "cross-origin")] {
        let world = World::builder().no_rates().config(|config| config.server.origins = origins).start();
        let (mut alice, bob) = (world.client("alice").await, world.client("bob").await);
        let file: Value = try_upload(&world, "alice", "file", "a", b"hello").await.json();
        alice.send(To::Peer("bob"), serde_json::json!({"type": 12, "fileUID": file["fileUID"]})).await.unwrap();
        let answer = read(&world, &bob, text(&file, "fileDownloadUrl")).await;
        assert_eq!((answer.status, answer.header("Cross-Origin-Resource-Policy")), (200, wanted));
    }
}
