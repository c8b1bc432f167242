#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
//! A hundred thousand damaged files through every probe: no panic, no hang, no heap. Here alone, because it counts what is
//! allocated. `TIDINGS_MUTATIONS` says how many, `TIDINGS_SEED` repeats a run.

use std::alloc::System;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use cap::Cap;
use tidings::bench_support::probe;

#[global_allocator]
static HEAP: Cap<System> = Cap::new(System, usize::MAX);

const HEAP_GROWTH_MAX: usize = 64 << 20;
const TIME_MAX: Duration = Duration::from_secs(1);

/// What is damaged, and as what it is looked at. The images are small, so that many can be tried.
const FILES: &[(&str, &str)] = &[
    ("image", "picture.jpg"),
    ("image", "turned.jpg"),
    ("image", "picture.png"),
    ("image", "bomb.png"),
    ("image", "picture.bmp"),
    ("image", "picture.tiff"),
    ("image", "ycbcr.tiff"),
    ("image", "picture.gif"),
    ("image", "picture.webp"),
    ("audio", "cbr.mp3"),
    ("audio", "vbr.mp3"),
    ("audio", "bare.mp3"),
    ("audio", "aac.m4a"),
    ("audio", "alac.m4a"),
    ("audio", "pieces.m4a"),
    ("video", "h264.mp4"),
    ("video", "h264.mov"),
    ("video", "h265.mp4"),
    ("video", "h265.mov"),
    ("video", "av1.mp4"),
    ("video", "vp9.mp4"),
    ("video", "prores.mov"),
    ("video", "pieces.mp4"),
    ("video", "turned.mp4"),
    ("video", "trimmed.mov"),
    ("video", "behind-picture.mov"),
    ("audio", "pictured.m4a"),
    ("audio", "rates.mp3"),
    ("audio", "torn.mp3"),
    ("image", "photo.heic"),
    ("file", "picture.png"),
];

/// A small generator of its own, so that a seed means the same for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }
}

/// Changes some bytes, mostly near the front or the back, where heads and tables are; sometimes to what breaks arithmetic;
/// sometimes cuts, doubles or swaps a stretch.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    const SPECIAL: [u8; 6] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF];
    for _ in 0..=random.below(8) {
        if bytes.is_empty() {
            return;
        }
        let near = 1 + random.below(bytes.len().min(2048));
        let at = match random.below(3) {
            0 => near - 1,
            1 => bytes.len() - near,
            _ => random.below(bytes.len()),
        };
        match random.below(8) {
            0..=2 => bytes[at] = u8::try_from(random.next() & 0xFF).unwrap(),
            3 | 4 => {
                let value = SPECIAL[random.below(SPECIAL.len())];
                let end = bytes.len().min(at + 1 + random.below(8));
                bytes[at..end].fill(value);
            }
            5 => bytes.truncate(at),
            6 => {
                let end = bytes.len().min(at + random.below(256));
                let stretch = bytes[at..end].to_vec();
                bytes.splice(at..at, stretch);
            }
            _ => {
                let end = bytes.len().min(at + random.below(64));
                bytes.drain(at..end);
            }
        }
    }
}

#[test]
fn damaged_files_are_answered_quickly_in_little_memory_and_without_a_panic() {
    let number = |name: &str, default: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (count, seed) = (number("TIDINGS_MUTATIONS", 5_000), number("TIDINGS_SEED", 20_261_123).max(1));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files: Vec<(&str, &str, Vec<u8>)> = FILES.iter().map(|(kind, name)| (*kind, *name, fs::read(folder.join(name)).unwrap())).collect();
    for (kind, name, bytes) in &files {
        assert_eq!(probe(kind, bytes), *name != "bomb.png", "{name} as it is");
    }
    let before = HEAP.allocated();
    let mut random = Random(seed);
    let (mut accepted, mut slowest) = (0u64, (Duration::ZERO, String::new()));
    for n in 0..count {
        let (kind, name, bytes) = &files[usize::try_from(n).unwrap() % files.len()];
        let mut bytes = bytes.clone();
        damage(&mut bytes, &mut random);
        #[expect(clippy::disallowed_methods, reason = "a hang shows on no other clock")]
        let begun = Instant::now();
        let outcome = std::panic::catch_unwind(|| probe(kind, &bytes));
        let took = begun.elapsed();
        if took > slowest.0 {
            slowest = (took, format!("{name}, the {n}th with seed {seed}"));
        }
        match outcome {
            Ok(ok) => accepted += u64::from(ok),
            Err(_) => {
                let kept = std::env::temp_dir().join(format!("tidings-panic-{name}"));
                fs::write(&kept, &bytes).unwrap();
                panic!("{name}, the {n}th with seed {seed}, made a probe panic: {}", kept.display());
            }
        }
    }
    let growth = HEAP.max_allocated().saturating_sub(before);
    println!("{count} damaged files, {accepted} still of their kind, slowest {slowest:?}, heap growth {} KiB", growth / 1024);
    assert!(slowest.0 <= TIME_MAX, "{slowest:?}");
    assert!(growth <= HEAP_GROWTH_MAX, "{growth} bytes");
    assert!(accepted > count / 20 && accepted < count, "some are damaged beyond recognition, some are not: {accepted} of {count}");
}
