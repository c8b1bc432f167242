//! `kill -9` at random moments, and what must still be there afterwards: every acknowledged message, in its order,
//! once.
//!
//! The full run: `TIDINGS_CRASH_CYCLES=40 cargo test --test it crash -- --nocapture`
//! A failure prints its seed; `TIDINGS_CRASH_SEED=…` throws the same dice again.
// It measures, and says what it measured.
#![allow(clippy::cast_possible_truncation, clippy::disallowed_methods, clippy::print_stdout)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::hostile::{Dice, Line, PATIENCE, Program, Running, alone, message_to, soon};

const PEOPLE: usize = 8;
/// Requests that one sender has under way.
const WINDOW: usize = 8;
/// Four pairs, the group, the room.
const CONVERSATIONS: usize = PEOPLE / 2 + 2;
const GROUP: usize = PEOPLE / 2;
const ROOM: usize = GROUP + 1;

/// The place a message was given.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    conversation: usize,
    seq: u64,
    order_key: u64,
    message_id: String,
    local_id: String,
}

impl Place {
    /// Reads a message and checks that it is the one its local id says, whole.
    fn of(message: &Value, conversation: usize) -> Self {
        let text = |field: &str| message[field].as_str().unwrap_or_else(|| panic!("no {field} in {message}")).to_owned();
        let local_id = text("localMessageID");
        let (sender, wanted) = origin(&local_id);
        assert_eq!((text("senderUserID"), conversation), (name(sender), wanted), "message in the wrong place: {message}");
        assert_eq!(text("message"), content(&local_id), "message is not whole: {message}");
        let number = |field: &str| message[field].as_u64().unwrap_or_else(|| panic!("no {field} in {message}"));
        let (seq, order_key) = (number("messageSeq"), number("orderKey"));
        assert!(order_key < 1 << 53, "{message}");
        Self { conversation, seq, order_key, message_id: text("messageID"), local_id }
    }
}

fn name(person: usize) -> String {
    format!("u{person}")
}

/// Writes a local id: `u3-4-17` is the 17th message of u3, and goes to conversation 4.
fn origin(local_id: &str) -> (usize, usize) {
    let mut parts = local_id[1..].split('-').map(|part| part.parse().unwrap());
    (parts.next().unwrap(), parts.next().unwrap())
}

/// Returns the text of a message, which follows from its local id: a retry says the same, and a reader knows it.
fn content(local_id: &str) -> String {
    let seed = local_id.bytes().fold(7u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut dice = Dice(seed);
    // Most are short, some span several of the store's pages.
    let words = if dice.one_in(20) { dice.between(200, 800) } else { dice.between(0, 20) };
    let filler = (0..words).map(|_| format!(" {:x}", dice.roll()));
    std::iter::once(local_id.to_owned()).chain(filler).collect()
}

/// One client over all its connections.
struct Person {
    number: usize,
    dice: Dice,
    /// Whether it sends again what it has no answer for, and now and then what it has one for.
    retries: bool,
    sent: u64,
    /// Local ids without an answer.
    pending: BTreeSet<String>,
    acknowledged: BTreeMap<String, Place>,
    /// Everything events brought.
    read: Vec<Place>,
    /// Per conversation, the last that an event on this connection brought.
    newest: [u64; CONVERSATIONS],
    /// Requests whose answers are of no interest: they change rows beside the messages.
    beside: BTreeSet<u64>,
}

impl Person {
    fn new(number: usize, dice: &mut Dice) -> Self {
        let (dice, retries) = (Dice(dice.roll()), number.is_multiple_of(2));
        let (pending, acknowledged, newest) = (BTreeSet::new(), BTreeMap::new(), [0; CONVERSATIONS]);
        Self { number, dice, retries, sent: 0, pending, acknowledged, read: Vec::new(), newest, beside: BTreeSet::new() }
    }

    fn other(&self) -> usize {
        self.number ^ 1
    }

    /// Returns how this client names a conversation.
    fn address_of(&self, conversation: usize) -> (String, u8) {
        match conversation {
            ROOM => ("hall".to_owned(), 1),
            GROUP => ("crowd".to_owned(), 2),
            _ => (name(self.other()), 0),
        }
    }

    async fn enter(&mut self, program: &Program, running: &Running) -> Line {
        self.newest = [0; CONVERSATIONS];
        self.beside.clear();
        let mut line = Line::login(program, running.address, &name(self.number)).await;
        // Long enough for every restart: the room lives through all of them.
        let room = json!({"roomInfo": {"roomID": "hall"}, "config": {"roomDestroyDelayTime": 10_800}});
        line.ok("enterRoom", room).await;
        line
    }

    async fn send(&mut self, line: &mut Line, local_id: &str) -> Option<u64> {
        let (to, kind) = self.address_of(origin(local_id).1);
        let message = json!({"type": 1, "message": content(local_id), "localMessageID": local_id});
        line.send("sendMessage", &message_to(&to, kind, &message)).await
    }

    /// Changes something beside the messages: reads, reacts, pins, mutes.
    async fn change_something(&mut self, line: &mut Line) -> Option<()> {
        let conversation = [self.number / 2, GROUP][self.dice.between(0, 1) as usize];
        let (id, kind) = self.address_of(conversation);
        let mut place = json!({"conversationID": id, "conversationType": kind});
        let last = self.acknowledged.values().rev().find(|known| origin(&known.local_id).1 == conversation).map(|known| known.seq);
        let request = match (self.dice.between(0, 3), last) {
            (0, _) => line.send("clearConversationUnreadMessageCount", &place).await,
            (1, _) => {
                place["status"] = json!(self.dice.between(1, 2));
                line.send("setConversationNotificationStatus", &place).await
            }
            (other, Some(seq)) => {
                place["messageSeq"] = json!(seq);
                let reaction = format!("r{}", self.dice.between(0, 3));
                match other {
                    2 => line.send("addMessageReaction", &json!({"message": place, "reactionType": reaction})).await,
                    _ => line.send("pinMessage", &json!({"message": place, "isPinned": true})).await,
                }
            }
            _ => return Some(()),
        };
        self.beside.insert(request?);
        Some(())
    }

    /// Returns what to send next: something again, or something new.
    fn next_local_id(&mut self, under_way: &BTreeMap<u64, String>) -> String {
        if self.retries && self.dice.one_in(10) {
            let known: Vec<&String> = self.acknowledged.keys().chain(under_way.values()).collect();
            if !known.is_empty() {
                return known[self.dice.between(0, known.len() as u64 - 1) as usize].clone();
            }
        }
        let conversation = [self.number / 2, GROUP, ROOM][self.dice.between(0, 2) as usize];
        self.sent += 1;
        let local_id = format!("u{}-{conversation}-{}", self.number, self.sent);
        self.pending.insert(local_id.clone());
        local_id
    }

    /// Writes and reads until the connection is lost, or until told to stop and everything is answered.
    async fn talk(mut self, mut line: Line, mut stop: watch::Receiver<bool>) -> (Self, Option<Line>) {
        let mut under_way: BTreeMap<u64, String> = BTreeMap::new();
        let mut again: Vec<String> = if self.retries { self.pending.iter().cloned().collect() } else { Vec::new() };
        // Who does not retry forgets: the message may be there, once, or not.
        self.pending.retain(|_| self.retries);
        loop {
            let stopping = *stop.borrow();
            if stopping && under_way.is_empty() && again.is_empty() {
                return (self, Some(line));
            }
            let pause = Duration::from_micros(self.dice.between(0, 5_000));
            tokio::select! {
                () = sleep(pause), if under_way.len() < WINDOW && !(stopping && again.is_empty()) => {
                    let local_id = again.pop().unwrap_or_else(|| self.next_local_id(&under_way));
                    let Some(id) = self.send(&mut line, &local_id).await else { return (self, None) };
                    under_way.insert(id, local_id);
                    if !stopping && self.dice.one_in(3) && self.change_something(&mut line).await.is_none() {
                        return (self, None);
                    }
                }
                frame = line.next() => match frame {
                    Some(frame) => {
                        // Whoever does not retry forgets: the message may be there, once, or not.
                        let refused = self.take(&frame, &mut under_way).filter(|local_id| self.pending.contains(local_id));
                        if self.retries {
                            again.extend(refused);
                        } else if let Some(local_id) = refused {
                            self.pending.remove(&local_id);
                        }
                    }
                    None => return (self, None),
                },
                _ = stop.changed(), if !stopping => {}
            }
        }
    }

    /// Takes a frame; returns the local id of a send that was refused for now.
    fn take(&mut self, frame: &Value, under_way: &mut BTreeMap<u64, String>) -> Option<String> {
        if let Some(id) = frame["id"].as_u64().filter(|id| !self.beside.remove(id)) {
            let local_id = under_way.remove(&id).unwrap_or_else(|| panic!("a reply nobody waits for: {frame}"));
            if frame["error"]["temporary"] == true {
                return Some(local_id);
            }
            let place = Place::of(&frame["result"]["message"], origin(&local_id).1);
            assert_eq!(place.local_id, local_id);
            self.pending.remove(&local_id);
            let first = self.acknowledged.entry(local_id).or_insert_with(|| place.clone());
            assert_eq!(*first, place, "a retry has the first answer");
        }
        let is_received = frame["event"].as_str().is_some_and(|event| event.starts_with("receive"));
        for message in frame["data"]["messageList"].as_array().into_iter().flatten().filter(|_| is_received) {
            let conversation = match frame["event"].as_str() {
                Some("receiveRoomMessage") => ROOM,
                Some("receiveGroupMessage") => GROUP,
                _ => self.number / 2,
            };
            let place = Place::of(message, conversation);
            let before = std::mem::replace(&mut self.newest[conversation], place.seq);
            assert!(before < place.seq, "{} read {before} before {place:?}", name(self.number));
            self.read.push(place);
        }
        None
    }

    /// Reads a whole conversation, in pages of changing sizes.
    async fn history(&mut self, line: &mut Line, conversation: usize, backwards: bool) -> Vec<Place> {
        let (id, kind) = self.address_of(conversation);
        let mut pages: Vec<Vec<Place>> = Vec::new();
        let mut anchor: Option<Value> = None;
        loop {
            // Small pages are many: a few of them, then large ones.
            let count = if pages.len() < 8 { self.dice.between(1, 40) } else { self.dice.between(60, 100) };
            let mut config = json!({"count": count, "reverse": backwards});
            if let Some(anchor) = &anchor {
                config["nextMessage"] = anchor.clone();
            }
            let ask = json!({"conversationID": id, "conversationType": kind, "config": config});
            let mut answer = line.ok("queryHistoryMessage", ask).await;
            let page: Vec<Place> =
                answer["messageList"].as_array().unwrap().iter().map(|message| Place::of(message, conversation)).collect();
            assert!(page.len() as u64 <= count, "{} messages on a page of {count}", page.len());
            let Some(edge) = (if backwards { page.first() } else { page.last() }) else { break };
            anchor = Some(if self.dice.one_in(2) { json!({"messageSeq": edge.seq}) } else { json!({"orderKey": edge.order_key}) });
            let short = (page.len() as u64) < count && answer["more"].take() != true;
            pages.push(page);
            if short {
                break;
            }
        }
        if backwards {
            pages.reverse();
        }
        pages.concat()
    }
}

/// Everything that was ever found, per conversation.
type Record = Vec<Vec<Place>>;

/// Reads every conversation, by two users, forwards and backwards, and compares it with all that was acknowledged.
async fn verify(people: &mut [Person], lines: &mut [Line], record: &mut Record, dice: &mut Dice) {
    for (conversation, known) in record.iter_mut().enumerate() {
        let first = if conversation < GROUP { conversation * 2 } else { dice.between(0, PEOPLE as u64 - 1) as usize };
        let found = people[first].history(&mut lines[first], conversation, false).await;
        let second = people[first].other();
        let reversed = people[second].history(&mut lines[second], conversation, true).await;
        assert!(found == reversed, "conversation {conversation}: forwards and backwards differ");
        for (n, place) in found.iter().enumerate() {
            assert_eq!(place.seq, n as u64 + 1, "conversation {conversation}: a gap before {place:?}");
        }
        for pair in found.windows(2) {
            assert!(pair[0].order_key < pair[1].order_key, "conversation {conversation}: order of {pair:?}");
        }
        let local_ids: BTreeSet<&str> = found.iter().map(|place| place.local_id.as_str()).collect();
        assert_eq!(local_ids.len(), found.len(), "conversation {conversation}: a message is there twice");
        assert!(found.starts_with(known), "conversation {conversation}: what was read before a kill is not read after it");
        for person in people.iter() {
            for promised in person.acknowledged.values().chain(&person.read).filter(|place| place.conversation == conversation) {
                let there = found.get(promised.seq as usize - 1);
                assert_eq!(there, Some(promised), "acknowledged to or read by {}, then lost", name(person.number));
            }
        }
        *known = found;
    }
}

/// The last run ends in peace: everyone must have received everything, as a reply or as an event.
async fn assert_all_delivered(person: &mut Person, line: &mut Line, record: &Record, already: &[usize; CONVERSATIONS]) {
    for conversation in [GROUP, ROOM, person.number / 2] {
        let wanted: BTreeSet<u64> = record[conversation][already[conversation]..].iter().map(|place| place.seq).collect();
        loop {
            let own = person.acknowledged.values();
            let had: BTreeSet<u64> =
                own.chain(&person.read).filter(|place| place.conversation == conversation).map(|place| place.seq).collect();
            let missing: Vec<_> = wanted.difference(&had).collect();
            if missing.is_empty() {
                break;
            }
            let frame = timeout(PATIENCE, line.next()).await;
            let frame =
                frame.unwrap_or_else(|_| panic!("{} was never given {missing:?} of conversation {conversation}", name(person.number)));
            drop(person.take(&frame.expect("the program runs"), &mut BTreeMap::new()));
        }
    }
}

/// What ends a cycle.
pub(crate) trait Killer {
    /// Strikes while everyone talks; returns the broker, if it goes on.
    async fn strike(&self, running: Running, dice: &mut Dice) -> Option<Running>;
}

/// Kills the broker.
pub(crate) struct OfBroker;

impl Killer for OfBroker {
    async fn strike(&self, running: Running, _: &mut Dice) -> Option<Running> {
        running.kill().await;
        None
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_once_whole_and_in_its_place() {
    let _alone = alone().await;
    let cycles = number("TIDINGS_CRASH_CYCLES").unwrap_or(6);
    let program = Program::with(&[("rate.sends_per_second", "100000"), ("rate.burst", "100000")]);
    campaign(&program, cycles, &OfBroker).await;
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap())
}

/// Kills so many times, at random moments, and looks each time at all that was ever acknowledged.
pub(crate) async fn campaign(program: &Program, cycles: u64, killer: &impl Killer) {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let seed = number("TIDINGS_CRASH_SEED").unwrap_or(since_1970.as_micros() as u64);
    println!("TIDINGS_CRASH_SEED={seed}");
    let mut dice = Dice(seed);
    let mut people: Vec<Person> = (0..PEOPLE).map(|number| Person::new(number, &mut dice)).collect();
    let mut record: Record = vec![Vec::new(); CONVERSATIONS];
    let (mut killed_at_start, mut left) = (0, None);

    for cycle in 0..=cycles {
        if cycle > 0 && left.is_none() && dice.one_in(3) {
            // Once more while the last kill is being recovered from.
            let mut starting = program.spawn();
            sleep(Duration::from_millis(dice.between(5, 250))).await;
            starting.kill().await.unwrap();
            killed_at_start += 1;
        }
        let running = match left.take() {
            Some(running) => running,
            None => program.run().await,
        };
        let mut lines = Vec::new();
        for person in &mut people {
            lines.push(person.enter(program, &running).await);
        }
        if cycle == 0 {
            let members: Vec<String> = (1..PEOPLE).map(name).collect();
            lines[0].ok("createGroup", json!({"groupInfo": {"groupID": "crowd", "groupName": "crowd"}, "userIDs": members})).await;
        }
        verify(&mut people, &mut lines, &mut record, &mut dice).await;
        let already: [usize; CONVERSATIONS] = std::array::from_fn(|conversation| record[conversation].len());
        let (stop, stopping) = watch::channel(false);
        let mut talks = JoinSet::new();
        for (person, line) in people.drain(..).zip(lines) {
            talks.spawn(person.talk(line, stopping.clone()));
        }
        sleep(Duration::from_millis(dice.between(30, 600))).await;
        let is_last = cycle == cycles;
        let survivor = if is_last { Some(running) } else { killer.strike(running, &mut dice).await };
        if survivor.is_some() {
            stop.send(true).unwrap();
        }
        let mut over = soon("the end of every talk", talks.join_all()).await;
        over.sort_by_key(|(person, _)| person.number);
        let (back, lines): (Vec<Person>, Vec<Option<Line>>) = over.into_iter().unzip();
        people = back;
        if is_last {
            let mut lines: Vec<Line> = lines.into_iter().map(|line| line.expect("nobody was killed")).collect();
            verify(&mut people, &mut lines, &mut record, &mut dice).await;
            for (person, line) in people.iter_mut().zip(&mut lines) {
                assert_all_delivered(person, line, &record, &already).await;
            }
        }
        left = survivor;
    }
    let stored: usize = record.iter().map(Vec::len).sum();
    let acknowledged: usize = people.iter().map(|person| person.acknowledged.len()).sum();
    println!(
        "{cycles} kills while writing, {killed_at_start} while starting: {acknowledged} acknowledged, {stored} stored, none lost, none twice"
    );
}
