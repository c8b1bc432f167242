//! Looks at the disk, at the load of the broker and at empty rooms, again and again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::actors::context::BrokerContext;
use crate::actors::registries::Registries;
use crate::actors::room::Wake;
use crate::rate::{PressureGauge, Reading};
use crate::store::RoomRecord;

/// Our choice: with the default of 256 MiB a disk that takes 128 MiB a second is noticed in time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Looks at the disk between two looks at how large the store is.
const LOOKS_PER_SIZE: u32 = 30;

const SAMPLE_EVERY: Duration = Duration::from_millis(100);

/// Our choice: a second, a thirtieth of the grace that each room has after a start.
const END_ROOMS_EVERY: Duration = Duration::from_secs(1);

/// Runs until its thread ends.
pub(crate) async fn watch_disk(context: Arc<BrokerContext>) {
    for turn in 0u32.. {
        let its = context.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let config = its.config();
            its.disk.look(&config.server.data_dir, config.store.disk_free_bytes_min);
            if turn.is_multiple_of(LOOKS_PER_SIZE) {
                its.disk.measure(config.store_dir());
            }
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "looking at the disk ended unexpectedly");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Runs on the actors' thread until it ends.
pub(crate) async fn sample_load(context: Arc<BrokerContext>) {
    let mut gauge = PressureGauge::new(Duration::from_millis(context.config().shed.late_ms));
    loop {
        tokio::time::sleep(SAMPLE_EVERY).await;
        let asked = context.clock.elapsed();
        // Behind everyone who is ready now.
        tokio::task::yield_now().await;
        let now = context.clock.elapsed();
        gauge.set_late(Duration::from_millis(context.config().shed.late_ms));
        let appends_max = context.config().actors.appends_in_flight_max.max(1);
        let reading = Reading {
            turn: now.saturating_sub(asked),
            write: context.load.take_write_late(),
            store_percent: u32::try_from(context.archive.in_flight() * 100 / appends_max).unwrap_or(u32::MAX),
        };
        context.load.note_turn(reading.turn);
        let (before, level) = (context.load.level(), gauge.observe(now, reading));
        if level != before {
            tracing::info!(from = ?before, to = ?level, turn_ms = reading.turn.as_millis(), write_ms = reading.write.as_millis(), store_percent = reading.store_percent, "shedding changed");
            context.load.level.store(level.number(), Ordering::Relaxed);
        }
    }
}

/// Lets the rooms that were there stand as empty ones: their members get the grace to come back, then each room's own delay
/// runs.
pub(crate) fn let_stand(context: &BrokerContext, rooms: &[RoomRecord]) {
    let (now, grace) = (context.clock.elapsed(), context.config().room.grace_seconds);
    for room in rooms {
        let until = now + Duration::from_secs(grace + room.destroy_delay_seconds);
        context.standing.put(&room.id, until, room.made_by.as_ref());
    }
}

/// Ends rooms that stood empty long enough. Runs on the actors' thread until it ends.
pub(crate) async fn end_empty_rooms(actors: Arc<Registries>) {
    let context = &actors.context;
    loop {
        for room in context.standing.due(context.clock.elapsed()) {
            actors.rooms.send_here(&room, Wake).await;
        }
        tokio::time::sleep(END_ROOMS_EVERY).await;
    }
}
