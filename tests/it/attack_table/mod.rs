//! What each attack costs by itself: a broker of its own, and a hundred healthy clients that talk beside it.
//!
//! `TIDINGS_FULL=1 cargo test --test it attack_table -- --nocapture` takes twenty minutes and prints the table
//! of `src/web/docs/measurements.md`.
//! `TIDINGS_FULL=searches` measures only attacks whose names have that in them. Without the variable a few of the attacks are
//! measured, for some seconds each.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_wrap, clippy::disallowed_methods, clippy::print_stdout)]

mod strangers;
mod users;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::hostile::attackers::{Attack, Target};
use crate::hostile::healthy::{Healthy, Newcomers};
use crate::hostile::{MIB, Program, Running, Watch, alone, bytes_below, resident};
use crate::support::fetch;

const HEALTHY: usize = 100;
/// How much more than before may be resident after an attack.
const KEPT_MAX: u64 = 64 * MIB;
/// A newcomer that gets in within this time finds a broker as it was before.
const AS_BEFORE: Duration = Duration::from_millis(250);
/// How late one in a hundred messages may be, and how long a newcomer may wait. Far more than it is: two cores may be shared with a
/// compiler.
const LATE_MAX: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_secs(60);

/// How long the phases of one measurement are.
struct Phases {
    quiet: Duration,
    attack: Duration,
    /// How long after its end what is resident is looked at; none: as soon as it is little enough, within a minute.
    rest: Option<Duration>,
}

type Launch = for<'a> fn(&'a mut Attack, &'a Target) -> BoxFuture<'a, ()>;

/// One attack.
struct Row {
    attack: &'static str,
    settings: &'static [(&'static str, &'static str)],
    /// Without a configured secret, so that demo tokens are given out.
    is_demo: bool,
    /// How much memory it may cost at most, MiB.
    growth_max: u64,
    /// Measured without `TIDINGS_FULL`, too.
    is_short: bool,
    launch: Launch,
}

impl Row {
    /// An attack on a broker with the defaults that costs no more than 48 MiB.
    const fn new(attack: &'static str, launch: Launch) -> Self {
        Self { attack, settings: &[], is_demo: false, growth_max: 48, is_short: false, launch }
    }

    fn program(&self) -> Arc<Program> {
        let settings = [&[("store.ballast_bytes", "0")], self.settings].concat();
        let program = Program::with(&settings);
        Arc::new(if self.is_demo { program.demo() } else { program })
    }

    async fn measure(&self, program: Arc<Program>, phases: &Phases) -> Measured {
        let running = program.run().await;
        let at = Target { program, address: running.address };
        let mut healthy = Healthy::gather(&at.program, at.address, HEALTHY).await;
        newcomer(&at, "the first").await;
        let quiet = healthy.talk(phases.quiet).await;

        let (before, disk_before) = (resident(running.pid()), bytes_below(&at.program.data()));
        let watch = Watch::on(running.pid());
        let mut attack = Attack::default();
        (self.launch)(&mut attack, &at).await;
        let coming = Newcomers::come(phases.attack, async |n| newcomer(&at, &n.to_string()).await);
        let (seen, newcomers) = tokio::join!(healthy.talk(phases.attack), coming);
        let attempts = attack.end().await;
        let recovery = recovered(&at).await;
        let disk = bytes_below(&at.program.data()).saturating_sub(disk_before);
        Measured {
            attempts,
            before,
            growth: watch.growth(),
            disk,
            quiet: quiet.p99(),
            attacked: seen.p99(),
            newcomers,
            recovery,
            sent: healthy.sent(),
            lost: healthy.sent().saturating_sub(healthy.received()),
            twice: seen.twice + quiet.twice,
            disconnected: healthy.disconnected(),
            kept: rest(&running, before, phases.rest).await,
        }
    }
}

/// Logs in as someone new, and uploads a file.
async fn newcomer(at: &Target, name: &str) {
    let user = format!("newcomer {name}").replace(' ', "-");
    drop(at.login(&user).await);
    let token = format!("Bearer {}", at.program.token(&user));
    let answer = fetch(at.address, "POST /media/uploads?kind=file", &[("Authorization", &token)], &"x".repeat(1_000)).await;
    assert_eq!(answer.status, 201, "{user}: {}", answer.body);
}

/// Returns how long it takes until whoever comes gets in as before.
async fn recovered(at: &Target) -> Duration {
    let began = Instant::now();
    for n in 0.. {
        let (asked, since) = (Instant::now(), began.elapsed());
        let after = Newcomers::come(Duration::from_millis(1), async |_| newcomer(at, &format!("after {n}")).await).await;
        if (after.turned_away == 0 && after.slowest <= AS_BEFORE) || asked.duration_since(began) > MINUTE {
            return since;
        }
    }
    unreachable!("it ends after a minute")
}

/// Lets the broker rest; returns how much more is resident than before, bytes.
async fn rest(running: &Running, before: u64, how_long: Option<Duration>) -> i64 {
    let began = Instant::now();
    let kept = || resident(running.pid()) as i64 - before as i64;
    while began.elapsed() < how_long.unwrap_or(MINUTE) && (how_long.is_some() || kept() > KEPT_MAX as i64) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    kept()
}

/// What an attack cost.
struct Measured {
    attempts: u64,
    before: u64,
    growth: u64,
    disk: u64,
    quiet: Duration,
    attacked: Duration,
    newcomers: Newcomers,
    recovery: Duration,
    sent: u64,
    lost: u64,
    twice: u64,
    disconnected: u64,
    kept: i64,
}

const HEAD: &str = "| attack | attempts | memory before, at most more, kept after a minute, MiB | disk, MiB | p99 quiet, attacked, ms | slowest newcomer, s | as before after, s | sent, lost, disconnected |
|---|---|---|---|---|---|---|---|";

impl Measured {
    /// Returns a line of the table.
    fn line(&self, attack: &str) -> String {
        format!(
            "| {attack} | {} | {}, +{}, {:+} | {} | {}, {} | {:.2} | {:.1} | {}, {}, {} |",
            self.attempts,
            self.before / MIB,
            self.growth / MIB,
            self.kept / MIB as i64,
            self.disk / MIB,
            self.quiet.as_millis(),
            self.attacked.as_millis(),
            self.newcomers.slowest.as_secs_f64(),
            self.recovery.as_secs_f64(),
            self.sent,
            self.lost,
            self.disconnected,
        )
    }

    /// Returns what must not be.
    fn faults(&self, row: &Row) -> Vec<String> {
        let checks = [
            (self.lost == 0 && self.twice == 0, "messages are lost or come twice"),
            (self.disconnected == 0, "healthy clients are disconnected"),
            (self.newcomers.turned_away == 0 && self.newcomers.slowest <= WAIT_MAX, "newcomers are turned away or wait for long"),
            (self.attacked <= LATE_MAX, "messages are late"),
            (self.growth <= row.growth_max * MIB, "memory grows beyond the attack's bound"),
            (self.kept <= KEPT_MAX as i64, "memory is not given back"),
            (self.recovery <= MINUTE, "nobody gets in as before"),
            (self.attempts > 0, "nothing was attempted"),
        ];
        checks.iter().filter(|(holds, _)| !holds).map(|(_, fault)| format!("{}: {fault}", row.attack)).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_attack_costs_little_beside_healthy_clients() {
    let _alone = alone().await;
    let full = std::env::var("TIDINGS_FULL").ok();
    let is_long = full.is_some();
    let named = full.filter(|named| named.parse::<u64>().is_err()).unwrap_or_default();
    let seconds = Duration::from_secs;
    let phases = match is_long {
        true => Phases { quiet: seconds(5), attack: seconds(15), rest: Some(MINUTE) },
        false => Phases { quiet: seconds(1), attack: seconds(3), rest: None },
    };
    let (mut table, mut faults) = (vec![HEAD.to_owned()], Vec::new());
    for row in strangers::ROWS.iter().chain(users::ROWS).filter(|row| (is_long || row.is_short) && row.attack.contains(&named)) {
        let program = row.program();
        let measured = AssertUnwindSafe(row.measure(program.clone(), &phases)).catch_unwind().await;
        let Ok(measured) = measured else {
            faults.push(format!("{}: it could not be measured; the broker said last:\n{}", row.attack, program.log()));
            continue;
        };
        table.push(measured.line(row.attack));
        println!("{}", measured.line(row.attack));
        faults.extend(measured.faults(row));
    }
    println!("\n{}", table.join("\n"));
    assert!(faults.is_empty(), "{faults:#?}");
}
