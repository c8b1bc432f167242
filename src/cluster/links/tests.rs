//! Two nodes over a loopback bus.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::cluster::loopback::{Hub, Loopback};

/// Notes everything that it hears.
#[derive(Default)]
pub(in crate::cluster) struct Recorder {
    pub(in crate::cluster) reliable: Mutex<Vec<Bytes>>,
    pub(in crate::cluster) lossy: Mutex<Vec<Bytes>>,
    pub(in crate::cluster) lost: AtomicUsize,
    pub(in crate::cluster) events: Mutex<Vec<String>>,
}

impl LinkHandler for Recorder {
    fn receive(&self, _: &Peer, payload: Bytes) {
        lock(&self.reliable).push(payload);
    }

    fn receive_lossy(&self, _: &Peer, payload: Bytes) {
        lock(&self.lossy).push(payload);
    }

    fn lost(&self, _: &Peer) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    fn opened(&self, to: &Peer) {
        lock(&self.events).push(format!("opened {}", to.name));
    }

    fn closed(&self, to: &Peer) {
        lock(&self.events).push(format!("closed {}", to.name));
    }
}

pub(in crate::cluster) fn peer(boot: i64) -> Peer {
    Peer { boot, slot: u16::try_from(boot).unwrap(), name: format!("node-{boot}") }
}

struct Node {
    links: Arc<Links>,
    heard: Arc<Recorder>,
    bus: Arc<Loopback>,
}

fn node(hub: &Arc<Hub>, boot: i64, limits: LinkLimits) -> Node {
    let (heard, bus) = (Arc::new(Recorder::default()), hub.connect());
    let mut options = LinkOptions::new("test");
    options.limits = limits;
    options.probe_every = Duration::from_millis(50);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let links =
        Links::start(LinkParts { me: peer(boot), reliable: bus.clone(), lossy: hub.connect(), options, clock, handler: heard.clone() })
            .unwrap();
    Node { links, heard, bus }
}

/// Waits for a condition; fails with what there is after ten seconds.
pub(in crate::cluster) fn wait(what: impl Fn() -> String, is_there: impl Fn() -> bool) {
    let clock = SystemClock::new();
    while !is_there() {
        assert!(clock.elapsed() < Duration::from_secs(10), "{}", what());
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn number(n: usize) -> Bytes {
    Bytes::from(n.to_string())
}

fn numbers(count: usize) -> Vec<Bytes> {
    (0..count).map(number).collect()
}

#[test]
fn frames_go_both_ways_in_order_over_a_bus_that_loses_each_tenth() {
    let hub = Hub::new();
    let (one, two) = (node(&hub, 1, LinkLimits::default()), node(&hub, 2, LinkLimits::default()));
    one.links.set_peers(&[peer(1), peer(2)]);
    two.links.set_peers(&[peer(1), peer(2)]);
    hub.lose_every(10);
    for n in 0..2000 {
        assert!(one.links.send(2, number(n)).is_some() && two.links.send(1, number(n)).is_some());
        if n % 100 == 0 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
    }
    for (from, to) in [(&one, &two), (&two, &one)] {
        let told = |stats: LinkStats| format!("{stats:#?}");
        wait(|| told(from.links.stats()), || lock(&to.heard.reliable).len() >= 2000);
        assert_eq!(*lock(&to.heard.reliable), numbers(2000));
        assert_eq!(to.heard.lost.load(Ordering::Relaxed), 0);
    }
    wait(|| "not acknowledged".into(), || one.links.acked(2) == one.links.sent(2));
    assert_eq!(one.links.sent(2), Some(2000));
}

/// Greets whoever a link is opened to.
#[derive(Default)]
struct Greeter {
    links: std::sync::OnceLock<std::sync::Weak<Links>>,
    greeted: AtomicUsize,
}

impl LinkHandler for Greeter {
    fn receive(&self, _: &Peer, _: Bytes) {}

    fn receive_lossy(&self, _: &Peer, _: Bytes) {}

    fn lost(&self, _: &Peer) {}

    fn opened(&self, to: &Peer) {
        let links = self.links.get().and_then(std::sync::Weak::upgrade).unwrap();
        let sent = links.send(to.boot, Bytes::from_static(b"hello"));
        self.greeted.fetch_add(usize::from(sent.is_some()), Ordering::Relaxed);
    }

    fn closed(&self, _: &Peer) {}
}

#[test]
fn a_handler_sends_by_a_link_as_soon_as_it_hears_of_it() {
    let (hub, greeter) = (Hub::new(), Arc::new(Greeter::default()));
    let clock = Arc::new(SystemClock::new());
    let links = Links::start(LinkParts {
        me: peer(1),
        reliable: hub.connect(),
        lossy: hub.connect(),
        options: LinkOptions::new("test"),
        clock,
        handler: greeter.clone(),
    })
    .unwrap();
    greeter.links.set(Arc::downgrade(&links)).unwrap();
    for last in 2..50 {
        links.set_peers(&(2..=last).map(peer).collect::<Vec<_>>());
    }
    wait(|| "not all were greeted".into(), || greeter.greeted.load(Ordering::Relaxed) == 48);
    links.set_peers(&[]);
    links.stop();
}

#[test]
fn a_boot_that_is_no_peer_is_not_sent_to() {
    let hub = Hub::new();
    let one = node(&hub, 1, LinkLimits::default());
    assert_eq!(one.links.send(2, number(0)), None);
    assert!(!one.links.send_lossy(2, number(0)));
    assert_eq!((one.links.acked(2), one.links.sent(2)), (None, None));
    one.links.set_peers(&[peer(1)]);
    assert_eq!(one.links.send(1, number(0)), None, "a node has no link to itself");
}

#[test]
fn a_link_that_was_closed_begins_anew_and_says_what_may_be_lost() {
    let hub = Hub::new();
    let (one, two) = (node(&hub, 1, LinkLimits::default()), node(&hub, 2, LinkLimits::default()));
    one.links.set_peers(&[peer(2)]);
    two.links.set_peers(&[peer(1)]);
    one.links.send(2, number(0)).unwrap();
    wait(|| "nothing came".into(), || lock(&two.heard.reliable).len() == 1);
    one.links.set_peers(&[]);
    assert_eq!(one.links.send(2, number(1)), None);
    one.links.set_peers(&[peer(2)]);
    assert_eq!(one.links.send(2, number(1)), Some(1), "numbers begin anew");
    wait(|| "nothing came".into(), || lock(&two.heard.reliable).len() == 2);
    assert_eq!(*lock(&two.heard.reliable), numbers(2));
    assert_eq!(two.heard.lost.load(Ordering::Relaxed), 1);
    assert_eq!(*lock(&one.heard.events), ["opened node-2", "closed node-2", "opened node-2"]);
}

#[test]
fn what_overflows_the_ring_while_the_bus_is_away_is_told_as_lost() {
    let hub = Hub::new();
    let limits = LinkLimits { ring_bytes_max: 1000, batch_bytes_max: 400, ..LinkLimits::default() };
    let (one, two) = (node(&hub, 1, limits), node(&hub, 2, limits));
    one.links.set_peers(&[peer(2)]);
    two.links.set_peers(&[peer(1)]);
    one.bus.set_cut(true);
    for n in 0..100 {
        one.links.send(2, number(n)).unwrap();
    }
    wait(|| "still connected".into(), || one.links.cut_off_for() > Duration::from_millis(100));
    one.bus.set_cut(false);
    wait(|| format!("{:?}", one.links.stats()), || one.links.acked(2) == Some(100) && one.links.cut_off_for() == Duration::ZERO);
    let heard = lock(&two.heard.reliable).clone();
    assert_eq!(heard, numbers(100)[100 - heard.len()..]);
    assert!((10..100).contains(&heard.len()), "{}", heard.len());
    assert_eq!(two.heard.lost.load(Ordering::Relaxed), 1);
}

#[test]
fn lossy_frames_arrive_or_are_dropped_and_counted() {
    let hub = Hub::new();
    let limits = LinkLimits { lossy_bytes_max: 1000, ..LinkLimits::default() };
    let (one, two) = (node(&hub, 1, limits), node(&hub, 2, limits));
    one.links.set_peers(&[peer(2)]);
    two.links.set_peers(&[peer(1)]);
    // What is published before the other end listens is lost: until then each is a try.
    wait(|| "nothing came".into(), || one.links.send_lossy(2, number(0)) && !lock(&two.heard.lossy).is_empty());
    assert!(!one.links.send_lossy(2, Bytes::from(vec![0; 1001])), "more than may wait");
    assert_eq!(one.links.stats().peers[0].lossy.dropped, 1);
}

#[test]
fn a_cluster_whose_name_cannot_stand_in_a_subject_does_not_start() {
    for name in ["", "a.b", "a b", "a>"] {
        let (hub, handler) = (Hub::new(), Arc::new(Recorder::default()));
        let started = Links::start(LinkParts {
            me: peer(1),
            reliable: hub.connect(),
            lossy: hub.connect(),
            options: LinkOptions::new(name),
            clock: Arc::new(SystemClock::new()),
            handler,
        });
        assert!(matches!(started, Err(LinksError::Cluster(_))), "{name}");
    }
}
