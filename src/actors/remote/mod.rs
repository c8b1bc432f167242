//! Several brokers as one: how actors of one node reach those of another.
//!
//! | file | what is in it |
//! |---|---|
//! | [`orders`] | what another node's actors may ask of those here: the table of all commands |
//! | [`letter`] | what nodes say to each other, and how it is encoded |
//! | [`end`] | the way to one other node's connections and feeds |
//! | [`cluster`] | this node among the others: what it knows of them, questions and answers |
//! | [`carry`] | where actors live, and how orders get to them |
//! | [`node`] | what the actors of this node need of the others |
//! | [`hear`] | what other nodes say, and what becomes of it |
//! | [`marks`] | how far everything was heard, by shard: the cursor |
//! | [`parked`] | orders that wait for an owner |
//! | [`questions`] | what was asked of other nodes and is not answered yet |
//! | [`membership`] | who lives and who owns what, and what this node does about it |
//! | [`contact`] | when the database answered last |
//! | [`touch`] | whether this node reaches database and bus, and what it does where not |
//! | [`handover`] | how shards go from one node to another |
//! | [`loopback`] | one broker that encodes everything its actors say to each other: for tests |

mod arrival;
mod carry;
pub(crate) mod cluster;
mod contact;
mod end;
mod handover;
pub(crate) mod hear;
mod letter;
pub(crate) mod loopback;
mod marks;
pub(crate) mod membership;
mod node;
pub(crate) mod orders;
mod parked;
mod questions;
pub(crate) mod touch;
