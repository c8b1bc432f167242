//! A plain model of what the broker guarantees about conversations: lists of messages, and a few numbers per user. No
//! ticks, no rows, no resume: what is true after each step.

use std::collections::{BTreeMap, BTreeSet};

/// A conversation: a group's name, or the two users of a pair joined by `+`, the lesser first.
pub(super) type Conv = String;

#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) id: String,
    pub(super) order_key: u64,
    pub(super) from: String,
    /// The device that sent it, which alone does not receive it.
    pub(super) device: String,
    pub(super) names: Vec<String>,
    pub(super) all: bool,
    pub(super) revoked: bool,
}

/// What one user did with one conversation.
#[derive(Debug, Clone, Default)]
pub(super) struct Seat {
    /// The first and last seq this user may see; no last one while it is inside.
    pub(super) first: u64,
    pub(super) end: Option<u64>,
    read: u64,
    cleared: u64,
    hidden: u64,
    deleted: BTreeSet<u64>,
    pinned: bool,
    order_min: u64,
    muted: bool,
}

/// An entry of a list as a client sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) conv: Conv,
    pub(super) order_key: u64,
    pub(super) unread: u64,
    pub(super) pinned: bool,
    pub(super) muted: bool,
    pub(super) disabled: bool,
    pub(super) last: Option<(String, bool)>,
    /// Kind, sender, message.
    pub(super) mentions: Vec<(u64, String, String)>,
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) said: BTreeMap<Conv, Vec<Said>>,
    pub(super) seats: BTreeMap<(String, Conv), Seat>,
    /// The messages that each device must still receive: conversation and seq, by device.
    pub(super) owed: BTreeMap<String, Vec<(Conv, u64)>>,
}

pub(super) fn pair(one: &str, other: &str) -> Conv {
    if one < other { format!("{one}+{other}") } else { format!("{other}+{one}") }
}

impl Oracle {
    fn messages(&self, conv: &str) -> &[Said] {
        self.said.get(conv).map_or(&[], Vec::as_slice)
    }

    pub(super) fn head(&self, conv: &str) -> u64 {
        self.messages(conv).len() as u64
    }

    pub(super) fn seat(&mut self, user: &str, conv: &str) -> &mut Seat {
        self.seats.entry((user.into(), conv.into())).or_insert_with(|| Seat { first: 1, ..Seat::default() })
    }

    pub(super) fn is_inside(&self, user: &str, conv: &str) -> bool {
        self.seats.get(&(user.into(), conv.into())).is_some_and(|seat| seat.end.is_none())
    }

    /// Returns the users inside a conversation.
    pub(super) fn members(&self, conv: &str) -> Vec<String> {
        let inside = self.seats.iter().filter(|((_, of), seat)| of == conv && seat.end.is_none());
        inside.map(|((user, _), _)| user.clone()).collect()
    }

    /// Adds a message that was accepted. `devices` is every device there ever was, with its user.
    pub(super) fn say(&mut self, conv: &str, said: Said, devices: &BTreeMap<String, String>) {
        if let Some((one, other)) = conv.split_once('+') {
            self.seat(one, conv);
            self.seat(other, conv);
        }
        let members = self.members(conv);
        let from_device = said.device.clone();
        self.said.entry(conv.into()).or_default().push(said);
        let seq = self.head(conv);
        for (device, _) in devices.iter().filter(|(device, user)| members.contains(user) && **device != from_device) {
            self.owed.entry(device.clone()).or_default().push((conv.into(), seq));
        }
    }

    pub(super) fn join(&mut self, user: &str, conv: &str) {
        let head = self.head(conv);
        let seat = self.seat(user, conv);
        (seat.first, seat.end) = (head + 1, None);
    }

    pub(super) fn leave(&mut self, user: &str, conv: &str) {
        let head = self.head(conv);
        let seat = self.seat(user, conv);
        seat.end = Some(head);
    }

    /// Returns the seqs of a conversation that a user sees.
    pub(super) fn visible(&self, user: &str, conv: &str) -> Vec<(u64, &Said)> {
        let Some(seat) = self.seats.get(&(user.into(), conv.into())) else { return Vec::new() };
        let numbered = (1..).zip(self.messages(conv));
        let seen = numbered.filter(|(seq, _)| {
            *seq >= seat.first && *seq > seat.cleared && seat.end.is_none_or(|end| *seq <= end) && !seat.deleted.contains(seq)
        });
        seen.collect()
    }

    fn tail(&self, user: &str, conv: &str) -> u64 {
        let end = self.seats.get(&(user.into(), conv.into())).and_then(|seat| seat.end);
        end.map_or(self.head(conv), |end| end.min(self.head(conv)))
    }

    pub(super) fn is_listed(&self, user: &str, conv: &str) -> bool {
        let tail = self.tail(user, conv);
        self.seats.get(&(user.into(), conv.into())).is_some_and(|seat| tail >= seat.first && tail > seat.hidden)
    }

    fn line(&self, user: &str, conv: &str) -> Line {
        let seat = &self.seats[&(user.to_owned(), conv.to_owned())];
        let visible = self.visible(user, conv);
        let counts = |seq: u64, said: &Said| seat.end.is_none() && seq > seat.read && !said.revoked && said.from != user;
        let new = || visible.iter().filter(|(seq, said)| counts(*seq, said));
        let mentions = new().filter_map(|(_, said)| {
            let kind = match (said.names.iter().any(|name| name == user), said.all) {
                (true, true) => 3,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => return None,
            };
            Some((kind, said.from.clone(), said.id.clone()))
        });
        let tail = usize::try_from(self.tail(user, conv)).unwrap();
        let tail_key = self.messages(conv)[..tail].last().map_or(0, |said| said.order_key);
        Line {
            conv: conv.into(),
            order_key: tail_key.max(seat.order_min),
            unread: new().count() as u64,
            pinned: seat.pinned,
            muted: seat.muted,
            disabled: seat.end.is_some(),
            last: visible.last().map(|(_, said)| (said.id.clone(), said.revoked)),
            mentions: mentions.collect(),
        }
    }

    /// Returns the list as a client must see it, in order, and the total.
    pub(super) fn list(&self, user: &str) -> (Vec<Line>, u64) {
        let convs = self.seats.keys().filter(|(of, conv)| of == user && self.is_listed(user, conv));
        let mut lines: Vec<Line> = convs.map(|(_, conv)| self.line(user, conv)).collect();
        lines.sort_by_key(|line| std::cmp::Reverse((line.pinned, line.order_key)));
        let total = lines.iter().filter(|line| !line.muted).map(|line| line.unread).sum();
        (lines, total)
    }

    pub(super) fn read(&mut self, user: &str, conv: &str) {
        let tail = self.tail(user, conv);
        self.seat(user, conv).read = tail;
    }

    pub(super) fn clear(&mut self, user: &str, conv: &str) {
        let tail = self.tail(user, conv);
        let seat = self.seat(user, conv);
        (seat.cleared, seat.read) = (tail, tail);
    }

    pub(super) fn hide(&mut self, user: &str, conv: &str) {
        let tail = self.tail(user, conv);
        let seat = self.seat(user, conv);
        (seat.hidden, seat.read) = (tail, tail);
    }

    pub(super) fn delete(&mut self, user: &str, conv: &str, seq: u64) {
        self.seat(user, conv).deleted.insert(seq);
    }

    pub(super) fn mute(&mut self, user: &str, conv: &str, muted: bool) {
        self.seat(user, conv).muted = muted;
    }

    /// Notes that a change of the pin raises the entry: to the time, or above where it is.
    pub(super) fn pin(&mut self, user: &str, conv: &str, pinned: bool, key_now: u64) {
        let above = self.line(user, conv).order_key + 1;
        let seat = self.seat(user, conv);
        (seat.pinned, seat.order_min) = (pinned, key_now.max(above));
    }

    pub(super) fn revoke(&mut self, conv: &str, seq: u64) {
        self.said.get_mut(conv).unwrap()[usize::try_from(seq).unwrap() - 1].revoked = true;
    }

    /// Brings a device back that was away: of the messages it must receive it gets those that its user may still see.
    pub(super) fn back(&mut self, device: &str, user: &str) {
        let owed = self.owed.remove(device).unwrap_or_default();
        let kept = owed
            .into_iter()
            .filter(|(conv, seq)| self.is_inside(user, conv) && self.visible(user, conv).iter().any(|(seen, _)| seen == seq));
        let kept = kept.collect();
        self.owed.insert(device.into(), kept);
    }
}
