//! Several brokers as one: how actors of one node reach those of another.
//!
//! | file | what is in it |
//! |---|---|
//! | [`orders`] | what another node's actors may ask of those here: the table of all commands |
//! | [`loopback`] | one broker that encodes everything its actors say to each other: for tests |

pub(crate) mod loopback;
pub(crate) mod orders;
