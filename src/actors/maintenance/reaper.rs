//! Watches every connection from outside: a full socket stops its own tasks, timers and all, so nothing that must
//! happen to such a connection may be left to it.
//!
//! Once a second it checks the login deadline, silence, the token, and whether the outbox moves; a connection that is
//! over a deadline is closed, and one that does not end by itself is cut.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use crate::actors::connection::Connection;
use crate::actors::context::BrokerContext;
use crate::actors::delivery::fanout::announce;
use crate::protocol::CloseCode;
use crate::protocol::event::session::{BarrageDropped, TokenWillExpire};

/// Our choice: a second. Deadlines here are ten seconds and more.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a closed connection may take to read its last frames before it is cut.
const PARTING: Duration = Duration::from_secs(5);

/// How long before its end a token is announced to expire. Source: ZIM API reference, event `tokenWillExpire`.
const TOKEN_WARNING_MS: u64 = 30_000;

pub(crate) struct Reaper {
    context: Arc<BrokerContext>,
}

impl Reaper {
    /// Starts on the context's arbiter and ends with it.
    pub(crate) fn start(context: Arc<BrokerContext>) {
        let arbiter = context.arbiter.clone();
        Self::start_in_arbiter(&arbiter, move |_| Self { context });
    }

    fn look(&mut self, _: &mut Context<Self>) {
        let now = self.context.clock.elapsed();
        let wall_ms = self.context.clock.wall_ms();
        for connection in self.context.connections.all() {
            match decide(&connection, now, wall_ms, &Deadlines::of(&self.context)) {
                Action::Stay => {}
                Action::Cut => connection.abort(),
                Action::Close(code) => {
                    tracing::debug!(session.id = %connection.session, reason = code.label(), waiting_bytes = connection.outbox.waiting_bytes(), "closing a session");
                    connection.close(code);
                }
                Action::Discard(code) => {
                    let user = connection.identity().map(|identity| identity.user.as_str());
                    tracing::info!(session.id = %connection.session, user.id = user, waiting_bytes = connection.outbox.waiting_bytes(), waiting_frames = connection.outbox.waiting_frames(), "slow consumer disconnected");
                    connection.outbox.discard(code.number(), code.label());
                }
                Action::Warn { seconds } => announce(&TokenWillExpire { second: seconds }, std::iter::once(&connection)),
            }
            if let Some(dropped) = connection.outbox.take_dropped_since_last().filter(|_| !connection.outbox.is_closed()) {
                announce(&BarrageDropped::for_session(dropped.barrage, dropped.command), std::iter::once(&connection));
            }
        }
    }
}

impl Actor for Reaper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.run_interval(LOOK_EVERY, Self::look);
        ctx.run_interval(Duration::from_secs(60), |reaper, _| reaper.context.gate.forget_idle());
    }
}

struct Deadlines {
    login: Duration,
    stalled: Duration,
}

impl Deadlines {
    fn of(context: &BrokerContext) -> Self {
        let server = &context.config().server;
        Self {
            login: Duration::from_secs(server.login_timeout_seconds),
            stalled: Duration::from_secs(context.config().shed.stalled_seconds),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Stay,
    Close(CloseCode),
    /// Close, and free what waits: nobody will read it.
    Discard(CloseCode),
    Cut,
    Warn {
        seconds: u64,
    },
}

fn decide(connection: &Connection, now: Duration, wall_ms: u64, deadlines: &Deadlines) -> Action {
    if let Some(closed) = connection.outbox.closed() {
        let over = connection.is_finished() || now.saturating_sub(closed.at) >= PARTING;
        return if over { Action::Cut } else { Action::Stay };
    }
    if connection.identity().is_none() && now.saturating_sub(connection.opened) >= deadlines.login {
        return Action::Close(CloseCode::LoginTimeout);
    }
    if connection.silent_for(now) >= connection.heartbeat * 3 / 2 {
        return Action::Close(CloseCode::Heartbeat);
    }
    if connection.outbox.waiting_bytes() > 0 && now.saturating_sub(connection.outbox.last_progress()) >= deadlines.stalled {
        return Action::Discard(CloseCode::Slow);
    }
    let expires_ms = connection.token_expires_at();
    if wall_ms >= expires_ms {
        return Action::Close(CloseCode::TokenExpired);
    }
    if connection.identity().is_some() && expires_ms - wall_ms <= TOKEN_WARNING_MS && connection.should_warn_of(expires_ms) {
        return Action::Warn { seconds: (expires_ms - wall_ms).div_ceil(1_000) };
    }
    Action::Stay
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::connection::feed::ConversationFeed;
    use crate::actors::connection::outbox::{Outbox, OutboxLimits};
    use crate::actors::connection::{ConnectionId, Identity};
    use crate::clock::{Clock, ManualClock};
    use crate::model::UserId;
    use crate::protocol::ClientLevel;

    const S: Duration = Duration::from_secs(1);
    const DEADLINES: Deadlines = Deadlines { login: Duration::from_secs(10), stalled: Duration::from_secs(20) };

    fn connection(clock: &Arc<ManualClock>) -> Connection {
        let limits = OutboxLimits { reliable_bytes_max: 1 << 20, reliable_frames_max: 64, lossy_bytes_max: 1 << 16 };
        Connection::new(ConnectionId(1), Outbox::new(limits, clock.clone()), None, clock.elapsed(), 30 * S)
    }

    fn login(connection: &Connection) {
        let identity = Identity {
            user: UserId::trusted("a"),
            device: crate::model::DeviceId::trusted("d"),
            level: ClientLevel::Since2_15,
            since: 1,
            feed: Arc::new(ConversationFeed::new(1)),
        };
        assert!(connection.identify(identity));
    }

    #[test]
    fn a_connection_without_login_ends_at_its_deadline() {
        let clock = Arc::new(ManualClock::at(0));
        let connection = connection(&clock);
        assert_eq!(decide(&connection, 9 * S, 0, &DEADLINES), Action::Stay);
        assert_eq!(decide(&connection, 10 * S, 0, &DEADLINES), Action::Close(CloseCode::LoginTimeout));
        login(&connection);
        assert_eq!(decide(&connection, 10 * S, 0, &DEADLINES), Action::Stay);
    }

    #[test]
    fn silence_ends_a_session_after_one_and_a_half_heartbeats() {
        let clock = Arc::new(ManualClock::at(0));
        let connection = connection(&clock);
        login(&connection);
        connection.touch(5 * S);
        assert_eq!(decide(&connection, 49 * S, 0, &DEADLINES), Action::Stay);
        assert_eq!(decide(&connection, 50 * S, 0, &DEADLINES), Action::Close(CloseCode::Heartbeat));
    }

    #[test]
    fn a_token_is_announced_once_thirty_seconds_before_it_ends_the_session() {
        let clock = Arc::new(ManualClock::at(0));
        let connection = connection(&clock);
        login(&connection);
        connection.token_expires(100_000);
        assert_eq!(decide(&connection, S, 69_999, &DEADLINES), Action::Stay);
        assert_eq!(decide(&connection, S, 70_000, &DEADLINES), Action::Warn { seconds: 30 });
        assert_eq!(decide(&connection, S, 71_000, &DEADLINES), Action::Stay);
        connection.token_expires(120_000);
        assert_eq!(decide(&connection, S, 95_000, &DEADLINES), Action::Warn { seconds: 25 });
        assert_eq!(decide(&connection, S, 120_000, &DEADLINES), Action::Close(CloseCode::TokenExpired));
    }

    #[test]
    fn who_does_not_read_is_discarded_and_then_cut() {
        let clock = Arc::new(ManualClock::at(0));
        let connection = connection(&clock);
        login(&connection);
        assert_eq!(connection.outbox.push("x".into()), crate::actors::connection::outbox::Push::Queued);
        clock.advance(19 * S);
        connection.touch(clock.elapsed());
        assert_eq!(decide(&connection, clock.elapsed(), 0, &DEADLINES), Action::Stay);
        clock.advance(S);
        assert_eq!(decide(&connection, clock.elapsed(), 0, &DEADLINES), Action::Discard(CloseCode::Slow));
        connection.outbox.discard(CloseCode::Slow.number(), CloseCode::Slow.label());
        assert_eq!(decide(&connection, clock.elapsed(), 0, &DEADLINES), Action::Stay);
        clock.advance(PARTING);
        assert_eq!(decide(&connection, clock.elapsed(), 0, &DEADLINES), Action::Cut);
    }
}
